/** Owns what the threads of item nearest neighbours do. */
import { checkTrainInput } from '../check-input.ts';
import { instantiate } from '../engine/load.ts';
import { f32, i32 } from '../engine/memory.ts';
import { takeChunks } from '../engine/work-sharing.ts';
import { type BlockPayload, USERS_PER_CHUNK } from '../ranking/rank-blocks.ts';
import { transpose } from '../sparse.ts';
import type { SparseRows, TrainInput } from '../types.ts';
import type { ItemKnnParams, KnnFitLayout, KnnRankRegions, Neighbours, RowRegions } from './item-knn.ts';

interface FitShared {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly layout: KnnFitLayout;
  readonly params: ItemKnnParams;
  readonly width: number;
  readonly items: number;
}

const ITEMS_PER_CHUNK = 16;

/** Checks the input, writes rows of both sides and the norms, and leaves the users' weights in `weights.users`. One thread. */
export function prepare(
  payload: FitShared & { readonly input: TrainInput; readonly weights: { readonly users: Float32Array } },
): void {
  const { input, layout, memory, params, weights } = payload;
  checkTrainInput(input);
  const { interactions } = input;
  if (params.weighting === 'none') weights.users.fill(1);
  else weights.users.set(interactions.values);
  const byUser = { ...interactions, values: weights.users };
  const byItem = transpose(byUser);
  writeRows(memory, layout.users, byUser);
  writeRows(memory, layout.items, byItem);
  const norms = f32(memory, layout.norms);
  for (let item = 0; item < byItem.rows; item++) {
    let square = 0;
    for (let at = byItem.indptr[item]!; at < byItem.indptr[item + 1]!; at++) square += byItem.values[at]! ** 2;
    norms[item] = Math.sqrt(square);
  }
}

export function writeRows(memory: WebAssembly.Memory, regions: RowRegions, rows: SparseRows): void {
  i32(memory, regions.indptr).set(rows.indptr);
  i32(memory, regions.indices).set(rows.indices);
  f32(memory, regions.values).set(rows.values);
}

/** Threads share the items. */
export function findNeighbours(payload: FitShared & { readonly thread?: number }): void {
  const { items, layout, memory, params, width } = payload;
  const kernels = instantiate(payload.module, memory);
  const scratch = layout.scratch[payload.thread ?? 0]!.at;
  takeChunks(memory, layout.counter, items, ITEMS_PER_CHUNK, (from, to) => {
    kernels.itemNeighbours(
      layout.users.indptr.at,
      layout.users.indices.at,
      layout.users.values.at,
      layout.items.indptr.at,
      layout.items.indices.at,
      layout.items.values.at,
      layout.norms.at,
      items,
      params.shrink,
      width,
      from,
      to,
      layout.neighbours.at,
      layout.similarities.at,
      scratch,
    );
  });
}

export function copyNeighbours(payload: FitShared & { readonly neighbours: Neighbours }): void {
  const { layout, memory, neighbours } = payload;
  neighbours.items.set(i32(memory, layout.neighbours));
  neighbours.similarities.set(f32(memory, layout.similarities));
}

interface RankSource {
  readonly indptr: Int32Array;
  readonly indices: Int32Array;
  readonly weights: Float32Array;
  readonly neighbours: Neighbours;
}

type RankPayload = BlockPayload<KnnRankRegions, RankSource>;

export function prepareRanking({ memory, regions, source }: RankPayload): void {
  i32(memory, regions.indptr).set(source.indptr);
  i32(memory, regions.indices).set(source.indices);
  f32(memory, regions.values).set(source.weights);
  i32(memory, regions.neighbours).set(source.neighbours.items);
  f32(memory, regions.similarities).set(source.neighbours.similarities);
}

/** All users' rows are in the memory already. */
export function loadUsers(): void {}

export function rankBlock(payload: RankPayload): void {
  const { items, k, layout, memory, regions, source } = payload;
  const kernels = instantiate(payload.module, memory);
  const scratch = layout.scratch[payload.thread ?? 0]!.at;
  const vector = regions.vectors[payload.thread ?? 0]!.at;
  const userHashes = i32(memory, layout.userHashes);
  takeChunks(memory, layout.counter, payload.to - payload.from, USERS_PER_CHUNK, (from, to) => {
    for (let user = from; user < to; user++) {
      kernels.neighbourScores(
        regions.indptr.at,
        regions.indices.at,
        regions.values.at,
        payload.from + user,
        regions.neighbours.at,
        regions.similarities.at,
        source.neighbours.width,
        items,
        vector,
      );
      kernels.rankScores(
        vector,
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
