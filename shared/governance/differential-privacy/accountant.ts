/**
 * Owns how much privacy releases cost together, in zero-concentrated differential privacy (Bun and Steinke 2016): rho of several releases about
 * the same people adds. Two data sets are neighbours when one has a person more, with everything about them.
 *
 * What is spent is counted in whole trillionths of rho (`pico`), rounded against whoever spends: sums are exact in any order.
 */
import { AppError } from '../../errors.ts';
import { type Rational, rational, rationalOf } from './rational.ts';

export const PICO = 1e12;
/** Most that a ledger can count: sums stay exact. */
export const RHO_MAX = 1_000;

/** What a total of rho is told as, where nobody said another delta. */
export const DELTA_TOLD = 1e-6;

/** Noise of a scale that makes an answer epsilon-private is (epsilon^2 / 2)-concentrated. */
export const rhoOfPure = ({ n, d }: Rational): Rational => rational(n * n, 2n * d * d);

const pico = ({ n, d }: Rational): { readonly whole: bigint; readonly isMore: boolean } => {
  const parts = n * BigInt(PICO);
  return { whole: parts / d, isMore: parts % d !== 0n };
};

export function picoSpent(rho: Rational): number {
  const { whole, isMore } = pico(rho);
  return Number(isMore ? whole + 1n : whole);
}

export const picoAllowed = (rho: number): number => Number(pico(rationalOf(rho)).whole);

/** Halvings and thirds of a search: doubles have no more digits. */
const STEPS_MAX = 200;
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** The bound at one order (Canonne, Kamath and Steinke 2020, corollary 13); `above` is the order minus 1. */
function epsilonAtOrder(rho: number, logDelta: number, above: number): number {
  const order = 1 + above;
  return order * rho + (-logDelta - Math.log(order)) / above - Math.log1p(1 / above);
}

/**
 * epsilon(delta) = inf over orders a > 1 of a rho + [ln(1/delta) + (a-1) ln(1-1/a) - ln a] / (a-1). The function has one valley, which lies around
 * a - 1 = sqrt(ln(1/delta) / rho); it is searched on a logarithmic scale. Any order gives a valid bound, so a search that ends early errs on the safe side.
 */
export function epsilonOf(rho: number, delta: number): number {
  if (!(rho >= 0) || !(delta > 0 && delta < 1)) throw new RangeError('rho must be >= 0 and delta in (0, 1)');
  if (rho === 0) return 0;
  const logDelta = Math.log(delta);
  const middle = Math.log(Math.sqrt(-logDelta / rho));
  let [low, high] = [middle - 12, middle + 12];
  const at = (place: number): number => epsilonAtOrder(rho, logDelta, Math.exp(place));
  let [left, right] = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)];
  let [atLeft, atRight] = [at(left), at(right)];
  for (let step = 0; step < STEPS_MAX && high - low > 1e-12; step++) {
    if (atLeft <= atRight) {
      [high, right, atRight] = [right, left, atLeft];
      left = high - GOLDEN * (high - low);
      atLeft = at(left);
    } else {
      [low, left, atLeft] = [left, right, atRight];
      right = low + GOLDEN * (high - low);
      atRight = at(right);
    }
  }
  return Math.max(0, Math.min(atLeft, atRight));
}

/** The most that may be spent in all while everything together stays (epsilon, delta)-private: the lower end of the last bisection. */
export function rhoFor(epsilon: number, delta: number): number {
  if (!(epsilon > 0)) throw new RangeError('epsilon must be above 0');
  let [low, high] = [0, RHO_MAX];
  if (epsilonOf(high, delta) <= epsilon)
    throw new AppError('INPUT_INVALID', { message: `No budget holds more than rho ${RHO_MAX}.`, details: { epsilon } });
  for (let step = 0; step < STEPS_MAX; step++) {
    const rho = (low + high) / 2;
    if (rho === low || rho === high) break;
    if (epsilonOf(rho, delta) <= epsilon) low = rho;
    else high = rho;
  }
  return low;
}
