/** Owns the holdout of training data as one task of the pool: it hashes every pair, which is no work for an event loop. */
import { type Holdout, holdoutSplit } from '../evaluation/holdout.ts';
import type { SparseRows, TrainInput } from '../types.ts';

export interface SplitRequest {
  readonly view: Pick<TrainInput, 'userKeys' | 'itemKeys' | 'interactions' | 'times'>;
  /** Share of pairs to hold out, above 0 and below 1. */
  readonly holdout: number;
  readonly seed: number;
}

export interface Split extends Holdout {
  /** Parallel to the indices of `train`, where the view has times. */
  readonly times?: Float64Array;
}

export function splitPairs({ view, holdout, seed }: SplitRequest): Split {
  const split = holdoutSplit(view.interactions, holdout, seed, view.userKeys, view.itemKeys);
  if (view.times === undefined) return split;
  return { ...split, times: timesOf(split.train, view.interactions, view.times) };
}

/** Times of rows that are parts of other rows; both ascending. */
function timesOf(part: SparseRows, whole: SparseRows, times: Float64Array): Float64Array {
  const kept = new Float64Array(new SharedArrayBuffer(part.indices.length * 8));
  for (let row = 0; row < part.rows; row++) {
    let from = whole.indptr[row]!;
    for (let at = part.indptr[row]!; at < part.indptr[row + 1]!; at++) {
      while (whole.indices[from] !== part.indices[at]) from++;
      kept[at] = times[from]!;
    }
  }
  return kept;
}
