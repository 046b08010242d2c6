/** Owns what the threads do to rank by factors. */
import { instantiate } from '../engine/load.ts';
import { f32 } from '../engine/memory.ts';
import { takeChunks } from '../engine/work-sharing.ts';
import type { DenseRows } from '../types.ts';
import { type BlockPayload, USERS_PER_CHUNK } from './rank-blocks.ts';
import type { FactorRegions } from './rank-factors.ts';

type Payload = BlockPayload<FactorRegions, { readonly users: DenseRows; readonly items: DenseRows }>;

/** Lays the item factors out as panels of eight items. */
export function prepareRanking({ memory, regions, source: { items } }: Payload): void {
  const packed = f32(memory, regions.packed);
  for (let item = 0; item < items.rows; item++) {
    const panel = (item >> 3) * regions.width * 8 + (item & 7);
    for (let d = 0; d < items.width; d++) packed[panel + d * 8] = items.data[item * items.width + d]!;
  }
}

export function loadUsers({ from, memory, regions, source: { users }, to }: Payload): void {
  const factors = f32(memory, regions.users);
  for (let user = from; user < to; user++) {
    const row = users.data.subarray(user * users.width, (user + 1) * users.width);
    factors.set(row, (user - from) * regions.width);
  }
}

export function rankBlock(payload: Payload): void {
  const { layout, memory, regions } = payload;
  const kernels = instantiate(payload.module, memory);
  const scratch = layout.scratch[payload.thread ?? 0]!.at;
  takeChunks(memory, layout.counter, payload.to - payload.from, USERS_PER_CHUNK, (from, to) => {
    kernels.rankFactors(
      regions.users.at,
      regions.packed.at,
      payload.items,
      regions.width,
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
