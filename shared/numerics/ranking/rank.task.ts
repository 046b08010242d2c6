/** Owns what the threads of a ranking do. The arrays in a payload lie on shared buffers, so they are not copied. */
import { checkRankOptions } from '../check-input.ts';
import { instantiate } from '../engine/load.ts';
import { f32, i32, type Region } from '../engine/memory.ts';
import { takeChunks } from '../engine/work-sharing.ts';
import { entityHashes } from '../tie-hash.ts';
import type { DenseRows, RankedLists, RankOptions, SparseRows } from '../types.ts';

export interface RankLayout {
  readonly width: number;
  /** Item factors as panels `[ceil(n/8)][width][8]`. */
  readonly packed: Region;
  readonly itemHashes: Region;
  /** Of the block of users at hand: factors, hashes, exclusions and results. */
  readonly users: Region;
  readonly userHashes: Region;
  readonly indptr: Region;
  readonly excluded: Region;
  readonly items: Region;
  readonly scores: Region;
  readonly counter: Region;
  readonly scratch: readonly Region[];
}

export interface RankShared {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly layout: RankLayout;
}

const USERS_PER_CHUNK = 64;

/** Checks the options and lays out what all blocks share. One thread. */
export function begin(
  payload: RankShared & {
    readonly users: number;
    readonly items: DenseRows;
    readonly options: Omit<RankOptions, 'signal'>;
    readonly itemKeys: Uint8Array | undefined;
  },
): void {
  const { items, layout, memory } = payload;
  checkRankOptions(payload.options, payload.users, items.rows);
  packPanels(items, f32(memory, layout.packed), layout.width);
  i32(memory, layout.itemHashes).set(entityHashes(items.rows, payload.itemKeys, 'item'));
}

function packPanels(items: DenseRows, packed: Float32Array, paddedWidth: number): void {
  for (let item = 0; item < items.rows; item++) {
    const panel = (item >> 3) * paddedWidth * 8 + (item & 7);
    for (let d = 0; d < items.width; d++) packed[panel + d * 8] = items.data[item * items.width + d]!;
  }
}

/** Copies the block [from, to) of users into the memory. One thread. */
export function loadBlock(
  payload: RankShared & {
    readonly users: DenseRows;
    readonly userHashes: Uint32Array;
    readonly exclude: SparseRows;
    readonly from: number;
    readonly to: number;
  },
): void {
  const { exclude, from, layout, memory, to, users } = payload;
  const factors = f32(memory, layout.users);
  for (let user = from; user < to; user++) {
    const row = users.data.subarray(user * users.width, (user + 1) * users.width);
    factors.set(row, (user - from) * layout.width);
  }
  i32(memory, layout.userHashes).set(payload.userHashes.subarray(from, to));
  const indptr = i32(memory, layout.indptr);
  const start = exclude.indptr[from]!;
  for (let user = from; user <= to; user++) indptr[user - from] = exclude.indptr[user]! - start;
  i32(memory, layout.excluded).set(exclude.indices.subarray(start, exclude.indptr[to]));
}

/** Ranks the catalogue for the block's users. Threads share the users. */
export function rankBlock(
  payload: RankShared & {
    readonly items: number;
    readonly k: number;
    readonly block: number;
    readonly thread?: number;
  },
): void {
  const { layout, memory } = payload;
  const kernels = instantiate(payload.module, memory);
  const scratch = layout.scratch[payload.thread ?? 0]!.at;
  takeChunks(memory, layout.counter, payload.block, USERS_PER_CHUNK, (from, to) => {
    kernels.rankFactors(
      layout.users.at,
      layout.packed.at,
      payload.items,
      layout.width,
      from,
      to,
      layout.userHashes.at,
      layout.itemHashes.at,
      layout.indptr.at,
      layout.excluded.at,
      payload.k,
      layout.items.at,
      layout.scores.at,
      scratch,
    );
  });
}

/** Copies the block's results to their place in the lists. One thread. */
export function storeBlock(
  payload: RankShared & { readonly lists: RankedLists; readonly from: number; readonly block: number },
): void {
  const { block, from, layout, lists, memory } = payload;
  const size = block * lists.k;
  lists.items.set(i32(memory, layout.items).subarray(0, size), from * lists.k);
  lists.scores.set(f32(memory, layout.scores).subarray(0, size), from * lists.k);
}
