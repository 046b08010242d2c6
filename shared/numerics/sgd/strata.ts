/**
 * Owns the fixed logical schedule of parallel SGD: rows and columns are cut into the same number of blocks B, and an epoch is B rounds;
 * in round r the strata (p, (p + r) mod B) share no row and no column, so any threads may take them in any order. B
 * follows from the data alone, so the same bytes come out for any number of threads (those beyond B stand idle).
 * Source: Gemulla, Nijkamp, Haas, Sismanis, "Large-Scale Matrix Factorization with Distributed SGD" (KDD 2011).
 *
 * Negatives are drawn within the stratum's block of columns, and columns are dealt to blocks anew each epoch by a keyed hash. What that
 * does to their distribution: uniform draws stay exactly uniform over the other columns on the whole of the epochs (dealing
 * treats all alike, so P(j shares i's block) / (size of the block - 1) is the same for every j); draws in proportion to a weight w_j become
 * w_j / (weight of the block), so that columns which hold a large share of all weight are drawn somewhat less (at a share s, about
 * B / (1 + (B - 1) s) / B of their due). Within one epoch a column meets only the columns of its own block.
 */
import { hashMix, hashPick } from '../kernels/draws.reference.ts';

/** More threads than this stand idle. */
export const BLOCKS_MAX = 16;
/** A block must hold enough columns to draw negatives from, and a stratum enough entries to be worth handing out. */
const BLOCK_COLUMNS_MIN = 32;
const BLOCK_ROWS_MIN = 16;
const STRATUM_ENTRIES_MIN = 2000;

/** The number of blocks B: a power of two up to BLOCKS_MAX. */
export function blockCount(rows: number, columns: number, entries: number): number {
  let blocks = 1;
  for (let next = 2; next <= BLOCKS_MAX; next *= 2) {
    const enough =
      columns >= next * BLOCK_COLUMNS_MIN &&
      rows >= next * BLOCK_ROWS_MIN &&
      entries >= next * next * STRATUM_ENTRIES_MIN;
    if (enough) blocks = next;
  }
  return blocks;
}

/** Starts of B runs of rows with about the same number of entries each, and the end: length B + 1. */
export function balancedStarts(indptr: Int32Array, blocks: number): Int32Array {
  const rows = indptr.length - 1;
  const starts = new Int32Array(blocks + 1).fill(rows);
  let row = 0;
  for (let block = 0; block < blocks; block++) {
    const wanted = (indptr[rows]! * block) / blocks;
    while (row < rows && indptr[row]! < wanted) row++;
    starts[block] = row;
  }
  return starts;
}

/** Where one dealing of columns goes. */
export interface DealtColumns {
  /** Block of each column. */
  readonly blockOf: Uint8Array;
  /** Columns by block, ascending within. */
  readonly members: Int32Array;
  /** Length B + 1. */
  readonly starts: Int32Array;
}

/** Deals columns to blocks by a hash of (column's hash, key): about equal in size, anew for each key. Linear. */
export function dealColumns(hashes: Uint32Array, key: number, { blockOf, members, starts }: DealtColumns): void {
  const blocks = starts.length - 1;
  starts.fill(0);
  for (let column = 0; column < hashes.length; column++) {
    const block = hashPick(hashMix(hashes[column]! ^ hashMix(key)), blocks);
    blockOf[column] = block;
    starts[block + 1]!++;
  }
  for (let block = 0; block < blocks; block++) starts[block + 1]! += starts[block]!;
  const next = starts.slice(0, blocks);
  for (let column = 0; column < hashes.length; column++) members[next[blockOf[column]!]!++] = column;
}

/**
 * Alias tables (Walker 1977; Vose 1991) over places [from, to): a place drawn uniformly stays with chance thresholds / 2^32 and else
 * becomes `aliases`. `weight(place)` >= 0; if all are 0, places are drawn alike. Linear.
 */
export function buildAliases(
  from: number,
  to: number,
  weight: (place: number) => number,
  thresholds: Uint32Array,
  aliases: Int32Array,
): void {
  const size = to - from;
  let total = 0;
  for (let place = from; place < to; place++) total += weight(place);
  const scaled = new Float64Array(size);
  const [small, large]: [number[], number[]] = [[], []];
  for (let n = 0; n < size; n++) {
    scaled[n] = total > 0 ? (weight(from + n) * size) / total : 1;
    thresholds[from + n] = 0xffff_ffff;
    aliases[from + n] = from + n;
    (scaled[n]! < 1 ? small : large).push(n);
  }
  while (small.length > 0 && large.length > 0) {
    const [less, more] = [small.pop()!, large.at(-1)!];
    thresholds[from + less] = Math.min(0xffff_ffff, Math.floor(scaled[less]! * 2 ** 32));
    aliases[from + less] = from + more;
    scaled[more]! -= 1 - scaled[less]!;
    if (scaled[more]! < 1) small.push(large.pop()!);
  }
}
