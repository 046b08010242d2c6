/** Owns exact bounds of a chance from how often it came true (Clopper and Pearson 1934): one-sided, by the quantiles of the beta distribution. */

/** Terms of the continued fraction; it needs about sqrt(max(a, b)). */
const TERMS_MAX = 20_000;
const STEPS_MAX = 100;
const TINY = 1e-300;

/** ln of the gamma function for x > 0: Stirling's series from 10 on, reached by the recurrence. */
function logGamma(x: number): number {
  let [at, shift] = [x, 0];
  for (; at < 10; at++) shift += Math.log(at);
  const series = 1 / (12 * at) - 1 / (360 * at ** 3) + 1 / (1260 * at ** 5) - 1 / (1680 * at ** 7);
  return (at - 0.5) * Math.log(at) - at + 0.5 * Math.log(2 * Math.PI) + series - shift;
}

/** Lentz's way through the continued fraction of the incomplete beta function (DLMF 8.17.22). */
function betaFraction(x: number, a: number, b: number): number {
  let [c, d] = [1, 1 / nonzero(1 - ((a + b) * x) / (a + 1))];
  let fraction = d;
  for (let m = 1; m < TERMS_MAX; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    let step = 1;
    for (const term of [even, odd]) {
      d = 1 / nonzero(1 + term * d);
      c = nonzero(1 + term / c);
      step = c * d;
      fraction *= step;
    }
    if (Math.abs(step - 1) < 1e-14) break;
  }
  return fraction;
}

const nonzero = (value: number): number => (Math.abs(value) < TINY ? TINY : value);

/** Regularised incomplete beta function. */
export function betaBelow(x: number, a: number, b: number): number {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  return x < (a + 1) / (a + b + 2) ? (front * betaFraction(x, a, b)) / a : 1 - (front * betaFraction(1 - x, b, a)) / b;
}

function quantile(chance: number, a: number, b: number): number {
  let [low, high] = [0, 1];
  for (let step = 0; step < STEPS_MAX && high - low > 1e-16 * high; step++) {
    const middle = (low + high) / 2;
    if (betaBelow(middle, a, b) < chance) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The chance is above this with at least the confidence, whatever it is. */
export const leastChance = (hits: number, trials: number, confidence: number): number =>
  hits === 0 ? 0 : quantile(1 - confidence, hits, trials - hits + 1);

/** The chance is below this. */
export const mostChance = (hits: number, trials: number, confidence: number): number =>
  hits === trials ? 1 : quantile(confidence, hits + 1, trials - hits);
