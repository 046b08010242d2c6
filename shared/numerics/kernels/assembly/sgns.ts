/**
 * Owns the kernels of skip-gram with negative sampling: pairs of nearby tokens, laid out by stratum (block of centres x block of
 * contexts), and stochastic gradient descent over one stratum at a time. Strata without a common block may run at once, and each gives the
 * same bytes wherever it runs. Slow reference: ../sgns.reference.ts.
 *
 * Source: Mikolov et al., "Distributed Representations of Words and Phrases and their Compositionality" (NIPS 2013).
 */
import { draw, mix, pick, place, shuffleRecords } from './draws';
import { dotFour, madd } from './vector';

/** What a fit lies in; written by ../../sgd/sgns-layout.ts field by field in this order, 4 bytes each. */
@unmanaged
class Sgns {
  /** Vectors of words as centres and as contexts. */
  inputs: usize;
  outputs: usize;
  width: i32;
  blocks: i32;
  /**
   * Sequence s holds tokens [sequencePtr[s], sequencePtr[s + 1]); `source` as given, `tokens` in this epoch's order. A token is a word, or ~word: an
   * explicit negative, which is never a centre, and as a context takes a step away.
   */
  sequencePtr: usize;
  sequences: i32;
  source: usize;
  tokens: usize;
  sequenceHashes: usize;
  /** Of words as centres and as contexts; the same array where both are numbered alike. */
  centreHashes: usize;
  contextHashes: usize;
  /** In this epoch: block of each word as centre and as context (bytes), words by context block, where each block's words start. */
  centreBlocks: usize;
  contextBlocks: usize;
  members: usize;
  memberStarts: usize;
  /** Alias tables parallel to members. */
  thresholds: usize;
  aliases: usize;
  /** Chance times 2^32 that an occurrence of a word is kept; 0: all are. */
  keep: usize;
  /** The same for each token, as given and in this epoch's order; 0: all are. */
  sourceChances: usize;
  chances: usize;
  /** Records {centre, context}. */
  pairs: usize;
  /** Per stratum, of its last round: sum over its pairs of how far sigma is from their label. */
  residuals: usize;
  window: i32;
  negatives: i32;
  epochKey: u32;
  rate: f32;
}

/** Puts sequences [from, to) in a drawn order. */
export function shuffleSequences(state: usize, from: i32, to: i32): void {
  const s = changetype<Sgns>(state);
  for (let n = from; n < to; n++) {
    const ptr = s.sequencePtr + (<usize>n << 2);
    const begin = load<i32>(ptr), count = load<i32>(ptr, 4) - begin;
    const to = s.tokens + (<usize>begin << 2);
    memory.copy(to, s.source + (<usize>begin << 2), <usize>count << 2);
    const key = mix(load<u32>(s.sequenceHashes + (<usize>n << 2)) ^ s.epochKey);
    shuffleRecords(to, count, 1, key);
    if (s.chances == 0) continue;
    // The same key: the same order.
    const chances = s.chances + (<usize>begin << 2);
    memory.copy(chances, s.sourceChances + (<usize>begin << 2), <usize>count << 2);
    shuffleRecords(chances, count, 1, key);
  }
}

