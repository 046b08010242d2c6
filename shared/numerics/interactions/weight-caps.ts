/**
 * Owns how far one source moves what is learned of an item, and what is learned at all. Sources are taken from the most trusted on. What the most
 * trusted say counts whole. Each other one adds at most its declared share of all that is learned with it, and of what is learned of
 * each item: amount <= share / (1 - share) * what the more trusted say together. Of an item about which they say less than
 * of a usual one, or nothing, it adds as much as it could to a usual one: who alone speaks of an item cannot make it great by that.
 *
 * The same order and bound as ../signals/influence.ts, which holds the features of one person.
 */

/** Weights from here on are of the most trusted sources alone. */
const WHOLE = 1;
/** Fewer items are no ground to hold others against: then the sources count as they are. */
export const GROUND_ITEMS_MIN = 20;

/** What sources add to pairs of a person and an item beyond what more trusted ones say of the pair. */
export interface Claims {
  readonly count: number;
  readonly pair: Int32Array;
  /** Place of the source in the shares. */
  readonly source: Uint16Array;
  readonly amount: Float32Array;
}

/** Claims as they are read, pair by pair. */
export class ClaimList implements Claims {
  count = 0;
  readonly pair: Int32Array;
  readonly source: Uint16Array;
  readonly amount: Float32Array;
  /** Sources, the most trusted first. */
  readonly #order: readonly number[];

  /** `most`: bound on the claims; every one comes from an event of its own. */
  constructor(most: number, shares: ArrayLike<number>) {
    this.pair = new Int32Array(most);
    this.source = new Uint16Array(most);
    this.amount = new Float32Array(most);
    this.#order = Array.from(shares, (_, source) => source).sort((a, b) => shares[b]! - shares[a]! || a - b);
  }

  /** `strongest`: the most that each source says of the pair. Weights are multiples of a half, so differences are exact. */
  add(pair: number, strongest: Float32Array): void {
    let said = 0;
    for (const source of this.#order) {
      if (strongest[source]! <= said) continue;
      this.pair[this.count] = pair;
      this.source[this.count] = source;
      this.amount[this.count++] = strongest[source]! - said;
      said = strongest[source]!;
    }
  }
}

export interface CappedSource {
  /** Place of the source in the shares. */
  readonly source: number;
  /** Sum of the weights that it claims, and of those that count. */
  readonly claimed: number;
  readonly counted: number;
}

export interface Capped {
  /** What of each pair's weight counts, above 0 to 1; absent: all of every one. */
  readonly influence?: Float32Array;
  /** Sources that claim more than counts. */
  readonly capped: readonly CappedSource[];
}

interface Ground {
  /** What counts of each item so far. */
  readonly known: Float64Array;
  total: number;
  /** What the most trusted say of the item in the middle of those that they speak of. */
  readonly usual: number;
}

/** Sources that claim anything, the most trusted first; of equally trusted ones the one that claims more. */
function inOrder({ count, source, amount }: Claims, shares: ArrayLike<number>): number[] {
  const totals = new Float64Array(shares.length);
  for (let n = 0; n < count; n++) totals[source[n]!]! += amount[n]!;
  return [...totals.keys()]
    .filter((one) => totals[one]! > 0)
    .sort((a, b) => shares[b]! - shares[a]! || totals[b]! - totals[a]! || a - b);
}

/** What one source claims of each item. */
function claimsOf({ amount, count, pair, source }: Claims, own: number, itemOf: Int32Array, items: number) {
  const claimed = new Float64Array(items);
  for (let n = 0; n < count; n++) if (source[n] === own) claimed[itemOf[pair[n]!]!]! += amount[n]!;
  return claimed;
}

function groundOf(trusted: readonly number[], claims: Claims, itemOf: Int32Array, items: number): Ground | undefined {
  const known = new Float64Array(items);
  for (const source of trusted)
    for (const [item, amount] of claimsOf(claims, source, itemOf, items).entries()) known[item]! += amount;
  const spoken = known.filter((amount) => amount > 0).sort();
  if (spoken.length < GROUND_ITEMS_MIN) return undefined;
  return { known, total: spoken.reduce((sum, amount) => sum + amount, 0), usual: spoken[spoken.length >> 1]! };
}

/** By which factor the source counts about each item; what counts is added to the ground. */
function held(claimed: Float64Array, share: number, ground: Ground): { factors: Float64Array; counted: number } {
  const times = share / (1 - share);
  const claimedInAll = claimed.reduce((sum, amount) => sum + amount, 0);
  const inAll = Math.min(1, (times * ground.total) / claimedInAll);
  const factors = new Float64Array(claimed.length);
  let counted = 0;
  for (const [item, amount] of claimed.entries()) {
    if (amount === 0) continue;
    const own = Math.min(amount * inAll, times * Math.max(ground.known[item]!, ground.usual));
    factors[item] = own / amount;
    ground.known[item]! += own;
    counted += own;
  }
  ground.total += counted;
  return { factors, counted };
}

/**
 * Holds each source to its share. `values`: the weight of each pair, the sum of what is claimed of it; `itemOf`: its item; `shares`: the most that
 * each source may make up, above 0 to 1. O(sources * (items + claims)).
 */
export function capWeights(
  claims: Claims,
  pairs: { readonly values: Float32Array; readonly itemOf: Int32Array; readonly items: number },
  shares: ArrayLike<number>,
): Capped {
  const { itemOf, items, values } = pairs;
  const order = inOrder(claims, shares);
  const most = shares[order[0] ?? 0] ?? WHOLE;
  const less = order.filter((source) => shares[source]! < most);
  const ground =
    less.length === 0 ? undefined : groundOf(order.slice(0, order.length - less.length), claims, itemOf, items);
  if (ground === undefined) return { capped: [] };
  const factorsOf = new Map<number, Float64Array>();
  const capped: CappedSource[] = [];
  for (const source of less) {
    const claimed = claimsOf(claims, source, itemOf, items);
    const { factors, counted } = held(claimed, shares[source]!, ground);
    const inAll = claimed.reduce((sum, amount) => sum + amount, 0);
    if (counted >= inAll) continue;
    capped.push({ source, claimed: inAll, counted });
    factorsOf.set(source, factors);
  }
  if (capped.length === 0) return { capped };
  const counts = Float64Array.from(values);
  for (let n = 0; n < claims.count; n++) {
    const factors = factorsOf.get(claims.source[n]!);
    const pair = claims.pair[n]!;
    if (factors !== undefined) counts[pair]! -= claims.amount[n]! * (1 - factors[itemOf[pair]!]!);
  }
  const influence = new Float32Array(new SharedArrayBuffer(values.length * Float32Array.BYTES_PER_ELEMENT));
  for (let n = 0; n < values.length; n++) influence[n] = Math.min(1, Math.max(0, counts[n]! / values[n]!));
  return { influence, capped };
}
