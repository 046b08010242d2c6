/** Contracts in time, on the real executor: one kind with three versions, whose workers of all three meet each other's jobs. */
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { parseOfVersion } from '../../jobs/client/open-input.ts';
import type { Pipeline } from '../../jobs/define-pipeline.ts';
import { systemClock } from '../../shared/clock.ts';
import { inlinePool } from '../../shared/compute/pool.ts';
import { type Contract, defineJob } from '../../shared/contract-kit/define-job.ts';
import { upcast } from '../../shared/contract-kit/versions.ts';
import type { PipelineRunDocument } from '../../shared/store/ports.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import { silentLog, type TestServices, testServices } from '../../test/services.ts';
import { CancelWatch } from './cancellation.ts';
import { Enqueuer } from './enqueuer.ts';
import { FailedSet } from './failed-set.ts';
import { follow } from './follow.ts';
import { Orchestrator } from './orchestrator.ts';
import { defineProcessor } from './processor.ts';
import { failureOf, runOf, start } from './runtime-fixture.ts';

const common = {
  kind: 'power',
  title: 'A kind of the tests that changed twice.',
  personal: false,
  effect: 'dataset',
  purposes: [],
  limits: { attemptsMax: 3, backoffMs: 10 },
} as const;

const inputs = {
  1: z.strictObject({ n: z.int() }),
  2: z.strictObject({ numbers: z.array(z.int()) }),
  3: z.strictObject({ numbers: z.array(z.int()).min(1), power: z.int().min(1).default(3) }),
};
const outputs = {
  1: z.object({ square: z.int() }),
  2: z.object({ powers: z.array(z.int()) }),
  3: z.object({ powers: z.array(z.int()), power: z.int() }),
};
// A square was asked for before powers could be.
const fromOne = {
  input: upcast(inputs[1], ({ n }) => ({ numbers: [n] })),
  output: upcast(outputs[1], ({ square }) => ({ powers: [square] })),
};
const fromTwo = {
  input: upcast(inputs[2], ({ numbers }) => ({ numbers, power: 2 })),
  output: upcast(outputs[2], ({ powers }) => ({ powers, power: 2 })),
};

const v1 = defineJob({ ...common, version: 1, input: inputs[1], output: outputs[1] });
const v2 = defineJob({ ...common, version: 2, input: inputs[2], output: outputs[2], upcasters: { 1: fromOne } });
const v3 = defineJob({
  ...common,
  version: 3,
  input: inputs[3],
  output: outputs[3],
  upcasters: { 1: fromOne, 2: fromTwo },
});
/** Reads version 2 and itself alone. */
const v3Young = defineJob({ ...common, version: 3, input: inputs[3], output: outputs[3], upcasters: { 2: fromTwo } });

const one = defineProcessor<typeof v1, number, number>({
  contract: v1,
  load: async ({ n }) => n,
  compute: async (n) => n * n,
  write: async (square) => ({ output: { square } }),
});
const threeBy = (contract: typeof v3) =>
  defineProcessor<typeof v3, { numbers: number[]; power: number }, { powers: number[]; power: number }>({
    contract,
    load: async (input) => input,
    compute: async ({ numbers, power }) => ({ powers: numbers.map((n) => n ** power), power }),
    write: async (output) => ({ output }),
  });
const three = threeBy(v3);

test('jobs of every version that is read run as ones of today, and the ledger says which version their outputs are of', async () => {
  await using services = await testServices();
  const host = await start(services, three);
  const first = await host.add(v1, { n: 5 });
  const second = await host.add(v2, { numbers: [2, 3] });
  const third = await host.add(v3, { numbers: [2] });
  expect(await first.done()).toEqual({ powers: [25], power: 2 });
  expect(await second.done()).toEqual({ powers: [4, 9], power: 2 });
  expect(await third.done()).toEqual({ powers: [8], power: 3 });
  for (const { runKey } of [first, second, third])
    expect(await runOf(services, runKey)).toMatchObject({ state: 'committed', contractVersion: 3 });
});

