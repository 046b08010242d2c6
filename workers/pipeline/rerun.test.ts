/** Backfills and re-runs on a real store and Redis: the processor that starts them, the orchestrator that carries them out. */
import { expect, onTestFinished, test } from 'vitest';
import { CONTRACTS } from '../../jobs/registry.ts';
import { pipelineOf } from '../../jobs/pipelines.ts';
import { systemClock } from '../../shared/clock.ts';
import { inlinePool } from '../../shared/compute/pool.ts';
import { sealRing } from '../../shared/contract-kit/seal.ts';
import { AppError } from '../../shared/errors.ts';
import type { PipelineRunDocument, RunDocument } from '../../shared/store/ports.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import { silentLog, TEST_KEYS, testServices } from '../../test/services.ts';
import { CancelWatch } from '../runtime/cancellation.ts';
import { Enqueuer } from '../runtime/enqueuer.ts';
import { pipelineCancelName } from '../../shared/contract-kit/names.ts';
import { Orchestrator } from '../runtime/orchestrator.ts';
import type { RunContext } from '../runtime/processor.ts';
import processor from './processor.ts';

const DAY_MS = 24 * 3_600_000;
const FIRST = Date.UTC(2026, 9, 1);

async function open() {
  const services = await testServices();
  const { store, redis, prefix } = services;
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  stack.use(services);
  const enqueuer = stack.use(
    new Enqueuer({ redis, prefix, contracts: CONTRACTS, claims: store.claims, ring: sealRing(TEST_KEYS.sealKeys) }),
  );
  const cancels = stack.use(await CancelWatch.open(redis, prefix));
  const orchestrator = new Orchestrator({ store, redis, prefix, enqueuer, cancels, log: silentLog });
  const ports = {
    store,
    pool: stack.use(inlinePool()),
    clock: systemClock,
    log: silentLog,
    telemetry: new Telemetry(),
    codeVersion: 'test',
  };
  const context = (runKey: string) => ({ ...ports, tenant: 'main', runKey, asOf: Date.now() }) as unknown as RunContext;
  const read = async (id: string): Promise<PipelineRunDocument> => {
    const found = await store.pipelineRuns.read(id);
    if (found === undefined) throw new Error(`there is no run ${id}`);
    return found;
  };
  return {
    store,
    orchestrator,
    read,
    /** What the executor makes of a job of kind `pipeline`, without claim and commit. */
    async start(input: Parameters<typeof processor.load>[0], runKey = 'main.pipeline.x'): Promise<string> {
      const plan = await processor.load(input, context(runKey));
      const written = await processor.write(plan, context(runKey));
      await processor.follow?.({ ...written, runKey, tenant: 'main' } as unknown as RunDocument, ports);
      const id = written.output.run ?? '';
      await orchestrator.advance(id);
      return id;
    },
    atWork: async (id: string): Promise<string[]> =>
      Object.entries((await read(id)).steps)
        .filter(([, { state }]) => state === 'enqueued')
        .map(([name]) => name)
        .sort(),
    /** Ends a step's job, and tells. */
    async finish(id: string, step: string, output?: unknown): Promise<void> {
      const { runKey = '' } = (await read(id)).steps[step] ?? {};
      const claim = {
        runKey,
        tenant: 'main',
        kind: 'x',
        contractVersion: 1,
        inputHash: 'h',
        asOf: 1,
        codeVersion: 'x',
      };
      const { run } = await store.ledger.claim(claim);
      if (output === undefined)
        await store.ledger.end(runKey, run.fence, 'dead-lettered', new AppError('INTERNAL').toJSON());
      else await store.ledger.commit({ runKey, fence: run.fence, output, next: [], lineage: { inputs: [] } });
      await store.ledger.markFollowed(runKey);
      await orchestrator.advance(id);
    },
    cancel: (id: string) => orchestrator.cancel(id),
    cancelled: (id: string) => cancels.isCancelled(pipelineCancelName(id)),
  };
}

const COMPACTED = { accepted: 0, duplicates: 0, rejected: [], dataset: { version: 'd', rows: 1, blocks: 1 } };
const backfill = (days: number, parallel: number) => ({
  start: {
    pipeline: 'backfill',
    params: { pipeline: 'refresh-segments', from: FIRST, to: FIRST + (days - 1) * DAY_MS, every: 'day', parallel },
  },
});

test('a backfill is a run of runs: one for each moment, some at once, the next when one has ended', async () => {
  const world = await open();
  const id = await world.start(backfill(4, 2));
  expect(await world.atWork(id)).toEqual(['runs[2026-10-01]', 'runs[2026-10-02]']);
  const child = (await world.read(id)).steps['runs[2026-10-01]']?.run ?? '';
  expect(await world.read(child)).toMatchObject({
    pipeline: 'refresh-segments',
    asOf: FIRST,
    parent: id,
    state: 'running',
  });
  expect(await world.atWork(child)).toEqual(['compact']);
  // The same start again, as after a crash: nothing is made twice.
  expect(await world.start(backfill(4, 2))).toBe(id);
  await world.finish(child, 'compact');
  expect((await world.read(child)).state).toBe('failed');
  // The other day goes on, nothing new begins.
  expect(await world.atWork(id)).toEqual(['runs[2026-10-02]']);
  expect((await world.read(id)).steps['runs[2026-10-01]']).toMatchObject({
    state: 'failed',
    error: { code: 'INTERNAL' },
  });
});

