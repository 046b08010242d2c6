/** `millrace run refresh` as a person runs it: what is published, what the gateway answers, and workers that die under it. */
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { auditReportSchema } from '../../shared/contract-kit/audit-report.ts';
import { randomStream } from '../../shared/random.ts';
import type { Release } from '../../shared/store/ports.ts';
import { redisUrl } from '../services.ts';
import { asUser, kill, type Running, type User, TIMEOUT_MS } from './as-a-user.ts';
import { writeFilms } from './films.ts';

const STEPS = ['compact', 'features', 'segments', 'embeddings', 'candidates', 'audit', 'publish'];

interface Published {
  readonly run: string;
  readonly steps: Readonly<Record<string, number>>;
  readonly live: Release;
}
interface Recommended {
  readonly release: string;
  readonly origin: string;
  readonly requestId?: string;
  readonly items: readonly { readonly item: string; readonly title: string }[];
}

const metaSchema = z.object({
  report: z.object({ published: auditReportSchema, holdout: auditReportSchema.optional() }),
});

/** A user with films imported and a worker at work. */
async function withFilms(): Promise<{ user: User; worker: Running }> {
  const user = await asUser();
  const { dir } = await writeFilms(user.folder);
  const worker = await user.worker();
  await user.json('import', 'movielens', dir);
  return { user, worker };
}

