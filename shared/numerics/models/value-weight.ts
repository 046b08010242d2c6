/** Owns what an interaction's value does in the closed-form models. */
import { type EvidenceParams, withEvidence } from '../interactions/evidence.ts';
import type { TrainInput } from '../types.ts';

export type ValueWeighting = 'none' | 'linear' | 'log';

/** `none`: 1, or -1 for a dislike; `linear`: the value; `log`: sign * ln(1 + size). */
export function valueWeight(value: number, weighting: ValueWeighting): number {
  if (weighting === 'linear') return value;
  return weighting === 'log' ? Math.sign(value) * Math.log1p(Math.abs(value)) : Math.sign(value);
}

/** Those of all interactions, by value, age and source. */
export function weightsOf(
  input: TrainInput,
  params: EvidenceParams & { readonly weighting: ValueWeighting },
): Float32Array {
  return withEvidence(weighed(input.interactions.values, params.weighting), input, params);
}

/** All of them, by value alone. */
export function weighed(values: Float32Array, weighting: ValueWeighting): Float32Array {
  return values.map((value) => valueWeight(value, weighting));
}
