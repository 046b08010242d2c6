/** Owns what the threads do to rank by the graph filter: a batch of users at a time through the graph and the factors. */
import { instantiate } from '../engine/load.ts';
import { f32, i32 } from '../engine/memory.ts';
import { takeChunks } from '../engine/work-sharing.ts';
import type { BlockPayload } from '../ranking/rank-blocks.ts';
import { FILTER_USERS, type FilterRankRegions, type FilterSource } from './graph-filter.ts';
import { writeRows } from './item-knn.task.ts';

type RankPayload = BlockPayload<FilterRankRegions, FilterSource>;

export function prepareRanking({ memory, regions, source }: RankPayload): void {
  writeRows(memory, regions.users, source.byUser);
  writeRows(memory, regions.items, source.byItem);
  f32(memory, regions.weights).set(source.weights);
  f32(memory, regions.left).set(source.left);
  f32(memory, regions.a).set(source.a);
  f32(memory, regions.b).set(source.b);
}

/** All users' rows are in the memory already. */
export function loadUsers(): void {}

export function rankBlock(payload: RankPayload): void {
  const { items, k, layout, memory, regions, source } = payload;
  const kernels = instantiate(payload.module, memory);
  const thread = payload.thread ?? 0;
  const [scratch, work, vectors] = [layout.scratch[thread]!.at, regions.work[thread]!.at, regions.vectors[thread]!];
  const rowBytes = (vectors.length / FILTER_USERS) * 4;
  const userHashes = i32(memory, layout.userHashes);
  takeChunks(memory, layout.counter, payload.to - payload.from, FILTER_USERS, (from, to) => {
    kernels.filterScores(
      regions.users.indptr.at,
      regions.users.indices.at,
      regions.left.at,
      regions.weights.at,
      regions.users.values.at,
      regions.items.indptr.at,
      regions.items.indices.at,
      regions.items.values.at,
      source.byUser.rows,
      items,
      regions.a.at,
      regions.b.at,
      regions.width,
      regions.local,
      payload.from + from,
      payload.from + to,
      vectors.at,
      rowBytes,
      work,
    );
    for (let user = from; user < to; user++) {
      kernels.rankScores(
        vectors.at + (user - from) * rowBytes,
        items,
        user,
        userHashes[user]!,
        layout.itemHashes.at,
        layout.indptr.at,
        layout.excluded.at,
        k,
        layout.items.at + user * k * 4,
        layout.scores.at + user * k * 4,
        scratch,
      );
    }
  });
}
