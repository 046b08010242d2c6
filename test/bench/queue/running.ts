/** Owns running jobs through the executor and through a plain BullMQ worker, and their comparison where no ledger is involved. */
import { Queue, Worker } from 'bullmq';
import { AdmittingQueue } from '../../../jobs/client/admitting-queue.ts';
import { systemClock } from '../../../shared/clock.ts';
import { inlinePool } from '../../../shared/compute/pool.ts';
import type { ComputePool } from '../../../shared/compute/task.ts';
import type { EffectClass } from '../../../shared/contract-kit/define-job.ts';
import { openLog } from '../../../shared/telemetry/log.ts';
import { logEvents } from '../../../shared/telemetry/log-events.ts';
import { openProcessTelemetry } from '../../../shared/telemetry/open-telemetry.ts';
import { Telemetry } from '../../../shared/telemetry/stream.ts';
import { CancelWatch } from '../../../workers/runtime/cancellation.ts';
import { WorkerPool } from '../../../workers/runtime/pool.ts';
import type { Processor } from '../../../workers/runtime/processor.ts';
import { silentLog, type TestServices } from '../../services.ts';
import { type Comparison, interleave, type Work } from '../interleave.ts';
import { rawAdd } from './adding.ts';
import { inBulks, madeJob, noop } from './kind.ts';

export type Concurrency = 1 | 10 | 100;
const JOBS: Readonly<Record<Concurrency, number>> = { 1: 1_000, 10: 3_000, 100: 5_000 };

export interface Runner extends AsyncDisposable {
  run(jobs: number): ReturnType<Work>;
}

/** Starts a worker and times it until it has completed so many jobs. */
export async function timed(
  worker: Worker,
  jobs: number,
  begin: () => void = () => void worker.run().catch(() => {}),
): ReturnType<Work> {
  await worker.waitUntilReady();
  let completed = 0;
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  const onCompleted = () => {
    completed += 1;
    if (completed === jobs) resolve();
  };
  const onFailed = (_job: unknown, error: Error) => reject(error);
  worker.on('completed', onCompleted).on('failed', onFailed);
  const cpu = process.cpuUsage();
  const started = performance.now();
  begin();
  await done;
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  worker.off('completed', onCompleted).off('failed', onFailed);
  return { units: jobs, seconds, cpuSeconds: (user + system) / 1e6 };
}

/** Fills the queue first, then times a fresh worker until all is done. */
export async function rawRunner({ redis, prefix }: TestServices, concurrency: number): Promise<Runner> {
  const queue = new Queue('raw-run', { connection: redis, prefix });
  return {
    async run(jobs) {
      await rawAdd(queue, jobs);
      const work = async (job: { data: { text: string } }) => ({ ok: job.data.text.length > 0 });
      const worker = new Worker('raw-run', work, { connection: redis, prefix, concurrency, autorun: false });
      const measured = await timed(worker, jobs);
      await worker.close();
      await queue.obliterate({ force: true });
      return measured;
    },
    [Symbol.asyncDispose]: () => queue.close(),
  };
}

export interface RunnerOptions {
  readonly telemetry?: Telemetry;
  /** Where its tasks run; absent: on this thread. */
  readonly threads?: ComputePool;
  /** Instead of the one that does nothing. */
  readonly compute?: Processor['compute'];
}

export async function ourRunner(
  services: TestServices,
  effect: EffectClass,
  concurrency: number,
  { telemetry = new Telemetry(), threads, compute }: RunnerOptions = {},
): Promise<Runner> {
  const { redis, prefix, store } = services;
  const stack = new AsyncDisposableStack();
  const { contract, processor: plain } = noop(effect);
  const processor = compute === undefined ? plain : { ...plain, compute };
  const queue = new AdmittingQueue(contract.kind, redis, prefix);
  stack.defer(() => queue.close());
  const cancels = stack.use(await CancelWatch.open(redis, prefix));
  const pool = threads ?? stack.use(inlinePool());
  const ports = { store, pool, clock: systemClock, log: silentLog, telemetry, codeVersion: 'bench' };
  return {
    async run(jobs) {
      await inBulks(jobs, (bulk) => queue.add(Array.from({ length: bulk }, () => madeJob(contract))));
      await using workers = new WorkerPool({
        contract,
        processor,
        ports,
        ring: undefined,
        cancels,
        relay: async () => {},
        redis,
        prefix,
        concurrency,
        autorun: false,
      });
      const measured = await timed(workers.worker, jobs);
      await workers.worker.close();
      await queue.queue.obliterate({ force: true });
      return measured;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

export async function benchExecutor(services: TestServices, concurrency: Concurrency): Promise<Comparison> {
  await using ours = await ourRunner(services, 'none', concurrency);
  await using peer = await rawRunner(services, concurrency);
  return await interleave({
    name: `no-op through the executor, class none, c = ${concurrency}`,
    unit: 'jobs',
    pairs: 21,
    target: 0.85,
    ours: { name: 'millrace executor', work: () => ours.run(JOBS[concurrency]) },
    peer: { name: 'bullmq worker', work: () => peer.run(JOBS[concurrency]) },
  });
}

/** As a worker process has it: logs and metrics listen. */
export async function benchObserved(services: TestServices, concurrency: Concurrency): Promise<Comparison> {
  await using observed = await openProcessTelemetry({ name: 'bench', environment: {} });
  observed.telemetry.subscribe(logEvents(openLog('info')));
  await using ours = await ourRunner(services, 'none', concurrency, observed);
  await using peer = await ourRunner(services, 'none', concurrency);
  return await interleave({
    name: `no-op with logs and metrics listening, class none, c = ${concurrency}`,
    unit: 'jobs',
    ours: { name: 'listening', work: () => ours.run(JOBS[concurrency]) },
    peer: { name: 'nobody listening', work: () => peer.run(JOBS[concurrency]) },
  });
}
