/**
 * Owns how a two-tower fit walks through its data: which pairs are held out, the order of an epoch, and what a
 * batch looks like. All draws are keyed by the pair, so one person's absence moves nobody else's.
 */
import { randomStream } from '../../../random.ts';
import { sharedInt32 } from '../../sparse.ts';
import type { SparseRows } from '../../types.ts';
import { entityWords } from './two-tower-memory.ts';

/** Interactions as CSR without values, plus the row of every entry. All shared. */
export interface Pairs {
  readonly users: number;
  readonly items: number;
  readonly indptr: Int32Array;
  /** Item of every pair, ascending within a user. */
  readonly item: Int32Array;
  /** User of every pair. */
  readonly user: Int32Array;
}

export interface EntityKeys {
  readonly userKeys?: Uint8Array | undefined;
  readonly itemKeys?: Uint8Array | undefined;
}

/** What one step learns from. Duplicated users and items are folded: `userAt` and `itemAt` point into the distinct ids. */
export interface Batch {
  readonly size: number;
  readonly userIds: Int32Array;
  readonly itemIds: Int32Array;
  readonly userAt: Int32Array;
  readonly itemAt: Int32Array;
  /** size x itemIds.length, added to the logits: the logQ correction, and -1e9 where a negative is masked. */
  readonly adjust: Float32Array;
}

/** A logit no softmax gives weight to, and finite, so that differences stay numbers. */
const MASKED = -1e9;

export function toPairs(rows: SparseRows, keep?: Uint8Array): Pairs {
  let total = 0;
  for (let at = 0; at < rows.indices.length; at++) total += keep === undefined || keep[at] === 1 ? 1 : 0;
  const pairs = {
    users: rows.rows,
    items: rows.columns,
    indptr: sharedInt32(rows.rows + 1),
    item: sharedInt32(total),
    user: sharedInt32(total),
  };
  let to = 0;
  for (let u = 0; u < rows.rows; u++) {
    for (let at = rows.indptr[u]!; at < rows.indptr[u + 1]!; at++) {
      if (keep !== undefined && keep[at] === 0) continue;
      pairs.item[to] = rows.indices[at]!;
      pairs.user[to++] = u;
    }
    pairs.indptr[u + 1] = to;
  }
  return pairs;
}

/**
 * The internal validation part: each pair is held out with probability `share` by a hash of (seed, user, item),
 * as long as its user keeps at least one pair. Returns 1 where a pair trains, 0 where it is held out.
 */
export function splitInternally(rows: SparseRows, share: number, seed: number, keys: EntityKeys): Uint8Array {
  const keep = new Uint8Array(rows.indices.length).fill(1);
  const stream = randomStream(seed, 'two-tower.holdout');
  for (let u = 0; u < rows.rows; u++) {
    const mine = stream.derive(...entityWords(keys.userKeys, u));
    let left = rows.indptr[u + 1]! - rows.indptr[u]!;
    for (let at = rows.indptr[u]!; at < rows.indptr[u + 1]!; at++) {
      if (left <= 1 || mine.derive(...entityWords(keys.itemKeys, rows.indices[at]!)).uniform() >= share) continue;
      keep[at] = 0;
      left--;
    }
  }
  return keep;
}

/** Writes the order of one epoch into `order`: pairs sorted by a hash of (seed, epoch, user, item). O(pairs). */
export function orderEpoch(pairs: Pairs, order: Int32Array, seed: number, epoch: number, keys: EntityKeys): void {
  const hashes = new Uint32Array(pairs.item.length);
  const stream = randomStream(seed, 'two-tower.order', epoch);
  for (let u = 0; u < pairs.users; u++) {
    const mine = stream.derive(...entityWords(keys.userKeys, u));
    for (let at = pairs.indptr[u]!; at < pairs.indptr[u + 1]!; at++) {
      hashes[at] = mine.derive(...entityWords(keys.itemKeys, pairs.item[at]!)).uint32();
    }
  }
  sortByHash(hashes, order);
}

/** Stable radix sort of 0..n-1 by 32-bit hashes, sixteen bits a pass. */
function sortByHash(hashes: Uint32Array, order: Int32Array): void {
  let from = Int32Array.from(hashes, (_, at) => at);
  for (const shift of [0, 16]) {
    const starts = new Int32Array(65_537);
    for (const hash of hashes) starts[((hash >>> shift) & 0xffff) + 1]!++;
    for (let bucket = 0; bucket < 65_536; bucket++) starts[bucket + 1]! += starts[bucket]!;
    const to = new Int32Array(hashes.length);
    for (const at of from) to[starts[(hashes[at]! >>> shift) & 0xffff]!++] = at;
    from = to;
  }
  order.set(from);
}

