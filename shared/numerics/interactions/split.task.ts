/** Owns the holdout of training data as one task of the pool: it hashes every pair, which is no work for an event loop. */
import { type Holdout, holdoutSplit, learnedPart, thinnedBy } from '../evaluation/holdout.ts';
import type { TrainInput } from '../types.ts';

export interface SplitRequest<View extends TrainInput> {
  readonly view: View;
  /** Share of pairs to hold out, above 0 and below 1. */
  readonly holdout: number;
  readonly seed: number;
}

export interface SplitPairs<View extends TrainInput> extends Holdout {
  /** The view of what is not held out. */
  readonly learned: View;
}

/** What counts less is left out that often, for models that weigh nothing. */
export function thin({ input, seed }: { readonly input: TrainInput; readonly seed: number }): TrainInput {
  return input.influence === undefined ? input : thinnedBy(input, input.influence, seed);
}

export function splitPairs<View extends TrainInput>({ view, holdout, seed }: SplitRequest<View>): SplitPairs<View> {
  const split = holdoutSplit(view.interactions, holdout, seed, view.userKeys, view.itemKeys);
  return { ...split, learned: learnedPart(view, split.train) };
}
