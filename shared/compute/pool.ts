/**
 * Owns the threads: a ComputePool on piscina, whose tasks end at once on abort, and a pool without threads for tests.
 *
 * One pool serves a whole process, so that threads times inner parallelism stays within the cores. Threads that idle are ended
 * (their memory goes back). All are replaced after `tasksPerGeneration` tasks, or when one holds more than `heldMbMax` after its task, so that a
 * leak in a library has a bound: new phases get new threads, and the old ones end with the phases that they have begun.
 */
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { AppError } from '../errors.ts';
import { cancellation } from './cancellation.ts';
import { type Desk, Desks } from './desks.ts';
import { collectGarbage } from './garbage.ts';
import { MemoryWatch, type Shared, sharedIn, type WatchedPhase } from './memory-watch.ts';
import type { ComputePool, Task, TaskScope } from './task.ts';
import { type Errand, outcomeError, runTask, type TaskOutcome, type ThreadData } from './thread-entry.ts';

/** What is told of a task that a thread has ended; times in ms since 1970. */
export interface TaskReport {
  /** Module and function. */
  readonly task: string;
  readonly scope?: string;
  readonly thread: number;
  readonly submittedAt: number;
  readonly startedAt: number;
  readonly endedAt: number;
  /** W3C traceparent of what asked for it. */
  readonly trace?: string;
  /** Absent: it gave its result. */
  readonly code?: string;
}

/** Who wants to know what the threads do. */
export interface PoolObserver {
  /** W3C traceparent of the work that asks for a phase. */
  trace(): string | undefined;
  task(report: TaskReport): void;
  replaced(why: 'tasks' | 'memory', generation: { readonly tasks: number; readonly heldMb: number }): void;
}

export interface ComputePoolOptions {
  /** Threads at work at once, 1..64. Default: the cores this process may use. */
  readonly threads?: number;
  /** Bound on a thread's own JavaScript heap, MiB. What a job may take in all is bounded by its scope. Default 1,024. */
  readonly threadHeapMiBMax?: number;
  /** A thread without work ends after this long. Default 10,000. */
  readonly idleTimeoutMs?: number;
  /** After so many tasks all threads are replaced. Default 20,000. */
  readonly tasksPerGeneration?: number;
  /** All threads are replaced when one holds more than this after its task, MiB. Default 512. */
  readonly heldMbMax?: number;
  readonly observer?: PoolObserver;
}

export interface OwnedComputePool extends ComputePool, AsyncDisposable {
  /** Ends the threads; tasks at work are ended and reject with CANCELLED. Afterwards runPhase rejects. Idempotent. */
  close(): Promise<void>;
}

const THREADS_MAX = 64;
const MIB = 2 ** 20;
/** As in thread-entry.ts; the heap here is larger, and a look takes tens of milliseconds: it is taken once a training of some millions of interactions. */
const UNCOLLECTED_BYTES_MAX = 128 * MIB;
const DEFAULTS = { threadHeapMiBMax: 1024, idleTimeoutMs: 10_000, tasksPerGeneration: 20_000, heldMbMax: 512 };
const ENTRY = new URL('./thread-entry.ts', import.meta.url).href;

/** Threads that are replaced together. */
interface Generation {
  readonly piscina: Piscina<Errand, TaskOutcome>;
  readonly desks: Desks;
  /** Phases that run on it. */
  active: number;
  tasks: number;
  heldBytes: number;
  /** Shared memory that its threads were given, and how much that is together. */
  readonly given: WeakSet<object>;
  givenBytes: number;
}

/** A phase on its way. */
interface Phase {
  readonly generation: Generation;
  readonly stop: Stop;
  readonly scope: TaskScope | undefined;
  readonly watched: WatchedPhase | undefined;
  readonly trace: string | undefined;
}

/** The end of a phase before its time, and why: what comes first decides. One signal, whoever ends it: listeners and signals cost more than a small task. */
class Stop {
  readonly #controller = new AbortController();
  why: AppError | undefined;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  readonly now = (why: AppError): void => {
    this.why ??= why;
    this.#controller.abort();
  };
}

function errandOf(task: Task, givenBytes: number, desk: Desk | undefined, trace: string | undefined): Errand {
  return {
    task,
    givenBytes,
    ...(desk === undefined ? {} : { desk: desk.address }),
    ...(trace === undefined ? {} : { trace }),
  };
}

class PiscinaPool implements OwnedComputePool {
  readonly threads: number;
  readonly #options: Required<Omit<ComputePoolOptions, 'observer'>>;
  readonly #observer: PoolObserver | undefined;
  readonly #closing = new AbortController();
  readonly #memory = new MemoryWatch();
  /** End the phases at work. */
  readonly #stops = new Set<(why: AppError) => void>();
  #uncollectedBytes = 0;
  #current: Generation;
  /** One at most: beside it and the current one there are no threads. */
  #retiring: Generation | undefined;

  constructor({ observer, ...options }: ComputePoolOptions) {
    const threads = options.threads ?? Math.min(THREADS_MAX, availableParallelism());
    if (!Number.isInteger(threads) || threads < 1 || threads > THREADS_MAX) {
      throw new AppError('CONFIG_INVALID', {
        message: `The number of threads must be a whole number from 1 to ${THREADS_MAX}.`,
        details: { problems: [{ setting: 'threads', value: threads }] },
      });
    }
    this.threads = threads;
    this.#options = { ...DEFAULTS, ...options, threads };
    this.#observer = observer;
    this.#current = this.#start();
  }

