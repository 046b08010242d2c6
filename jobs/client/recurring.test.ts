/** Pipelines and schedules over a real Redis; the test writes the mirror as the orchestrator does. */
import { describe, expect, it } from 'vitest';
import {
  cancelKey,
  pipelineChannel,
  pipelineKey,
  schedulesKey,
  tickMirrorKey,
} from '../../shared/contract-kit/names.ts';
import { SCHEDULES } from '../schedules.ts';
import type { PipelineDocument } from './pipelines-client.ts';
import { REDIS_URL, RedisFixture } from './redis-fixture.ts';

const documentOf = (state: PipelineDocument['state'], steps: PipelineDocument['steps']): PipelineDocument => ({
  id: 'run-1',
  pipeline: 'refresh',
  state,
  steps,
});

async function write(fixture: RedisFixture, document: PipelineDocument): Promise<void> {
  const { prefix, redis } = fixture;
  await redis.hset(pipelineKey(prefix, 'main', document.id), {
    state: document.state,
    document: JSON.stringify(document),
  });
  await redis.publish(pipelineChannel(prefix, 'main', document.id), document.state);
}

describe.skipIf(REDIS_URL === undefined)('a pipeline', () => {
  it('is started by a job, followed by its mirror, and ends with its document', async () => {
    await using fixture = new RedisFixture();
    const millrace = fixture.connect();
    const seen = Promise.withResolvers<unknown>();
    fixture.worker('pipeline', (input) => {
      seen.resolve(input);
      return { run: 'run-1' };
    });
    const started = await millrace.pipelines.refresh.start({ candidates: 20 }, { key: 'today' });
    expect(await seen.promise).toMatchObject({
      start: { pipeline: 'refresh', params: { candidates: 20, model: 'ials' } },
    });
    expect((await started.run()).id).toBe('run-1');
    await write(fixture, documentOf('running', { compact: { state: 'enqueued' } }));
    expect(await started.state()).toBe('running');
    const done = started.done();
    const states: string[] = [];
    for await (const { steps } of started.progress()) {
      states.push(steps.compact?.state ?? '');
      await write(fixture, documentOf('committed', { compact: { state: 'committed', startedAt: 1, endedAt: 2 } }));
    }
    expect(states).toEqual(['enqueued', 'committed']);
    expect(await done).toMatchObject({ id: 'run-1', state: 'committed' });
    expect(await started.state()).toBe('committed');
  });

  it('rejects with the failed step, its run and the cause', async () => {
    await using fixture = new RedisFixture();
    const run = fixture.connect().pipelines.refresh.run('run-1');
    expect(await run.state()).toBe('gone');
    const error = { code: 'DATASET_EMPTY', message: 'DATASET_EMPTY: Nothing here. Import events first.' };
    await write(
      fixture,
      documentOf('failed', { compact: { state: 'committed' }, features: { state: 'failed', error } }),
    );
    await expect(run.done()).rejects.toMatchObject({
      code: 'STEP_FAILED',
      details: { step: 'features', code: 'DATASET_EMPTY', run: 'run-1' },
      cause: { code: 'DATASET_EMPTY' },
    });
  });

  it('is cancelled under its own run key', async () => {
    await using fixture = new RedisFixture();
    const run = fixture.connect().pipelines.auditLive.run('run-1');
    await run.cancel();
    expect(await fixture.redis.get(cancelKey(fixture.prefix, 'pipeline:run-1'))).toBe('1');
    await write(fixture, documentOf('cancelled', {}));
    await expect(run.done()).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('refuses wrong parameters before anything is sent', async () => {
    await using fixture = new RedisFixture();
    const millrace = fixture.connect();
    await expect(millrace.pipelines.refresh.start({ candidates: 0 })).rejects.toMatchObject({ code: 'INPUT_INVALID' });
    expect(await fixture.redis.keys(`${fixture.prefix}:pipeline:*`)).toEqual([]);
  });
});

describe.skipIf(REDIS_URL === undefined)('a schedule', () => {
  const nightly = {
    name: 'nightly',
    pipeline: 'refresh-segments',
    cron: '0 3 * * *',
    timeZone: 'Asia/Kolkata',
  } as const;

  it('is created once, unchanged when asked again, changed in place, and removed', async () => {
    await using fixture = new RedisFixture();
    const { schedules } = fixture.connect();
    const stored = async () =>
      JSON.parse((await fixture.redis.hget(schedulesKey(fixture.prefix), 'main.nightly')) ?? 'null') as unknown;
    expect(await schedules.upsert(nightly)).toBe('created');
    const before = await stored();
    expect(before).toMatchObject({
      cron: '0 3 * * *',
      catchUp: 'latest',
      tick: { schedule: 'nightly', tenant: 'main', pipeline: 'refresh-segments', params: {} },
    });
    expect(await schedules.upsert({ ...nightly, params: {} })).toBe('unchanged');
    expect(await stored()).toEqual(before);
    expect(await schedules.upsert({ ...nightly, catchUp: 'all', catchUpMax: 3 })).toBe('changed');
    expect(await stored()).toEqual({ ...(before as object), catchUp: 'all', catchUpMax: 3 });
    expect(await schedules.remove('nightly')).toBe(true);
    expect(await schedules.remove('nightly')).toBe(false);
    expect(await schedules.list()).toEqual([]);
  });

  it('tells how its last five ticks ended, newest first, what was missed, and what no worker takes', async () => {
    await using fixture = new RedisFixture();
    const { schedules } = fixture.connect();
    await schedules.upsert({ ...nightly, cron: '* * * * *' });
    const cursor = Date.now() - 600_000;
    const recent = [
      { tick: 1, did: 'on-time', run: 'run-0' },
      { tick: 2, did: 'on-time', run: 'run-1' },
      { tick: 3, did: 'skipped' },
      { tick: 4, did: 'skipped' },
      { tick: 5, did: 'caught-up', run: 'run-2' },
      { tick: 6, did: 'on-time', run: 'run-3' },
    ];
    const missed = { count: 3, from: 3, to: 5, caughtUp: 1, seenAt: 5 };
    await fixture.redis.hset(tickMirrorKey(fixture.prefix), 'main.nightly', JSON.stringify({ cursor, recent, missed }));
    const record = JSON.parse((await fixture.redis.hget(schedulesKey(fixture.prefix), 'main.nightly')) ?? '') as object;
    await fixture.redis.hset(
      schedulesKey(fixture.prefix),
      'main.nightly',
      JSON.stringify({ ...record, declaredAt: cursor }),
    );
    await write(fixture, documentOf('committed', {}));
    const [listed] = await schedules.list();
    expect(listed?.last.map(({ tick, state }) => [tick, state])).toEqual([
      [6, 'gone'],
      [5, 'gone'],
      [4, undefined],
      [3, undefined],
      [2, 'committed'],
    ]);
    expect(listed?.missed).toEqual(missed);
    expect(listed?.overdue).toBe(Math.floor(cursor / 60_000) * 60_000 + 60_000);
  });

  it('is listed with its next five ticks, for its tenant only', async () => {
    await using fixture = new RedisFixture();
    const { schedules } = fixture.connect();
    await fixture.connect('other').schedules.upsert(nightly);
    for (const schedule of SCHEDULES) await schedules.upsert(schedule);
    await schedules.upsert(nightly);
    const listed = await schedules.list();
    expect(listed.map(({ name }) => name)).toEqual(['nightly', ...SCHEDULES.map(({ name }) => name)].sort());
    const { next, ...rest } = listed.find(({ name }) => name === 'nightly') ?? { next: [] };
    expect(rest).toEqual({ ...nightly, params: {}, catchUp: 'latest', catchUpMax: 24, last: [] });
    expect(next).toHaveLength(5);
    for (const at of next) expect(new Date(at).toISOString()).toContain('T21:30:00.000Z'); // 03:00 in Kolkata
  });

  it('refuses unknown pipelines, time zones and impossible dates', async () => {
    await using fixture = new RedisFixture();
    const { schedules } = fixture.connect();
    for (const wrong of [
      { pipeline: 'x' },
      { timeZone: 'Mars/Base' },
      { cron: '* * *' },
      { cron: '99 * * * *' },
      { cron: '0 0 31 2 *' },
    ])
      await expect(schedules.upsert({ ...nightly, ...wrong } as never)).rejects.toMatchObject({
        code: 'SCHEDULE_INVALID',
      });
    expect(await schedules.list()).toEqual([]);
  });
});
