/** Owns the slow, readable version of ./assembly/sgns.ts, in float64: what the kernel is compared with, and its loss. */
import { hashDraw, hashMix, hashPick, hashPlace, hashShuffle } from './draws.reference.ts';

const ALWAYS = 0xffff_ffff;

/** Everything that an epoch reads and writes. Vectors are arrays of numbers. */
export interface SgnsReference {
  readonly inputs: Float64Array[];
  readonly outputs: Float64Array[];
  readonly sequences: readonly (readonly number[])[];
  readonly sequenceHashes: ArrayLike<number>;
  readonly wordHashes: ArrayLike<number>;
  readonly centreBlocks: ArrayLike<number>;
  readonly contextBlocks: ArrayLike<number>;
  readonly members: ArrayLike<number>;
  readonly memberStarts: ArrayLike<number>;
  readonly tables: { readonly thresholds: ArrayLike<number>; readonly aliases: ArrayLike<number> };
  /** Per word; absent: all are kept. */
  readonly keep?: ArrayLike<number>;
  /** Per token, as `sequences`; absent: all are kept. */
  readonly chances?: readonly (readonly number[])[];
  readonly window: number;
  readonly negatives: number;
  readonly epochKey: number;
  readonly rate: number;
}

/** A context of ~word is an explicit negative. */
export type Pair = readonly [centre: number, context: number];

/** A sequence in the order of the epoch, or what belongs to its tokens. */
export function shuffledSequence(s: SgnsReference, n: number, of: readonly number[] = s.sequences[n]!): number[] {
  const tokens = [...of];
  hashShuffle(tokens, hashMix(s.sequenceHashes[n]! ^ s.epochKey));
  return tokens;
}

export const wordOf = (token: number): number => (token < 0 ? ~token : token);

/** Two independent chances times 2^32 that must both hold. */
function bothChances(a: number, b: number): number {
  return Number((BigInt(a) * (BigInt(b) + 1n)) >> 32n);
}

/** The pairs of `sequences` in the order of their centres. */
export function pairsOf(s: SgnsReference, sequences: readonly (readonly number[])[]): Pair[] {
  const pairs: Pair[] = [];
  sequences.forEach((tokens, n) => {
    const key = hashMix((s.sequenceHashes[n]! + s.epochKey) | 0);
    const kept = (at: number) =>
      hashDraw(key, at * 2) <= bothChances(s.keep?.[wordOf(tokens[at]!)] ?? ALWAYS, s.chances?.[n]![at] ?? ALWAYS);
    tokens.forEach((centre, at) => {
      if (centre < 0 || !kept(at)) return;
      const reach = 1 + hashPick(hashDraw(key, at * 2 + 1), s.window);
      for (let other = Math.max(0, at - reach); other <= Math.min(tokens.length - 1, at + reach); other++) {
        if (other !== at && kept(other)) pairs.push([centre, tokens[other]!]);
      }
    });
  });
  return pairs;
}

/** The drawn words of the n-th pair of its stratum; those equal to the context are left out. An explicit negative has none. */
export function negativesOf(s: SgnsReference, [centre, context]: Pair, n: number): number[] {
  if (context < 0) return [];
  const key = hashMix(((s.wordHashes[centre]! + s.epochKey) | 0) ^ hashMix((s.wordHashes[context]! + n) | 0));
  const q = s.contextBlocks[context]!;
  const [from, to] = [s.memberStarts[q]!, s.memberStarts[q + 1]!];
  return Array.from(
    { length: s.negatives },
    (_, t) => s.members[hashPlace(hashDraw(key, t), from, to - from, s.tables)]!,
  ).filter((word) => word !== context);
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, d) => sum + value * b[d]!, 0);
const sigma = (x: number): number => 1 / (1 + Math.exp(-x));

/** -ln sigma(in.out) - sum over the negatives of ln sigma(-in.out'). */
export function sgnsLoss(input: Float64Array, positive: Float64Array, negatives: readonly Float64Array[]): number {
  return negatives.reduce(
    (sum, negative) => sum - Math.log(sigma(-dot(input, negative))),
    -Math.log(sigma(dot(input, positive))),
  );
}

/** Learns the pairs of one stratum in order; returns the sum of how far sigma is from the pairs' labels. */
export function sweepReference(s: SgnsReference, pairs: readonly Pair[]): number {
  let residual = 0;
  pairs.forEach((pair, n) => {
    const [centre, context] = pair;
    const input = s.inputs[centre]!;
    const targets = [wordOf(context), ...negativesOf(s, pair, n)].map((word) => s.outputs[word]!);
    const coefficients = targets.map((target, k) => (k === 0 && context >= 0 ? 1 : 0) - sigma(dot(input, target)));
    residual += Math.abs(coefficients[0]!);
    const gradient = new Float64Array(input.length);
    targets.forEach((target, k) => {
      const c = s.rate * coefficients[k]!;
      for (let d = 0; d < input.length; d++) {
        gradient[d]! += c * target[d]!;
        target[d]! += c * input[d]!;
      }
    });
    for (let d = 0; d < input.length; d++) input[d]! += gradient[d]!;
  });
  return residual;
}
