/**
 * Owns ranking: the best k of a vector of scores with exclusions and a fixed order of ties, and dense ranking of the whole
 * catalogue from factors. Slow reference: ../rank.reference.ts.
 *
 * Order: higher score, then lower tie hash of (user, item), then lower item. NaN is never ranked.
 */
import { product } from './vector';

/** Users scored together. */
const USERS = 16;
/** Items per block of scores: USERS * BLOCK * 4 = 64 KiB. */
const BLOCK = 1024;

/** The same as tieHash in ../../tie-hash.ts. */
// @ts-ignore: decorator
@inline
function tieHash(user: u32, item: u32): u32 {
  let h = user ^ (item * 0x9e3779b1);
  h = (h ^ (h >>> 16)) * 0x85ebca6b;
  h = (h ^ (h >>> 13)) * 0xc2b2ae35;
  return h ^ (h >>> 16);
}

/** State of one user's list while blocks pass: {count, cursor in the exclusions, end of them, user hash}, then the tie hashes. */
const STATE_BYTES: usize = 16;

export function rankScratchBytes(width: i32, k: i32): usize {
  const states = <usize>USERS * ((STATE_BYTES + (<usize>k << 2) + 63) & ~63);
  return states + <usize>USERS * (<usize>BLOCK << 2) + ((<usize>width * USERS) << 2);
}

// @ts-ignore: decorator
@inline
function beginList(state: usize, indptr: usize, user: i32, hash: u32, k: i32, items: usize, scores: usize): void {
  store<i32>(state, 0);
  store<i32>(state, load<i32>(indptr + (<usize>user << 2)), 4);
  store<i32>(state, load<i32>(indptr + (<usize>(user + 1) << 2)), 8);
  store<u32>(state, hash, 12);
  for (let n = 0; n < k; n++) {
    store<i32>(items + (<usize>n << 2), -1);
    store<f32>(scores + (<usize>n << 2), -Infinity);
  }
}

/** Puts one candidate into the sorted list if it belongs there. Items arrive in ascending order, so exclusions are one cursor. */
function offer(
  state: usize, excluded: usize, itemHashes: usize, k: i32, items: usize, scores: usize, item: i32, score: f32,
): void {
  let cursor = load<i32>(state, 4);
  const end = load<i32>(state, 8);
  while (cursor < end && load<i32>(excluded + (<usize>cursor << 2)) < item) cursor++;
  store<i32>(state, cursor, 4);
  if (cursor < end && load<i32>(excluded + (<usize>cursor << 2)) == item) return;
  const hashes = state + STATE_BYTES;
  const hash = tieHash(load<u32>(state, 12), load<u32>(itemHashes + (<usize>item << 2)));
  let count = load<i32>(state);
  let at = 0, behind = count;
  while (at < behind) {
    const middle = (at + behind) >> 1, o = <usize>middle << 2;
    const other = load<f32>(scores + o);
    // Items ascend, so on equal hashes the one already there has the lower item and stays before.
    const before = other > score || (other == score && load<u32>(hashes + o) <= hash);
    if (before) at = middle + 1;
    else behind = middle;
  }
  if (at >= k) return;
  if (count < k) store<i32>(state, ++count);
  const o = <usize>at << 2, bytes = <usize>(count - 1 - at) << 2;
  memory.copy(items + o + 4, items + o, bytes);
  memory.copy(scores + o + 4, scores + o, bytes);
  memory.copy(hashes + o + 4, hashes + o, bytes);
  store<i32>(items + o, item);
  store<f32>(scores + o, score);
  store<u32>(hashes + o, hash);
}

/** Offers scores [0, n) of items first, first + 1, ... Four at a time are compared with the worst of the list. */
function scan(
  state: usize, excluded: usize, itemHashes: usize, k: i32, items: usize, scores: usize, block: usize, first: i32, n: i32,
): void {
  const worst = scores + (<usize>(k - 1) << 2);
  let threshold = f32x4.splat(load<f32>(worst));
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const four = v128.load(block + (<usize>i << 2));
    if (!v128.any_true(f32x4.ge(four, threshold))) continue;
    for (let lane = 0; lane < 4; lane++) {
      const score = load<f32>(block + (<usize>(i + lane) << 2));
      if (score >= load<f32>(worst)) offer(state, excluded, itemHashes, k, items, scores, first + i + lane, score);
    }
    threshold = f32x4.splat(load<f32>(worst));
  }
  for (; i < n; i++) {
    const score = load<f32>(block + (<usize>i << 2));
    if (score >= load<f32>(worst)) offer(state, excluded, itemHashes, k, items, scores, first + i, score);
  }
}

/** The best k of one vector of scores for one user. `scratch` holds rankScratchBytes(16, k). */
export function rankScores(
  scoreVector: usize, n: i32, user: i32, userHash: u32, itemHashes: usize, indptr: usize, excluded: usize, k: i32,
  items: usize, scores: usize, scratch: usize,
): void {
  beginList(scratch, indptr, user, userHash, k, items, scores);
  scan(scratch, excluded, itemHashes, k, items, scores, scoreVector, 0, n);
}

/**
 * The best k items for users [from, to): score = X[user] . Y[item] over the whole catalogue of n items, `packed` as panels
 * `[ceil(n/8)][width][8]`, rows beyond n being 0.
 * `indptr`/`excluded` are the excluded items per user, ascending. Output rows are at users' own places.
 */
export function rankFactors(
  X: usize, packed: usize, n: i32, width: i32, from: i32, to: i32, userHashes: usize, itemHashes: usize, indptr: usize,
  excluded: usize, k: i32, items: usize, scores: usize, scratch: usize,
): void {
  const stride = <usize>width << 2;
  const stateBytes = (STATE_BYTES + (<usize>k << 2) + 63) & ~63;
  const P = scratch, block = P + stride * USERS, states = block + USERS * (BLOCK << 2);
  for (let begin = from; begin < to; begin += USERS) {
    const count = min(USERS, to - begin), groups = (count + 3) >> 2;
    memory.copy(P, X + <usize>begin * stride, stride * <usize>count);
    memory.fill(P + stride * <usize>count, 0, stride * <usize>((groups << 2) - count));
    for (let b = 0; b < count; b++) {
      const user = begin + b, o = (<usize>user * <usize>k) << 2;
      const hash = load<u32>(userHashes + (<usize>user << 2));
      beginList(states + <usize>b * stateBytes, indptr, user, hash, k, items + o, scores + o);
    }
    for (let first = 0; first < n; first += BLOCK) {
      const size = min(BLOCK, n - first);
      const panels = packed + <usize>(first >> 3) * (<usize>width << 5);
      product(P, stride, groups, panels, (size + 7) >> 3, width, block, BLOCK << 2);
      for (let b = 0; b < count; b++) {
        const o = (<usize>(begin + b) * <usize>k) << 2;
        const rowScores = block + <usize>b * (BLOCK << 2);
        scan(states + <usize>b * stateBytes, excluded, itemHashes, k, items + o, scores + o, rowScores, first, size);
      }
    }
  }
}
