/**
 * Owns what noise protects an answer of whole numbers, and what it costs: the mechanism, the most that one person can change (sensitivity), and what
 * share of an answer's spread is the noise's.
 */
import { rhoOfPure } from './accountant.ts';
import type { RandomBits } from './random-bits.ts';
import { numberOf, over, type Rational, rational, rationalOf, times } from './rational.ts';
import { discreteGaussian, discreteLaplace, type Sampler } from './samplers.ts';

/** `laplace` spends a pure epsilon, `gaussian` a rho. */
export type Protection =
  | { readonly mechanism: 'laplace'; readonly epsilon: number }
  | { readonly mechanism: 'gaussian'; readonly rho: number };

/** The most that one person's coming or going changes an answer: sum of absolute changes, and sum of their squares. */
export interface Sensitivity {
  readonly sum: bigint;
  readonly squares: bigint;
}

export interface Mechanism {
  readonly draw: Sampler;
  /** What one answer with this noise costs. */
  readonly rho: Rational;
  /** Standard deviation of the noise, about. */
  readonly deviation: number;
  /** Noise is at most so far from 0 in at least 95 of 100 draws. */
  readonly within95: number;
}

const MISSED = 0.05;
/** 97.5 % of a normal distribution lie below. */
export const NORMAL_975 = 1.959963984540054;

/** Least w with P(|noise| > w) = 2 q^(w+1) / (1 + q) <= 5 %, q = exp(-1 / scale). */
function laplaceWithin(scale: number): number {
  const q = Math.exp(-1 / scale);
  return Math.max(0, Math.ceil(Math.log((MISSED * (1 + q)) / 2) * -scale - 1));
}

export function laplaceMechanism(epsilon: Rational, { sum }: Sensitivity): Mechanism {
  const scale = over(rational(sum), epsilon);
  const width = numberOf(scale);
  return {
    draw: discreteLaplace(scale),
    rho: rhoOfPure(epsilon),
    deviation: Math.SQRT2 * width,
    within95: laplaceWithin(width),
  };
}

export function gaussianMechanism(rho: Rational, { squares }: Sensitivity): Mechanism {
  const variance = over(rational(squares), times(rational(2n), rho));
  const deviation = Math.sqrt(numberOf(variance));
  return {
    draw: discreteGaussian(variance),
    rho,
    deviation,
    // Its tails are no heavier than those of the continuous one, a step further out (proposition 25 of the paper).
    within95: Math.ceil(NORMAL_975 * deviation) + 1,
  };
}

/** One of `parts` equal shares of a protection. */
export function mechanismFor(protection: Protection, sensitivity: Sensitivity, parts = 1): Mechanism {
  const share = rational(1n, BigInt(parts));
  return protection.mechanism === 'laplace'
    ? laplaceMechanism(times(rationalOf(protection.epsilon), share), sensitivity)
    : gaussianMechanism(times(rationalOf(protection.rho), share), sensitivity);
}

/** Adds noise to every number, each with a draw of its own. */
export function addNoise(values: readonly bigint[], { draw }: Mechanism, bits: RandomBits): bigint[] {
  return values.map((value) => value + draw(bits));
}
