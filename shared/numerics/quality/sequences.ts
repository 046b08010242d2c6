/** Owns runs of items as numbers, to find accounts that go through the same ones. */
import type { AccountActs } from './acts.ts';

/** Items of one run. Two people seldom open the same three distinct videos in a row, scripts all the time. */
export const SHINGLE_ITEMS = 3;

const mix = (hash: number, value: number): number => {
  let h = Math.imul(hash ^ value, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
};

/** 53 bits of the run's items, so that two runs meet by chance once in 2^26 runs or so. */
function hashOf(items: readonly number[]): number {
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  for (const item of items) {
    a = mix(a, item);
    b = mix(b + 0x7f4a7c15, item);
  }
  return ((a >>> 0) & 0x1f_ffff) * 0x1_0000_0000 + (b >>> 0);
}

/** Hash of every run of SHINGLE_ITEMS items in the account's order of time; an item that follows itself counts once. */
export function shingleHashes({ starts, item }: AccountActs, account: number): Float64Array {
  const path: number[] = [];
  for (let n = starts[account]!; n < starts[account + 1]!; n++)
    if (item[n]! >= 0 && item[n] !== path.at(-1)) path.push(item[n]!);
  const hashes = new Float64Array(Math.max(0, path.length - SHINGLE_ITEMS + 1));
  for (let n = 0; n < hashes.length; n++) hashes[n] = hashOf(path.slice(n, n + SHINGLE_ITEMS));
  return hashes;
}

/** Runs that at least two accounts went through, ascending. O(n log n) in all acts. */
export function sharedShingles(acts: AccountActs): Float64Array {
  const all: Float64Array[] = [];
  let length = 0;
  for (let account = 0; account < acts.accounts; account++) {
    const own = new Float64Array(new Set(shingleHashes(acts, account)));
    all.push(own);
    length += own.length;
  }
  const sorted = new Float64Array(length);
  let at = 0;
  for (const own of all) {
    sorted.set(own, at);
    at += own.length;
  }
  sorted.sort();
  const shared: number[] = [];
  for (let n = 1; n < sorted.length; n++)
    if (sorted[n] === sorted[n - 1] && shared.at(-1) !== sorted[n]) shared.push(sorted[n]!);
  return Float64Array.from(shared);
}
