/** Owns the two tests of whether two rates differ by more than small numbers explain. */

/** Counts of two groups: `a` of `n` in the first, `b` of `m` in the second were selected. Whole numbers. */
export interface TwoByTwo {
  readonly a: number;
  readonly n: number;
  readonly b: number;
  readonly m: number;
}

/** Probabilities this much larger than the observed one still count as "no likelier" (as R and SciPy do). */
const RELATIVE_SLACK = 1 + 1e-7;

/**
 * Fisher's exact test, two-sided: the probability, with both margins fixed, of a table no likelier than this one.
 * In [0, 1]; 1 when a margin is empty. O(min(n, a + b)). (Fisher 1922; SciPy `fisher_exact`)
 */
export function fisherExact({ a, n, b, m }: TwoByTwo): number {
  const selected = a + b;
  const low = Math.max(0, selected - m);
  const high = Math.min(n, selected);
  const log = (x: number) => logChoose(n, x) + logChoose(m, selected - x) - logChoose(n + m, selected);
  const observed = Math.exp(log(a)) * RELATIVE_SLACK;
  let sum = 0;
  for (let x = low; x <= high; x++) {
    const p = Math.exp(log(x));
    if (p <= observed) sum += p;
  }
  return Math.min(1, sum);
}

/** Two-proportion z test with pooled variance, two-sided p in [0, 1]; 1 when nobody or everybody was selected. For large n. */
export function twoProportionTest({ a, n, b, m }: TwoByTwo): number {
  const pooled = (a + b) / (n + m);
  const deviation = Math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m));
  if (deviation === 0) return 1;
  return erfc(Math.abs(a / n - b / m) / deviation / Math.SQRT2);
}

/** Fisher where an expected count is below 5 (the usual rule for chi-square approximations), else the z test. */
export function testTwoRates(table: TwoByTwo): { readonly test: 'fisher' | 'two-proportion'; readonly pValue: number } {
  const { a, n, b, m } = table;
  const share = (a + b) / (n + m);
  const smallest = Math.min(n, m) * Math.min(share, 1 - share);
  if (smallest < 5) return { test: 'fisher', pValue: fisherExact(table) };
  return { test: 'two-proportion', pValue: twoProportionTest(table) };
}

function logChoose(n: number, k: number): number {
  return logFactorial(n) - logFactorial(k) - logFactorial(n - k);
}

/** ln n!, exact sums up to 255, Stirling's series beyond (absolute error below 1e-15 there). */
function logFactorial(n: number): number {
  if (n < SMALL_FACTORIALS.length) return SMALL_FACTORIALS[n]!;
  const x = n + 1;
  const series = 1 / (12 * x) - 1 / (360 * x ** 3) + 1 / (1260 * x ** 5);
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series;
}

const SMALL_FACTORIALS = new Float64Array(256);
for (let n = 1; n < SMALL_FACTORIALS.length; n++) SMALL_FACTORIALS[n] = SMALL_FACTORIALS[n - 1]! + Math.log(n);

/** Complementary error function for x >= 0: power series below 2.5, continued fraction above (Abramowitz & Stegun 7.1.5, 7.1.14). */
export function erfc(x: number): number {
  if (x < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-18 * sum && n < 200; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = x;
  for (let n = 120; n >= 1; n--) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction);
}
