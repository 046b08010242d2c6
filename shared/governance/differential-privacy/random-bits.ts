/**
 * Owns draws of whole numbers and of yes or no with a rational chance, out of random bytes. Whole numbers throughout (those below 2^32 as JavaScript
 * numbers, which hold them exactly): nothing is rounded, so nothing about the chances is approximate.
 */
import { randomFillSync } from 'node:crypto';
import { AppError } from '../../errors.ts';

/** Fills bytes at random. Noise that is released comes from `cryptographic`; tests put a stream of their own in its place. */
export type RandomSource = (bytes: Uint8Array) => void;

export const cryptographic: RandomSource = (bytes) => void randomFillSync(bytes);

/** Bytes that are asked for at once. */
const POOL_BYTES = 16_384;
const WORD = 2 ** 32;
/** A draw that takes more turns than this has a broken source: one that is not has a chance below 2^-1000 of it. It is refused, never cut short. */
export const TURNS_MAX = 2 ** 16;

export const brokenSource = (): AppError =>
  new AppError('INTERNAL', { message: 'The source of randomness gives no random bytes.' });

export class RandomBits {
  readonly #source: RandomSource;
  readonly #pool = new Uint8Array(POOL_BYTES);
  #used = POOL_BYTES;
  #bound = 0n;
  #words = 0;
  #excess = 0n;

  constructor(source: RandomSource = cryptographic) {
    this.#source = source;
  }

  byte(): number {
    if (this.#used === POOL_BYTES) {
      this.#source(this.#pool);
      this.#used = 0;
    }
    const at = this.#used++;
    const value = this.#pool[at]!;
    this.#pool[at] = 0; // what was drawn from is not kept
    return value;
  }

  word(): number {
    return ((this.byte() << 24) | (this.byte() << 16) | (this.byte() << 8) | this.byte()) >>> 0;
  }

  /** Uniform in 0 .. bound - 1, for a whole bound of 1 .. 2^32. What falls above is drawn again. */
  below(bound: number): number {
    if (bound <= 1) return 0;
    const mask = WORD / 2 <= bound - 1 ? WORD - 1 : 2 ** (32 - Math.clz32(bound - 1)) - 1;
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      const drawn = ((mask < 256 ? this.byte() : this.word()) & mask) >>> 0;
      if (drawn < bound) return drawn;
    }
    throw brokenSource();
  }

  /** Uniform in 0 .. bound - 1. */
  belowBig(bound: bigint): bigint {
    if (bound <= BigInt(WORD)) return BigInt(this.below(Number(bound)));
    if (bound !== this.#bound) {
      const bits = (bound - 1n).toString(2).length;
      this.#bound = bound;
      this.#words = Math.ceil(bits / 32);
      this.#excess = BigInt(this.#words * 32 - bits);
    }
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      let drawn = 0n;
      for (let word = 0; word < this.#words; word++) drawn = (drawn << 32n) | BigInt(this.word());
      drawn >>= this.#excess;
      if (drawn < bound) return drawn;
    }
    throw brokenSource();
  }

  /** True with chance n / d, 0 <= n <= d. */
  chance(n: bigint, d: bigint): boolean {
    if (n <= 0n) return false;
    return n >= d || this.belowBig(d) < n;
  }
}
