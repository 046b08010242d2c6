/**
 * Owns what tells two engines apart whose bytes may differ. Plain SIMD gives the same bytes on every CPU; relaxed SIMD may fuse a
 * multiply and an add or not, so a small sum is computed and its bytes join the name.
 */
import { createHash } from 'node:crypto';
import { type Engine, instantiate, STATIC_AREA_BYTES } from './load.ts';
import { f32, MemoryPlan } from './memory.ts';

const WIDTH = 16;
const ROWS = 32;
const identities = new WeakMap<WebAssembly.Module, string>();

/** For example `wasm-relaxed-simd 1f0c6a2b`. Some microseconds, once per process and engine. */
export function engineIdentity({ module, name }: Engine): string {
  const known = identities.get(module);
  if (known !== undefined) return known;
  const identity = `${name} ${numericProbe(module)}`;
  identities.set(module, identity);
  return identity;
}

/** Hash of a Gram matrix of numbers whose products do not fit float32: fused and unfused sums differ. */
function numericProbe(module: WebAssembly.Module): string {
  const plan = new MemoryPlan();
  const factors = plan.reserve(ROWS * WIDTH);
  const gram = plan.reserve(WIDTH * WIDTH);
  const memory = plan.allocate(STATIC_AREA_BYTES * 2 + plan.bytes);
  const rows = f32(memory, factors);
  for (let at = 0; at < rows.length; at++) rows[at] = 1 / (at + 3);
  instantiate(module, memory).gramChunk(factors.at, 0, ROWS, WIDTH, gram.at);
  const bytes = new Uint8Array(memory.buffer, gram.at, gram.length * 4).slice();
  return createHash('sha256').update(bytes).digest('hex').slice(0, 8);
}
