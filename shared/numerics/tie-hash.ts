/**
 * Owns the fixed order of equal scores: a hash of (user, item) that depends on the entities' keys (or, without keys, on their
 * dense ids), so that ties fall the same way on every run, for any number of threads, and with another person left out.
 */
import { hashBytes, hashText } from '../random.ts';
import { KEY_BYTES } from './types.ts';

/** 32-bit hashes of entities [from, to), from their key bytes or else their dense ids. */
export function entityHashes(
  from: number,
  to: number,
  keys: Uint8Array | undefined,
  purpose: 'user' | 'item',
): Uint32Array {
  const hashes = new Uint32Array(to - from);
  const salt = hashText(purpose);
  for (let n = from; n < to; n++) {
    const own =
      keys === undefined ? fmix32(n ^ 0x51ed270b) : hashBytes(keys.subarray(n * KEY_BYTES, (n + 1) * KEY_BYTES));
    hashes[n - from] = fmix32(own ^ salt);
  }
  return hashes;
}

/** The hash by which equal scores are ordered, lower first; then the lower item. The same as tieHash in kernels/assembly/rank.ts. */
export function tieHash(userHash: number, itemHash: number): number {
  return fmix32(userHash ^ Math.imul(itemHash, 0x9e3779b1));
}

function fmix32(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
