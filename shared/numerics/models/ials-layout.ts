/** Owns where everything of one iALS fit lies in the kernel's memory, and the sizes of its fixed logical chunks. */
import { MemoryPlan, paddedWidth, type Region } from '../engine/memory.ts';

/** Rows of factors per chunk of the Gram matrix: at least this, whole solver chunks, and at most GRAM_CHUNKS_MAX chunks. */
const GRAM_CHUNK_ROWS_MIN = 256;
const GRAM_CHUNKS_MAX = 32;
/** Rows that a thread takes at a time. A multiple of the kernel's batch of 16. */
export const SOLVE_CHUNK_ROWS = 64;

export interface IalsSide {
  readonly count: number;
  readonly indptr: Region;
  readonly indices: Region;
  /** Confidence per interaction; length 0 when all are 1. */
  readonly weights: Region;
  readonly regularisers: Region;
  readonly factors: Region;
  readonly gramChunkRows: number;
  readonly gramChunks: number;
  /** The Gram matrix of each chunk of the factors. Of its own, because one side's is read while the other's is written. */
  readonly gramParts: Region;
  /** Per Gram chunk: solver chunks that are done in this phase. */
  readonly finished: Region;
}

/** What each thread has for itself. Reducing the Gram matrix in every thread costs less than a phase for one. */
export interface IalsThread {
  /** The reduced Gram matrix of the fixed side and what preconditions with it, as panels. */
  readonly gram: Region;
  readonly inverse: Region;
  /** Float64. */
  readonly work: Region;
  readonly scratch: Region;
}

export interface IalsLayout {
  readonly width: number;
  readonly users: IalsSide;
  readonly items: IalsSide;
  readonly counter: Region;
  readonly threads: readonly IalsThread[];
}

export interface IalsSizes {
  readonly users: number;
  readonly items: number;
  readonly interactions: number;
  readonly factors: number;
  readonly weighted: boolean;
  readonly threads: number;
}

/** Scratch of solveRows: four blocks of 16 rows and their rates (solveScratchBytes in the kernel; a test compares). */
export function solveScratchFloats(width: number): number {
  return 4 * 16 * width + 64;
}

/** Rows of factors per chunk of the Gram matrix of a side. */
export function gramChunkRowsOf(rows: number): number {
  return SOLVE_CHUNK_ROWS * Math.ceil(Math.max(GRAM_CHUNK_ROWS_MIN, rows / GRAM_CHUNKS_MAX) / SOLVE_CHUNK_ROWS);
}

export function layOutIals(sizes: IalsSizes): { readonly plan: MemoryPlan; readonly layout: IalsLayout } {
  const { interactions, items, users } = sizes;
  return layOut(sizes, { count: users, of: users, interactions }, { count: items, of: items, interactions });
}

/** Some rows of a side of `of` rows, where items lie; all `others` of the other, without their data, where users do. */
export function layOutIalsBlock(
  sizes: Omit<IalsSizes, 'users' | 'items'> & { readonly rows: number; readonly of: number; readonly others: number },
): { readonly plan: MemoryPlan; readonly layout: IalsLayout } {
  const { interactions, of, others, rows } = sizes;
  return layOut(sizes, { count: others, of: others, interactions: 0 }, { count: rows, of, interactions });
}

interface SideSizes {
  readonly count: number;
  /** Rows of the side that these are a part of: they decide the chunks. */
  readonly of: number;
  readonly interactions: number;
}

function layOut(
  { factors, threads, weighted }: Pick<IalsSizes, 'factors' | 'threads' | 'weighted'>,
  ofUsers: SideSizes,
  ofItems: SideSizes,
): { readonly plan: MemoryPlan; readonly layout: IalsLayout } {
  const plan = new MemoryPlan();
  const width = paddedWidth(factors);
  const side = ({ count, interactions, of }: SideSizes): IalsSide => {
    const gramChunkRows = gramChunkRowsOf(of);
    const gramChunks = Math.ceil(count / gramChunkRows);
    return {
      count,
      indptr: plan.reserve(count + 1),
      indices: plan.reserve(interactions),
      weights: plan.reserve(weighted ? interactions : 0),
      regularisers: plan.reserve(count),
      factors: plan.reserve(count * width),
      gramChunkRows,
      gramChunks,
      gramParts: plan.reserve(gramChunks * width * width),
      finished: plan.reserve(gramChunks),
    };
  };
  const layout = {
    width,
    users: side(ofUsers),
    items: side(ofItems),
    counter: plan.reserve(1),
    threads: Array.from({ length: threads }, () => ({
      gram: plan.reserve(width * width),
      inverse: plan.reserve(width * width),
      work: plan.reserve(width * width, 8),
      scratch: plan.reserve(solveScratchFloats(width)),
    })),
  };
  return { plan, layout };
}
