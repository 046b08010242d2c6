/**
 * Owns the early-stopping measure of a fit: NDCG@10 over its internal validation part, the whole catalogue ranked
 * without the training pairs. For published figures there is the evaluation folder; this one only has to
 * compare epochs of one fit, and is bounded.
 */
import type { Pairs } from './two-tower-batches.ts';

const CUT = 10;
/** Scores computed per validation at most; people are thinned evenly beyond it. */
const SCORES_MAX = 2e8;
const PEOPLE_MAX = 5_000;
const PEOPLE_PER_CHUNK = 128;

export interface ValidationInput {
  readonly train: Pairs;
  readonly held: Pairs;
  /** Scores of all items for some users, row-major. */
  readonly scoresOf: (users: Int32Array) => Float32Array;
}

/** Mean over users with held-out pairs; null when there are none. O(users * items). */
export function meanNdcg({ train, held, scoresOf }: ValidationInput): number | null {
  const people = thinned(held);
  if (people.length === 0) return null;
  let sum = 0;
  for (let from = 0; from < people.length; from += PEOPLE_PER_CHUNK) {
    const chunk = people.slice(from, from + PEOPLE_PER_CHUNK);
    const scores = scoresOf(chunk);
    for (let r = 0; r < chunk.length; r++) {
      const row = scores.subarray(r * train.items, (r + 1) * train.items);
      for (let at = train.indptr[chunk[r]!]!; at < train.indptr[chunk[r]! + 1]!; at++) {
        row[train.item[at]!] = Number.NEGATIVE_INFINITY;
      }
      sum += ndcg(row, held.item.subarray(held.indptr[chunk[r]!], held.indptr[chunk[r]! + 1]));
    }
  }
  return sum / people.length;
}

function thinned(held: Pairs): Int32Array {
  const people: number[] = [];
  for (let u = 0; u < held.users; u++) if (held.indptr[u + 1]! > held.indptr[u]!) people.push(u);
  const most = Math.max(100, Math.min(PEOPLE_MAX, Math.floor(SCORES_MAX / Math.max(1, held.items))));
  const stride = Math.max(1, people.length / most);
  return Int32Array.from({ length: Math.min(people.length, most) }, (_, n) => people[Math.floor(n * stride)]!);
}

/** A held-out item's place is one more than the number of items that score higher. */
function ndcg(scores: Float32Array, relevant: Int32Array): number {
  let gain = 0;
  let ideal = 0;
  for (let n = 0; n < relevant.length; n++) {
    if (n < CUT) ideal += 1 / Math.log2(n + 2);
    const own = scores[relevant[n]!]!;
    let above = 0;
    for (let item = 0; item < scores.length && above < CUT; item++) if (scores[item]! > own) above++;
    if (above < CUT) gain += 1 / Math.log2(above + 2);
  }
  return gain / ideal;
}
