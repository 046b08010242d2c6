/** Owns what the threads of item nearest neighbours do. */
import { checkTrainInput } from '../check-input.ts';
import { instantiate } from '../engine/load.ts';
import { f32, i32 } from '../engine/memory.ts';
import { takeChunks } from '../engine/work-sharing.ts';
import { type BlockPayload, USERS_PER_CHUNK } from '../ranking/rank-blocks.ts';
import { transpose } from '../sparse.ts';
import type { SparseRows, TrainInput } from '../types.ts';
import { weightsOf } from './value-weight.ts';
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
  checkTrainInput(input, { signed: true });
  const { interactions } = input;
  const { weighting } = params;
  weights.users.set(weightsOf(input, { ...params, weighting: weighting === 'none' ? 'none' : 'linear' }));
  const own = { ...interactions, values: weights.users };
  if (weighting === 'bm25') saturate(own, params);
  const liked = likes(own);
  const byUser = weighting === 'bm25' ? weighUsers(liked) : liked;
  const byItem = transpose(byUser);
  writeRows(memory, layout.users, byUser);
  writeRows(memory, layout.items, byItem);
  // A norm of 0 leaves `shrink` alone to divide by: 1 for products without a norm.
  if (params.weighting !== 'bm25') f32(memory, layout.norms).set(norms(byItem));
}

/** What is not liked counts 0: it makes no items alike. */
function likes(rows: SparseRows): SparseRows {
  return { ...rows, values: rows.values.map((value) => Math.max(0, value)) };
}

function norms({ indptr, rows, values }: SparseRows): Float32Array {
  return Float32Array.from({ length: rows }, (_, item) => {
    let square = 0;
    for (let at = indptr[item]!; at < indptr[item + 1]!; at++) square += values[at]! ** 2;
    return Math.sqrt(square);
  });
}

/**
 * In place, BM25's value (k1 + 1) / (k1 (1 - b + b length / mean length) + value), an item's length being the sum of its values. A person's own
 * items weigh this when they are scored.
 */
function saturate({ columns, indices, values }: SparseRows, { b, k1 }: ItemKnnParams): void {
  const lengths = new Float64Array(columns);
  for (let at = 0; at < values.length; at++) lengths[indices[at]!]! += Math.max(0, values[at]!);
  // Where everything is disliked no item has a length.
  const mean = lengths.reduce((sum, length) => sum + length, 0) / columns || 1;
  for (let at = 0; at < values.length; at++) {
    const value = values[at]!;
    values[at] = (value * (k1 + 1)) / (k1 * (1 - b + (b * lengths[indices[at]!]!) / mean) + Math.abs(value));
  }
}

/** Times BM25's idf of each user: ln(items / (1 + items of the user)), at least 0. */
function weighUsers(rows: SparseRows): SparseRows {
  const values = rows.values.slice();
  for (let user = 0; user < rows.rows; user++) {
    const [start, end] = [rows.indptr[user]!, rows.indptr[user + 1]!];
    const idf = Math.max(0, Math.log(rows.columns / (1 + end - start)));
    for (let at = start; at < end; at++) values[at] = idf * values[at]!;
  }
  return { ...rows, values };
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
      params.weighting === 'bm25' ? 1 : params.shrink,
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
