/**
 * Owns the kernels of pairwise ranking by stochastic gradient descent, BPR and WARP, over one stratum (block of users x block of
 * items) at a time. A stratum reads and writes only its own users and items, so strata without a common block may run at once, and
 * each gives the same bytes wherever it runs. Slow reference: ../pairwise.reference.ts.
 *
 * Sources: Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback" (UAI 2009); Weston, Bengio, Usunier,
 * "WSABIE" (IJCAI 2011); rates: Duchi, Hazan, Singer, "Adaptive Subgradient Methods" (JMLR 2011), one rate a row; strata: Gemulla et al., "Large-Scale Matrix Factorization with DSGD" (KDD 2011).
 */
import { contains, draw, mix, place, shuffleRecords } from './draws';
import { dot, dotFour, madd, sumLanes } from './vector';

/** What a fit lies in; written by ../../sgd/pairwise-layout.ts field by field in this order, 4 bytes each. */
@unmanaged
class Pairwise {
  users: usize;
  items: usize;
  /** 0: no biases. */
  biases: usize;
  /** Row-wise Adagrad: the sums of mean squared gradients of users, items and biases. */
  userSquares: usize;
  itemSquares: usize;
  biasSquares: usize;
  width: i32;
  blocks: i32;
  /** Rows of users, ascending: what they have seen. */
  indptr: usize;
  indices: usize;
  /** Per interaction; 0: all 1. A negative one is a dislike. */
  weights: usize;
  /** First user of each block, and the end. */
  userStarts: usize;
  /** Records {user, item, weight}, those of stratum (p, q) from starts[p * (blocks + 1) + q]. */
  entries: usize;
  starts: usize;
  userHashes: usize;
  itemHashes: usize;
  /** Block of each item in this epoch (bytes), items by block, where each block's items start. */
  itemBlocks: usize;
  members: usize;
  memberStarts: usize;
  /** Alias tables parallel to members; 0: uniform. */
  thresholds: usize;
  aliases: usize;
  /** Per stratum {updates, pairs that were in order}. */
  counts: usize;
  drawsMax: i32;
  skipSeen: i32;
  catalogue: i32;
  epochKey: u32;
  rate: f32;
  userDecay: f32;
  itemDecay: f32;
  biasDecay: f32;
  weightMax: f32;
  /** 1 / number of factors, padding left out. */
  share: f32;
}

/** Lays out the interactions of user block p by item block, each stratum shuffled. */
export function dealEntries(state: usize, p: i32): void {
  const s = changetype<Pairwise>(state);
  const from = load<i32>(s.userStarts + (<usize>p << 2)), to = load<i32>(s.userStarts + (<usize>(p + 1) << 2));
  const starts = s.starts + (<usize>(p * (s.blocks + 1)) << 2);
  const begin = load<i32>(s.indptr + (<usize>from << 2)), end = load<i32>(s.indptr + (<usize>to << 2));
  memory.fill(starts, 0, <usize>(s.blocks + 1) << 2);
  for (let at = begin; at < end; at++) {
    const o = starts + ((<usize>blockOf(s, at) + 1) << 2);
    store<i32>(o, load<i32>(o) + 1);
  }
  store<i32>(starts, begin);
  for (let q = 0; q < s.blocks; q++) {
    const o = starts + (<usize>(q + 1) << 2);
    store<i32>(o, load<i32>(o) + load<i32>(o - 4));
  }
  // Fill by moving each start forward, then move them back.
  for (let user = from; user < to; user++) {
    const last = load<i32>(s.indptr + (<usize>(user + 1) << 2));
    for (let at = load<i32>(s.indptr + (<usize>user << 2)); at < last; at++) {
      const o = starts + (<usize>blockOf(s, at) << 2);
      const entry = s.entries + <usize>load<i32>(o) * 12;
      store<i32>(o, load<i32>(o) + 1);
      store<i32>(entry, user);
      store<i32>(entry, load<i32>(s.indices + (<usize>at << 2)), 4);
      store<f32>(entry, s.weights == 0 ? 1 : load<f32>(s.weights + (<usize>at << 2)), 8);
    }
  }
  memory.copy(starts + 4, starts, <usize>s.blocks << 2);
  store<i32>(starts, begin);
  for (let q = 0; q < s.blocks; q++) {
    const first = load<i32>(starts + (<usize>q << 2)), count = load<i32>(starts + (<usize>(q + 1) << 2)) - first;
    shuffleRecords(s.entries + <usize>first * 12, count, 3, mix(s.epochKey ^ mix(p * s.blocks + q)));
  }
}

