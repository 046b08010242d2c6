/** Owns where everything of one EASE fit lies in the kernel's memory. */
import { MemoryPlan, type Region } from '../engine/memory.ts';
import type { RowRegions } from './item-knn.ts';

/** Rows and columns of a block of the inverse (blockOrder in the kernel; a test compares). */
export const BLOCK_ORDER = 128;
/** Columns of a panel of B. */
export const PANEL_COLUMNS = 32;

export interface EaseLayout {
  readonly users: RowRegions;
  readonly items: RowRegions;
  /** Blocks along one side. */
  readonly blocks: number;
  /** Blocks of the lower triangle. */
  readonly matrix: Region;
  /** Of the block column at hand: W_i, A_ik' as panels, D as panels. */
  readonly weighted: Region;
  readonly packed: Region;
  readonly pivot: Region;
  readonly pivotWork: Region;
  readonly counter: Region;
  readonly copies: readonly Region[];
  readonly sums: readonly Region[];
}

export interface EaseSizes {
  readonly users: number;
  readonly items: number;
  readonly interactions: number;
  readonly threads: number;
  readonly elementBytes: 4 | 8;
}

export function layOutEase({ users, items, interactions, threads, elementBytes }: EaseSizes): {
  readonly plan: MemoryPlan;
  readonly layout: EaseLayout;
} {
  const plan = new MemoryPlan();
  const side = (count: number): RowRegions => ({
    indptr: plan.reserve(count + 1),
    indices: plan.reserve(interactions),
    values: plan.reserve(interactions),
  });
  const blocks = Math.ceil(items / BLOCK_ORDER);
  const block = BLOCK_ORDER * BLOCK_ORDER;
  const perThread = (length: number, bytes: 4 | 8) =>
    Array.from({ length: threads }, () => plan.reserve(length, bytes));
  const layout = {
    users: side(users),
    items: side(items),
    blocks,
    matrix: plan.reserve(((blocks * (blocks + 1)) / 2) * block, elementBytes),
    weighted: plan.reserve(blocks * block, elementBytes),
    packed: plan.reserve(blocks * block, elementBytes),
    pivot: plan.reserve(block, elementBytes),
    pivotWork: plan.reserve(2 * block, 8),
    counter: plan.reserve(1),
    copies: perThread(block, elementBytes),
    sums: perThread(blocks * BLOCK_ORDER, 8),
  };
  return { plan, layout };
}
