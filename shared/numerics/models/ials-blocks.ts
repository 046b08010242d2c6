/**
 * Owns iALS in blocks of rows: what a process needs to solve some rows of one side against all factors of the other, and gives the same bytes as a fit in
 * one process does (../models/ials.ts) on plain SIMD. Factors travel padded, with the Gram matrices of their chunks beside them, which are as deterministic.
 */
import { loadEngine } from '../engine/load.ts';
import { f32, i32, paddedWidth } from '../engine/memory.ts';
import { sharedPhase } from '../engine/work-sharing.ts';
import { isWeighed } from '../interactions/evidence.ts';
import { sharedFloat32 } from '../sparse.ts';
import type { FitContext, TrainInput } from '../types.ts';
import { summariseIals } from './ials.ts';
import type { CutSide, IalsBlock } from './ials-blocks.task.ts';
import { layOutIalsBlock } from './ials-layout.ts';
import { type IalsParams, type ResolvedIalsParams, resolveIalsParams } from './ials-params.ts';

const TASKS = new URL('./ials.task.ts', import.meta.url).href;
const CUT = new URL('./ials-blocks.task.ts', import.meta.url).href;

/** Factors of some rows of a side, padded, and the Gram matrices of their chunks. */
export interface SolvedRows {
  readonly factors: Float32Array;
  readonly gramParts: Float32Array;
}

export interface CutIals {
  readonly params: ResolvedIalsParams;
  readonly users: CutSide;
  readonly items: CutSide;
  /** Where the items begin. */
  readonly start: SolvedRows;
}

type Context = Pick<FitContext, 'pool' | 'signal' | 'seed' | 'memoryBytesMax'>;

/** Checks the data and cuts it. @throws AppError NUMERICS_INPUT_INVALID, DATASET_EMPTY, NUMERICS_MEMORY_LIMIT, CANCELLED, KERNEL_MISSING. */
export async function cutIals(
  input: TrainInput,
  given: IalsParams,
  blocks: number,
  context: Context,
): Promise<CutIals> {
  const { pool, seed, signal } = context;
  const data = await summariseIals(input, given, context);
  const params = resolveIalsParams(given, data);
  const weighted = given.weighting !== 'none' || data.dislikes || isWeighed(given, input);
  const payload = { input, params, weighted, blocks };
  const [cut] = await pool.runPhase<Pick<CutIals, 'users' | 'items'>>(
    [{ module: CUT, name: 'cutBlocks', payload }],
    signal,
  );
  const { columns } = input.interactions;
  const block = await openBlock({ rows: columns, of: columns, others: 0, interactions: 0 }, params, false, context);
  await block.everywhere('initialise', { itemKeys: input.itemKeys, seed, params });
  await block.everywhere('gram', { side: 'items' });
  return { params, ...cut!, start: block.rows() };
}

export interface BlockRequest {
  readonly block: IalsBlock;
  /** Rows of the whole side, and the mean of its regularisers. */
  readonly of: number;
  readonly shift: number;
  readonly params: ResolvedIalsParams;
  /** Factors that the block had before; absent: 0. */
  readonly warm?: Float32Array;
  /** All of the other side. */
  readonly others: SolvedRows;
}

/** Solves the rows of a block. */
export async function solveIalsBlock(request: BlockRequest, context: Context): Promise<SolvedRows> {
  const { block, of, others, params, shift, warm } = request;
  const sizes = {
    rows: block.to - block.from,
    of,
    others: others.factors.length / paddedWidth(params.factors),
    interactions: block.indices.length,
  };
  const opened = await openBlock(sizes, params, block.weights.length > 0, context);
  const { layout, memory } = opened;
  const { items: own, users: other } = layout;
  i32(memory, own.indptr).set(block.indptr);
  i32(memory, own.indices).set(block.indices);
  if (block.weights.length > 0) f32(memory, own.weights).set(block.weights);
  f32(memory, own.regularisers).set(block.regularisers);
  if (warm !== undefined) f32(memory, own.factors).set(warm);
  f32(memory, other.factors).set(others.factors);
  f32(memory, other.gramParts).set(others.gramParts);
  await opened.everywhere('solve', { side: 'items', params, shift });
  return opened.rows();
}

interface BlockSizes {
  readonly rows: number;
  readonly of: number;
  readonly others: number;
  readonly interactions: number;
}

/** The block lies where items lie in a whole fit, the other side where users do: the same tasks work on it. Plain SIMD: blocks meet on many machines. */
async function openBlock(sizes: BlockSizes, params: ResolvedIalsParams, weighted: boolean, context: Context) {
  const { pool, signal } = context;
  const { plan, layout } = layOutIalsBlock({
    ...sizes,
    factors: params.factors,
    weighted,
    threads: pool.threads,
  });
  const memory = plan.allocate(context.memoryBytesMax);
  const { module } = await loadEngine({ deterministic: true });
  const shared = { module, memory, layout };
  return {
    layout,
    memory,
    everywhere: async (name: string, more: object): Promise<void> => {
      const task = { module: TASKS, name, payload: { ...shared, ...more } };
      await pool.runPhase(sharedPhase(pool.threads, memory, layout.counter, task), signal);
    },
    rows: (): SolvedRows => {
      const copy = (values: Float32Array) => sharedFloat32(values.length, values);
      return { factors: copy(f32(memory, layout.items.factors)), gramParts: copy(f32(memory, layout.items.gramParts)) };
    },
  };
}

/** Blocks of one side, one after another. */
export function joinRows(parts: readonly SolvedRows[]): SolvedRows {
  const join = (arrays: readonly Float32Array[]): Float32Array => {
    const joined = sharedFloat32(arrays.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const array of arrays) {
      joined.set(array, at);
      at += array.length;
    }
    return joined;
  };
  return {
    factors: join(parts.map(({ factors }) => factors)),
    gramParts: join(parts.map(({ gramParts }) => gramParts)),
  };
}
