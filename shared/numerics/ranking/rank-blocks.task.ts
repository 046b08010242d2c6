/** Owns the phases that every ranking shares: checks, tie hashes, exclusions, and taking the results out. */
import { checkRankOptions } from '../check-input.ts';
import { f32, i32 } from '../engine/memory.ts';
import { entityHashes } from '../tie-hash.ts';
import type { RankedLists, RankOptions, SparseRows } from '../types.ts';
import type { BlockLayout } from './rank-blocks.ts';

interface Shared {
  readonly memory: WebAssembly.Memory;
  readonly layout: BlockLayout;
}

export function begin(
  payload: Shared & {
    readonly users: number;
    readonly items: number;
    readonly options: Omit<RankOptions, 'signal'>;
    readonly itemKeys: Uint8Array | undefined;
  },
): void {
  const { items, layout, memory } = payload;
  checkRankOptions(payload.options, payload.users, items);
  i32(memory, layout.itemHashes).set(entityHashes(0, items, payload.itemKeys, 'item'));
}

/** Tie hashes and excluded items of users [from, to), offsets counted from the block's first. */
export function loadExclusions(
  payload: Shared & {
    readonly exclude: SparseRows;
    readonly userKeys: Uint8Array | undefined;
    readonly from: number;
    readonly to: number;
  },
): void {
  const { exclude, from, layout, memory, to } = payload;
  i32(memory, layout.userHashes).set(entityHashes(from, to, payload.userKeys, 'user'));
  const indptr = i32(memory, layout.indptr);
  const start = exclude.indptr[from]!;
  for (let user = from; user <= to; user++) indptr[user - from] = exclude.indptr[user]! - start;
  i32(memory, layout.excluded).set(exclude.indices.subarray(start, exclude.indptr[to]));
}

export function storeBlock(
  payload: Shared & { readonly lists: RankedLists; readonly from: number; readonly to: number },
): void {
  const { from, layout, lists, memory, to } = payload;
  const size = (to - from) * lists.k;
  lists.items.set(i32(memory, layout.items).subarray(0, size), from * lists.k);
  lists.scores.set(f32(memory, layout.scores).subarray(0, size), from * lists.k);
}