test('cancelling a backfill cancels the runs at work', async () => {
  const world = await open();
  const id = await world.start(backfill(3, 2));
  const children = Object.values((await world.read(id)).steps).flatMap(({ run }) => run ?? []);
  expect(children).toHaveLength(2);
  await world.cancel(id);
  expect((await world.read(id)).state).toBe('cancelled');
  for (const child of children) {
    expect(await world.cancelled(child)).toBe(true);
    expect((await world.read(child)).state).toBe('cancelled');
  }
});

test('a re-run is a run of its own: it keeps what finished and does the rest under new run keys', async () => {
  const world = await open();
  const id = await world.start({ start: { pipeline: 'refresh', params: {} } });
  await expect(world.start({ rerun: { run: id } })).rejects.toMatchObject({ code: 'PIPELINE_RUNNING' });
  await world.finish(id, 'compact', COMPACTED);
  await world.finish(id, 'embeddings');
  expect((await world.read(id)).state).toBe('running');
  await world.finish(id, 'features');
  const first = await world.read(id);
  expect(first.state).toBe('failed');
  const again = await world.start({ rerun: { run: id } });
  expect(again).not.toBe(id);
  const second = await world.read(again);
  expect(second).toMatchObject({ origin: { run: id }, asOf: first.asOf, params: first.params, state: 'running' });
  expect(second.steps.compact).toMatchObject({ state: 'committed', reused: true, runKey: first.steps.compact?.runKey });
  expect(await world.atWork(again)).toEqual(['embeddings', 'features']);
  expect(second.steps.embeddings?.runKey).not.toBe(first.steps.embeddings?.runKey);
  // The first run stands as it ended; a second click is the same re-run; from another step it is refused, and says where it is.
  expect(await world.read(id)).toEqual(first);
  expect(await world.start({ rerun: { run: id } }, 'main.pipeline.y')).toBe(again);
  await expect(world.start({ rerun: { run: id, from: 'compact' } })).rejects.toMatchObject({
    code: 'PIPELINE_RERUN',
    details: { run: again },
  });
});

test('re-running a backfill runs the moments that failed or were not begun, and no other', async () => {
  const world = await open();
  const params = { pipeline: 'audit-live', from: FIRST, to: FIRST + DAY_MS, every: 'day', parallel: 1 };
  // Nothing is live: the first moment's run cannot begin its audit, so it fails, and the second is not begun.
  const id = await world.start({ start: { pipeline: 'backfill', params } });
  const ended = await world.read(id);
  expect(ended.state).toBe('failed');
  expect(ended.steps['runs[2026-10-01]']?.error?.code).toBe('NOT_PUBLISHED');
  expect(ended.steps['runs[2026-10-02]']?.state).toBe('waiting');
  const parts = { version: 'v1', tenant: 'main', dataset: 'd', candidates: 'c', asOf: 1, createdAt: 1, runKey: 'k' };
  await world.store.releases.write(parts);
  await world.store.releases.move('main', 0, { asOf: 1, runKey: 'k', version: 'v1' });
  const again = await world.start({ rerun: { run: id } });
  expect(await world.atWork(again)).toEqual(['runs[2026-10-01]']);
  const child = (await world.read(again)).steps['runs[2026-10-01]']?.run ?? '';
  expect(child).not.toBe(ended.steps['runs[2026-10-01]']?.run);
  expect(await world.atWork(child)).toEqual(['audit']);
});

test('a backfill is bounded, and must name a pipeline that there is', async () => {
  const world = await open();
  const many = backfill(1_001, 1);
  await expect(world.start(many)).rejects.toMatchObject({ code: 'INPUT_INVALID' });
  expect(pipelineOf('backfill').params.safeParse({ ...many.start.params, to: FIRST - 1 }).success).toBe(false);
  const id = await world.start({
    start: { pipeline: 'backfill', params: { pipeline: 'nothing', from: FIRST, to: FIRST } },
  });
  expect((await world.read(id)).steps['runs[2026-10-01]']?.error?.code).toBe('PIPELINE_UNKNOWN');
});

test('running runs are swept in turns: each batch goes on behind the last', async () => {
  const world = await open();
  const { store } = world;
  const started = await Promise.all(
    ['a', 'b', 'c'].map((name) => world.start({ start: { pipeline: 'refresh', params: {} } }, `main.pipeline.${name}`)),
  );
  const ids = started.toSorted();
  const idsOf = async (after?: string) => (await store.pipelineRuns.running(2, after)).map(({ id }) => id);
  expect(await idsOf()).toEqual(ids.slice(0, 2));
  expect(await idsOf(ids[1])).toEqual(ids.slice(2));
});