test('a run that an older worker committed gives its outcome as one of today, to whoever asks again', async () => {
  await using services = await testServices();
  const older = await start(services, one);
  const first = await older.add(v1, { n: 4 }, 'same');
  await first.done();
  await older.workers[Symbol.asyncDispose]();
  expect(await runOf(services, first.runKey)).toMatchObject({ contractVersion: 1, output: { square: 16 } });
  await first.job.remove();
  const newer = await start(services, three);
  const again = await newer.add(v1, { n: 4 }, 'same');
  expect(await again.done()).toEqual({ powers: [16], power: 2 });
  expect(await runOf(services, first.runKey)).toMatchObject({ fence: 1, output: { square: 16 } });
});

test('a job of a newer version waits for a newer worker, which runs it', async () => {
  await using services = await testServices();
  const older = await start(services, one);
  const deferred = new Promise<string>((resolve) => older.events.on('delayed', ({ jobId }) => resolve(jobId)));
  const { job, runKey, done } = await older.add(v3, { numbers: [2] });
  expect(await deferred).toBe(job.id);
  expect(await services.store.ledger.read(runKey)).toBeUndefined();
  await older.workers[Symbol.asyncDispose]();
  const newer = await start(services, three);
  await (await newer.queue.getJob(job.id as string))?.promote();
  expect(await done()).toEqual({ powers: [8], power: 3 });
});

/** Ends what failed before it was claimed, as the sweeper does. */
async function sweepFailed({ redis, prefix, store }: TestServices, contract: Contract): Promise<void> {
  await using enqueuer = new Enqueuer({
    redis,
    prefix,
    contracts: { power: contract },
    claims: store.claims,
    ring: undefined,
  });
  await using pool = inlinePool();
  const ports = { store, pool, clock: systemClock, log: silentLog, telemetry: new Telemetry(), codeVersion: 'x' };
  await new FailedSet(enqueuer, ports).sweep();
}

test('a job of a newer version that no worker took within the window is parked with that code', async () => {
  await using services = await testServices();
  const host = await start(services, one);
  await host.workers.worker.pause();
  const { job, runKey, done } = await host.add(v3, { numbers: [2] });
  // As if it had been put off so often.
  await services.redis.hset(`${services.prefix}:power:${job.id}`, 'ats', 120);
  await host.workers.worker.resume();
  expect(await failureOf(done())).toMatchObject({
    code: 'CONTRACT_VERSION_UNKNOWN',
    details: { version: 3, known: { from: 1, to: 1 } },
  });
  await sweepFailed(services, v1);
  expect(await runOf(services, runKey)).toMatchObject({
    state: 'dead-lettered',
    contractVersion: 3,
    error: { code: 'CONTRACT_VERSION_UNKNOWN' },
  });
});

test('a job of a version that is not read any more is parked at once, with a code of its own', async () => {
  await using services = await testServices();
  const host = await start(services, threeBy(v3Young));
  const { runKey, done } = await host.add(v1, { n: 5 });
  expect(await failureOf(done())).toMatchObject({
    code: 'CONTRACT_VERSION_RETIRED',
    details: { version: 1, known: { from: 2, to: 3 } },
  });
  await sweepFailed(services, v3Young);
  expect(await runOf(services, runKey)).toMatchObject({
    state: 'dead-lettered',
    error: { code: 'CONTRACT_VERSION_RETIRED' },
  });
});

test('an old input that its own version would not have taken is refused, and so is one that an upcaster breaks', () => {
  const refusal = (work: () => unknown): unknown => {
    try {
      return work();
    } catch (thrown) {
      return thrown;
    }
  };
  expect(refusal(() => parseOfVersion(v3, 1, { n: 'five' }))).toMatchObject({
    code: 'INPUT_INVALID',
    details: { version: 1, issues: [{ path: ['n'] }] },
  });
  const broken = {
    ...v3,
    upcasters: {
      1: fromOne,
      2: {
        input: () => {
          throw new TypeError('Asha');
        },
      },
    },
  };
  const error = refusal(() => parseOfVersion(broken, 2, { numbers: [1] }));
  expect(error).toMatchObject({ code: 'INPUT_INVALID', details: { version: 2 } });
  expect((error as Error).message).not.toContain('Asha');
});

