import { type Job, UnrecoverableError, Worker } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import type { Pipeline } from '../../jobs/define-pipeline.ts';
import { systemClock } from '../../shared/clock.ts';
import { inlinePool } from '../../shared/compute/pool.ts';
import { defineJob } from '../../shared/contract-kit/define-job.ts';
import { cancelKey, pipelineCancelName } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';
import type { PipelineRunDocument } from '../../shared/store/ports.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import { silentLog, type TestServices, testServices } from '../../test/services.ts';
import { CancelWatch } from './cancellation.ts';
import { Enqueuer } from './enqueuer.ts';
import { Orchestrator } from './orchestrator.ts';
import { Sweeper } from './sweeper.ts';

const part = defineJob({
  kind: 'part',
  version: 1,
  title: 'A step of the tests.',
  input: z.strictObject({}),
  output: z.object({}),
  personal: false,
  effect: 'dataset',
  purposes: [],
});
const single: Pipeline = {
  name: 'single',
  title: 'One step.',
  params: z.record(z.string(), z.unknown()),
  steps: { only: { contract: part, after: [], input: () => ({}) } },
};

async function open({ redis, prefix, store }: TestServices, clock = systemClock) {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const enqueuer = stack.use(
    new Enqueuer({ redis, prefix, contracts: { part }, claims: store.claims, ring: undefined }),
  );
  const cancels = stack.use(await CancelWatch.open(redis, prefix));
  const pipelineOf = (name: string): Pipeline => {
    if (name !== single.name) throw new AppError('PIPELINE_UNKNOWN');
    return single;
  };
  const orchestrator = new Orchestrator({ store, redis, prefix, enqueuer, cancels, log: silentLog, pipelineOf });
  const ports = {
    store,
    pool: stack.use(inlinePool()),
    clock,
    log: silentLog,
    telemetry: new Telemetry(),
    codeVersion: 'x',
  };
  const sweeper = stack.use(
    new Sweeper({
      ports,
      enqueuer,
      orchestrator,
      relay: async (intent) => {
        if (intent.type === 'advance') await orchestrator.advance(intent.run);
      },
      processorOf: () => undefined,
    }),
  );
  const begin = async (id: string, pipeline = single.name): Promise<void> => {
    const document: PipelineRunDocument = {
      id,
      tenant: 'main',
      pipeline,
      params: {},
      asOf: 1,
      live: {},
      state: 'running',
      seq: 1,
      steps: { only: { state: 'waiting' } },
      createdAt: 1,
      changedAt: 1,
    };
    await store.pipelineRuns.create(document);
  };
  const stepOf = async (id: string) => (await store.pipelineRuns.read(id))?.steps.only;
  return { sweeper, orchestrator, enqueuer, cancels, begin, stepOf, queue: enqueuer.queue('part') };
}

/** Fails the waiting jobs as an executor does that could not read their envelopes. */
async function failNext({ redis, prefix }: TestServices): Promise<void> {
  const connection = redis.duplicate();
  const worker = new Worker('part', undefined, { connection, prefix });
  const failure = new UnrecoverableError(JSON.stringify(new AppError('CONTRACT_VERSION_UNKNOWN')));
  const job: Job | undefined = await worker.getNextJob('token');
  await job?.moveToFailed(failure, 'token', false);
  await worker.close();
  connection.disconnect();
}

test('a step that failed before its claim ends its run and its pipeline, with the code that the job was given', async () => {
  await using services = await testServices();
  const { sweeper, orchestrator, begin, stepOf, queue } = await open(services);
  await begin('main.single.1');
  await orchestrator.advance('main.single.1');
  const runKey = (await stepOf('main.single.1'))?.runKey ?? '';
  await failNext(services);
  expect(await queue.getFailedCount()).toBe(1);
  await sweeper.sweep();
  expect(await services.store.ledger.read(runKey)).toMatchObject({
    state: 'dead-lettered',
    error: { code: 'CONTRACT_VERSION_UNKNOWN' },
    followed: true,
  });
  expect((await services.store.pipelineRuns.read('main.single.1'))?.state).toBe('failed');
});

test('every failed job that the ledger does not know ends there, however many failed at once', async () => {
  await using services = await testServices();
  const { sweeper, enqueuer, queue } = await open(services);
  const jobs = 450;
  for (let n = 0; n < jobs; n++) await enqueuer.enqueue('part', {}, { tenant: 'main', key: `burst-${n}`, asOf: 1 });
  const connection = services.redis.duplicate();
  const failure = new UnrecoverableError(JSON.stringify(new AppError('CONTRACT_VERSION_UNKNOWN')));
  const worker = new Worker('part', () => Promise.reject(failure), {
    connection,
    prefix: services.prefix,
    concurrency: 50,
  });
  let failed = 0;
  await new Promise<void>((resolve) => worker.on('failed', () => void (++failed === jobs && resolve())));
  await worker.close();
  connection.disconnect();
  expect(await queue.getFailedCount()).toBe(jobs);
  await sweeper.sweep();
  const ended = await services.store.ledger.latest('main', jobs + 1, { state: 'dead-lettered' });
  expect(ended).toHaveLength(jobs);
});

