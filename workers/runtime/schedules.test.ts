import { expect, onTestFinished, test } from 'vitest';
import { readStoredSchedules } from '../../jobs/client/declared-schedules.ts';
import { RedisTransport } from '../../jobs/client/redis-transport.ts';
import { pipeline } from '../../jobs/pipeline/contract.ts';
import { recordOf, parseSchedule, SCHEDULES } from '../../jobs/schedules.ts';
import { manualClock } from '../../shared/clock.ts';
import { runKeyOf, schedulerId, schedulesKey, tickMirrorKey } from '../../shared/contract-kit/names.ts';
import type { Log } from '../../shared/telemetry/log.ts';
import { redisUrl, silentLog, type TestServices, testServices } from '../../test/services.ts';
import { Enqueuer } from './enqueuer.ts';
import { parseEnvelope } from './parse.ts';
import { adaptTick, adoptSchedulers, declareDefaults, restoreSchedules } from './schedules.ts';
import { Ticker } from './ticker.ts';

const MINUTE_MS = 60_000;
const START = Date.UTC(2026, 9, 25);

function open(services: TestServices) {
  const { redis, prefix, store } = services;
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const enqueuer = stack.use(
    new Enqueuer({ redis, prefix, contracts: { pipeline }, claims: store.claims, ring: undefined }),
  );
  const clock = manualClock(START);
  const queue = enqueuer.queue('pipeline');
  return {
    clock,
    enqueuer,
    queue,
    ticker: (log = silentLog) => new Ticker({ store, redis, prefix, enqueuer, clock, log }),
    declare: async (catchUp: 'skip' | 'latest' | 'all', catchUpMax = 3): Promise<void> => {
      const schedule = parseSchedule({ name: catchUp, pipeline: 'refresh', cron: '*/10 * * * *', catchUp, catchUpMax });
      const record = recordOf('main', schedule, START);
      await redis.hset(schedulesKey(prefix), schedulerId('main', catchUp), JSON.stringify(record));
    },
    /** The ticks that were enqueued, as minutes after the start, in the order in which they run. */
    ticks: async (): Promise<number[]> => {
      const jobs = await queue.getJobs(['prioritized'], 0, -1, true);
      const envelopes = jobs.map(({ id, data }) =>
        parseEnvelope({ id: id as string, data: data as unknown }, pipeline),
      );
      return envelopes.map(({ asOf }) => (asOf - START) / MINUTE_MS);
    },
  };
}

test('many schedulers at once start each tick once, under a run key that names it', async () => {
  await using services = await testServices();
  const { clock, queue, ticker, declare, ticks } = open(services);
  await declare('latest');
  const tickers = Array.from({ length: 5 }, () => ticker());
  for (let minute = 0; minute < 31; minute++) {
    await Promise.all(tickers.map((one) => one.turn()));
    clock.advance(MINUTE_MS);
  }
  expect(await ticks()).toEqual([10, 20, 30]);
  const runKeys = (await queue.getJobs(['prioritized'], 0, -1, true)).map(
    ({ data }) => (data as { runKey: string }).runKey,
  );
  expect(runKeys).toEqual([10, 20, 30].map((at) => runKeyOf('main', 'pipeline', `latest.${START + at * MINUTE_MS}`)));
});

test.each([
  { catchUp: 'skip', run: [] },
  { catchUp: 'latest', run: [60] },
  { catchUp: 'all', run: [40, 50, 60] },
] as const)(
  'after an hour of downtime "$catchUp" runs the ticks $run, once, and raises an alert',
  async ({ catchUp, run }) => {
    await using services = await testServices();
    const { redis, prefix, store } = services;
    const { clock, ticker, declare, ticks } = open(services);
    await declare(catchUp);
    await ticker().turn();
    clock.advance(65 * MINUTE_MS);
    const told: unknown[] = [];
    const log = { ...silentLog, error: (fields: unknown) => told.push(fields) } as unknown as Log;
    await Promise.all([ticker(log).turn(), ticker(log).turn()]);
    expect(await ticks()).toEqual(run);
    const missed = { count: 6, from: START + 10 * MINUTE_MS, to: START + 60 * MINUTE_MS, caughtUp: run.length };
    expect(told).toEqual([expect.objectContaining({ event: 'schedule.missed', schedule: catchUp, ...missed })]);
    expect((await store.ticks.begin('main', catchUp, 0)).missed).toMatchObject(missed);
    expect((await readStoredSchedules(redis, prefix))[0]?.mirror?.missed).toMatchObject(missed);
    clock.advance(5 * MINUTE_MS);
    await ticker().turn();
    expect(await ticks()).toEqual([...run, 70]);
  },
);

test('a scheduler that is killed after it enqueued and before it noted so doubles nothing', async () => {
  await using services = await testServices();
  const { clock, enqueuer, ticker, declare, ticks } = open(services);
  await declare('all');
  clock.advance(35 * MINUTE_MS);
  const killed = new Ticker({
    store: {
      ledger: services.store.ledger,
      ticks: { ...services.store.ticks, advance: () => Promise.reject(new Error('killed')) },
    },
    redis: services.redis,
    prefix: services.prefix,
    enqueuer,
    clock,
    log: silentLog,
  });
  await killed.turn();
  expect(await ticks()).toEqual([10, 20, 30]);
  await ticker().turn();
  expect(await ticks()).toEqual([10, 20, 30]);
});

