/**
 * Owns who is seen: exposure of items and of groups of items in ranked lists, against observed relevance.
 * Relevance comes from what people did, never from the model's own scores, which would prove the model right.
 */
import { type Estimate, estimated, notEstimable } from './estimate.ts';

/** Attention at a position, from 1: 1 / log2(1 + j). (Singh & Joachims, KDD 2018) */
export function positionWeight(position: number): number {
  return 1 / Math.log2(1 + position);
}

/** Exposure of every item, summed over the lists (row-major, k a user, best first, -1 pads). O(users * k). */
export function itemExposure(lists: Int32Array, k: number, items: number): Float64Array {
  const exposure = new Float64Array(items);
  const weights = Float64Array.from({ length: k }, (_, at) => positionWeight(at + 1));
  for (let at = 0; at < lists.length; at++) {
    const item = lists[at]!;
    if (item >= 0) exposure[item]! += weights[at % k]!;
  }
  return exposure;
}

/** A group of items against another one. Sums over the members; `relevance` is observed. */
export interface ExposurePair {
  readonly group: { readonly members: number; readonly exposure: number; readonly relevance: number };
  readonly other: { readonly members: number; readonly exposure: number; readonly relevance: number };
}

function memberCounts({ group, other }: ExposurePair): Record<string, number> {
  return { group: group.members, other: other.members };
}

/** Mean exposure of the group's members minus the others'; 0 is parity (E0 = E1). */
export function exposureParityDifference(pair: ExposurePair): Estimate {
  const { group, other } = pair;
  const n = memberCounts(pair);
  if (group.members === 0 || other.members === 0) return notEstimable('a group has no members', n);
  return estimated(group.exposure / group.members - other.exposure / other.members, n);
}

/**
 * Disparate treatment ratio (E0/U0) / (E1/U1) of mean exposure E over mean observed relevance U; 1 when exposure follows relevance, below 1 the
 * group is seen less than it is wanted. Not estimable when a U, or E1, is 0. (Singh & Joachims, KDD 2018)
 */
export function treatmentRatio(pair: ExposurePair): Estimate {
  const { group, other } = pair;
  const n = memberCounts(pair);
  if (group.members === 0 || other.members === 0) return notEstimable('a group has no members', n);
  if (group.relevance === 0 || other.relevance === 0) return notEstimable('a group has no observed relevance', n);
  if (other.exposure === 0) return notEstimable('the other group has no exposure', n);
  // The numbers of members cancel out.
  return estimated(group.exposure / group.relevance / (other.exposure / other.relevance), n);
}

/**
 * Inequity of amortised attention: sum over items of |A_i - R_i|, both normalised to sum to 1; in [0, 2], 0 when attention is shared
 * as relevance is. (Biega, Gummadi, Weikum, "Equity of Attention", SIGIR 2018)
 */
export function equityOfAttention(attention: ArrayLike<number>, relevance: ArrayLike<number>): Estimate {
  const n = { items: attention.length };
  const [seen, wanted] = [total(attention), total(relevance)];
  if (seen === 0) return notEstimable('nothing was shown', n);
  if (wanted === 0) return notEstimable('no observed relevance', n);
  let sum = 0;
  for (let i = 0; i < attention.length; i++) sum += Math.abs(attention[i]! / seen - relevance[i]! / wanted);
  return estimated(sum, n);
}

function total(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum;
}
