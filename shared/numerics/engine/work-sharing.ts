/**
 * Owns how the threads of one phase share its rows: each takes the next chunk from a counter in shared memory. Which thread does
 * which chunk does not matter to any result, because every row (or fixed logical chunk) is computed on its own.
 */
import type { Task } from '../../compute/task.ts';
import { i32, type Region } from './memory.ts';

/** Calls `work(from, to)` for chunks of [0, total) until none is left. `counter` is one int32 that was 0 before the phase. */
export function takeChunks(
  memory: WebAssembly.Memory,
  counter: Region,
  total: number,
  chunk: number,
  work: (from: number, to: number) => void,
): void {
  const next = i32(memory, counter);
  for (;;) {
    const from = Atomics.add(next, 0, 1) * chunk;
    if (from >= total) return;
    work(from, Math.min(from + chunk, total));
  }
}

/** The same task once per thread, each knowing its number; resets the counter. */
export function sharedPhase(
  threads: number,
  memory: WebAssembly.Memory,
  counter: Region,
  task: { readonly module: string; readonly name: string; readonly payload: object },
): Task[] {
  Atomics.store(i32(memory, counter), 0, 0);
  return Array.from({ length: threads }, (_, thread) => ({ ...task, payload: { ...task.payload, thread } }));
}
