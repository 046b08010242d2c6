/** Owns which items may be recommended at the moment that a data set speaks of, in threads. Linear. */
import type { AdmittedEvents } from '../../shared/numerics/interactions/interaction-view.ts';
import { isAbsent, KeyIndex, sharedBytes } from '../../shared/numerics/interactions/key-index.ts';
import { sharedFloat32, sharedInt32 } from '../../shared/numerics/sparse.ts';
import { type DenseRows, KEY_BYTES } from '../../shared/numerics/types.ts';

/** Items of the embeddings, then those that only occur in rows. 16 bytes each. */
export function itemsToServe(payload: {
  readonly embeddingItems: Uint8Array;
  readonly columns: { readonly rows: number; readonly item: Uint8Array };
}): Uint8Array {
  const { embeddingItems, columns } = payload;
  const items = KeyIndex.of(embeddingItems);
  for (let row = 0; row < columns.rows; row++) if (!isAbsent(columns.item, row)) items.add(columns.item, row);
  const keys = sharedBytes(items.size * KEY_BYTES);
  keys.set(items.keys().subarray(0, keys.length));
  return keys;
}

/**
 * The moment that a data set speaks of: its last admitted event up to `asOf`. On a live platform that is now; a log that ended a year ago is read as of
 * its end, when its items had not expired and its popularity had not decayed to nothing.
 */
export function momentOf({ events, asOf }: { readonly events: AdmittedEvents; readonly asOf: number }): number {
  const { columns, runs, sources, allowed } = events;
  let last = -Infinity;
  for (let s = 0; s < runs.subjects; s++)
    for (let row = runs.starts[s]!; row < runs.starts[s + 1]!; row++) {
      const at = columns.occurredAt[row]!;
      if (at > last && at <= asOf && allowed[s * sources + columns.source[row]!] === 1) last = at;
    }
  return last === -Infinity ? asOf : last;
}

/** The part of the embeddings that may be recommended. */
export interface Servable {
  readonly itemKeys: Uint8Array;
  readonly factors: DenseRows;
  /** Place of each row among the items of the embeddings. */
  readonly places: Int32Array;
}

/** Leaves out what has expired by then; `expiresAt` is parallel to `keys`, which begin with the items of the embeddings. */
export function keepServable(payload: {
  readonly keys: Uint8Array;
  readonly factors: DenseRows;
  readonly expiresAt: Float64Array;
  readonly moment: number;
}): Servable {
  const { keys, factors, expiresAt, moment } = payload;
  const { data, width } = factors;
  const kept: number[] = [];
  for (let item = 0; item < factors.rows; item++) if (!(expiresAt[item]! <= moment)) kept.push(item);
  const itemKeys = sharedBytes(kept.length * KEY_BYTES);
  const rows = sharedFloat32(kept.length * width);
  for (const [n, item] of kept.entries()) {
    itemKeys.set(keys.subarray(item * KEY_BYTES, (item + 1) * KEY_BYTES), n * KEY_BYTES);
    rows.set(data.subarray(item * width, (item + 1) * width), n * width);
  }
  return { itemKeys, factors: { rows: kept.length, width, data: rows }, places: sharedInt32(kept.length, kept) };
}