// @ts-ignore: decorator
@inline
function blockOf(s: Pairwise, at: i32): i32 {
  return load<u8>(s.itemBlocks + <usize>load<i32>(s.indices + (<usize>at << 2)));
}

// @ts-ignore: decorator
@inline
function entryKey(s: Pairwise, user: i32, item: i32): u32 {
  const own = load<u32>(s.itemHashes + (<usize>item << 2)) + s.epochKey;
  return mix(load<u32>(s.userHashes + (<usize>user << 2)) ^ mix(own));
}

/** Draw number t of an entry: an item of block q. */
// @ts-ignore: decorator
@inline
function candidate(s: Pairwise, key: u32, t: i32, first: i32, size: i32): i32 {
  return load<i32>(s.members + (<usize>place(draw(key, t), first, size, s.thresholds, s.aliases) << 2));
}

// @ts-ignore: decorator
@inline
function refused(s: Pairwise, user: i32, item: i32, other: i32): bool {
  if (other == item) return true;
  if (s.skipSeen == 0) return false;
  const ptr = s.indptr + (<usize>user << 2);
  return contains(s.indices, load<i32>(ptr), load<i32>(ptr, 4), other);
}

/** u.(i - j) */
// @ts-ignore: decorator
@inline
function dotDifference(u: usize, i: usize, j: usize, width: i32): f32 {
  let s0 = f32x4.splat(0), s1 = f32x4.splat(0), s2 = f32x4.splat(0), s3 = f32x4.splat(0);
  const end = u + (<usize>width << 2);
  while (u < end) {
    s0 = madd(v128.load(u), f32x4.sub(v128.load(i), v128.load(j)), s0);
    s1 = madd(v128.load(u, 16), f32x4.sub(v128.load(i, 16), v128.load(j, 16)), s1);
    s2 = madd(v128.load(u, 32), f32x4.sub(v128.load(i, 32), v128.load(j, 32)), s2);
    s3 = madd(v128.load(u, 48), f32x4.sub(v128.load(i, 48), v128.load(j, 48)), s3);
    u += 64;
    i += 64;
    j += 64;
  }
  return sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
}

/** Of the last call of measure: |i - j|^2 and |u|^2. */
let gapSquare: f32 = 0;
let userSquare: f32 = 0;

// @ts-ignore: decorator
@inline
function measure(u: usize, i: usize, j: usize, width: i32): void {
  let gap0 = f32x4.splat(0), own0 = f32x4.splat(0), gap1 = f32x4.splat(0), own1 = f32x4.splat(0);
  const end = u + (<usize>width << 2);
  while (u < end) {
    let a = v128.load(u), d = f32x4.sub(v128.load(i), v128.load(j));
    own0 = madd(a, a, own0);
    gap0 = madd(d, d, gap0);
    a = v128.load(u, 16);
    d = f32x4.sub(v128.load(i, 16), v128.load(j, 16));
    own1 = madd(a, a, own1);
    gap1 = madd(d, d, gap1);
    u += 32;
    i += 32;
    j += 32;
  }
  gapSquare = sumLanes(f32x4.add(gap0, gap1));
  userSquare = sumLanes(f32x4.add(own0, own1));
}

