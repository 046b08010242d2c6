/**
 * Owns the popularity model: every user gets the items that most users interacted with, without those excluded. The fallback
 * for new users and the floor that every other model is measured against. Complexity: users * items comparisons.
 */
import { z } from 'zod';
import { loadEngine } from '../engine/load.ts';
import type { Region } from '../engine/memory.ts';
import { rankInBlocks, rankScratchFloats } from '../ranking/rank-blocks.ts';
import { sharedFloat32 } from '../sparse.ts';
import type { FitContext, FittedModel, RankedLists, RankOptions, TrainInput } from '../types.ts';

export const popularityParams = z
  .strictObject({
    /** What an item's score is: how many `users` interacted with it, or the `sum` of their values. */
    count: z.enum(['users', 'sum']).default('users'),
  })
  .readonly();

export type PopularityParams = z.output<typeof popularityParams>;

export interface PopularityRegions {
  readonly vector: Region;
}

const TASKS = new URL('./popularity.task.ts', import.meta.url).href;

/**
 * Counts. Scores are float32: exact up to 16.7 million users an item.
 * @throws AppError NUMERICS_INPUT_INVALID, DATASET_EMPTY, CANCELLED, KERNEL_MISSING.
 */
export async function fitPopularity(
  input: TrainInput,
  params: PopularityParams,
  context: FitContext,
): Promise<FittedModel> {
  const { interactions, userKeys, itemKeys } = input;
  const engine = await loadEngine(context);
  const scores = sharedFloat32(interactions.columns);
  await context.pool.runPhase([{ module: TASKS, name: 'count', payload: { input, params, scores } }], context.signal);
  context.onProgress?.({ done: 1, total: 1, label: 'counts' });
  const rank = (options: RankOptions, users: number, keys: Uint8Array | undefined): Promise<RankedLists> =>
    rankInBlocks<PopularityRegions>(
      {
        users,
        items: interactions.columns,
        userKeys: keys,
        itemKeys,
        module: TASKS,
        source: { scores },
        reserve: (plan) => ({ vector: plan.reserve(interactions.columns) }),
        scratchFloats: (k) => rankScratchFloats(16, k),
      },
      options,
      context,
    );
  return {
    name: 'popularity',
    engine: engine.name,
    threads: context.pool.threads,
    params,
    itemScores: scores,
    rank: (options) => rank(options, interactions.rows, userKeys),
    rankNewcomers: ({ userKeys: keys, ...options }) => rank(options, options.exclude.rows, keys),
  };
}
