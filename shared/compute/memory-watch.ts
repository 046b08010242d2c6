/**
 * Owns the measuring of what jobs take while their tasks run in threads, and the end of one that takes more than it may. Measured are
 * - the growth of the heaps and outside buffers of its threads since its tasks began: V8 tells that of a busy thread, too;
 * - the shared memory that its tasks were given, once each, as large as it has grown;
 * - what the whole process has grown while tasks are at work: memory that they share or map by themselves. It is held against the bounds of all
 *   jobs that the process has begun, since those without tasks just now may be loading, and the one that is largest by the other measures ends.
 */
import type { Worker } from 'node:worker_threads';
import { AppError } from '../errors.ts';
import type { Desk } from './desks.ts';
import type { Task, TaskScope } from './task.ts';

const INTERVAL_MS = 100;
const MIB = 2 ** 20;
/** Objects looked at in search of shared memory; payloads are shallow. */
const VISITS_MAX = 10_000;

interface TaskAtWork {
  readonly desk: Desk;
  readonly worker: (threadId: number) => Worker | undefined;
  grownBytes: number;
  isAsked: boolean;
}

/** A phase of a scope. */
export interface WatchedPhase {
  /** A task goes to the thread that will sit at this desk; the returned function ends the watch over it. */
  task(desk: Desk, worker: (threadId: number) => Worker | undefined): () => void;
  end(): void;
}

/** Bounds of the jobs that this process has begun, MiB. */
let admittedMb = 0;

/** A job begins that may take so much; to be called back when it has ended. */
export function admit(memoryMbMax: number): () => void {
  admittedMb += memoryMbMax;
  return () => {
    admittedMb -= memoryMbMax;
  };
}

interface Phase {
  readonly scope: TaskScope;
  readonly onTooMuch: (reason: AppError) => void;
  readonly shared: ReadonlySet<Shared>;
  readonly tasks: Set<TaskAtWork>;
}

export type Shared = SharedArrayBuffer | WebAssembly.Memory;

export class MemoryWatch {
  readonly #phases = new Set<Phase>();
  readonly #rss: () => number;
  #rssBefore = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `rss`: what the process takes, bytes. */
  constructor(rss: () => number = () => process.memoryUsage.rss()) {
    this.#rss = rss;
  }

  /** `onTooMuch` is called with JOB_MEMORY_LIMIT. Throws it when the shared memory of the tasks is too large already. */
  begin(scope: TaskScope, shared: ReadonlySet<Shared>, onTooMuch: (reason: AppError) => void): WatchedPhase {
    const phase: Phase = { scope, onTooMuch, shared, tasks: new Set() };
    const takenMb = takenMbBy([phase]);
    if (takenMb > scope.memoryMbMax) throw tooMuch(scope, takenMb);
    if (this.#phases.size === 0) this.#rssBefore = this.#rss();
    this.#phases.add(phase);
    this.#timer ??= setInterval(() => this.#look(), INTERVAL_MS).unref();
    return {
      task: (desk, worker) => {
        const task: TaskAtWork = { desk, worker, grownBytes: 0, isAsked: false };
        phase.tasks.add(task);
        return () => void phase.tasks.delete(task);
      },
      end: () => this.#end(phase),
    };
  }

  #end(phase: Phase): void {
    this.#phases.delete(phase);
    if (this.#phases.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    for (const { tasks, scope } of this.#phases) for (const task of tasks) void ask(task, scope);
    const scopes = new Map<TaskScope, Phase[]>();
    for (const phase of this.#phases) scopes.set(phase.scope, [...(scopes.get(phase.scope) ?? []), phase]);
    const taken = [...scopes].map(([scope, phases]) => ({ scope, phases, mb: takenMbBy(phases) }));
    for (const { scope, phases, mb } of taken) if (mb > scope.memoryMbMax) abort(phases, tooMuch(scope, mb));
    const atWorkMb = taken.reduce((sum, { scope }) => sum + scope.memoryMbMax, 0);
    const boundMb = Math.max(admittedMb, atWorkMb);
    const grownMb = (this.#rss() - this.#rssBefore) / MIB;
    const largest = taken.toSorted((a, b) => b.mb - a.mb)[0];
    if (grownMb > boundMb && largest !== undefined) abort(largest.phases, tooMuch(largest.scope, grownMb));
  }
}

/** Asks the thread of a task what it holds. A thread in foreign code answers late: until then the last answer counts. */
async function ask(task: TaskAtWork, { beat }: TaskScope): Promise<void> {
  const worker = task.worker(task.desk.threadId);
  if (worker === undefined || task.isAsked) return;
  task.isAsked = true;
  try {
    const { used_heap_size, external_memory } = await worker.getHeapStatistics();
    task.grownBytes = Math.max(0, used_heap_size + external_memory - task.desk.heldBefore);
    task.isAsked = false;
    beat?.();
  } catch {
    // It has ended, and its task with it.
  }
}

function takenMbBy(phases: readonly Phase[]): number {
  const shared = new Set<SharedArrayBuffer>();
  for (const phase of phases)
    for (const one of phase.shared) shared.add(one instanceof SharedArrayBuffer ? one : one.buffer);
  let bytes = 0;
  for (const { byteLength } of shared) bytes += byteLength;
  for (const { tasks } of phases) for (const { grownBytes } of tasks) bytes += grownBytes;
  return bytes / MIB;
}

function abort(phases: readonly Phase[], reason: AppError): void {
  for (const { onTooMuch } of phases) onTooMuch(reason);
}

function tooMuch({ label, memoryMbMax }: TaskScope, takenMb: number): AppError {
  const mb = Math.ceil(takenMb);
  return new AppError('JOB_MEMORY_LIMIT', {
    message: `${label} took ${mb} MiB; ${memoryMbMax} MiB are allowed.`,
    details: { kind: label, takenMb: mb, memoryMbMax },
  });
}

/** The shared memory that tasks are given. */
export function sharedIn(tasks: readonly Task[]): ReadonlySet<Shared> {
  const found = new Set<Shared>();
  const seen = new Set<object>();
  const left = tasks.map(({ payload }) => payload);
  for (let visits = 0; left.length > 0 && visits < VISITS_MAX; visits++) {
    const value = left.pop();
    if (typeof value !== 'object' || value === null || seen.has(value)) continue;
    seen.add(value);
    if (value instanceof SharedArrayBuffer) found.add(value);
    else if (value instanceof WebAssembly.Memory) found.add(value);
    else if (ArrayBuffer.isView(value)) {
      if (value.buffer instanceof SharedArrayBuffer) found.add(value.buffer);
    } else left.push(...(Array.isArray(value) ? value.slice(0, VISITS_MAX) : Object.values(value)));
  }
  return found;
}