/** Adds a mean squared gradient to a row's sum; the row's rate is rate / sqrt(sum). */
// @ts-ignore: decorator
@inline
function rateOf(s: Pairwise, squares: usize, row: i32, square: f32): f32 {
  const at = squares + (<usize>row << 2);
  const sum = load<f32>(at) + square;
  store<f32>(at, sum);
  return s.rate / sqrt<f32>(sum + 1e-8);
}

// @ts-ignore: decorator
@inline
function bias(s: Pairwise, item: i32): f32 {
  return s.biases == 0 ? 0 : load<f32>(s.biases + (<usize>item << 2));
}

// @ts-ignore: decorator
@inline
function moveBias(s: Pairwise, item: i32, g: f32): void {
  if (s.biases == 0) return;
  const at = s.biases + (<usize>item << 2), own = load<f32>(at);
  store<f32>(at, own + rateOf(s, s.biasSquares, item, g * g) * (g - s.biasDecay * own));
}

/**
 * One step down the gradient of -g (x_better - x_worse) + half the decays times the squared norms, all from the old values, each row at
 * its own rate.
 */
// @ts-ignore: decorator
@inline
function learn(s: Pairwise, user: i32, better: i32, worse: i32, g: f32): void {
  const stride = <usize>s.width << 2;
  let u = s.users + <usize>user * stride, i = s.items + <usize>better * stride, j = s.items + <usize>worse * stride;
  measure(u, i, j, s.width);
  const square = g * g * s.share, itemSquare = square * userSquare;
  const userRate = rateOf(s, s.userSquares, user, square * gapSquare);
  const betterRate = rateOf(s, s.itemSquares, better, itemSquare);
  const worseRate = rateOf(s, s.itemSquares, worse, itemSquare);
  const moveUser = f32x4.splat(userRate * g), keepUser = f32x4.splat(1 - userRate * s.userDecay);
  const up = f32x4.splat(betterRate * g), keepBetter = f32x4.splat(1 - betterRate * s.itemDecay);
  const down = f32x4.splat(-(worseRate * g)), keepWorse = f32x4.splat(1 - worseRate * s.itemDecay);
  const end = u + stride;
  while (u < end) {
    const a = v128.load(u), b = v128.load(i), c = v128.load(j);
    v128.store(u, madd(moveUser, f32x4.sub(b, c), f32x4.mul(keepUser, a)));
    v128.store(i, madd(up, a, f32x4.mul(keepBetter, b)));
    v128.store(j, madd(down, a, f32x4.mul(keepWorse, c)));
    u += 16;
    i += 16;
    j += 16;
  }
  moveBias(s, better, g);
  moveBias(s, worse, -g);
}

// @ts-ignore: decorator
@inline
function writeCounts(s: Pairwise, p: i32, q: i32, updates: i32, ordered: i32): void {
  const at = s.counts + (<usize>(p * s.blocks + q) << 3);
  store<i32>(at, updates);
  store<i32>(at, ordered, 4);
}

/**
 * BPR over stratum (p, q): for each entry one step down the gradient of -|w| ln sigma(x_ui - x_uj) + the decays. j is the first
 * of `drawsMax` draws that is not refused; with none, the entry is passed over. A dislike trades the places of i and j.
 */
export function bprSweep(state: usize, p: i32, q: i32): void {
  const s = changetype<Pairwise>(state);
  const stride = <usize>s.width << 2;
  const starts = s.starts + (<usize>(p * (s.blocks + 1) + q) << 2);
  const first = load<i32>(s.memberStarts + (<usize>q << 2)), size = load<i32>(s.memberStarts + (<usize>(q + 1) << 2)) - first;
  let updates = 0, ordered = 0;
  for (let e = load<i32>(starts); e < load<i32>(starts, 4); e++) {
    const entry = s.entries + <usize>e * 12;
    const user = load<i32>(entry), item = load<i32>(entry, 4), weight = load<f32>(entry, 8);
    const key = entryKey(s, user, item);
    let other = -1;
    for (let t = 0; t < s.drawsMax; t++) {
      const drawn = candidate(s, key, t, first, size);
      if (refused(s, user, item, drawn)) continue;
      other = drawn;
      break;
    }
    if (other < 0) continue;
    const better = weight > 0 ? item : other, worse = weight > 0 ? other : item;
    const u = s.users + <usize>user * stride;
    const x = dotDifference(u, s.items + <usize>better * stride, s.items + <usize>worse * stride, s.width) +
      (bias(s, better) - bias(s, worse));
    updates++;
    if (x > 0) ordered++;
    learn(s, user, better, worse, abs(weight) / (1 + Mathf.exp(x)));
  }
  writeCounts(s, p, q, updates, ordered);
}

