/** Owns the slow, readable version of ./assembly/rank.ts. */

/**
 * The best `k` of `scores` without `excluded`: higher score, then lower tie hash, then lower item. NaN is never ranked. Where fewer
 * than k exist the list is shorter.
 */
export function rankReference(
  scores: ArrayLike<number>,
  excluded: ReadonlySet<number>,
  k: number,
  tieHashOf: (item: number) => number,
): number[] {
  return Array.from({ length: scores.length }, (_, item) => item)
    .filter((item) => !excluded.has(item) && !Number.isNaN(scores[item]!))
    .sort((a, b) => (scores[a] === scores[b] ? tieHashOf(a) - tieHashOf(b) || a - b : scores[b]! - scores[a]!))
    .slice(0, k);
}
