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

/** Share of an account's acts at the moment of the one before from which on its clock is coarse. */
const TIES_MIN = 0.05;

/**
 * Whether the clock of a platform is too coarse to order what people do: of half of its accounts, several acts fall on one moment. These then lie in the
 * order of the store, which is the same for everybody, and would make people look as if they copied each other. Where one account alone has such
 * moments, that is no property of the clock, and its order is read like any other.
 */
export function isCoarse({ accounts, at, starts }: AccountActs): boolean {
  let [coarse, all] = [0, 0];
  for (let account = 0; account < accounts; account++) {
    const [from, to] = [starts[account]!, starts[account + 1]!];
    if (to - from < 2) continue;
    let ties = 0;
    for (let n = from + 1; n < to; n++) if (at[n] === at[n - 1]) ties++;
    all++;
    if (ties / (to - from - 1) >= TIES_MIN) coarse++;
  }
  return coarse > all / 2;
}

/**
 * Hash of every run of SHINGLE_ITEMS items in the account's order of time; an item that follows itself counts once. `ordered`: only runs whose moments
 * differ.
 */
export function shingleHashes({ at, item, starts }: AccountActs, account: number, ordered: boolean): Float64Array {
  const path: number[] = [];
  for (let n = starts[account]!; n < starts[account + 1]!; n++)
    if (item[n]! >= 0 && (path.length === 0 || item[n] !== item[path.at(-1)!])) path.push(n);
  const hashes: number[] = [];
  for (let n = 0; n + SHINGLE_ITEMS <= path.length; n++) {
    const run = path.slice(n, n + SHINGLE_ITEMS);
    if (ordered && run.some((row, k) => k > 0 && at[row] === at[run[k - 1]!])) continue;
    hashes.push(hashOf(run.map((row) => item[row]!)));
  }
  return Float64Array.from(hashes);
}

/** Runs that at least two accounts went through, ascending. O(n log n) in all acts. */
export function sharedShingles(acts: AccountActs, ordered: boolean): Float64Array {
  const all: Float64Array[] = [];
  let length = 0;
  for (let account = 0; account < acts.accounts; account++) {
    const own = new Float64Array(new Set(shingleHashes(acts, account, ordered)));
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
