/**
 * Owns ranking by factors: score = user row . item row. Serves every model whose score is a product of factors.
 * Slow reference: ../kernels/rank.reference.ts. Complexity: users * items * width multiply-adds.
 */
import { AppError } from '../../errors.ts';
import { paddedWidth, type Region } from '../engine/memory.ts';
import type { DenseRows, FitContext, RankedLists, RankOptions } from '../types.ts';
import { rankInBlocks, rankScratchFloats } from './rank-blocks.ts';

export interface RankableFactors {
  readonly users: DenseRows;
  readonly items: DenseRows;
  /** `KEY_BYTES` an entity; they decide the order of ties. */
  readonly userKeys?: Uint8Array | undefined;
  readonly itemKeys?: Uint8Array | undefined;
}

export interface FactorRegions {
  readonly width: number;
  /** Item factors as panels `[ceil(n/8)][width][8]`. */
  readonly packed: Region;
  readonly users: Region;
}

/**
 * Ranks the whole catalogue for every user; the same bytes for any number of threads.
 * @throws AppError NUMERICS_INPUT_INVALID, NUMERICS_MEMORY_LIMIT (before work starts), CANCELLED, KERNEL_MISSING.
 */
export async function rankByFactors(
  { users, items, userKeys, itemKeys }: RankableFactors,
  options: RankOptions,
  context: Pick<FitContext, 'pool' | 'deterministic' | 'memoryBytesMax'>,
): Promise<RankedLists> {
  if (users.width !== items.width) {
    throw new AppError('NUMERICS_INPUT_INVALID', { message: 'User and item factors differ in width.' });
  }
  const width = paddedWidth(users.width);
  return rankInBlocks<FactorRegions>(
    {
      users: users.rows,
      items: items.rows,
      userKeys,
      itemKeys,
      module: new URL('./rank-factors.task.ts', import.meta.url).href,
      source: { users, items },
      reserve: (plan, block) => ({
        width,
        packed: plan.reserve(Math.ceil(items.rows / 8) * 8 * width),
        users: plan.reserve(block * width),
      }),
      scratchFloats: (k) => rankScratchFloats(width, k),
    },
    options,
    context,
  );
}
