/** Owns what tests of the runtime stand on: a probe job of every effect class, and a worker pool on real servers. */
import { Queue, QueueEvents } from 'bullmq';
import { expect, onTestFinished } from 'vitest';
import { z } from 'zod';
import { type JobPlace, makeJob } from '../../jobs/client/make-job.ts';
import { systemClock } from '../../shared/clock.ts';
import { inlinePool } from '../../shared/compute/pool.ts';
import type { ComputePool } from '../../shared/compute/task.ts';
import { type Contract, defineJob, type JobLimits } from '../../shared/contract-kit/define-job.ts';
import { sealRing } from '../../shared/contract-kit/seal.ts';
import type { RunDocument } from '../../shared/store/ports.ts';
import type { Log } from '../../shared/telemetry/log.ts';
import { logEvents } from '../../shared/telemetry/log-events.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import { silentLog, TEST_KEYS, type TestServices } from '../../test/services.ts';
import { CancelWatch } from './cancellation.ts';
import { WorkerPool } from './pool.ts';
import { type AnyProcessor, defineProcessor, type Processor } from './processor.ts';

const ring = sealRing(TEST_KEYS.sealKeys);

export function contractOf(
  effect: 'none' | 'record' | 'dataset',
  options: { personal?: boolean } & Partial<JobLimits> = {},
) {
  const { personal = false, ...limits } = options;
  return defineJob({
    kind: `probe-${effect}`,
    version: 1,
    title: 'A job of the tests.',
    input: z.strictObject({ n: z.int() }),
    output: z.object({ square: z.int() }),
    personal,
    effect,
    purposes: [],
    limits: { durationMsMax: 60_000, attemptsMax: 3, memoryMbMax: 256, backoffMs: 10, concurrency: 4, ...limits },
  });
}
export type ProbeContract = ReturnType<typeof contractOf>;

/** Counts its calls, and does what the test says. */
export function probe(contract: ProbeContract, over: Partial<Processor<ProbeContract, number, number>> = {}) {
  const calls = { load: 0, compute: 0, write: 0, follow: 0 };
  const processor = defineProcessor<ProbeContract, number, number>({
    contract,
    load: async ({ n }, context) => {
      calls.load += 1;
      return over.load === undefined ? n : over.load({ n }, context);
    },
    compute: async (n, context) => {
      calls.compute += 1;
      return over.compute === undefined ? n * n : over.compute(n, context);
    },
    write: async (square, context) => {
      calls.write += 1;
      return over.write === undefined ? { output: { square } } : over.write(square, context);
    },
    follow: async (run, ports) => {
      calls.follow += 1;
      return over.follow?.(run, ports);
    },
  });
  return { processor, calls };
}

export async function start(
  services: TestServices,
  processor: AnyProcessor,
  {
    log = silentLog,
    finishMs,
    lockMs,
    telemetry = new Telemetry(),
    threads,
  }: {
    readonly log?: Log;
    readonly finishMs?: number;
    readonly lockMs?: number;
    readonly telemetry?: Telemetry;
    /** Whose threads tasks run in; absent: this one's. */
    readonly threads?: ComputePool;
  } = {},
) {
  const { redis, prefix, store } = services;
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  stack.defer(telemetry.subscribe(logEvents(log)));
  const { contract } = processor;
  const queue = new Queue(contract.kind, { connection: redis, prefix });
  stack.defer(() => queue.close());
  // From the first event on: one that comes before the first blocking read would be missed.
  const events = new QueueEvents(contract.kind, { connection: redis.duplicate(), prefix, lastEventId: '0' });
  stack.defer(() => events.close());
  await events.waitUntilReady();
  const cancels = stack.use(await CancelWatch.open(redis, prefix));
  const pool = threads ?? stack.use(inlinePool());
  const relayed: unknown[] = [];
  const workers = stack.use(
    new WorkerPool({
      contract,
      processor,
      ports: { store, pool, clock: systemClock, log, telemetry, codeVersion: 'test' },
      ring,
      cancels,
      relay: async (intent) => {
        relayed.push(intent);
      },
      redis,
      prefix,
      ...(finishMs === undefined ? {} : { finishMs }),
      ...(lockMs === undefined ? {} : { lockMs }),
    }),
  );
  await workers.worker.waitUntilReady();
  const add = async <Output = { square: number }>(
    madeBy: Contract,
    input: unknown,
    key?: string,
    more: Partial<JobPlace> = {},
  ) => {
    const made = makeJob(madeBy, input, { tenant: 'main', asOf: 1, ring, key, ...more });
    if (!made.fits) throw new Error('does not fit');
    const job = await queue.add(made.job.name, made.job.data, made.job.opts);
    return { job, runKey: made.job.data.runKey, done: () => job.waitUntilFinished(events) as Promise<Output> };
  };
  return {
    cancels,
    relayed,
    queue,
    events,
    workers,
    /** Adds a job that was made by a contract which may be another version's. */
    add,
    enqueue: (n: number, key?: string, more?: Partial<JobPlace>) => add(contract, { n }, key, more),
  };
}

export const failureOf = async (work: Promise<unknown>): Promise<{ code: string }> =>
  work.then(
    () => expect.fail('should have failed'),
    (error: Error) => JSON.parse(error.message) as { code: string },
  );

export async function runOf({ store }: TestServices, runKey: string): Promise<RunDocument> {
  const run = await store.ledger.read(runKey);
  if (run === undefined) throw new Error(`no run ${runKey}`);
  return run;
}
