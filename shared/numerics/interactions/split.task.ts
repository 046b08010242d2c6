/** Owns the holdout of training data as one task of the pool: it hashes every pair, which is no work for an event loop. */
import { type Holdout, holdoutSplit } from '../evaluation/holdout.ts';
import type { TrainInput } from '../types.ts';

export interface SplitRequest {
  readonly view: Pick<TrainInput, 'userKeys' | 'itemKeys' | 'interactions'>;
  /** Share of pairs to hold out, above 0 and below 1. */
  readonly holdout: number;
  readonly seed: number;
}

export function splitPairs({ view, holdout, seed }: SplitRequest): Holdout {
  return holdoutSplit(view.interactions, holdout, seed, view.userKeys, view.itemKeys);
}
