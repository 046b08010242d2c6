/**
 * Owns ranking by factors: the best k of the whole catalogue for every user, score = user row . item row. Serves every
 * model whose score is a product of factors. Slow reference: ../kernels/rank.reference.ts.
 */
import { AppError } from '../../errors.ts';
import { loadEngine } from '../engine/load.ts';
import { MemoryPlan, paddedWidth } from '../engine/memory.ts';
import { sharedPhase } from '../engine/work-sharing.ts';
import { sharedFloat32, sharedInt32 } from '../sparse.ts';
import { entityHashes } from '../tie-hash.ts';
import type { DenseRows, FitContext, RankedLists, RankOptions, SparseRows } from '../types.ts';
import type { RankLayout, RankShared } from './rank.task.ts';

export interface RankableFactors {
  readonly users: DenseRows;
  readonly items: DenseRows;
  /** `KEY_BYTES` an entity; they decide the order of ties. */
  readonly userKeys?: Uint8Array | undefined;
  readonly itemKeys?: Uint8Array | undefined;
}

const TASKS = new URL('./rank.task.ts', import.meta.url).href;
/** Users in the kernel's memory at a time: bounds memory, whatever the number of users. */
const USERS_PER_BLOCK = 32_768;

/** Scratch of rankFactors and rankScores (rankScratchBytes in the kernel; a test compares). */
export function rankScratchFloats(width: number, k: number): number {
  const stateBytes = Math.ceil((16 + k * 4) / 64) * 64;
  return 16 * (stateBytes / 4) + 16 * 1024 + 16 * width;
}

/**
 * Ranks the whole catalogue. Same input gives the same bytes for any number of threads.
 * @throws AppError NUMERICS_INPUT_INVALID, NUMERICS_MEMORY_LIMIT (before work starts), CANCELLED, KERNEL_MISSING.
 */
export async function rankByFactors(
  factors: RankableFactors,
  { signal, ...options }: RankOptions,
  context: Pick<FitContext, 'pool' | 'deterministic' | 'memoryBytesMax'>,
): Promise<RankedLists> {
  const { users, items } = factors;
  if (users.width !== items.width) throw new AppError('NUMERICS_INPUT_INVALID', { details: { array: 'factors' } });
  const { plan, layout } = layOut(factors, options, context.pool.threads);
  const memory = plan.allocate(context.memoryBytesMax);
  const shared: RankShared = { module: (await loadEngine(context)).module, memory, layout };
  const { pool } = context;
  const { exclude, k } = options;
  const once = (name: string, payload: object) =>
    pool.runPhase([{ module: TASKS, name, payload: { ...shared, ...payload } }], signal);

  await once('begin', { users: users.rows, items, options, itemKeys: factors.itemKeys });
  const userHashes = entityHashes(users.rows, factors.userKeys, 'user');
  const lists = emptyLists(users.rows, k);
  for (let from = 0; from < users.rows; from += USERS_PER_BLOCK) {
    const to = Math.min(users.rows, from + USERS_PER_BLOCK);
    await once('loadBlock', { users, userHashes, exclude, from, to });
    const payload = { ...shared, items: items.rows, k, block: to - from };
    const task = { module: TASKS, name: 'rankBlock', payload };
    await pool.runPhase(sharedPhase(pool.threads, memory, layout.counter, task), signal);
    await once('storeBlock', { lists, from, block: to - from });
  }
  return lists;
}

export function emptyLists(users: number, k: number): RankedLists {
  return { users, k, items: sharedInt32(users * k), scores: sharedFloat32(users * k) };
}

function layOut(
  { users, items }: RankableFactors,
  { k, exclude }: Omit<RankOptions, 'signal'>,
  threads: number,
): { readonly plan: MemoryPlan; readonly layout: RankLayout } {
  if (!Number.isInteger(k) || k < 1) throw new AppError('NUMERICS_INPUT_INVALID', { details: { k } });
  const plan = new MemoryPlan();
  const width = paddedWidth(users.width);
  const block = Math.min(users.rows, USERS_PER_BLOCK);
  const layout = {
    width,
    packed: plan.reserve(Math.ceil(items.rows / 8) * 8 * width),
    itemHashes: plan.reserve(items.rows),
    users: plan.reserve(block * width),
    userHashes: plan.reserve(block),
    indptr: plan.reserve(block + 1),
    excluded: plan.reserve(excludedPerBlockMax(exclude)),
    items: plan.reserve(block * k),
    scores: plan.reserve(block * k),
    counter: plan.reserve(1),
    scratch: Array.from({ length: threads }, () => plan.reserve(rankScratchFloats(width, k))),
  };
  return { plan, layout };
}

function excludedPerBlockMax({ rows, indptr }: SparseRows): number {
  let most = 0;
  for (let from = 0; from < rows; from += USERS_PER_BLOCK) {
    const to = Math.min(rows, from + USERS_PER_BLOCK);
    most = Math.max(most, (indptr[to] ?? 0) - (indptr[from] ?? 0));
  }
  return most;
}
