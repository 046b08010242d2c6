/**
 * Owns taking the best of one person's dense scores in plain TypeScript, for models whose scores are put together in a thread of their own.
 * The order is the kernel's (../kernels/assembly/rank.ts): score, then the hash of (user, item), then the item. O(items * log k) at worst.
 */
import { tieHash } from '../tie-hash.ts';

export interface TopItems {
  /** Where the person's places are written; -1 and -Infinity fill what is left. */
  readonly items: Int32Array;
  readonly scores: Float32Array;
}

/** An item whose score is -Infinity is not ranked. Scores are compared as float32. */
export function topItems(scores: Float64Array, userHash: number, itemHashes: Uint32Array, into: TopItems): void {
  const k = into.items.length;
  let found = 0;
  const before = (a: number, aScore: number, b: number, bScore: number): boolean => {
    if (aScore !== bScore) return aScore > bScore;
    const [aTie, bTie] = [tieHash(userHash, itemHashes[a]!), tieHash(userHash, itemHashes[b]!)];
    return aTie !== bTie ? aTie < bTie : a < b;
  };
  for (let item = 0; item < scores.length; item++) {
    const score = Math.fround(scores[item]!);
    if (score === -Infinity) continue;
    if (found === k && !before(item, score, into.items[k - 1]!, into.scores[k - 1]!)) continue;
    let [low, high] = [0, found];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (before(item, score, into.items[middle]!, into.scores[middle]!)) high = middle;
      else low = middle + 1;
    }
    found = Math.min(k, found + 1);
    into.items.copyWithin(low + 1, low, found - 1);
    into.scores.copyWithin(low + 1, low, found - 1);
    into.items[low] = item;
    into.scores[low] = score;
  }
  into.items.fill(-1, found);
  into.scores.fill(-Infinity, found);
}
