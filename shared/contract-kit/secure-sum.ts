/**
 * Owns the arithmetic of secure sums: a value is split into shares of which too few say nothing at all, parties add up the shares that they hold, and their
 * sums give the sum of the values. Whole numbers modulo a prime; shares are drawn from a cryptographic source.
 *
 * `additive`: all parties are needed. `shamir` (Shamir 1979): any `threshold` of them are enough, and fewer learn nothing.
 */
import { randomFillSync } from 'node:crypto';
import { AppError } from '../errors.ts';

/** A Mersenne prime: numbers of 61 bits are almost all below it. */
export const SUM_PRIME = 2n ** 61n - 1n;
export const PARTIES_MAX = 16;

export interface SumScheme {
  /** Parties that hold shares. */
  readonly parties: number;
  /** So many of them are needed; as many as there are: additive. */
  readonly threshold: number;
}

/** What a party gives out: its sum, by its number (1 .. parties). */
export interface PartySum {
  readonly party: number;
  readonly sum: bigint;
}

export type ShareSource = (bytes: Uint8Array) => void;
const cryptographic: ShareSource = (bytes) => void randomFillSync(bytes);
/** One in 2^61 draws is drawn again. */
const TURNS_MAX = 100;

const modulo = (value: bigint): bigint => ((value % SUM_PRIME) + SUM_PRIME) % SUM_PRIME;

function uniform(source: ShareSource): bigint {
  const bytes = new Uint8Array(8);
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    source(bytes);
    const drawn = new DataView(bytes.buffer).getBigUint64(0) >> 3n;
    if (drawn < SUM_PRIME) return drawn;
  }
  throw new AppError('INTERNAL', { message: 'The source of randomness gives no random bytes.' });
}

export function checkScheme({ parties, threshold }: SumScheme): void {
  if (
    Number.isInteger(parties) &&
    Number.isInteger(threshold) &&
    threshold >= 2 &&
    threshold <= parties &&
    parties <= PARTIES_MAX
  )
    return;
  throw new AppError('INPUT_INVALID', {
    message: `A sum has 2 to ${PARTIES_MAX} parties, of whom at least 2 are needed.`,
    details: { field: 'threshold', parties, threshold },
  });
}

/** Shares of a value 0 .. `most`, one a party, in order of their numbers. Each goes to its own party and nowhere else. */
export function splitForSum(
  value: number,
  most: number,
  scheme: SumScheme,
  source: ShareSource = cryptographic,
): bigint[] {
  const { parties, threshold } = scheme;
  checkScheme(scheme);
  if (!Number.isSafeInteger(value) || value < 0 || value > most)
    throw new AppError('INPUT_INVALID', {
      message: `A value of a sum is a whole number from 0 to ${most}.`,
      details: { field: 'value' },
    });
  const drawn = Array.from({ length: threshold - 1 }, () => uniform(source));
  if (threshold === parties) return [...drawn, modulo(BigInt(value) - drawn.reduce((sum, share) => sum + share, 0n))];
  // A polynomial whose value at 0 is the secret; a share is its value at the party's number.
  const coefficients = [BigInt(value), ...drawn];
  return Array.from({ length: parties }, (_, n) =>
    coefficients.reduceRight((sum, coefficient) => modulo(sum * BigInt(n + 1) + coefficient), 0n),
  );
}

export const addShares = (shares: Iterable<bigint>): bigint => {
  let sum = 0n;
  for (const share of shares) sum = modulo(sum + share);
  return sum;
};

function power(base: bigint, exponent: bigint): bigint {
  let [result, square] = [1n, base];
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = modulo(result * square);
    square = modulo(square * square);
  }
  return result;
}

/** Lagrange's weight of one party's sum at 0 (the inverse by Fermat). */
function weightOf(party: number, others: readonly number[]): bigint {
  let [top, below] = [1n, 1n];
  for (const other of others) {
    if (other === party) continue;
    top = modulo(top * BigInt(other));
    below = modulo(below * BigInt(other - party));
  }
  return modulo(top * power(below, SUM_PRIME - 2n));
}

/** The sum of all values, of the sums of enough parties. Throws SUM_INCOMPLETE, and INPUT_INVALID where parties that are not needed disagree. */
export function combineSums(sums: readonly PartySum[], scheme: SumScheme): bigint {
  checkScheme(scheme);
  const { parties, threshold } = scheme;
  const byParty = new Map(sums.map(({ party, sum }) => [party, sum]));
  const present = [...byParty.keys()].filter((party) => party >= 1 && party <= parties).sort((a, b) => a - b);
  if (present.length < threshold)
    throw new AppError('SUM_INCOMPLETE', { details: { needed: threshold, there: present.length } });
  if (threshold === parties) return addShares(byParty.values());
  const at = (chosen: readonly number[]): bigint =>
    addShares(chosen.map((party) => byParty.get(party)! * weightOf(party, chosen)));
  const total = at(present.slice(0, threshold));
  for (let from = 1; from + threshold <= present.length; from++)
    if (at(present.slice(from, from + threshold)) !== total)
      throw new AppError('INPUT_INVALID', {
        message: 'The parties added up different people, or one of them adds wrongly.',
      });
  return total;
}
