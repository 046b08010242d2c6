/**
 * Owns when items expire: `attributes.expiresAt` of the catalogue, ms since 1970 or ISO 8601. An item is recommended as long as the data set's
 * moment lies before it; one without it, or with something else in it, never expires.
 */
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import type { RunContext } from '../runtime/processor.ts';

/** Items asked for at once. */
const ITEMS_PER_READ = 5_000;

/** ms since 1970; NaN: never. */
export function expiresAtMs(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || value.trim() === '') return Number.NaN;
  const ms = Number(value);
  return Number.isNaN(ms) ? Date.parse(value) : ms;
}

/** When each item expires, in the order of the keys. */
export async function readExpiry(keys: Uint8Array, { store, tenant, signal }: RunContext): Promise<Float64Array> {
  const items = keys.length / KEY_BYTES;
  const expiresAt = new Float64Array(new SharedArrayBuffer(items * 8)).fill(Number.NaN);
  for (let from = 0; from < items; from += ITEMS_PER_READ) {
    signal.throwIfAborted();
    const asked = Array.from({ length: Math.min(ITEMS_PER_READ, items - from) }, (_, n) =>
      Uint8Array.from(keys.subarray((from + n) * KEY_BYTES, (from + n + 1) * KEY_BYTES)),
    );
    const found = await store.items.read(tenant, asked);
    for (const [n, key] of asked.entries())
      expiresAt[from + n] = expiresAtMs(found.get(Buffer.from(key).toString('hex'))?.attributes?.['expiresAt']);
  }
  return expiresAt;
}