test('a default schedule is declared once: what an operator changed or removed stays so', async () => {
  await using services = await testServices();
  const { redis, prefix } = services;
  await declareDefaults(redis, prefix, 'main', START);
  const [removed, changed] = SCHEDULES.map(({ name }) => schedulerId('main', name)) as [string, string];
  await redis.hdel(schedulesKey(prefix), removed);
  await redis.hset(schedulesKey(prefix), changed, 'changed');
  await declareDefaults(redis, prefix, 'main', START);
  expect(await redis.hget(schedulesKey(prefix), removed)).toBeNull();
  expect(await redis.hget(schedulesKey(prefix), changed)).toBe('changed');
});

test('schedules of an earlier version are taken over with the tick they owe, and a tick of theirs under way is that tick', async () => {
  await using services = await testServices();
  const { redis, prefix } = services;
  const { queue } = open(services);
  const data = { schedule: 'old', tenant: 'main', pipeline: 'refresh', params: {} };
  await queue.upsertJobScheduler('main.old', { pattern: '0 3 * * *', tz: 'Asia/Kolkata' }, { name: 'tick', data });
  const [job] = await queue.getDelayed();
  if (job === undefined) throw new Error('BullMQ planned no tick');
  const envelope = parseEnvelope({ id: job.id as string, data: adaptTick(job) }, pipeline);
  await adoptSchedulers(queue, redis, prefix);
  const [adopted] = await readStoredSchedules(redis, prefix);
  expect(adopted?.record).toMatchObject({ cron: '0 3 * * *', timeZone: 'Asia/Kolkata', tick: data });
  expect(adopted?.record.declaredAt).toBe(envelope.asOf - 1);
  expect(envelope.runKey).toBe(runKeyOf('main', 'pipeline', `old.${envelope.asOf}`));
  expect(await queue.getDelayedCount()).toBe(0);
});

test('an emptied Redis gets back what was declared, not what was removed, and ticks go on', async () => {
  await using services = await testServices();
  const { redis, prefix, store } = services;
  const { clock, ticker, declare, ticks, enqueuer } = open(services);
  const transport = new RedisTransport({ url: redisUrl, prefix, tenant: 'main' });
  onTestFinished(() => transport.close());
  await declare('latest');
  await declare('all');
  const one = ticker();
  await one.turn();
  expect(await transport.removeSchedule(schedulerId('main', 'all'))).toBe(true);
  expect(await transport.removeSchedule(schedulerId('main', 'all'))).toBe(false);
  await one.turn();
  const empty = async (): Promise<void> => {
    await enqueuer.queue('pipeline').obliterate({ force: true });
    await redis.del(schedulesKey(prefix), tickMirrorKey(prefix), `${prefix}:declared-schedules`);
  };
  const declared = async () => (await readStoredSchedules(redis, prefix)).map(({ record }) => record.tick.schedule);
  await empty();
  await one.turn();
  expect(await declared()).toEqual(['latest']);
  clock.advance(10 * MINUTE_MS);
  await one.turn();
  expect(await ticks()).toEqual([10]);
  // A process that starts after Redis was emptied gives it back too, and does not declare again what was removed.
  await empty();
  const first = SCHEDULES[0]!;
  await store.ticks.begin('main', first.name, START);
  await store.ticks.keep('main', first.name, null);
  await declareDefaults(redis, prefix, 'main', START, await restoreSchedules(store, redis, prefix));
  expect((await declared()).toSorted()).toEqual(
    ['latest', ...SCHEDULES.map(({ name }) => name).filter((name) => name !== first.name)].toSorted(),
  );
});

test('a start that no worker begins is told once, a start that was begun is not', async () => {
  await using services = await testServices();
  const { store } = services;
  const { clock, ticker, declare } = open(services);
  await declare('latest');
  const told: unknown[] = [];
  const log = { ...silentLog, error: (fields: unknown) => void told.push(fields) } as unknown as Log;
  const one = ticker(log);
  await one.turn();
  for (const [minutes, begun] of [
    [10, false],
    [10, true],
  ] as const) {
    clock.advance(minutes * MINUTE_MS);
    await one.turn();
    await one.turn();
    const runKey = runKeyOf('main', 'pipeline', `latest.${clock.now()}`);
    const claim = {
      runKey,
      tenant: 'main',
      kind: 'pipeline',
      contractVersion: 1,
      inputHash: 'h',
      asOf: 1,
      codeVersion: 'x',
    };
    if (begun) await store.ledger.claim(claim);
    clock.advance(5 * MINUTE_MS);
    await one.turn();
    await one.turn();
    clock.advance(-5 * MINUTE_MS);
  }
  expect(told).toEqual([
    { event: 'schedule.not-begun', tenant: 'main', schedule: 'latest', tick: START + 10 * MINUTE_MS },
  ]);
});
