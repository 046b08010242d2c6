/**
 * Owns exact draws of discrete Laplace and discrete Gaussian noise: algorithms 1 to 3 of Canonne, Kamath and Steinke, "The Discrete Gaussian for
 * Differential Privacy" (2020, arXiv 2004.00010). The scale is a fraction and every step draws whole numbers: no floating point is on the way, whose
 * rounding would tell noise from noise (Mironov 2012).
 *
 * How long a draw takes depends on what is drawn: who can time single draws learns something of them. Releases are jobs, whose ends say much less.
 */
import { brokenSource, type RandomBits, TURNS_MAX } from './random-bits.ts';
import { type Rational, wholeRoot } from './rational.ts';

export type Sampler = (bits: RandomBits) => bigint;

/** True with chance exp(-n/d), 0 <= n <= d. Expected turns: below e. */
function survivesFraction(bits: RandomBits, n: bigint, d: bigint): boolean {
  for (let k = 1; k < TURNS_MAX; k++)
    // n / (d k) as two draws, so that no denominator grows.
    if (bits.below(k) !== 0 || !bits.chance(n, d)) return k % 2 === 1;
  throw brokenSource();
}

/** True with chance exp(-1). */
function survivesUnit(bits: RandomBits): boolean {
  for (let k = 1; k < TURNS_MAX; k++) if (bits.below(k) !== 0) return k % 2 === 1;
  throw brokenSource();
}

/** True with chance exp(-n/d), n >= 0 (algorithm 1). */
export function survives(bits: RandomBits, n: bigint, d: bigint): boolean {
  if (n <= d) return survivesFraction(bits, n, d);
  // Whole parts one by one: the first that does not survive ends it, so few are ever drawn.
  for (let left = n; ; left -= d) {
    if (left <= d) return survivesFraction(bits, left, d);
    if (!survivesUnit(bits)) return false;
  }
}

/** As `survivesFraction`, for numbers below 2^32. */
function survivesSmall(bits: RandomBits, n: number, d: number): boolean {
  for (let k = 1; k < TURNS_MAX; k++) if (bits.below(k) !== 0 || bits.below(d) >= n) return k % 2 === 1;
  throw brokenSource();
}

/** A geometric number: how often exp(-1) is survived. */
function unitsSurvived(bits: RandomBits): number {
  for (let units = 0; units < TURNS_MAX; units++) if (!survivesUnit(bits)) return units;
  throw brokenSource();
}

const SMALL_MAX = 2n ** 31n;

/** The part of a whole unit that survives exp(-part/t), uniform before. */
function partSurvived(bits: RandomBits, t: bigint): bigint {
  const small = t <= SMALL_MAX ? Number(t) : undefined;
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    if (small !== undefined) {
      const part = bits.below(small);
      if (survivesSmall(bits, part, small)) return BigInt(part);
    } else {
      const part = bits.belowBig(t);
      if (survivesFraction(bits, part, t)) return part;
    }
  }
  throw brokenSource();
}

/** P(x) proportional to exp(-|x| / scale) on the whole numbers (algorithm 2). */
export function discreteLaplace(scale: Rational): Sampler {
  const { n: t, d: s } = scale;
  if (t <= 0n) throw new RangeError('noise needs a scale above 0');
  return (bits) => {
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      const magnitude = (partSurvived(bits, t) + t * BigInt(unitsSurvived(bits))) / s;
      const isNegative = bits.below(2) === 1;
      // 0 has one sign.
      if (!isNegative) return magnitude;
      if (magnitude !== 0n) return -magnitude;
    }
    throw brokenSource();
  };
}

/** P(x) proportional to exp(-x^2 / 2 variance) on the whole numbers (algorithm 3). */
export function discreteGaussian(variance: Rational): Sampler {
  const { n, d } = variance;
  if (n <= 0n) throw new RangeError('noise needs a variance above 0');
  const t = wholeRoot(n / d) + 1n;
  const laplace = discreteLaplace({ n: t, d: 1n });
  const below = 2n * n * d * t * t;
  return (bits) => {
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      const drawn = laplace(bits);
      const off = (drawn < 0n ? -drawn : drawn) * d * t - n;
      if (survives(bits, off * off, below)) return drawn;
    }
    throw brokenSource();
  };
}
