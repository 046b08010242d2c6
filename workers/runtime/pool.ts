/** Owns a worker pool: one BullMQ worker of one kind with the executor behind it. */
import { type Job, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { BacklogRelease } from './backlog.ts';
import { admit } from '../../shared/compute/memory-watch.ts';
import type { ExecutorOptions } from './attempt.ts';
import { Executor } from './executor.ts';
import { AloneCounts, Isolation } from './isolation.ts';

/** Short locks make recovery fast; renewal runs on the event loop, which never computes. */
const LOCK_MS = 6_000;
/** With the lock: a job of a killed worker is moved within 6 s + 2 s. */
const STALLED_CHECK_MS = 2_000;
/** BullMQ's own limit would fail a twice-killed job without asking us: poison is counted in the ledger. */
const STALLED_COUNT_MAX = 1_000_000;
/** Jobs at work get so long to end by themselves when the process stops; then they are given back. */
const FINISH_MS = 8_000;
/** And so long to be given back. */
const GIVE_BACK_MS = 5_000;
/** A worker with a free hand asks Redis for a job at least this often: BullMQ's longest wait, for the end of a rate limit. */
export const FETCH_MS_MAX = 30_000;
/** The same problem of a connection is told once in this time. */
const PROBLEM_INTERVAL_MS = 10_000;

export interface PoolOptions extends Omit<ExecutorOptions, 'isolation'> {
  /** Shared by the pools of a process; absent: this one has its own. */
  readonly isolation?: Isolation;
  /** For tests that outlast it. */
  readonly lockMs?: number;
  readonly redis: Redis;
  readonly prefix: string;
  /** Overrides the contract's. */
  readonly concurrency?: number;
  /** False: the caller starts the worker itself. */
  readonly autorun?: boolean;
  /** How long jobs at work may go on when the pool is disposed. */
  readonly finishMs?: number;
  /** How long they may then take to be given back. */
  readonly giveBackMs?: number;
}

/** Knows when it was last answered whether there is a job: BullMQ's own `isRunning` stays true after some failovers. */
class FetchingWorker extends Worker {
  #fetchedAt = performance.now();
  #active = 0;
  /** What each of its jobs may take. */
  memoryMbMax = 0;

  /** Jobs at work. */
  get active(): number {
    return this.#active;
  }

  /** A worker with its hands full does not ask. */
  get fetchedAt(): number {
    return this.#active >= this.concurrency || this.isPaused() ? performance.now() : this.#fetchedAt;
  }

  protected override async moveToActive(token: string, name?: string): Promise<Job> {
    const job = await super.moveToActive(token, name);
    this.#fetchedAt = performance.now();
    return job;
  }

  protected override async callProcessJob(job: Job, token: string, signal?: AbortSignal): Promise<unknown> {
    this.#active += 1;
    const ended = admit(this.memoryMbMax);
    try {
      return await super.callProcessJob(job, token, signal);
    } finally {
      this.#active -= 1;
      ended();
      this.#fetchedAt = performance.now();
    }
  }
}

export class WorkerPool implements AsyncDisposable {
  readonly kind: string;
  readonly worker: FetchingWorker;
  readonly #executor: Executor;
  readonly #backlog: BacklogRelease;
  readonly #finishMs: number;
  readonly #giveBackMs: number;
  readonly #log: ExecutorOptions['ports']['log'];

  constructor(options: PoolOptions) {
    const { contract, redis, prefix } = options;
    this.kind = contract.kind;
    this.#log = options.ports.log;
    const isolation = options.isolation ?? new Isolation(new AloneCounts(redis, prefix));
    const executor = new Executor({ ...options, isolation });
    this.#executor = executor;
    this.#finishMs = options.finishMs ?? FINISH_MS;
    this.#giveBackMs = options.giveBackMs ?? GIVE_BACK_MS;
    this.worker = new FetchingWorker(contract.kind, executor.execute, {
      connection: redis,
      prefix,
      concurrency: options.concurrency ?? contract.limits.concurrency,
      autorun: options.autorun ?? true,
      lockDuration: options.lockMs ?? LOCK_MS,
      stalledInterval: options.lockMs === undefined ? STALLED_CHECK_MS : options.lockMs / 3,
      maxStalledCount: STALLED_COUNT_MAX,
      metrics: { maxDataPoints: 60 * 24 },
    });
    this.#backlog = new BacklogRelease(redis, options.prefix, this.worker);
    let toldAt = -Infinity;
    this.worker.memoryMbMax = contract.limits.memoryMbMax;
    this.worker.on('error', (error) => {
      // Each attempt to connect again fails alike: one line tells as much as hundreds.
      if (performance.now() - toldAt < PROBLEM_INTERVAL_MS) return;
      toldAt = performance.now();
      this.#log.warn({ reason: error.message }, 'the queue connection has a problem');
    });
    this.worker.on('lockRenewalFailed', (jobIds) => executor.lose(jobIds));
    this.worker.on('stalled', (jobId) => this.#log.warn({ jobId }, 'a job lost its worker and will be run again'));
  }

  /** Resolves once ledger and backlog have been told, as far as they can be, of the runs that ended here. */
  async told(): Promise<void> {
    await Promise.all([this.#executor.told(), this.#backlog.flush()]);
  }

  /** Takes no new jobs, waits for those at work up to a limit, then gives them back to other workers. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.worker.close().then(() => this.told());
    if (await endsWithin(closed, this.#finishMs)) return;
    this.#executor.stop();
    // BullMQ cannot close by force what is closing already: what does not end now is left to its lock, which runs out.
    if (!(await endsWithin(closed, this.#giveBackMs)))
      this.#log.warn({}, 'a job did not end when it was asked to; another worker takes it once its lock has run out');
  }
}

async function endsWithin(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  try {
    return await Promise.race([work.then(() => true as const), late]);
  } finally {
    clearTimeout(timer);
  }
}