async function askGateway(user: User, path: string): Promise<Response> {
  const gateway = user.start('jobs/gateway/main.ts');
  const { address } = JSON.parse(await gateway.line(/^\{"ready"/)) as { address: string };
  const { secret } = await user.json<{ secret: string }>('key', 'create', '--scope', 'recommendations:read');
  const answer = await fetch(`${address}${path}`, { headers: { authorization: `Bearer ${secret}` } });
  expect((await fetch(`${address}${path}`)).status).toBe(401);
  return answer;
}

async function checkAudit({ services: { store } }: User, { audit }: Release): Promise<void> {
  const version = await store.versions.read('main', audit!);
  const { report: pictures } = metaSchema.parse(version.meta);
  const report = pictures.holdout ?? pictures.published;
  expect(report.attributes.map(({ attribute }) => attribute)).toEqual(['ageGroup', 'gender']);
  for (const { groups, metrics } of report.attributes) {
    expect(groups.length).toBeGreaterThan(1);
    expect(groups.reduce((sum, { people }) => sum + people, 0)).toBeGreaterThan(100);
    const figures = [...groups.flatMap((group) => Object.values(group.metrics)), ...Object.values(metrics)];
    const estimable = figures.flatMap((figure) => (figure.estimable ? [figure] : []));
    expect(estimable.length).toBeGreaterThan(0);
    for (const { n } of estimable) expect(Object.keys(n).length).toBeGreaterThan(0);
    const intervals = estimable.flatMap(({ interval, value }) => (interval === null ? [] : [{ ...interval, value }]));
    expect(intervals.length).toBeGreaterThan(0);
    for (const { low, high } of intervals) expect(low).toBeLessThanOrEqual(high);
  }
}

/** A run that is run again from one of its steps keeps what came before it. */
async function runAgain(user: User, run: string): Promise<void> {
  const again = await user.json<Published>('run', '--rerun', run, '--from', 'audit', '--wait');
  const first = await user.services.store.pipelineRuns.read(run);
  const second = await user.services.store.pipelineRuns.read(again.run);
  expect(second).toMatchObject({ state: 'committed', origin: { run, from: 'audit' } });
  expect(second?.steps.embeddings).toMatchObject({ reused: true, runKey: first?.steps.embeddings?.runKey });
  expect(second?.steps.audit?.runKey).not.toBe(first?.steps.audit?.runKey);
  expect(again.live.embeddings).toBe(
    (await user.services.store.releases.read('main', again.live.previous!))?.embeddings,
  );
}

/** What is served right after a refresh is what the live segments learned from. */
async function checkSkew(user: User): Promise<void> {
  const found = await user.json<{ isSkewed: boolean; features: { compared: number }[] }>('features', 'skew', '--check');
  expect(found.isSkewed).toBe(false);
  for (const { compared } of found.features) expect(compared).toBeGreaterThan(100);
}

/** Audits of two days ago and of yesterday: both are there, and what is live stays. */
async function backfill(user: User): Promise<void> {
  const { releases, pipelineRuns } = user.services.store;
  const live = await releases.live('main');
  const day = (ago: number): string => new Date(Date.now() - ago * 24 * 3_600_000).toISOString().slice(0, 10);
  const span = ['--from', day(2), '--to', day(1)];
  const { run } = await user.json<Published>('backfill', 'audit-live', ...span, '--parallel', '2', '--wait');
  const { steps = {} } = (await pipelineRuns.read(run)) ?? {};
  expect(Object.keys(steps).sort()).toEqual(['runs', `runs[${day(2)}]`, `runs[${day(1)}]`]);
  const child = await pipelineRuns.read(steps[`runs[${day(1)}]`]?.run ?? '');
  expect(child).toMatchObject({ state: 'committed', parent: run, asOf: Date.parse(day(1)) });
  expect(child?.steps.publish?.output).toMatchObject({ release: { live: false } });
  expect((await releases.live('main'))?.version).toBe(live?.version);
}

describe('run refresh', { timeout: TIMEOUT_MS }, () => {
  test('publishes recommendations with titles, segments and an audit by gender and age group', async () => {
    const started = await withFilms();
    await using user = started.user;
    const { services } = user;
    const { run, steps, live } = await user.json<Published>('run', 'refresh', '--wait');
    expect(Object.keys(steps).sort()).toEqual([...STEPS].sort());

    const shown = await user.json<Recommended>('recommend', '2', '-k', '5');
    expect(shown).toMatchObject({ release: live.version, origin: 'model' });
    expect(shown.items).toHaveLength(5);
    for (const { item, title } of shown.items) expect(title).toBe(`Film ${item} (1995)`);
    const seen = new Set(
      (await user.millrace('export', 'events')).stdout
        .trim()
        .split('\n')
        .flatMap((line) => {
          const event = JSON.parse(line) as { user: string; item: string };
          return event.user === '2' ? [event.item] : [];
        }),
    );
    expect(shown.items.filter(({ item }) => seen.has(item))).toEqual([]);
    expect(await user.json<Recommended>('recommend', 'nobody')).toMatchObject({ origin: 'popularity' });

    const answer = await askGateway(user, '/v1/recommendations/2?k=5');
    expect(answer.status).toBe(200);
    const { requestId, items } = (await answer.json()) as Recommended;
    expect(items.map(({ item }) => item)).toEqual(shown.items.map(({ item }) => item));
    const exposure = await services.store.exposures.read('main', requestId!);
    expect(exposure?.items).toHaveLength(5);

    const segments = await user.millrace('export', 'segments', '--format', 'csv');
    expect(segments.stdout.trim().split('\n')).toHaveLength(1 + 120);
    await checkAudit(user, live);
    await checkSkew(user);
    const status = await user.json<{ pipelines: { id: string; state: string }[] }>('status');
    expect(status.pipelines).toMatchObject([{ id: run, state: 'committed' }]);
    await runAgain(user, run);
    await backfill(user);
  });

  test.each([1, 2])(
    'commits once and releases once while workers are killed at moments drawn by seed %i',
    async (seed) => {
      const started = await withFilms();
      await using user = started.user;
      const { store, prefix } = user.services;
      const redis = new Redis(redisUrl);
      const draws = randomStream(seed, 'kills');
      // What moves in Redis is the clock: the worker dies after so many announcements, wherever it then is.
      let left = 1 + draws.below(4);
      let due = Promise.withResolvers<void>();
      redis.on('pmessage', () => {
        left -= 1;
        if (left === 0) due.resolve();
      });
      await redis.psubscribe(`${prefix}*`);
      const run = user.start('jobs/cli/bin.mjs', ['run', 'refresh', '--wait', '--json']);
      let { worker } = started;
      let kills = 0;
      while (kills < 2) {
        const ended = await Promise.race([due.promise.then(() => false), run.ended.then(() => true)]);
        if (ended) break;
        await kill(worker);
        kills += 1;
        due = Promise.withResolvers();
        left = 1 + draws.below(6);
        worker = await user.worker();
      }
      redis.disconnect();
      expect(kills).toBeGreaterThan(0);
      const { code, stdout, stderr } = await run.ended;
      expect({ code, stderr }).toMatchObject({ code: 0 });
      const { live } = JSON.parse(stdout) as Published;
      expect(await store.releases.history('main', 10)).toMatchObject([{ version: live.version }]);
      expect(await store.releases.pointer('main')).toMatchObject({ seq: 1, version: live.version });
      const [pipeline, ...others] = await store.pipelineRuns.latest('main', 10);
      expect(others).toEqual([]);
      expect(pipeline?.state).toBe('committed');
      expect(
        Object.entries(pipeline!.steps)
          .map(([name, { state }]) => `${name} ${state}`)
          .sort(),
      ).toEqual(STEPS.map((name) => `${name} committed`).sort());
      const runs = (await store.ledger.latest('main', 100)).filter(({ kind }) => kind !== 'ingestion');
      for (const kind of ['segmentation', 'embedding-training', 'candidate-generation', 'bias-audit'])
        expect(runs.filter((document) => document.kind === kind)).toMatchObject([{ state: 'committed' }]);
    },
  );
});
