/** Owns the tasks that the pool's tests run in threads. */
import { AppError } from '../errors.ts';

export function double({ value }: { readonly value: number }): number {
  return value * 2;
}

/** Waits on a flag in shared memory, so that tests decide when it ends. */
export function waitFor({ flag }: { readonly flag: SharedArrayBuffer }): string {
  Atomics.wait(new Int32Array(flag), 0, 0);
  return 'woken';
}

/** Says that it has begun, then never ends. */
export function spin({ started }: { readonly started: SharedArrayBuffer }): never {
  const view = new Int32Array(started);
  Atomics.add(view, 0, 1);
  Atomics.notify(view, 0);
  for (;;) Atomics.add(view, 1, 1);
}

/** Computes for so long without a word. */
export function spinFor({ ms }: { readonly ms: number }): number {
  let turns = 0;
  for (const end = performance.now() + ms; performance.now() < end; ) turns += 1;
  return turns;
}

export function failWithCode(): never {
  throw new AppError('NUMERICS_MEMORY_LIMIT', { message: 'Too much.', details: { needBytes: 12 } });
}

export function failPlainly(): never {
  throw new TypeError('not a number');
}

export function exhaustHeap(): number {
  const kept: number[][] = [];
  for (;;) kept.push(Array.from({ length: 1e5 }, (_, n) => n + kept.length));
}

export function leave(): never {
  process.exit(3);
}

/** Keeps memory outside the heap, a little more each turn, for ever. */
export function leakBuffers(): never {
  const kept: Uint8Array[] = [];
  for (;;) kept.push(new Uint8Array(2 ** 20).fill(kept.length));
}

/** Memory that neither heap nor buffers count. */
export function leakShared(): never {
  const kept: Uint8Array[] = [];
  for (;;) kept.push(new Uint8Array(new SharedArrayBuffer(2 ** 20)).fill(kept.length));
}

export function fillShared({ shared }: { readonly shared: SharedArrayBuffer }): void {
  new Uint8Array(shared).fill(1);
}

const held: Uint8Array[] = [];

/** Leaves memory behind in its thread, as a library that leaks does. Returns how much there is now, MiB. */
export function leaveBehind({ mb }: { readonly mb: number }): number {
  for (let n = 0; n < mb; n++) held.push(new Uint8Array(2 ** 20).fill(1));
  return held.length;
}
