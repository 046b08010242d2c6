/**
 * Owns the words between a coordinator and its threads: what a task is and what a pool of threads promises.
 * Numerics is written against `ComputePool` alone, so that the same coordinator runs in a worker process,
 * in `millrace evaluate` and inline in a test.
 *
 * A coordinator submits a phase (some tasks) and awaits it; no task waits on another task.
 */

/** One exported function of one module, run in a thread. Arguments are structured-cloned; SharedArrayBuffer and shared WebAssembly.Memory are shared. */
export interface Task {
  /** URL of the module: `new URL('./gram.task.ts', import.meta.url).href`. */
  readonly module: string;
  /** Name of the exported function; it takes `(payload)` and returns a structured-cloneable value or a promise of one. */
  readonly name: string;
  readonly payload: unknown;
}

/** On whose behalf a phase runs, and what it may take. */
export interface TaskScope {
  /** A name from the code, such as the kind of a job. */
  readonly label: string;
  /** Bound on the memory of all tasks of the scope together, MiB: heaps and buffers of their threads, and the shared memory that they work on. */
  readonly memoryMbMax: number;
  /** Told, about ten times a second, that a thread at work for the scope answers, and of every task that begins or ends. */
  readonly beat?: () => void;
}

export interface ComputePool {
  /** Number of threads that run tasks at once, >= 1. */
  readonly threads: number;
  /**
   * Runs all tasks, at most `threads` at once, and resolves to their results in order.
   * With a scope it rejects with JOB_MEMORY_LIMIT when the scope takes more memory than it may; its threads are ended.
   * On abort it rejects with AppError CANCELLED (or the signal's AppError reason) and the threads at work are ended at once.
   */
  runPhase<T>(tasks: readonly Task[], signal?: AbortSignal, scope?: TaskScope): Promise<T[]>;
}

/** The same threads, for one scope alone. */
export function scopedPool(pool: ComputePool, scope: TaskScope): ComputePool {
  return { threads: pool.threads, runPhase: (tasks, signal) => pool.runPhase(tasks, signal, scope) };
}

/** Told at phase boundaries; `done` and `total` in the unit that `label` names. Must be cheap. */
export type OnProgress = (progress: {
  readonly done: number;
  readonly total: number;
  readonly label: string;
  readonly metrics?: Readonly<Record<string, number>>;
}) => void;
