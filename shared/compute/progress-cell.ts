/**
 * Owns progress out of a single long task: a counter in shared memory that the thread writes and the coordinator polls,
 * so that the task need not return to say where it is.
 */
import type { OnProgress } from './task.ts';

/** Pass `cell` in a task's payload; in the thread call `advance`. */
export type ProgressCell = SharedArrayBuffer;

export function progressCell(): ProgressCell {
  return new SharedArrayBuffer(8);
}

/** In the thread: `done` units are done (a whole number, 0..2^31-1). Costs one atomic store. */
export function advance(cell: ProgressCell, done: number): void {
  Atomics.store(new Int32Array(cell), 0, done);
}

/** Reports changes of the cell until `work` settles, at most once per `intervalMs`, and returns its result. */
export async function watchProgress<T>(
  cell: ProgressCell,
  options: {
    readonly total: number;
    readonly label: string;
    readonly onProgress?: OnProgress | undefined;
    readonly intervalMs?: number;
  },
  work: Promise<T>,
): Promise<T> {
  const { total, label, onProgress, intervalMs = 200 } = options;
  if (onProgress === undefined) return work;
  const view = new Int32Array(cell);
  let seen = 0;
  const report = () => {
    const done = Math.min(total, Atomics.load(view, 0));
    if (done !== seen) onProgress({ done, total, label });
    seen = done;
  };
  const timer = setInterval(report, intervalMs);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    report();
  }
}
