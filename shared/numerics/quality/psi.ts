/**
 * Owns the population stability index of counts in bins, and when it says that something has changed: under no change it is about
 * (1/n + 1/m) chi2 with as many degrees as bins less one, so the bands 0.1 and 0.25 of convention say nothing by themselves.
 */

/** Added to every bin, so that an empty one is no miracle. */
const PRIOR = 0.5;
/** z of a false alarm in a thousand. */
const Z = 3.09;
/** What is less is no change that anybody would act on, however sure: events of a day are not independent, people do several. */
const CHANGE_MIN = 0.25;

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

function shares(counts: readonly number[], bins: readonly number[]): number[] {
  const total = sum(bins.map((bin) => counts[bin]! + PRIOR));
  return bins.map((bin) => (counts[bin]! + PRIOR) / total);
}

const usedBins = (a: readonly number[], b: readonly number[]): number[] =>
  [...a.keys()].filter((bin) => a[bin]! + b[bin]! > 0);

/** sum (p - q) ln(p / q) over the bins that either has something in. */
export function psi(reference: readonly number[], now: readonly number[]): number {
  const bins = usedBins(reference, now);
  const [q, p] = [shares(reference, bins), shares(now, bins)];
  return sum(p.map((value, n) => (value - q[n]!) * Math.log(value / q[n]!)));
}

/** Quantile of chi-square by Wilson and Hilferty (1931). */
function chiSquare(degrees: number): number {
  const spread = 2 / (9 * degrees);
  return degrees * (1 - spread + Z * Math.sqrt(spread)) ** 3;
}

/** Above it the counts have changed. */
export function psiLimit(reference: readonly number[], now: readonly number[]): number {
  const degrees = usedBins(reference, now).length - 1;
  if (degrees < 1) return Number.POSITIVE_INFINITY;
  return Math.max(CHANGE_MIN, (1 / sum(reference) + 1 / sum(now)) * chiSquare(degrees));
}
