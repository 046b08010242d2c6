/**
 * Owns the graph filter, a closed form without a training loop. With R~ = Du^-1/2 R Di^-1/2 and V its top right singular vectors,
 *   linear: score = R R~'R~ + alpha R Di^-1/2 V V' Di^1/2 (Shen et al.: "How Powerful is Graph Convolution for Recommendation?", CIKM 2021);
 *   sharpened: c R R~'R~ + R V diag(l (p - c)) V' + beta R Di^-1/2 V [W + W V diag(p - 1) V'] with l the squared singular values, p the
 *   series of exp(-time l), c = p(.4 of the least l), W = V' Di^1/2 (the exponential filter of Choi et al.: "Blurring-Sharpening Process
 *   Models for Collaborative Filtering", SIGIR 2023).
 * alpha and beta are `lowRank`. Complexity of a fit: that of ../spectral/randomised-svd.ts; of ranking: users * 2 interactions
 * multiply-adds (32 users at once), and users * items * twice the rank.
 */
import { loadEngine } from '../engine/load.ts';
import { checkMemory, MemoryPlan, paddedWidth, type Region } from '../engine/memory.ts';
import { rankInBlocks, rankScratchFloats } from '../ranking/rank-blocks.ts';
import { sharedFloat32, sharedInt32 } from '../sparse.ts';
import { layOutSvd, rightSingularVectors } from '../spectral/randomised-svd.ts';
import type { FitContext, FittedModel, RankedLists, RankOptions, SparseRows, TrainInput } from '../types.ts';
import type { GraphFilterParams } from './graph-filter-params.ts';
import type { RowRegions } from './item-knn.ts';

export { GRAPH_FILTER_CANDIDATES, type GraphFilterParams, graphFilterParams } from './graph-filter-params.ts';

const TASKS = new URL('./graph-filter.task.ts', import.meta.url).href;
const RANK_TASKS = new URL('./graph-filter-rank.task.ts', import.meta.url).href;

/** Users whose scores are made at once (the kernel's batch). */
export const FILTER_USERS = 32;

/** The graph and the factors of the low-rank part: score = local * left R~'R~ + (weights A) B'. All on shared buffers. */
export interface FilterSource {
  /** R~ by user and by item. */
  readonly byUser: SparseRows;
  readonly byItem: SparseRows;
  /** The users' own weights, and what enters the graph; at the places of `byUser`. */
  readonly weights: Float32Array;
  readonly left: Float32Array;
  /** items * width. */
  readonly a: Float32Array;
  readonly b: Float32Array;
}

export interface FilterRankRegions {
  readonly users: RowRegions;
  readonly items: RowRegions;
  readonly weights: Region;
  readonly left: Region;
  readonly a: Region;
  readonly b: Region;
  readonly width: number;
  readonly local: number;
  /** A thread's scores of one batch, and what the kernel needs beside. */
  readonly vectors: readonly Region[];
  readonly work: readonly Region[];
}

/** What a fit takes, its results included, in bytes. */
export function graphFilterBytes(input: TrainInput, params: GraphFilterParams, threads: number): number {
  return layOut(input, params, threads).bytes;
}

function layOut({ interactions }: TrainInput, params: GraphFilterParams, threads: number) {
  const { columns: items, indices, rows: users } = interactions;
  const rank = Math.max(1, Math.min(params.rank, users, items));
  const directions = Math.max(1, Math.min(rank + params.oversample, users, items));
  const plan = new MemoryPlan();
  const svd = layOutSvd(plan, { users, items, interactions: indices.length, directions, threads });
  const width = paddedWidth(params.filter === 'sharpened' ? 2 * rank : rank);
  const bytes = plan.bytes + 4 * (2 * items * width + 6 * indices.length + users + items);
  return { bytes, plan, rank, svd, width };
}

/**
 * Fits the filter. The same bytes for any number of threads. A dislike takes from the scores of what is near its item.
 * @throws AppError NUMERICS_INPUT_INVALID, DATASET_EMPTY, NUMERICS_MEMORY_LIMIT (before work starts), CANCELLED, KERNEL_MISSING.
 */
export async function fitGraphFilter(
  input: TrainInput,
  params: GraphFilterParams,
  context: FitContext,
): Promise<FittedModel> {
  const { pool, signal } = context;
  const { rows: users, columns: items, indices } = input.interactions;
  const interactions = indices.length;
  const { bytes, plan, rank, svd, width } = layOut(input, params, pool.threads);
  checkMemory(bytes, context.memoryBytesMax);
  const memory = plan.allocate(context.memoryBytesMax);
  const engine = await loadEngine(context);
  const source = emptySource(users, items, interactions, width);
  const payload = { module: engine.module, memory, svd, params, source, rank, width };
  await pool.runPhase([{ module: TASKS, name: 'prepare', payload: { ...payload, input } }], signal);
  const how = { iterations: params.iterations, itemKeys: input.itemKeys };
  await rightSingularVectors({ module: engine.module, memory, svd }, how, context);
  const [local] = await pool.runPhase<number>([{ module: TASKS, name: 'findFactors', payload }], signal);
  return {
    name: 'graph-filter',
    engine: engine.name,
    threads: pool.threads,
    params,
    rank: (options) => rankByFilter(input, { source, width, local: local! }, options, context),
  };
}

function emptySource(users: number, items: number, interactions: number, width: number): FilterSource {
  const side = (rows: number, columns: number): SparseRows => ({
    rows,
    columns,
    indptr: sharedInt32(rows + 1),
    indices: sharedInt32(interactions),
    values: sharedFloat32(interactions),
  });
  return {
    byUser: side(users, items),
    byItem: side(items, users),
    weights: sharedFloat32(interactions),
    left: sharedFloat32(interactions),
    a: sharedFloat32(items * width),
    b: sharedFloat32(items * width),
  };
}

/** Floats of scratch of the kernel (filterScratchBytes there; a test compares). */
export function filterScratchFloats(users: number, items: number, width: number): number {
  return (users + 3 * Math.ceil(items / 4) * 4) * FILTER_USERS + 2 * FILTER_USERS * width;
}

async function rankByFilter(
  { interactions, userKeys, itemKeys }: TrainInput,
  { source, width, local }: { readonly source: FilterSource; readonly width: number; readonly local: number },
  options: RankOptions,
  context: FitContext,
): Promise<RankedLists> {
  const { rows: users, columns: items, indices } = interactions;
  const { threads } = context.pool;
  return rankInBlocks<FilterRankRegions>(
    {
      users,
      items,
      userKeys,
      itemKeys,
      module: RANK_TASKS,
      source,
      reserve: (plan) => {
        const floats = (length: number) => plan.reserve(length);
        const side = (count: number): RowRegions => ({
          indptr: floats(count + 1),
          indices: floats(indices.length),
          values: floats(indices.length),
        });
        const each = (length: number) => Array.from({ length: threads }, () => floats(length));
        return {
          users: side(users),
          items: side(items),
          weights: floats(indices.length),
          left: floats(indices.length),
          a: floats(items * width),
          b: floats(Math.ceil(items / 4) * 4 * width),
          width,
          local,
          vectors: each(FILTER_USERS * paddedWidth(items)),
          work: each(filterScratchFloats(users, items, width)),
        };
      },
      scratchFloats: (k) => rankScratchFloats(16, k),
    },
    options,
    context,
  );
}