  #start(): Generation {
    const desks = new Desks();
    const piscina = new Piscina<Errand, TaskOutcome>({
      filename: ENTRY,
      name: 'runErrand',
      minThreads: 0,
      maxThreads: this.threads,
      idleTimeout: this.#options.idleTimeoutMs,
      recordTiming: false,
      workerData: { desks: desks.table } satisfies ThreadData,
      resourceLimits: { maxOldGenerationSizeMb: this.#options.threadHeapMiBMax },
    });
    return { piscina, desks, active: 0, tasks: 0, heldBytes: 0, given: new WeakSet(), givenBytes: 0 };
  }

  async runPhase<T>(tasks: readonly Task[], signal?: AbortSignal, scope?: TaskScope): Promise<T[]> {
    if (signal?.aborted) throw cancellation(signal);
    if (this.#closing.signal.aborted) throw cancellation(this.#closing.signal);
    this.#renew();
    const stop = new Stop();
    const shared = sharedIn(tasks);
    const watched = scope === undefined ? undefined : this.#memory.begin(scope, shared, stop.now);
    const generation = this.#current;
    generation.active += 1;
    generation.tasks += tasks.length;
    this.#count(shared, generation);
    this.#stops.add(stop.now);
    const cancel = (): void => stop.now(cancellation(signal as AbortSignal));
    signal?.addEventListener('abort', cancel);
    try {
      return await this.#runAll<T>(tasks, { generation, stop, scope, watched, trace: this.#observer?.trace() });
    } finally {
      signal?.removeEventListener('abort', cancel);
      this.#stops.delete(stop.now);
      watched?.end();
      generation.active -= 1;
      if (generation === this.#retiring && generation.active === 0) this.#bury();
    }
  }

  #count(shared: ReadonlySet<Shared>, generation: Generation): void {
    for (const one of shared) {
      const buffer = one instanceof SharedArrayBuffer ? one : one.buffer;
      if (generation.given.has(buffer)) continue;
      generation.given.add(buffer);
      generation.givenBytes += buffer.byteLength;
      this.#uncollectedBytes += buffer.byteLength;
    }
    if (this.#uncollectedBytes < UNCOLLECTED_BYTES_MAX) return;
    this.#uncollectedBytes = 0;
    collectGarbage();
  }

  async #runAll<T>(tasks: readonly Task[], phase: Phase): Promise<T[]> {
    const { stop } = phase;
    const runs = tasks.map(async (task) => {
      try {
        return (await this.#run(task, phase)) as T;
      } catch (thrown) {
        // The first failure decides; what is still at work is ended, its result is of no use.
        stop.now(thrown as AppError);
        throw thrown;
      }
    });
    const settled = await Promise.allSettled(runs);
    if (settled.some(({ status }) => status === 'rejected')) throw stop.why;
    return settled.map((result) => (result as PromiseFulfilledResult<T>).value);
  }

  async #run(task: Task, { generation, stop, watched, scope, trace }: Phase): Promise<unknown> {
    const { piscina, desks } = generation;
    scope?.beat?.();
    const desk = watched === undefined ? undefined : desks.take();
    const rise = desk && watched?.task(desk, (id) => piscina.threads.find(({ threadId }) => threadId === id));
    const submittedAt = performance.timeOrigin + performance.now();
    let outcome: TaskOutcome;
    try {
      outcome = await piscina.run(errandOf(task, generation.givenBytes, desk, trace), { signal: stop.signal });
    } catch (thrown) {
      throw stop.why ?? lost(thrown);
    } finally {
      rise?.();
    }
    if (desk !== undefined) desks.giveBack(desk);
    scope?.beat?.();
    this.#heard(task, outcome, { generation, scope, submittedAt });
    if (!outcome.ok) throw outcomeError(outcome);
    return outcome.value;
  }

  #heard(
    task: Task,
    { timing, ...outcome }: TaskOutcome,
    { generation, scope, submittedAt }: Pick<Phase, 'generation' | 'scope'> & { readonly submittedAt: number },
  ): void {
    if (timing === undefined) return;
    const { heldBytes, ...told } = timing;
    generation.heldBytes = Math.max(generation.heldBytes, heldBytes);
    this.#observer?.task({
      task: `${task.module.slice(task.module.lastIndexOf('/') + 1)}#${task.name}`,
      ...told,
      submittedAt,
      ...(scope === undefined ? {} : { scope: scope.label }),
      ...(outcome.ok ? {} : { code: outcome.code ?? 'INTERNAL' }),
    });
  }

  /** Gives new phases new threads, where it is time and the last ones to be replaced have ended. */
  #renew(): void {
    const { tasks, heldBytes } = this.#current;
    const isHolding = heldBytes > this.#options.heldMbMax * MIB;
    if (this.#retiring !== undefined || (tasks < this.#options.tasksPerGeneration && !isHolding)) return;
    this.#retiring = this.#current;
    this.#current = this.#start();
    this.#observer?.replaced(isHolding ? 'memory' : 'tasks', { tasks, heldMb: Math.ceil(heldBytes / MIB) });
    if (this.#retiring.active === 0) this.#bury();
  }

  #bury(): void {
    void this.#retiring?.piscina.destroy();
    this.#retiring = undefined;
  }

  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      const why = new AppError('CANCELLED', { message: 'The compute pool was closed.' });
      this.#closing.abort(why);
      for (const stop of this.#stops) stop(why);
    }
    await Promise.all([this.#current.piscina.destroy(), this.#retiring?.piscina.destroy()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** What piscina throws when a thread dies under its task. */
function lost(thrown: unknown): AppError {
  const code = (thrown as { code?: unknown } | undefined)?.code;
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return new AppError('JOB_MEMORY_LIMIT', {
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
