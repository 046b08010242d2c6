/** Owns the slow, readable version of ./assembly/draws.ts: the same draws, bit for bit. */

/** The Murmur3 finaliser of 32 bits. */
export function hashMix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** 32 random bits for draw number t under `key`. */
export function hashDraw(key: number, t: number): number {
  return hashMix(hashMix((Math.imul(t, 0x9e3779b1) + key) | 0) ^ (Math.imul(key, 0x85ebca6b) + t));
}

/** A whole number in [0, n), n <= 2^21, from 32 random bits; off from uniform by at most n / 2^32. */
export function hashPick(bits: number, n: number): number {
  return Math.floor((bits * n) / 2 ** 32);
}

/** A place in [from, from + size); see `place` of the kernel. */
export function hashPlace(
  bits: number,
  from: number,
  size: number,
  tables?: { readonly thresholds: ArrayLike<number>; readonly aliases: ArrayLike<number> },
): number {
  const at = from + hashPick(bits, size);
  if (tables === undefined) return at;
  return hashMix(bits ^ 0x5bd1e995) <= tables.thresholds[at]! ? at : tables.aliases[at]!;
}

/** Shuffles in place as `shuffleRecords` does. */
export function hashShuffle(values: unknown[], key: number): void {
  for (let n = values.length - 1; n > 0; n--) {
    const other = hashPick(hashDraw(key, n), n + 1);
    [values[n], values[other]] = [values[other], values[n]];
  }
}
