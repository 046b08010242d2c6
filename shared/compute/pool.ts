/**
 * Owns the threads: a ComputePool on piscina, whose tasks end at once on abort, and a pool without threads for tests.
 *
 * One pool serves a whole process, so that threads times inner parallelism stays within the cores. Threads that idle are ended
 * (their memory goes back), and all are replaced after `tasksPerGeneration` tasks, so that a leak in a library has a bound.
 */
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { AppError } from '../errors.ts';
import { cancellation } from './cancellation.ts';
import type { ComputePool, Task } from './task.ts';
import { outcomeError, runTask, type TaskOutcome } from './thread-entry.ts';

export interface ComputePoolOptions {
  /** Threads at work at once, 1..64. Default: the cores this process may use. */
  readonly threads?: number;
  /** Bound on a thread's own JavaScript heap, MiB. Shared memory is bounded where it is laid out. Default 1,024. */
  readonly threadHeapMiBMax?: number;
  /** A thread without work ends after this long. Default 10,000. */
  readonly idleTimeoutMs?: number;
  /** After so many tasks all threads are replaced, at a moment when none is at work. Default 20,000. */
  readonly tasksPerGeneration?: number;
}

export interface OwnedComputePool extends ComputePool, AsyncDisposable {
  /** Ends the threads; tasks at work are ended and reject with CANCELLED. Afterwards runPhase rejects. Idempotent. */
  close(): Promise<void>;
}

const THREADS_MAX = 64;
const DEFAULTS = { threadHeapMiBMax: 1024, idleTimeoutMs: 10_000, tasksPerGeneration: 20_000 };
const ENTRY = new URL('./thread-entry.ts', import.meta.url).href;

class PiscinaPool implements OwnedComputePool {
  readonly threads: number;
  readonly #options: Required<ComputePoolOptions>;
  readonly #closing = new AbortController();
  #piscina: Piscina<Task, TaskOutcome>;
  #active = 0;
  #tasks = 0;

  constructor(options: ComputePoolOptions) {
    const threads = options.threads ?? Math.min(THREADS_MAX, availableParallelism());
    if (!Number.isInteger(threads) || threads < 1 || threads > THREADS_MAX) {
      throw new AppError('CONFIG_INVALID', {
        message: `The number of threads must be a whole number from 1 to ${THREADS_MAX}.`,
        details: { problems: [{ setting: 'threads', value: threads }] },
      });
    }
    this.threads = threads;
    this.#options = { ...DEFAULTS, ...options, threads };
    this.#piscina = this.#start();
  }

  #start(): Piscina<Task, TaskOutcome> {
    return new Piscina<Task, TaskOutcome>({
      filename: ENTRY,
      name: 'runTask',
      minThreads: 0,
      maxThreads: this.threads,
      idleTimeout: this.#options.idleTimeoutMs,
      recordTiming: false,
      resourceLimits: { maxOldGenerationSizeMb: this.#options.threadHeapMiBMax },
    });
  }

  async runPhase<T>(tasks: readonly Task[], signal?: AbortSignal): Promise<T[]> {
    if (signal?.aborted) throw cancellation(signal);
    if (this.#closing.signal.aborted) throw cancellation(this.#closing.signal);
    this.#renew();
    const siblings = new AbortController();
    const stops = [siblings.signal, this.#closing.signal, ...(signal === undefined ? [] : [signal])];
    const stop = AbortSignal.any(stops);
    this.#active++;
    this.#tasks += tasks.length;
    let failure: AppError | undefined;
    const runs = tasks.map(async (task) => {
      try {
        return (await this.#run(task, stop)) as T;
      } catch (thrown) {
        // The first failure decides; what is still at work is ended, its result is of no use.
        failure ??= thrown as AppError;
        siblings.abort();
        throw thrown;
      }
    });
    try {
      const settled = await Promise.allSettled(runs);
      if (signal?.aborted && failure !== undefined) throw cancellation(signal);
      if (failure !== undefined) throw failure;
      return settled.map((result) => (result as PromiseFulfilledResult<T>).value);
    } finally {
      this.#active--;
    }
  }

  async #run(task: Task, signal: AbortSignal): Promise<unknown> {
    let outcome: TaskOutcome;
    try {
      outcome = await this.#piscina.run(task, { signal });
    } catch (thrown) {
      throw signal.aborted ? cancellation(this.#closing.signal.aborted ? this.#closing.signal : signal) : lost(thrown);
    }
    if (!outcome.ok) throw outcomeError(outcome);
    return outcome.value;
  }

  /** Replaces the threads between phases; a busy pool is left for a later moment. */
  #renew(): void {
    if (this.#active > 0 || this.#tasks < this.#options.tasksPerGeneration) return;
    const old = this.#piscina;
    this.#piscina = this.#start();
    this.#tasks = 0;
    void old.destroy();
  }

  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      this.#closing.abort(new AppError('CANCELLED', { message: 'The compute pool was closed.' }));
    }
    await this.#piscina.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** What piscina throws when a thread dies under its task. */
function lost(thrown: unknown): AppError {
  const code = (thrown as { code?: unknown } | undefined)?.code;
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return new AppError('NUMERICS_MEMORY_LIMIT', {
      message: 'A thread reached the bound of its heap.',
      cause: thrown,
    });
  }
  const why = thrown instanceof Error ? thrown.message : String(thrown);
  return new AppError('INTERNAL', { message: `A thread was lost: ${why}.`, cause: thrown });
}

/** A pool of threads. Close it: `await using pool = computePool()`. */
export function computePool(options: ComputePoolOptions = {}): OwnedComputePool {
  return new PiscinaPool(options);
}

/**
 * A pool without threads: tasks run one after another on the calling thread, through the same entry. For tests of coordinators;
 * it blocks the event loop and can only cancel between tasks.
 */
export function inlinePool(threads = 1): OwnedComputePool {
  return {
    threads,
    async runPhase<T>(tasks: readonly Task[], signal?: AbortSignal): Promise<T[]> {
      const results: T[] = [];
      for (const task of tasks) {
        if (signal?.aborted) throw cancellation(signal);
        const outcome = await runTask(task);
        if (!outcome.ok) throw outcomeError(outcome);
        results.push(outcome.value as T);
      }
      if (signal?.aborted) throw cancellation(signal);
      return results;
    },
    async close() {},
    async [Symbol.asyncDispose]() {},
  };
}
