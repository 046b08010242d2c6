/**
 * Owns ranking the whole catalogue for all users in blocks of users, so that memory is bounded whatever their number: checks, the
 * layout, the phases, the exclusions, the order of ties. A model adds its own regions and the three functions of its task module:
 *   prepareRanking(payload)  once, one thread (or every thread, taking chunks): write what all blocks share
 *   loadUsers(payload)       per block, one thread: write what belongs to users [from, to)
 *   rankBlock(payload)       per block, every thread: rank the block's users, taking chunks
 */
import type { Task } from '../../compute/task.ts';
import { AppError } from '../../errors.ts';
import { loadEngine } from '../engine/load.ts';
import { checkMemory, MemoryPlan, type Region } from '../engine/memory.ts';
import { sharedPhase } from '../engine/work-sharing.ts';
import { sharedFloat32, sharedInt32 } from '../sparse.ts';
import type { FitContext, RankedLists, RankOptions, SparseRows } from '../types.ts';

export interface BlockRanking<Regions> {
  readonly users: number;
  readonly items: number;
  /** `KEY_BYTES` an entity; they decide the order of ties. */
  readonly userKeys?: Uint8Array | undefined;
  readonly itemKeys?: Uint8Array | undefined;
  /** URL of the task module. */
  readonly module: string;
  /** What the module's functions read; arrays on shared buffers are not copied. */
  readonly source: object;
  /** Reserves the model's own regions; `block` is the number of users at a time. */
  reserve(plan: MemoryPlan, block: number): Regions;
  /** Whether every thread runs prepareRanking. */
  readonly sharedPreparation?: boolean;
  /** Floats of scratch per thread. */
  scratchFloats(k: number): number;
}

/** Where the parts lie that every ranking has. */
export interface BlockLayout {
  readonly itemHashes: Region;
  /** Of the block of users at hand: tie hashes, exclusions, results. */
  readonly userHashes: Region;
  readonly indptr: Region;
  readonly excluded: Region;
  readonly items: Region;
  readonly scores: Region;
  readonly counter: Region;
  readonly scratch: readonly Region[];
}

/** What a model's task functions get. */
export interface BlockPayload<Regions, Source> {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly layout: BlockLayout;
  readonly regions: Regions;
  readonly source: Source;
  readonly items: number;
  readonly k: number;
  /** Users [from, to); user u lies at place u - from of the block. */
  readonly from: number;
  readonly to: number;
  readonly thread?: number;
}

/** Users that a thread takes at a time. */
export const USERS_PER_CHUNK = 64;
const USERS_PER_BLOCK = 32_768;
/** Item and score of one place of one list. */
const LIST_PLACE_BYTES = 8;
const TASKS = new URL('./rank-blocks.task.ts', import.meta.url).href;

/** Scratch of rankFactors and, with width 16, of rankScores (rankScratchBytes in the kernel; a test compares). */
export function rankScratchFloats(width: number, k: number): number {
  const stateBytes = Math.ceil((16 + k * 4) / 64) * 64;
  return 16 * (stateBytes / 4) + 16 * 1024 + 16 * width;
}

/**
 * Ranks the whole catalogue. The same input gives the same bytes for any number of threads.
 * @throws AppError NUMERICS_INPUT_INVALID, NUMERICS_MEMORY_LIMIT (before work starts), CANCELLED, KERNEL_MISSING.
 */
export async function rankInBlocks<Regions>(
  ranking: BlockRanking<Regions>,
  { signal, ...options }: RankOptions,
  context: Pick<FitContext, 'pool' | 'deterministic' | 'memoryBytesMax'>,
): Promise<RankedLists> {
  const { pool } = context;
  const { plan, layout, regions } = layOut(ranking, options, pool.threads);
  checkMemory(plan.bytes + ranking.users * options.k * LIST_PLACE_BYTES, context.memoryBytesMax);
  const memory = plan.allocate(context.memoryBytesMax);
  const { module } = await loadEngine(context);
  const { source, users, items } = ranking;
  const { exclude, k } = options;
  const payload = { module, memory, layout, regions, source, items, k, from: 0, to: users };
  const own = (name: string, more: object = {}) => ({
    module: ranking.module,
    name,
    payload: { ...payload, ...more },
  });
  const shared = (name: string, more: object): Task => ({ module: TASKS, name, payload: { memory, layout, ...more } });

  const { itemKeys, userKeys } = ranking;
  await pool.runPhase([shared('begin', { users, items, options, itemKeys })], signal);
  const preparing = ranking.sharedPreparation === true ? pool.threads : 1;
  await pool.runPhase(sharedPhase(preparing, memory, layout.counter, own('prepareRanking')), signal);
  const lists = { users, k, items: sharedInt32(users * k), scores: sharedFloat32(users * k) };
  for (let from = 0; from < users; from += USERS_PER_BLOCK) {
    const to = Math.min(users, from + USERS_PER_BLOCK);
    await pool.runPhase(
      [shared('loadExclusions', { exclude, userKeys, from, to }), own('loadUsers', { from, to })],
      signal,
    );
    await pool.runPhase(sharedPhase(pool.threads, memory, layout.counter, own('rankBlock', { from, to })), signal);
    await pool.runPhase([shared('storeBlock', { lists, from, to })], signal);
  }
  return lists;
}

function layOut<Regions>(
  ranking: BlockRanking<Regions>,
  { k, exclude }: Omit<RankOptions, 'signal'>,
  threads: number,
): { readonly plan: MemoryPlan; readonly layout: BlockLayout; readonly regions: Regions } {
  if (!Number.isInteger(k) || k < 1) {
    throw new AppError('NUMERICS_INPUT_INVALID', { message: 'k must be a whole number above 0.', details: { k } });
  }
  const plan = new MemoryPlan();
  const block = Math.min(ranking.users, USERS_PER_BLOCK);
  const layout = {
    itemHashes: plan.reserve(ranking.items),
    userHashes: plan.reserve(block),
    indptr: plan.reserve(block + 1),
    excluded: plan.reserve(excludedPerBlockMax(exclude)),
    items: plan.reserve(block * k),
    scores: plan.reserve(block * k),
    counter: plan.reserve(1),
    scratch: Array.from({ length: threads }, () => plan.reserve(ranking.scratchFloats(k))),
  };
  return { plan, layout, regions: ranking.reserve(plan, block) };
}

function excludedPerBlockMax({ rows, indptr }: SparseRows): number {
  let most = 0;
  for (let from = 0; from < rows; from += USERS_PER_BLOCK) {
    const to = Math.min(rows, from + USERS_PER_BLOCK);
    most = Math.max(most, (indptr[to] ?? 0) - (indptr[from] ?? 0));
  }
  return most;
}