/** The sequence that holds the token at `position`. */
function sequenceOf(s: Sgns, position: i32): i32 {
  let low = 0, high = s.sequences;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (load<i32>(s.sequencePtr + (<usize>(middle + 1) << 2)) <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}

// @ts-ignore: decorator
@inline
function kept(s: Sgns, key: u32, begin: i32, at: i32, word: i32): bool {
  if (s.keep == 0 && s.chances == 0) return true;
  let chance: u64 = s.keep == 0 ? 0xffffffff : <u64>load<u32>(s.keep + (<usize>word << 2));
  if (s.chances != 0) chance = (chance * (<u64>load<u32>(s.chances + (<usize>at << 2)) + 1)) >>> 32;
  return <u64>draw(key, <u32>(at - begin) << 1) <= chance;
}

/**
 * The pairs whose centre is at a position in [from, to): each centre draws a reach of 1..window, and what lies within it in its
 * sequence is its context. With `fill`, writes each to its stratum's next place; else counts them. `strata`: blocks^2 numbers. `p`, `q`: only
 * those of this stratum; -1: all.
 */
function visitPairs(s: Sgns, from: i32, to: i32, strata: usize, fill: bool, p: i32, q: i32): void {
  let sequence = sequenceOf(s, from), begin = 0, end = 0, key: u32 = 0;
  for (let at = from; at < to; at++) {
    if (at == from || at >= end) {
      while (load<i32>(s.sequencePtr + (<usize>(sequence + 1) << 2)) <= at) sequence++;
      begin = load<i32>(s.sequencePtr + (<usize>sequence << 2));
      end = load<i32>(s.sequencePtr + (<usize>(sequence + 1) << 2));
      key = mix(load<u32>(s.sequenceHashes + (<usize>sequence << 2)) + s.epochKey);
    }
    const centre = load<i32>(s.tokens + (<usize>at << 2));
    if (centre < 0) continue;
    const block = <i32>load<u8>(s.centreBlocks + <usize>centre);
    if ((p >= 0 && block != p) || !kept(s, key, begin, at, centre)) continue;
    const reach = 1 + pick(draw(key, (<u32>(at - begin) << 1) | 1), s.window);
    const row = strata + (<usize>(block * s.blocks) << 2);
    const last = min(end - 1, at + reach);
    for (let other = max(begin, at - reach); other <= last; other++) {
      if (other == at) continue;
      const context = load<i32>(s.tokens + (<usize>other << 2));
      const word = context < 0 ? ~context : context;
      const column = <i32>load<u8>(s.contextBlocks + <usize>word);
      if ((q >= 0 && column != q) || !kept(s, key, begin, other, word)) continue;
      const o = row + (<usize>column << 2);
      const next = load<i32>(o);
      store<i32>(o, next + 1);
      if (!fill) continue;
      const pair = s.pairs + (<usize>next << 3);
      store<i32>(pair, centre);
      store<i32>(pair, context, 4);
    }
  }
}

export function countPairs(state: usize, from: i32, to: i32, strata: usize): void {
  const s = changetype<Sgns>(state);
  memory.fill(strata, 0, <usize>(s.blocks * s.blocks) << 2);
  visitPairs(s, from, to, strata, false, -1, -1);
}

export function placePairs(state: usize, from: i32, to: i32, strata: usize): void {
  visitPairs(changetype<Sgns>(state), from, to, strata, true, -1, -1);
}

/** The pairs of one stratum alone, in the same order, from the first place on; returns their number. */
export function placeStratum(state: usize, from: i32, to: i32, strata: usize, p: i32, q: i32): i32 {
  const s = changetype<Sgns>(state);
  memory.fill(strata, 0, <usize>(s.blocks * s.blocks) << 2);
  visitPairs(s, from, to, strata, true, p, q);
  return load<i32>(strata + (<usize>(p * s.blocks + q) << 2));
}

/** 1 / (1 + e^-x) of four numbers, to about 3e-7: e^-x = 2^n 2^f with f in [-1/2, 1/2] by its series. */
// @ts-ignore: decorator
@inline
function sigmoids(x: v128): v128 {
  const t = f32x4.mul(f32x4.max(f32x4.min(x, f32x4.splat(30)), f32x4.splat(-30)), f32x4.splat(-1.4426950408889634));
  const n = f32x4.nearest(t), f = f32x4.sub(t, n);
  let e = madd(f, f32x4.splat(0.0013333558), f32x4.splat(0.0096181291));
  e = madd(f, e, f32x4.splat(0.0555041087));
  e = madd(f, e, f32x4.splat(0.2402265070));
  e = madd(f, e, f32x4.splat(0.6931471806));
  e = madd(f, e, f32x4.splat(1));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return f32x4.div(f32x4.splat(1), f32x4.add(f32x4.splat(1), f32x4.mul(e, power)));
}

/** For four rows in turn: gradient += c y, y += c input. A row may come twice. */
// @ts-ignore: decorator
@inline
function moveFour(coefficients: usize, y0: usize, y1: usize, y2: usize, y3: usize, input: usize, gradient: usize, width: i32): void {
  const c0 = v128.load_splat<f32>(coefficients), c1 = v128.load_splat<f32>(coefficients, 4);
  const c2 = v128.load_splat<f32>(coefficients, 8), c3 = v128.load_splat<f32>(coefficients, 12);
  const end = input + (<usize>width << 2);
  while (input < end) {
    const p = v128.load(input);
    let y = v128.load(y0), g = madd(c0, y, v128.load(gradient));
    v128.store(y0, madd(c0, p, y));
    y = v128.load(y1);
    g = madd(c1, y, g);
    v128.store(y1, madd(c1, p, y));
    y = v128.load(y2);
    g = madd(c2, y, g);
    v128.store(y2, madd(c2, p, y));
    y = v128.load(y3);
    g = madd(c3, y, g);
    v128.store(y3, madd(c3, p, y));
    v128.store(gradient, g);
    input += 16;
    gradient += 16;
    y0 += 16;
    y1 += 16;
    y2 += 16;
    y3 += 16;
  }
}

// @ts-ignore: decorator
@inline
function moveTwo(coefficients: usize, y0: usize, y1: usize, input: usize, gradient: usize, width: i32): void {
  const c0 = v128.load_splat<f32>(coefficients), c1 = v128.load_splat<f32>(coefficients, 4);
  const end = input + (<usize>width << 2);
  while (input < end) {
    const p = v128.load(input);
    let y = v128.load(y0), g = madd(c0, y, v128.load(gradient));
    v128.store(y0, madd(c0, p, y));
    y = v128.load(y1);
    g = madd(c1, y, g);
    v128.store(y1, madd(c1, p, y));
    v128.store(gradient, g);
    input += 16;
    gradient += 16;
    y0 += 16;
    y1 += 16;
  }
}

/** Bytes of scratch for one thread: the gradient, then targets and coefficients, each padded to whole fours. */
export function sgnsScratchBytes(width: i32, negatives: i32): usize {
  return (<usize>width << 2) + 2 * (<usize>(negatives + 4) << 2);
}

/** Puts the context and the drawn negatives (none equal to it) of one pair in `targets`, padded with the last; returns their number. */
// @ts-ignore: decorator
@inline
function chooseTargets(s: Sgns, key: u32, context: i32, first: i32, size: i32, targets: usize, negatives: i32): i32 {
  const stride = <usize>s.width << 2;
  store<usize>(targets, s.outputs + <usize>context * stride);
  let count = 1;
  for (let t = 0; t < negatives; t++) {
    const at = place(draw(key, t), first, size, s.thresholds, s.aliases);
    const word = load<i32>(s.members + (<usize>at << 2));
    if (word == context) continue;
    store<usize>(targets + (<usize>count << 2), s.outputs + <usize>word * stride);
    count++;
  }
  const last = load<usize>(targets + (<usize>(count - 1) << 2));
  for (let n = count; n < ((count + 3) & ~3); n++) store<usize>(targets + (<usize>n << 2), last);
  return count;
}

/**
 * Pairs [from, to) of stratum (p, q), each one step down the gradient of -ln sigma(in.out) - sum over the negatives of
 * ln sigma(-in.out'): all scores are taken first, then targets move one after another. An explicit negative is -ln sigma(-in.out) alone.
 */
export function sgnsSweep(state: usize, p: i32, q: i32, from: i32, to: i32, scratch: usize): void {
  const s = changetype<Sgns>(state);
  const stride = <usize>s.width << 2;
  const gradient = scratch, targets = scratch + stride, coefficients = targets + (<usize>(s.negatives + 4) << 2);
  const first = load<i32>(s.memberStarts + (<usize>q << 2)), size = load<i32>(s.memberStarts + (<usize>(q + 1) << 2)) - first;
  let residual: f64 = 0;
  for (let n = from; n < to; n++) {
    const pair = s.pairs + (<usize>n << 3);
    const centre = load<i32>(pair), token = load<i32>(pair, 4);
    const negative = token < 0, context = negative ? ~token : token;
    const own = load<u32>(s.contextHashes + (<usize>context << 2)) + <u32>(n - from);
    const key = mix((load<u32>(s.centreHashes + (<usize>centre << 2)) + s.epochKey) ^ mix(own));
    const count = chooseTargets(s, key, context, first, size, targets, negative ? 0 : s.negatives);
    const input = s.inputs + <usize>centre * stride;
    for (let k = 0; k < count; k += 4) {
      const rows = targets + (<usize>k << 2);
      const x = dotFour(load<usize>(rows), load<usize>(rows, 4), load<usize>(rows, 8), load<usize>(rows, 12), input, s.width);
      const label = k == 0 && !negative ? f32x4(1, 0, 0, 0) : f32x4.splat(0);
      let c = f32x4.sub(label, sigmoids(x));
      if (k == 0) residual += <f64>abs(f32x4.extract_lane(c, 0));
      c = f32x4.mul(f32x4.splat(s.rate), c);
      if (count - k < 4) c = v128.and(c, i32x4.gt_s(i32x4.splat(count - k), i32x4(0, 1, 2, 3)));
      v128.store(coefficients + (<usize>k << 2), c);
    }
    memory.fill(gradient, 0, stride);
    for (let k = 0; k < count; k += 4) {
      const rows = targets + (<usize>k << 2), c = coefficients + (<usize>k << 2);
      if (count - k > 2) {
        moveFour(c, load<usize>(rows), load<usize>(rows, 4), load<usize>(rows, 8), load<usize>(rows, 12), input, gradient, s.width);
      } else moveTwo(c, load<usize>(rows), load<usize>(rows, 4), input, gradient, s.width);
    }
    for (let o: usize = 0; o < stride; o += 16) {
      v128.store(input + o, f32x4.add(v128.load(input + o), v128.load(gradient + o)));
    }
  }
  store<f64>(s.residuals + (<usize>(p * s.blocks + q) << 3), residual);
}
