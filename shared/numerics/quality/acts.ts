/** Owns the columns that quality reads: what each account did, in order of time, and what is known of the items. */
import type { EventArrays, SubjectRuns } from '../interactions/columns.ts';
import { sharedBytes } from '../interactions/key-index.ts';
import { sharedFloat32, sharedInt32 } from '../sparse.ts';

/** Acts by account, each account's in order of time; account a has the entries starts[a] .. starts[a + 1]. */
export interface AccountActs {
  readonly accounts: number;
  readonly starts: Int32Array;
  /** Number of the item; -1: none. */
  readonly item: Int32Array;
  /** Index into EVENT_TYPES. */
  readonly type: Uint8Array;
  /** NaN: no value. */
  readonly value: Float32Array;
  /** ms since 1970. */
  readonly at: Float64Array;
}

/** What is known of items; index = number of the item. */
export interface ItemColumns {
  readonly items: number;
  /** Rank in the catalogue's own order (publication, say); -1: unknown. */
  readonly place: Int32Array;
  /** Number of the creator; -1: unknown. */
  readonly owner: Int32Array;
}

export function emptyActs(accounts: number, rows: number): AccountActs {
  return {
    accounts,
    starts: sharedInt32(accounts + 1),
    item: sharedInt32(rows),
    type: sharedBytes(rows),
    value: sharedFloat32(rows),
    at: new Float64Array(new SharedArrayBuffer(rows * Float64Array.BYTES_PER_ELEMENT)),
  };
}

/**
 * Acts in order of time from rows in canonical order. `ignored`: the code of what only the platform does (impressions). O(n log n) in the
 * rows of one account; equal moments keep the order of rows, so that the answer depends on the rows alone.
 */
export function actsOf(
  columns: EventArrays,
  runs: SubjectRuns,
  item: Int32Array,
  ignored: number,
  asOf = Number.POSITIVE_INFINITY,
): AccountActs {
  const kept: number[] = [];
  const ends = [0];
  for (let s = 0; s < runs.subjects; s++) {
    const own: number[] = [];
    for (let row = runs.starts[s]!; row < runs.starts[s + 1]!; row++)
      if (columns.type[row] !== ignored && columns.occurredAt[row]! <= asOf && columns.recordedAt[row]! <= asOf)
        own.push(row);
    own.sort((a, b) => columns.occurredAt[a]! - columns.occurredAt[b]! || a - b);
    for (const row of own) kept.push(row);
    ends.push(kept.length);
  }
  const acts = emptyActs(runs.subjects, kept.length);
  acts.starts.set(ends);
  for (const [n, row] of kept.entries()) {
    acts.item[n] = item[row]!;
    acts.type[n] = columns.type[row]!;
    acts.value[n] = columns.value[row]!;
    acts.at[n] = columns.occurredAt[row]!;
  }
  return acts;
}