test('a pipeline that this release does not know keeps no other from being repaired', async () => {
  await using services = await testServices();
  const { sweeper, begin, stepOf } = await open(services);
  await begin('main.gone.1', 'gone');
  await begin('main.single.1');
  await sweeper.sweep();
  expect((await stepOf('main.single.1'))?.state).toBe('enqueued');
});

const later = { now: () => Date.now() + 60_000 };

test('a step at work whose job is gone from Redis is enqueued again, one without a pipeline is dead-lettered', async () => {
  await using services = await testServices();
  const { sweeper, orchestrator, begin, stepOf, queue } = await open(services, later);
  const { ledger } = services.store;
  await begin('main.single.1');
  await orchestrator.advance('main.single.1');
  const runKey = (await stepOf('main.single.1'))?.runKey ?? '';
  const place = { tenant: 'main', kind: 'part', contractVersion: 1, inputHash: 'h', asOf: 1, codeVersion: 'x' };
  await ledger.claim({ ...place, runKey, step: { run: 'main.single.1', step: 'only' } });
  await ledger.claim({ ...place, runKey: 'main.part.alone' });
  await queue.obliterate({ force: true });
  await sweeper.sweep();
  expect((await ledger.read(runKey))?.state).toBe('running');
  expect(await queue.getPrioritizedCount()).toBe(1);
  expect((await ledger.read('main.part.alone'))?.state).toBe('dead-lettered');
});

test('a run of a schedule is looked up under the id that the scheduler gave to its job', async () => {
  await using services = await testServices();
  const { sweeper, queue } = await open(services, later);
  const { ledger } = services.store;
  await queue.upsertJobScheduler('main.soon', { every: 3_600_000 }, { name: 'tick', data: {} });
  const [job] = await queue.getJobs(['waiting', 'delayed']);
  const runKey = 'main.part.tick';
  await ledger.claim({
    runKey,
    tenant: 'main',
    kind: 'part',
    contractVersion: 1,
    inputHash: 'h',
    asOf: 1,
    codeVersion: 'x',
    jobId: job?.id as string,
  });
  await sweeper.sweep();
  expect((await ledger.read(runKey))?.state).toBe('running');
});

test('a cancelled pipeline whose steps all committed before has committed', async () => {
  await using services = await testServices();
  const { orchestrator, begin, stepOf } = await open(services);
  const { ledger, pipelineRuns } = services.store;
  await begin('main.single.1');
  await orchestrator.advance('main.single.1');
  const runKey = (await stepOf('main.single.1'))?.runKey ?? '';
  const place = { tenant: 'main', kind: 'part', contractVersion: 1, inputHash: 'h', asOf: 1, codeVersion: 'x' };
  const { run } = await ledger.claim({ runKey, ...place });
  await ledger.commit({ runKey, fence: run.fence, output: {}, next: [], lineage: { inputs: [] } });
  await ledger.markFollowed(runKey);
  await orchestrator.cancel('main.single.1');
  expect((await pipelineRuns.read('main.single.1'))?.state).toBe('committed');
});

test('a cancel that no process heard is found by the sweep, and reaches the steps', async () => {
  await using services = await testServices();
  const { sweeper, orchestrator, cancels, begin, stepOf } = await open(services);
  await begin('main.single.1');
  await orchestrator.advance('main.single.1');
  const runKey = (await stepOf('main.single.1'))?.runKey ?? '';
  await services.redis.set(cancelKey(services.prefix, pipelineCancelName('main.single.1')), '1');
  await sweeper.sweep();
  expect((await services.store.pipelineRuns.read('main.single.1'))?.state).toBe('cancelled');
  expect(await cancels.isCancelled(runKey)).toBe(true);
});

test('what an ended run could have gone on from goes, that of a run at work stays', async () => {
  await using services = await testServices();
  const { sweeper } = await open(services);
  const { checkpoints, ledger } = services.store;
  const place = { tenant: 'main', kind: 'part', contractVersion: 1, inputHash: 'h', asOf: 1, codeVersion: 'x' };
  const runs = ['main.part.at-work', 'main.part.committed', 'main.part.cancelled'];
  for (const runKey of runs) {
    const { run } = await ledger.claim({ runKey, ...place });
    const kept = { tenant: 'main', runKey, fence: run.fence, part: 'p', fingerprint: 'f', epoch: 1, consentEpoch: 0 };
    await checkpoints.write({ ...kept, facts: {} }, { factors: new Float32Array(4) });
  }
  await ledger.commit({ runKey: runs[1]!, fence: 1, output: {}, followed: true, next: [], lineage: { inputs: [] } });
  await ledger.end(runs[2]!, 1, 'cancelled', new AppError('CANCELLED').toJSON());
  await sweeper.sweep();
  expect(await checkpoints.runs(10)).toEqual([{ tenant: 'main', runKey: runs[0] }]);
});
