/** Owns the start of a fit from what an earlier version learned: rows of who is still there, by key. Who is new keeps their drawn start. */
import { f32, type Region } from '../engine/memory.ts';
import { KeyIndex } from '../interactions/key-index.ts';
import type { DenseRows } from '../types.ts';

/** Columns of an earlier matrix, and where they go. */
export interface AdoptedRows {
  readonly region: Region;
  /** Floats from one row of the region to the next. */
  readonly stride: number;
  readonly keys: Uint8Array;
  readonly from: DenseRows;
  readonly fromKeys: Uint8Array;
  readonly columns: readonly [from: number, to: number];
}

/** One thread. Linear in the rows. */
export function adoptRows({
  memory,
  adopted,
}: {
  readonly memory: WebAssembly.Memory;
  readonly adopted: readonly AdoptedRows[];
}): void {
  for (const { columns, from, fromKeys, keys, region, stride } of adopted) {
    const target = f32(memory, region);
    const index = KeyIndex.of(fromKeys);
    const rows = region.length / stride;
    for (let row = 0; row < rows; row++) {
      const found = index.find(keys, row);
      if (found < 0) continue;
      target.set(from.data.subarray(found * from.width + columns[0], found * from.width + columns[1]), row * stride);
    }
  }
}
