/**
 * Owns the reason of a recommendation: of what the person liked, the item whose embedding points most nearly the same way (cosine). It says
 * which liking the item resembles, not how much that liking weighed in the score. Everything about a person depends on the person's rows alone,
 * so the bytes are the same for any number of threads. Complexity: people * REASONED_MAX * HISTORY_MAX * width.
 */
import type { InteractionView } from '../../shared/numerics/interactions/interaction-view.ts';
import { KeyIndex } from '../../shared/numerics/interactions/key-index.ts';
import { sharedFloat32, sharedInt32 } from '../../shared/numerics/sparse.ts';
import type { DenseRows } from '../../shared/numerics/types.ts';

/** Places of a list that get a reason: what is shown at once. */
export const REASONED_MAX = 20;
/** Latest likings that are looked at. */
export const HISTORY_MAX = 50;
/** A lower cosine is no resemblance worth a word. */
export const COSINE_MIN = 0.2;

export interface Histories {
  /** People of the lists + 1. */
  readonly indptr: Int32Array;
  /** Places among the items of the embeddings, ascending within a person. */
  readonly items: Int32Array;
}

/** The latest likings of each person of the lists, among the items of the embeddings. */
export function latestLikings(payload: {
  readonly view: InteractionView;
  readonly people: Uint8Array;
  readonly itemKeys: Uint8Array;
}): Histories {
  const { view, people, itemKeys } = payload;
  const { indptr, indices, columns, rows } = view.interactions;
  const [users, items] = [KeyIndex.of(people), KeyIndex.of(itemKeys)];
  const place = Int32Array.from({ length: columns }, (_, n) => items.find(view.itemKeys, n));
  const rowOf = new Int32Array(users.size).fill(-1);
  for (let row = 0; row < rows; row++) {
    const person = users.find(view.userKeys, row);
    if (person >= 0) rowOf[person] = row;
  }
  const ends = sharedInt32(users.size + 1);
  const found: number[] = [];
  for (let person = 0; person < users.size; person++) {
    const row = rowOf[person]!;
    const own: number[] = [];
    if (row >= 0) for (let at = indptr[row]!; at < indptr[row + 1]!; at++) if (place[indices[at]!]! >= 0) own.push(at);
    if (own.length > HISTORY_MAX) own.sort((a, b) => view.times[b]! - view.times[a]! || a - b).length = HISTORY_MAX;
    for (const item of own.map((at) => place[indices[at]!]!).sort((a, b) => a - b)) found.push(item);
    ends[person + 1] = found.length;
  }
  return { indptr: ends, items: sharedInt32(found.length, found) };
}

/** Rows of unit length (0 stays 0), so that cosines are dot products. */
export function unitRows({ factors }: { readonly factors: DenseRows }): DenseRows {
  const { rows, width } = factors;
  const data = sharedFloat32(rows * width, factors.data);
  for (let row = 0; row < rows; row++) {
    let square = 0;
    for (let d = row * width; d < (row + 1) * width; d++) square += data[d]! ** 2;
    if (square > 0) for (let d = row * width; d < (row + 1) * width; d++) data[d]! /= Math.sqrt(square);
  }
  return { rows, width, data };
}

/** Writes the reasons of people [from, to). Of equals the one with the lower place. */
export function findReasons(payload: {
  readonly from: number;
  readonly to: number;
  readonly k: number;
  /** People * k, items of `places`; -1: none. */
  readonly items: Int32Array;
  readonly places: Int32Array;
  readonly histories: Histories;
  readonly unit: DenseRows;
  readonly reasons: Int32Array;
}): void {
  const { from, to, k, items, places, histories, unit, reasons } = payload;
  const { data, width } = unit;
  for (let person = from; person < to; person++) {
    const [start, end] = [histories.indptr[person]!, histories.indptr[person + 1]!];
    for (let n = person * k; n < person * k + Math.min(k, REASONED_MAX); n++) {
      const item = items[n]!;
      if (item < 0) break;
      const candidate = places[item]! * width;
      let best = COSINE_MIN;
      for (let at = start; at < end; at++) {
        const liked = histories.items[at]! * width;
        const cosine = dot(data, candidate, liked, width);
        if (cosine > best) [best, reasons[n]] = [cosine, histories.items[at]!];
      }
    }
  }
}

/** Four sums, so that multiplications need not wait for one another. */
function dot(data: Float32Array, a: number, b: number, width: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  const even = width - (width % 4);
  for (let d = 0; d < even; d += 4) {
    s0 += data[a + d]! * data[b + d]!;
    s1 += data[a + d + 1]! * data[b + d + 1]!;
    s2 += data[a + d + 2]! * data[b + d + 2]!;
    s3 += data[a + d + 3]! * data[b + d + 3]!;
  }
  for (let d = even; d < width; d++) s0 += data[a + d]! * data[b + d]!;
  return s0 + s1 + (s2 + s3);
}