/** log of each item's share of the pairs: its probability in a slot of a batch drawn without replacement. */
export function logShares(pairs: Pairs): Float32Array {
  const counts = new Float64Array(pairs.items);
  for (const item of pairs.item) counts[item]!++;
  return Float32Array.from(counts, (count) => Math.log(Math.max(count, 1) / pairs.item.length));
}

/** Folds ids to distinct ones in order of first appearance. `slots` is scratch, as long as the largest id, all -1 before and after. */
function fold(ids: Int32Array, slots: Int32Array): { distinct: Int32Array; at: Int32Array; counts: Int32Array } {
  const distinct = new Int32Array(ids.length);
  const counts = new Int32Array(ids.length);
  const at = new Int32Array(ids.length);
  let size = 0;
  for (let r = 0; r < ids.length; r++) {
    let slot = slots[ids[r]!]!;
    if (slot < 0) {
      slot = size++;
      slots[ids[r]!] = slot;
      distinct[slot] = ids[r]!;
    }
    counts[slot]!++;
    at[r] = slot;
  }
  for (let slot = 0; slot < size; slot++) slots[distinct[slot]!] = -1;
  return { distinct: distinct.slice(0, size), at, counts: counts.slice(0, size) };
}

/** Makes batches over one set of pairs, keeping the scratch arrays between them. */
export class BatchMaker {
  readonly #pairs: Pairs;
  readonly #logShare: Float32Array;
  readonly #userSlots: Int32Array;
  readonly #itemSlots: Int32Array;

  constructor(pairs: Pairs, logShare: Float32Array) {
    this.#pairs = pairs;
    this.#logShare = logShare;
    this.#userSlots = new Int32Array(pairs.users).fill(-1);
    this.#itemSlots = new Int32Array(pairs.items).fill(-1);
  }

  /** The batch of the pairs named by `positions`. O(size * distinct items). */
  make(positions: Int32Array): Batch {
    const users = fold(
      positions.map((at) => this.#pairs.user[at]!),
      this.#userSlots,
    );
    const items = fold(
      positions.map((at) => this.#pairs.item[at]!),
      this.#itemSlots,
    );
    const adjust = this.#adjust(positions, users.distinct, users.at, items);
    return {
      size: positions.length,
      userIds: users.distinct,
      itemIds: items.distinct,
      userAt: users.at,
      itemAt: items.at,
      adjust,
    };
  }

  /**
   * An item that fills c slots of the batch counts c times as a negative, so its column gets log c - log q: the
   * same sum as over the slots (Yi et al., RecSys 2019), at the price of distinct items only. The row's own
   * target counts once (further copies of it are accidental hits), and what its user is known to like is no
   * negative at all.
   */
  #adjust(
    positions: Int32Array,
    userIds: Int32Array,
    userAt: Int32Array,
    items: { distinct: Int32Array; at: Int32Array; counts: Int32Array },
  ): Float32Array {
    const width = items.distinct.length;
    const adjust = new Float32Array(positions.length * width);
    const column = items.distinct.map((_, slot) => slot);
    const logSize = Math.log(positions.length);
    const base = Float32Array.from(column, (slot) => {
      return Math.log(items.counts[slot]!) - this.#logShare[items.distinct[slot]!]! - logSize;
    });
    for (let slot = 0; slot < width; slot++) this.#itemSlots[items.distinct[slot]!] = slot;
    for (let r = 0; r < positions.length; r++) {
      adjust.set(base, r * width);
      const user = userIds[userAt[r]!]!;
      for (let at = this.#pairs.indptr[user]!; at < this.#pairs.indptr[user + 1]!; at++) {
        const slot = this.#itemSlots[this.#pairs.item[at]!]!;
        if (slot >= 0) adjust[r * width + slot] = MASKED;
      }
      const target = items.at[r]!;
      adjust[r * width + target] = -this.#logShare[items.distinct[target]!]! - logSize;
    }
    for (const item of items.distinct) this.#itemSlots[item] = -1;
    return adjust;
  }
}
