/**
 * Owns EASE, the linear model of items on items that has a closed form: P = (X'X + lambda I)^-1, B_ij = -P_ij / P_jj with a zero
 * diagonal, scores X B (Steck: "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019). A coordinator of phases.
 * Complexity: sum over users of (items of the user)^2 for X'X, items^3 floating-point operations for the inverse, 4 items^2 bytes for B.
 */
import { cancellation } from '../../compute/cancellation.ts';
import { AppError } from '../../errors.ts';
import { loadEngine } from '../engine/load.ts';
import type { Region } from '../engine/memory.ts';
import { sharedPhase } from '../engine/work-sharing.ts';
import { rankInBlocks, rankScratchFloats, USERS_PER_CHUNK } from '../ranking/rank-blocks.ts';
import { sharedFloat32 } from '../sparse.ts';
import type { FitContext, FittedModel, RankedLists, RankedPeople, RankOptions, TrainInput } from '../types.ts';
import type { EaseShared } from './ease.task.ts';
import { BLOCK_ORDER, layOutEase, PANEL_COLUMNS } from './ease-layout.ts';
import { type EaseDataSummary, type EaseParams, resolveEaseParams } from './ease-params.ts';
import type { RowRegions } from './item-knn.ts';
import { weighed } from './value-weight.ts';

export { EASE_CANDIDATES, type EaseParams, easeParams } from './ease-params.ts';

const TASKS = new URL('./ease.task.ts', import.meta.url).href;
const RANK_TASKS = new URL('./ease-rank.task.ts', import.meta.url).href;

/** -(X'X + lambda I)^-1 in the blocks of ../kernels/assembly/inverse.ts. */
export interface SweptInverse {
  readonly memory: WebAssembly.Memory;
  readonly matrix: Region;
  readonly elementBytes: 4 | 8;
}

export interface EaseRankRegions extends RowRegions {
  /** B as panels `[ceil(items / 32)][items][32]`. */
  readonly panels: Region;
  /** Scores of one chunk of users a thread. */
  readonly vectors: readonly Region[];
}

/** What a fit's kernels reserve, in bytes. */
export function easeBytes(input: TrainInput, params: EaseParams, threads: number): number {
  return layOutEase(sizesOf(input, params, threads)).plan.bytes;
}

function sizesOf({ interactions: { columns, indices, rows } }: TrainInput, { precision }: EaseParams, threads: number) {
  const elementBytes = precision === 'single' ? 4 : 8;
  return { users: rows, items: columns, interactions: indices.length, threads, elementBytes } as const;
}

/**
 * Fits the weights of items on items. The same bytes for any number of threads. A negative value counts against the items that go
 * with it.
 * @throws AppError NUMERICS_INPUT_INVALID, DATASET_EMPTY, NUMERICS_MEMORY_LIMIT (before work starts), MODEL_PARAMS_INVALID (lambda too
 * small for the precision), CANCELLED, KERNEL_MISSING.
 */
export async function fitEase(input: TrainInput, params: EaseParams, context: FitContext): Promise<FittedModel> {
  const { onProgress, pool, signal } = context;
  const payload = { input, params };
  const [summary] = await pool.runPhase<EaseDataSummary>([{ module: TASKS, name: 'summarise', payload }], signal);
  const resolved = resolveEaseParams(params, summary!);
  const sizes = sizesOf(input, resolved, pool.threads);
  const { elementBytes, items: columns } = sizes;
  const { plan, layout } = layOutEase(sizes);
  const memory = plan.allocate(context.memoryBytesMax);
  const engine = await loadEngine(context);
  const weights = sharedFloat32(sizes.interactions);
  const shared: EaseShared = { module: engine.module, memory, layout, elementBytes, items: columns };
  const once = (name: string, more: object) =>
    pool.runPhase<number>([{ module: TASKS, name, payload: { ...shared, ...more } }], signal);
  const everywhere = (name: string, more: object) => {
    const task = { module: TASKS, name, payload: { ...shared, ...more } };
    return pool.runPhase(sharedPhase(pool.threads, memory, layout.counter, task), signal);
  };
  await once('prepare', { input, params: resolved, weights });
  await everywhere('gram', { lambda: resolved.lambda });
  for (let k = 0; k < layout.blocks; k++) {
    if (signal?.aborted) throw cancellation(signal);
    const [failed] = await once('pivot', { k });
    if (failed! > 0) throw tooWeak(k * BLOCK_ORDER + failed! - 1);
    await everywhere('panel', { k });
    await everywhere('update', { k });
    onProgress?.({ done: k + 1, total: layout.blocks, label: 'block columns' });
  }
  const inverse = { memory, matrix: layout.matrix, elementBytes } as const;
  return {
    name: 'ease',
    engine: engine.name,
    threads: pool.threads,
    params: resolved,
    rank: (options) => rankByWeights(input, weights, inverse, options, context),
    rankHistories: ({ histories, userKeys, ...options }) => {
      const people = { interactions: histories, userKeys, itemKeys: input.itemKeys };
      const own = sharedFloat32(histories.values.length, weighed(histories.values, resolved.weighting));
      return rankByWeights(people, own, inverse, options, context);
    },
  };
}

function tooWeak(item: number): AppError {
  return new AppError('MODEL_PARAMS_INVALID', {
    message:
      "X'X + lambda I is singular as far as its precision can tell: the regularisation is too weak for this data.",
    details: { item, issues: [{ path: ['lambda'], message: 'raise lambda, or take precision double' }] },
  });
}

async function rankByWeights(
  { interactions, userKeys, itemKeys }: RankedPeople,
  weights: Float32Array,
  inverse: SweptInverse,
  options: RankOptions,
  context: FitContext,
): Promise<RankedLists> {
  const { rows, columns, indptr, indices } = interactions;
  const padded = Math.ceil(columns / PANEL_COLUMNS) * PANEL_COLUMNS;
  return rankInBlocks<EaseRankRegions>(
    {
      users: rows,
      items: columns,
      userKeys,
      itemKeys,
      module: RANK_TASKS,
      source: { indptr, indices, weights, inverse },
      sharedPreparation: true,
      reserve: (plan) => ({
        indptr: plan.reserve(rows + 1),
        indices: plan.reserve(indices.length),
        values: plan.reserve(indices.length),
        panels: plan.reserve(padded * columns),
        vectors: Array.from({ length: context.pool.threads }, () => plan.reserve(padded * USERS_PER_CHUNK)),
      }),
      scratchFloats: (k) => rankScratchFloats(16, k),
    },
    options,
    context,
  );
}