/**
 * WARP over stratum (p, q): items are drawn until one violates the margin (x_ui - x_uj < 1) and is not refused; then one step down the
 * gradient of W |w| (1 - x_ui + x_uj) + the decays, W = min(weightMax, ln(max(1, floor((n - 1) / draws)))), n being the whole
 * catalogue. Without a violator in `drawsMax` draws nothing moves. A dislike must be a margin below the drawn item.
 */
export function warpSweep(state: usize, p: i32, q: i32): void {
  const s = changetype<Pairwise>(state);
  const starts = s.starts + (<usize>(p * (s.blocks + 1) + q) << 2);
  const first = load<i32>(s.memberStarts + (<usize>q << 2)), size = load<i32>(s.memberStarts + (<usize>(q + 1) << 2)) - first;
  let updates = 0, ordered = 0;
  for (let e = load<i32>(starts); e < load<i32>(starts, 4); e++) {
    const entry = s.entries + <usize>e * 12;
    const user = load<i32>(entry), item = load<i32>(entry, 4), weight = load<f32>(entry, 8);
    const found = violator(s, user, item, weight > 0 ? 1 : -1, first, size);
    if (found == 0) {
      ordered++;
      continue;
    }
    const other = <i32>(found & 0xffffffff), draws = <i32>(found >>> 32);
    updates++;
    const rank = max<f32>(1, <f32>((s.catalogue - 1) / draws));
    const g = min<f32>(s.weightMax, Mathf.log(rank)) * abs(weight);
    learn(s, user, weight > 0 ? item : other, weight > 0 ? other : item, g);
  }
  writeCounts(s, p, q, updates, ordered);
}

/** draws << 32 | item of the first violator, or 0. Four draws are scored at a time; their order decides. */
// @ts-ignore: decorator
@inline
function violator(s: Pairwise, user: i32, item: i32, sign: f32, first: i32, size: i32): u64 {
  const stride = <usize>s.width << 2;
  const u = s.users + <usize>user * stride, key = entryKey(s, user, item);
  const own = dot(u, s.items + <usize>item * stride, s.width) + bias(s, item);
  for (let t = 0; t < s.drawsMax; t += 4) {
    const j0 = candidate(s, key, t, first, size), j1 = candidate(s, key, t + 1, first, size);
    const j2 = candidate(s, key, t + 2, first, size), j3 = candidate(s, key, t + 3, first, size);
    let x = dotFour(
      s.items + <usize>j0 * stride, s.items + <usize>j1 * stride, s.items + <usize>j2 * stride,
      s.items + <usize>j3 * stride, u, s.width,
    );
    x = f32x4.add(x, f32x4(bias(s, j0), bias(s, j1), bias(s, j2), bias(s, j3)));
    const margins = f32x4.mul(f32x4.splat(sign), f32x4.sub(f32x4.splat(own), x));
    const short = i32x4.bitmask(f32x4.lt(margins, f32x4.splat(1)));
    if (short == 0) continue;
    const lanes = min(4, s.drawsMax - t);
    for (let lane = 0; lane < lanes; lane++) {
      if ((short & (1 << lane)) == 0) continue;
      const other = lane == 0 ? j0 : lane == 1 ? j1 : lane == 2 ? j2 : j3;
      if (!refused(s, user, item, other)) return (<u64>(t + lane + 1) << 32) | <u64>other;
    }
  }
  return 0;
}
