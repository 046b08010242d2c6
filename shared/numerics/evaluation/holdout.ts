/**
 * Owns splits by keyed hash: whether a pair is held out depends on (seed, user key, item key) alone, so leaving a person out, or a
 * new interaction, moves no other pair from one side to the other. Linear in the interactions.
 */
import { hashBytes, randomStream } from '../../random.ts';
import { sharedFloat32, sharedInt32 } from '../sparse.ts';
import { KEY_BYTES, type SparseRows, type TrainInput } from '../types.ts';
import type { TestItems } from './ranking-metrics.ts';

export interface Holdout {
  /** The same rows and columns; every user keeps at least one interaction. An item may be left with none. */
  readonly train: SparseRows;
  readonly test: TestItems;
}

/**
 * Holds out about `fraction` (0 < fraction < 1) of the interactions. A user all of whose interactions would be held out keeps
 * the one with the highest hash in training.
 */
export function holdoutSplit(
  interactions: SparseRows,
  fraction: number,
  seed: number,
  userKeys?: Uint8Array,
  itemKeys?: Uint8Array,
): Holdout {
  if (!(fraction > 0 && fraction < 1)) throw new RangeError(`holdoutSplit: fraction ${fraction} is not within (0, 1)`);
  const { rows, columns, indptr, indices, values } = interactions;
  const itemHashes = keyHashes(columns, itemKeys);
  const userHashes = keyHashes(rows, userKeys);
  const root = randomStream(seed, 'holdout');
  const held = new Uint8Array(indices.length);
  const trainPtr = sharedInt32(rows + 1);
  let total = 0;
  for (let row = 0; row < rows; row++) {
    total += chooseRow(
      row,
      interactions,
      fraction,
      (item) => root.derive(userHashes[row]!, itemHashes[item]!).uniform(),
      held,
    );
    trainPtr[row + 1] = indptr[row + 1]! - total;
  }
  const trainIdx = sharedInt32(indices.length - total);
  const trainVal = sharedFloat32(indices.length - total);
  const items = new Int32Array(total);
  const users: number[] = [];
  const testPtr: number[] = [0];
  let [kept, out] = [0, 0];
  for (let row = 0; row < rows; row++) {
    const before = out;
    for (let at = indptr[row]!; at < indptr[row + 1]!; at++) {
      if (held[at] === 1) items[out++] = indices[at]!;
      else {
        trainIdx[kept] = indices[at]!;
        trainVal[kept++] = values[at]!;
      }
    }
    if (out > before) {
      users.push(row);
      testPtr.push(out);
    }
  }
  return {
    train: { rows, columns, indptr: trainPtr, indices: trainIdx, values: trainVal },
    test: { users: Int32Array.from(users), indptr: Int32Array.from(testPtr), items },
  };
}

/** The same people, items, keys and sources, with the times, origins and influence of the interactions that stay. Linear. */
export function learnedPart<Input extends TrainInput>(input: Input, kept: SparseRows): Input {
  const { influence, interactions, origins, times } = input;
  const places = new Int32Array(kept.indices.length);
  for (let row = 0; row < kept.rows; row++) {
    let from = interactions.indptr[row]!;
    for (let at = kept.indptr[row]!; at < kept.indptr[row + 1]!; at++) {
      while (interactions.indices[from] !== kept.indices[at]) from++;
      places[at] = from++;
    }
  }
  const part: { times?: Float64Array; origins?: TrainInput['origins']; influence?: Float32Array } = {};
  if (times !== undefined) {
    part.times = new Float64Array(new SharedArrayBuffer(places.length * 8));
    for (let at = 0; at < places.length; at++) part.times[at] = times[places[at]!]!;
  }
  if (origins !== undefined) {
    const of = new Uint16Array(new SharedArrayBuffer(places.length * 2));
    for (let at = 0; at < places.length; at++) of[at] = origins.of[places[at]!]!;
    part.origins = { names: origins.names, of };
  }
  if (influence !== undefined) {
    part.influence = sharedFloat32(places.length);
    for (let at = 0; at < places.length; at++) part.influence[at] = influence[places[at]!]!;
  }
  return { ...input, interactions: kept, ...part };
}

/**
 * For models that weigh no interaction: each stays with the chance that it counts, by the keyed hash of (seed, user, item), and all of what stays counts.
 * Of a user of whom nothing would stay, what counts most does. Linear.
 */
export function thinnedBy<Input extends TrainInput>(input: Input, influence: Float32Array, seed: number): Input {
  const { columns, indices, indptr, rows, values } = input.interactions;
  const [itemHashes, userHashes] = [keyHashes(columns, input.itemKeys), keyHashes(rows, input.userKeys)];
  const root = randomStream(seed, 'influence');
  const kept: number[] = [];
  const ends = sharedInt32(rows + 1);
  for (let row = 0; row < rows; row++) {
    let [most, mostAt] = [-1, indptr[row]!];
    for (let at = indptr[row]!; at < indptr[row + 1]!; at++) {
      if (influence[at]! > most) [most, mostAt] = [influence[at]!, at];
      if (root.derive(userHashes[row]!, itemHashes[indices[at]!]!).uniform() < influence[at]!) kept.push(at);
    }
    if (kept.length === ends[row]) kept.push(mostAt);
    ends[row + 1] = kept.length;
  }
  const thin = {
    rows,
    columns,
    indptr: ends,
    indices: sharedInt32(
      kept.length,
      kept.map((at) => indices[at]!),
    ),
    values: sharedFloat32(
      kept.length,
      kept.map((at) => values[at]!),
    ),
  };
  const { influence: _, ...rest } = learnedPart(input, thin);
  return rest as Input;
}

/** Marks the held-out interactions of one row and returns their number. */
function chooseRow(
  row: number,
  { indptr, indices }: SparseRows,
  fraction: number,
  draw: (item: number) => number,
  held: Uint8Array,
): number {
  const [start, end] = [indptr[row]!, indptr[row + 1]!];
  let [count, highest, highestAt] = [0, -1, start];
  for (let at = start; at < end; at++) {
    const chance = draw(indices[at]!);
    if (chance > highest) [highest, highestAt] = [chance, at];
    if (chance < fraction) {
      held[at] = 1;
      count++;
    }
  }
  if (count === 0 || count < end - start) return count;
  held[highestAt] = 0;
  return count - 1;
}

function keyHashes(count: number, keys: Uint8Array | undefined): Uint32Array {
  return Uint32Array.from({ length: count }, (_, n) =>
    keys === undefined ? n : hashBytes(keys.subarray(n * KEY_BYTES, (n + 1) * KEY_BYTES)),
  );
}
