/**
 * Owns item-based nearest neighbours: cosine (optionally shrunk) similarity of item columns, or the product of their BM25 weights; the
 * best `neighbours` kept for each item; a user's score for an item is the sum over the user's items of weight * similarity.
 * Sources: Sarwar et al., "Item-Based Collaborative Filtering Recommendation Algorithms" (WWW 2001); Robertson and Zaragoza, "The
 * Probabilistic Relevance Framework: BM25 and Beyond" (2009).
 * Complexity: sum over users of (items of the user)^2.
 */
import { z } from 'zod';
import { evidenceParams } from '../interactions/evidence.ts';
import { loadEngine } from '../engine/load.ts';
import { MemoryPlan, type Region } from '../engine/memory.ts';
import { sharedPhase } from '../engine/work-sharing.ts';
import { rankInBlocks, rankScratchFloats } from '../ranking/rank-blocks.ts';
import { sharedFloat32, sharedInt32 } from '../sparse.ts';
import type { FitContext, FittedModel, RankedLists, RankOptions, TrainInput } from '../types.ts';

export const itemKnnParams = z
  .strictObject({
    /** Neighbours kept per item, 1..10000. */
    neighbours: z.int().min(1).max(10_000).default(500),
    /** Added to the product of norms: pulls similarities of rare items towards 0. Cosine only. */
    shrink: z.number().min(0).max(1e6).default(5),
    /**
     * What an interaction's value does: `none` (all 1) or `linear`, with the cosine; or `bm25`: similarities are products of BM25 weights of
     * the values taken as counts, where items are documents and users are terms.
     */
    weighting: z.enum(['none', 'linear', 'bm25']).default('none'),
    /** BM25: how late a count saturates; how much a popular item's weights are divided by its popularity, 0..1. */
    k1: z.number().min(0).max(1e6).default(1.2),
    b: z.number().min(0).max(1).default(0.75),
    ...evidenceParams,
  })
  .readonly();

export type ItemKnnParams = z.output<typeof itemKnnParams>;

const BM25_CANDIDATES = [200, 500].flatMap((neighbours) =>
  [
    { k1: 1.2, b: 0.75 },
    { k1: 20, b: 0.2 },
  ].map((shape) => Object.assign({ neighbours, weighting: 'bm25' as const }, shape)),
);

/** What `--tune` tries. */
export const ITEM_KNN_CANDIDATES: readonly z.input<typeof itemKnnParams>[] = [
  ...[20, 50, 100, 200, 500, 2000].flatMap((neighbours) => [0, 5, 20].map((shrink) => ({ neighbours, shrink }))),
  ...BM25_CANDIDATES,
];

/** Rows by user, as the kernels read them. */
export interface RowRegions {
  readonly indptr: Region;
  readonly indices: Region;
  readonly values: Region;
}

export interface KnnFitLayout {
  readonly users: RowRegions;
  readonly items: RowRegions;
  readonly norms: Region;
  readonly neighbours: Region;
  readonly similarities: Region;
  readonly counter: Region;
  readonly scratch: readonly Region[];
}

/** Per item `width` neighbours, nearest first; unused places hold -1 and 0. */
export interface Neighbours {
  readonly width: number;
  readonly items: Int32Array;
  readonly similarities: Float32Array;
}

export interface KnnRankRegions extends RowRegions {
  readonly neighbours: Region;
  readonly similarities: Region;
  /** One vector of scores a thread. */
  readonly vectors: readonly Region[];
}

const TASKS = new URL('./item-knn.task.ts', import.meta.url).href;

/**
 * Fits the neighbourhoods. Items are alike by who likes them; a dislike takes from the scores of what resembles its item. The same bytes for any number of threads.
 * @throws AppError NUMERICS_INPUT_INVALID, DATASET_EMPTY, NUMERICS_MEMORY_LIMIT (before work starts), CANCELLED, KERNEL_MISSING.
 */
export async function fitItemKnn(input: TrainInput, params: ItemKnnParams, context: FitContext): Promise<FittedModel> {
  const { onProgress, pool, signal } = context;
  const width = widthOf(input, params);
  const { plan, layout } = layOut(input, width, pool.threads);
  const memory = plan.allocate(context.memoryBytesMax);
  const engine = await loadEngine(context);
  const shared = { module: engine.module, memory, layout, params, width, items: input.interactions.columns };
  const weights = { users: sharedFloat32(input.interactions.indices.length) };
  await pool.runPhase([{ module: TASKS, name: 'prepare', payload: { ...shared, input, weights } }], signal);
  onProgress?.({ done: 1, total: 2, label: 'phases' });
  const task = { module: TASKS, name: 'findNeighbours', payload: shared };
  await pool.runPhase(sharedPhase(pool.threads, memory, layout.counter, task), signal);
  const size = shared.items * width;
  const neighbours = { width, items: sharedInt32(size), similarities: sharedFloat32(size) };
  await pool.runPhase([{ module: TASKS, name: 'copyNeighbours', payload: { ...shared, neighbours } }], signal);
  onProgress?.({ done: 2, total: 2, label: 'phases' });
  return {
    name: 'item-knn',
    engine: engine.name,
    threads: pool.threads,
    params,
    rank: (options) => rankByNeighbours(input, weights.users, neighbours, options, context),
  };
}

/** What a fit's kernels reserve, in bytes. */
export function itemKnnBytes(input: TrainInput, params: ItemKnnParams, threads: number): number {
  return layOut(input, widthOf(input, params), threads).plan.bytes;
}

const widthOf = ({ interactions }: TrainInput, { neighbours }: ItemKnnParams): number =>
  Math.min(neighbours, Math.max(1, interactions.columns - 1));

function layOut(
  { interactions: { rows, columns, indices } }: TrainInput,
  width: number,
  threads: number,
): { readonly plan: MemoryPlan; readonly layout: KnnFitLayout } {
  const plan = new MemoryPlan();
  const side = (count: number): RowRegions => ({
    indptr: plan.reserve(count + 1),
    indices: plan.reserve(indices.length),
    values: plan.reserve(indices.length),
  });
  const layout = {
    users: side(rows),
    items: side(columns),
    norms: plan.reserve(columns),
    neighbours: plan.reserve(columns * width),
    similarities: plan.reserve(columns * width),
    counter: plan.reserve(1),
    scratch: Array.from({ length: threads }, () => plan.reserve(columns * 2)),
  };
  return { plan, layout };
}

async function rankByNeighbours(
  { interactions, userKeys, itemKeys }: TrainInput,
  weights: Float32Array,
  neighbours: Neighbours,
  options: RankOptions,
  context: FitContext,
): Promise<RankedLists> {
  const { rows, columns, indptr, indices } = interactions;
  return rankInBlocks<KnnRankRegions>(
    {
      users: rows,
      items: columns,
      userKeys,
      itemKeys,
      module: TASKS,
      source: { indptr, indices, weights, neighbours },
      reserve: (plan) => ({
        indptr: plan.reserve(rows + 1),
        indices: plan.reserve(indices.length),
        values: plan.reserve(indices.length),
        neighbours: plan.reserve(neighbours.items.length),
        similarities: plan.reserve(neighbours.items.length),
        vectors: Array.from({ length: context.pool.threads }, () => plan.reserve(columns)),
      }),
      scratchFloats: (k) => rankScratchFloats(16, k),
    },
    options,
    context,
  );
}
