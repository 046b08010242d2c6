/** Owns the slow, readable version of ./assembly/pairwise.ts, in float64: what the kernel is compared with, and its losses. */
import { hashDraw, hashMix, hashPlace, hashShuffle } from './draws.reference.ts';

/** Everything that an epoch reads and writes. Rows are arrays of numbers. */
export interface PairwiseReference {
  readonly users: Float64Array[];
  readonly items: Float64Array[];
  /** One an item; absent: none. */
  readonly biases?: Float64Array;
  readonly userSquares: Float64Array;
  readonly itemSquares: Float64Array;
  readonly biasSquares: Float64Array;
  readonly indptr: ArrayLike<number>;
  readonly indices: ArrayLike<number>;
  readonly weights?: ArrayLike<number>;
  readonly userStarts: ArrayLike<number>;
  readonly userHashes: ArrayLike<number>;
  readonly itemHashes: ArrayLike<number>;
  readonly blockOf: ArrayLike<number>;
  readonly members: ArrayLike<number>;
  readonly memberStarts: ArrayLike<number>;
  readonly tables?: { readonly thresholds: ArrayLike<number>; readonly aliases: ArrayLike<number> };
  readonly drawsMax: number;
  readonly skipSeen: boolean;
  readonly epochKey: number;
  readonly rate: number;
  readonly userDecay: number;
  readonly itemDecay: number;
  readonly biasDecay: number;
  readonly weightMax: number;
}

export interface Entry {
  readonly user: number;
  readonly item: number;
  readonly weight: number;
}

/** The entries of stratum (p, q) in the order in which they are learned. */
export function stratumEntries(s: PairwiseReference, p: number, q: number): Entry[] {
  const blocks = s.memberStarts.length - 1;
  const entries: Entry[] = [];
  for (let user = s.userStarts[p]!; user < s.userStarts[p + 1]!; user++) {
    for (let at = s.indptr[user]!; at < s.indptr[user + 1]!; at++) {
      const item = s.indices[at]!;
      if (s.blockOf[item] === q) entries.push({ user, item, weight: s.weights?.[at] ?? 1 });
    }
  }
  hashShuffle(entries, hashMix(s.epochKey ^ hashMix(p * blocks + q)));
  return entries;
}

/** Draw number t of an entry. */
function candidate(s: PairwiseReference, { item, user }: Entry, t: number, q: number): number {
  const key = hashMix(s.userHashes[user]! ^ hashMix((s.itemHashes[item]! + s.epochKey) | 0));
  const [from, to] = [s.memberStarts[q]!, s.memberStarts[q + 1]!];
  return s.members[hashPlace(hashDraw(key, t), from, to - from, s.tables)]!;
}

function refused(s: PairwiseReference, { item, user }: Entry, other: number): boolean {
  if (other === item) return true;
  if (!s.skipSeen) return false;
  for (let at = s.indptr[user]!; at < s.indptr[user + 1]!; at++) if (s.indices[at] === other) return true;
  return false;
}

/** x_ui: the score of one item. */
export function scoreOf(s: Pick<PairwiseReference, 'users' | 'items' | 'biases'>, user: number, item: number): number {
  return s.users[user]!.reduce((sum, value, d) => sum + value * s.items[item]![d]!, s.biases?.[item] ?? 0);
}

/** BPR's negative, or undefined when all draws were refused. */
export function bprNegative(s: PairwiseReference, entry: Entry, q: number): number | undefined {
  for (let t = 0; t < s.drawsMax; t++) {
    const other = candidate(s, entry, t, q);
    if (!refused(s, entry, other)) return other;
  }
  return undefined;
}

/** WARP's violator and the number of draws that it took. */
export function warpViolator(
  s: PairwiseReference,
  entry: Entry,
  q: number,
): { readonly other: number; readonly draws: number } | undefined {
  const sign = Math.sign(entry.weight);
  for (let t = 0; t < s.drawsMax; t++) {
    const other = candidate(s, entry, t, q);
    const margin = sign * (scoreOf(s, entry.user, entry.item) - scoreOf(s, entry.user, other));
    if (margin < 1 && !refused(s, entry, other)) return { other, draws: t + 1 };
  }
  return undefined;
}

/** min(cap, ln(max(1, floor((n - 1) / draws)))): about the log of the rank of the entry's item. */
export function warpWeight(catalogue: number, draws: number, cap: number): number {
  return Math.min(cap, Math.log(Math.max(1, Math.floor((catalogue - 1) / draws))));
}

export function bprLoss(better: number, worse: number, weight: number): number {
  return Math.abs(weight) * Math.log1p(Math.exp(worse - better));
}

/** Where the margin is violated. */
export function warpLoss(better: number, worse: number, weight: number): number {
  return Math.abs(weight) * (1 - better + worse);
}

/** One step down the gradient of -g (x_better - x_worse) + sum of decay / 2 * squares; row-wise Adagrad. All from the old values. */
function learn(s: PairwiseReference, user: number, better: number, worse: number, g: number): void {
  const [u, i, j] = [s.users[user]!.slice(), s.items[better]!.slice(), s.items[worse]!.slice()];
  const factors = u.length;
  const meanSquare = (vector: Float64Array) => vector.reduce((sum, value) => sum + value * value, 0) / factors;
  const rateOf = (squares: Float64Array, row: number, square: number) => {
    squares[row]! += square;
    return s.rate / Math.sqrt(squares[row]! + 1e-8);
  };
  const gap = i.map((value, d) => value - j[d]!);
  const userRate = rateOf(s.userSquares, user, g * g * meanSquare(gap));
  const betterRate = rateOf(s.itemSquares, better, g * g * meanSquare(u));
  const worseRate = rateOf(s.itemSquares, worse, g * g * meanSquare(u));
  for (let d = 0; d < factors; d++) {
    s.users[user]![d]! += userRate * (g * gap[d]! - s.userDecay * u[d]!);
    s.items[better]![d]! += betterRate * (g * u[d]! - s.itemDecay * i[d]!);
    s.items[worse]![d]! += worseRate * (-g * u[d]! - s.itemDecay * j[d]!);
  }
  const { biases } = s;
  if (biases === undefined) return;
  for (const [item, own] of [
    [better, g],
    [worse, -g],
  ] as const) {
    biases[item]! += rateOf(s.biasSquares, item, g * g) * (own - s.biasDecay * biases[item]!);
  }
}

/** Learns stratum (p, q); returns {updates, pairs in order (WARP: entries without a violator)}. */
export function sweepReference(
  s: PairwiseReference,
  kind: 'bpr' | 'warp',
  p: number,
  q: number,
): { readonly updates: number; readonly ordered: number } {
  let [updates, ordered] = [0, 0];
  for (const entry of stratumEntries(s, p, q)) {
    const found = kind === 'bpr' ? { other: bprNegative(s, entry, q), draws: 0 } : warpViolator(s, entry, q);
    if (found?.other === undefined) {
      if (kind === 'warp') ordered++;
      continue;
    }
    const { user, item, weight } = entry;
    const [better, worse] = weight > 0 ? [item, found.other] : [found.other, item];
    const x = scoreOf(s, user, better) - scoreOf(s, user, worse);
    updates++;
    if (kind === 'bpr' && x > 0) ordered++;
    const step = kind === 'bpr' ? 1 / (1 + Math.exp(x)) : warpWeight(s.items.length, found.draws, s.weightMax);
    learn(s, user, better, worse, step * Math.abs(weight));
  }
  return { updates, ordered };
}
