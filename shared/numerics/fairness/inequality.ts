/** Owns measures of how unequally something is shared out. */
import { type Estimate, estimated, notEstimable } from './estimate.ts';

/**
 * Generalised entropy index of benefits b >= 0 with mean mu, a not in {0, 1}: 1/(n a (a-1)) * sum[(b/mu)^a - 1]. a = 2 is half the
 * squared coefficient of variation. 0 is equality. a = 1 is Theil; a = 0 is the mean logarithmic deviation,
 * not estimable where some b = 0 (nor is any a < 0). For decisions, b = yhat - y + 1.
 * (Speicher et al., "A Unified Approach to Quantifying Algorithmic Unfairness", KDD 2018; AIF360)
 */
export function generalisedEntropy(benefits: ArrayLike<number>, alpha: number): Estimate {
  const n = { people: benefits.length };
  const values = Array.from(benefits);
  if (values.length === 0) return notEstimable('nobody to measure', n);
  if (values.some((b) => b < 0)) return notEstimable('a benefit is negative', n);
  const mean = values.reduce((sum, b) => sum + b, 0) / values.length;
  if (mean === 0) return notEstimable('nobody has any benefit', n);
  if (alpha <= 0 && values.some((b) => b === 0)) return notEstimable('somebody has no benefit, and a <= 0', n);
  const shares = values.map((b) => b / mean);
  const average = (terms: number[]) => terms.reduce((sum, term) => sum + term, 0) / values.length;
  if (alpha === 1) return estimated(average(shares.map((x) => (x === 0 ? 0 : x * Math.log(x)))), n);
  if (alpha === 0) return estimated(-average(shares.map((x) => Math.log(x))), n);
  return estimated(average(shares.map((x) => x ** alpha - 1)) / (alpha * (alpha - 1)), n);
}

/** Theil index: mean of (b/mu) ln(b/mu) with 0 ln 0 = 0, in [0, ln n]. */
export function theil(benefits: ArrayLike<number>): Estimate {
  return generalisedEntropy(benefits, 1);
}

/**
 * Gini coefficient sum (2i - n - 1) x_i / (n sum x), x ascending and >= 0, i from 1: 0 when all are equal, (n-1)/n when one has
 * all. For exposure give the whole catalogue, zeros included: leaving unseen items out flatters. O(n log n).
 */
export function gini(values: ArrayLike<number>): Estimate {
  const n = { items: values.length };
  const sorted = Float64Array.from(values).sort();
  if (sorted.length === 0) return notEstimable('nothing to measure', n);
  if (sorted[0]! < 0) return notEstimable('a value is negative', n);
  let sum = 0;
  let weighted = 0;
  for (let i = 0; i < sorted.length; i++) {
    sum += sorted[i]!;
    weighted += (2 * (i + 1) - sorted.length - 1) * sorted[i]!;
  }
  if (sum === 0) return notEstimable('everything is 0', n);
  return estimated(weighted / (sorted.length * sum), n);
}