test('one key from producers of two versions is one run: the same text is the same job, another text is refused', async () => {
  await using services = await testServices();
  const host = await start(services, three);
  const first = await host.add(v2, { numbers: [2] }, 'same');
  expect(await first.done()).toEqual({ powers: [4], power: 2 });
  await first.job.remove();
  const upgraded = await host.add(v3, { numbers: [2], power: 2 }, 'same');
  expect(await failureOf(upgraded.done())).toMatchObject({ code: 'KEY_REUSED' });
  await upgraded.job.remove();
  const retried = await host.add(v2, { numbers: [2] }, 'same');
  expect(await retried.done()).toEqual({ powers: [4], power: 2 });
});

test('a run that a newer worker committed is not followed by an older one, which could not read it', async () => {
  await using services = await testServices();
  const { ledger } = services.store;
  const place = { tenant: 'main', kind: 'power', contractVersion: 1, inputHash: 'h', asOf: 1, codeVersion: 'x' };
  const { run } = await ledger.claim({ runKey: 'main.power.1', ...place });
  const what = { output: { powers: [1], power: 3 }, next: [], lineage: { inputs: [] } };
  await ledger.commit({ runKey: run.runKey, fence: 1, contractVersion: 3, ...what });
  const ports = { store: services.store } as never;
  const committed = await runOf(services, run.runKey);
  await expect(follow(committed, one, ports, async () => {})).rejects.toMatchObject({
    code: 'CONTRACT_VERSION_UNKNOWN',
  });
  expect(await runOf(services, run.runKey)).toMatchObject({ followed: false });
  expect(await follow(committed, three, ports, async () => {})).toEqual({ powers: [1], power: 3 });
});

test('a pipeline reads what a step put out under an older version, and waits with what is newer than it knows', async () => {
  await using services = await testServices();
  const { redis, prefix, store } = services;
  const pipelineBy = (contract: typeof v3): Pipeline => ({
    name: 'chain',
    title: 'One after the other.',
    params: z.record(z.string(), z.unknown()),
    steps: {
      a: { contract, after: [], input: () => ({ numbers: [2] }) },
      b: { contract, after: ['a'], input: ({ output }) => ({ numbers: output('a', contract).powers }) },
    },
  });
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const cancels = stack.use(await CancelWatch.open(redis, prefix));
  const contracts = { power: v3 };
  const enqueuer = stack.use(new Enqueuer({ redis, prefix, contracts, claims: store.claims, ring: undefined }));
  const advanceBy = (contract: typeof v3, id: string) =>
    new Orchestrator({
      store,
      redis,
      prefix,
      enqueuer,
      cancels,
      log: silentLog,
      pipelineOf: () => pipelineBy(contract),
    }).advance(id);
  const committedA = (id: string, outputVersion: number, output: unknown): PipelineRunDocument => ({
    id,
    tenant: 'main',
    pipeline: 'chain',
    params: {},
    asOf: 1,
    live: {},
    state: 'running',
    seq: 1,
    steps: { a: { state: 'committed', output, outputVersion }, b: { state: 'waiting' } },
    createdAt: 1,
    changedAt: 1,
  });
  await store.pipelineRuns.create(committedA('main.chain.old', 1, { square: 4 }));
  await advanceBy(v3, 'main.chain.old');
  const [job] = await enqueuer.queue('power').getJobs(['prioritized']);
  expect(job?.data).toMatchObject({ version: 3, input: { numbers: [4], power: 3 } });
  await store.pipelineRuns.create(committedA('main.chain.new', 4, { unknown: true }));
  await expect(advanceBy(v3, 'main.chain.new')).rejects.toMatchObject({ code: 'CONTRACT_VERSION_UNKNOWN' });
  expect(await store.pipelineRuns.read('main.chain.new')).toMatchObject({
    state: 'running',
    steps: { b: { state: 'waiting' } },
  });
});

test('a contract whose upcasters leave a version out is refused when it is defined', () => {
  const gap = { ...common, version: 3, input: inputs[3], output: outputs[3], upcasters: { 1: fromOne } };
  expect(() => defineJob(gap)).toThrow(/upcasters must lead from version to version/);
  expect(() => defineJob({ ...gap, upcasters: { 3: fromTwo } })).toThrow(RangeError);
});
