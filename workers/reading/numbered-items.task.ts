/** Owns items as numbers: those that rows name, in order of their keys. Runs in a thread: a pass over all rows. */
import { isAbsent, KeyIndex, sharedBytes } from '../../shared/numerics/interactions/key-index.ts';
import { sharedInt32 } from '../../shared/numerics/sparse.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';

export interface NumberedItems {
  /** Number of each row's item, or -1. */
  readonly item: Int32Array;
  /** 16 bytes an item, in order of their bytes. */
  readonly keys: Uint8Array;
}

/** Numbers the items of all rows. */
export function numberItems({
  columns,
}: {
  readonly columns: { readonly rows: number; readonly item: Uint8Array };
}): NumberedItems {
  const index = new KeyIndex();
  const item = sharedInt32(columns.rows);
  for (let row = 0; row < columns.rows; row++)
    item[row] = isAbsent(columns.item, row) ? -1 : index.add(columns.item, row);
  const order = index.sorted();
  const rank = new Int32Array(order.length);
  const keys = sharedBytes(order.length * KEY_BYTES);
  for (let n = 0; n < order.length; n++) {
    rank[order[n]!] = n;
    keys.set(index.keys().subarray(order[n]! * KEY_BYTES, (order[n]! + 1) * KEY_BYTES), n * KEY_BYTES);
  }
  for (let row = 0; row < columns.rows; row++) if (item[row]! >= 0) item[row] = rank[item[row]!]!;
  return { item, keys };
}
