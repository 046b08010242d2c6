/**
 * Owns the holdout: each (user, item) pair is held out or not by a hash of (seed, user key, item key) alone, so that leaving a person out
 * moves nobody else's pairs. Linear in the pairs.
 */
import { hashBytes, hashText } from '../../random.ts';
import { sharedFloat32, sharedInt32 } from '../sparse.ts';
import { KEY_BYTES, type SparseRows } from '../types.ts';
import type { InteractionView } from './columns.ts';

export interface SplitRequest {
  readonly view: Pick<InteractionView, 'userKeys' | 'itemKeys' | 'interactions' | 'times'>;
  /** Share of pairs to hold out, 0..0.5. */
  readonly holdout: number;
  readonly seed: number;
}

export interface Split {
  /** Every user keeps at least one pair here. */
  readonly train: SparseRows;
  /** Parallel to `train.indices`. */
  readonly trainTimes: Float64Array;
  readonly heldOut: SparseRows;
  /** Users with at least one held-out pair. */
  readonly users: number;
}

/** Splits pairs into a part to train on and a part held out; the pair that a user would hold out last always trains. */
export function splitPairs({ view, holdout, seed }: SplitRequest): Split {
  const { interactions, times } = view;
  const salt = mix(hashText('holdout') ^ mix(seed));
  const userHashes = keyHashes(view.userKeys);
  const itemHashes = keyHashes(view.itemKeys);
  const bound = holdout * 2 ** 32;
  const held = new Uint8Array(interactions.indices.length);
  for (let user = 0; user < interactions.rows; user++) {
    const [from, to] = [interactions.indptr[user]!, interactions.indptr[user + 1]!];
    const own = mix(salt ^ userHashes[user]!);
    let [last, highest] = [from, -1];
    for (let n = from; n < to; n++) {
      const draw = mix(own ^ Math.imul(itemHashes[interactions.indices[n]!]!, 0x9e3779b1));
      if (draw < bound) held[n] = 1;
      if (draw > highest) [last, highest] = [n, draw];
    }
    held[last] = 0;
  }
  const kept = held.map((mark) => 1 - mark);
  const heldOut = select(interactions, held);
  let users = 0;
  for (let user = 0; user < interactions.rows; user++) if (heldOut.indptr[user + 1]! > heldOut.indptr[user]!) users++;
  return { train: select(interactions, kept), trainTimes: selectTimes(times, kept), heldOut, users };
}

function keyHashes(keys: Uint8Array): Uint32Array {
  return Uint32Array.from({ length: keys.length / KEY_BYTES }, (_, n) =>
    hashBytes(keys.subarray(n * KEY_BYTES, (n + 1) * KEY_BYTES)),
  );
}

/** Murmur3's finaliser. */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The marked pairs, in order. */
function select(source: SparseRows, marks: Uint8Array): SparseRows {
  const count = marks.reduce((sum, mark) => sum + mark, 0);
  const indptr = sharedInt32(source.rows + 1);
  const indices = sharedInt32(count);
  const values = sharedFloat32(count);
  let to = 0;
  for (let row = 0; row < source.rows; row++) {
    for (let n = source.indptr[row]!; n < source.indptr[row + 1]!; n++) {
      if (marks[n] === 0) continue;
      indices[to] = source.indices[n]!;
      values[to++] = source.values[n]!;
    }
    indptr[row + 1] = to;
  }
  return { rows: source.rows, columns: source.columns, indptr, indices, values };
}

function selectTimes(times: Float64Array, marks: Uint8Array): Float64Array {
  const kept = new Float64Array(new SharedArrayBuffer(marks.reduce((sum, mark) => sum + mark, 0) * 8));
  let to = 0;
  for (let n = 0; n < times.length; n++) if (marks[n] === 1) kept[to++] = times[n]!;
  return kept;
}
