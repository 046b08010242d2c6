/** Owns where everything of one iALS fit lies in the kernel's memory, and the sizes of its fixed logical chunks. */
import { MemoryPlan, paddedWidth, type Region } from '../engine/memory.ts';

/** Rows of factors per chunk of the Gram matrix: at least this, and at most GRAM_CHUNKS_MAX chunks. */
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
}

export interface IalsLayout {
  readonly width: number;
  readonly users: IalsSide;
  readonly items: IalsSide;
  readonly gramParts: Region;
  /** The reduced Gram matrix of the fixed side, as panels. */
  readonly gram: Region;
  readonly counter: Region;
  readonly scratch: readonly Region[];
}

export interface IalsSizes {
  readonly users: number;
  readonly items: number;
  readonly interactions: number;
  readonly factors: number;
  readonly weighted: boolean;
  readonly threads: number;
}

/** Scratch of solveRows: three blocks of 16 rows and their squares (solveScratchBytes in the kernel; a test compares). */
export function solveScratchFloats(width: number): number {
  return 3 * 16 * width + 64;
}

export function layOutIals(sizes: IalsSizes): { readonly plan: MemoryPlan; readonly layout: IalsLayout } {
  const plan = new MemoryPlan();
  const width = paddedWidth(sizes.factors);
  const side = (count: number): IalsSide => {
    const gramChunkRows = Math.max(GRAM_CHUNK_ROWS_MIN, Math.ceil(count / GRAM_CHUNKS_MAX));
    return {
      count,
      indptr: plan.reserve(count + 1),
      indices: plan.reserve(sizes.interactions),
      weights: plan.reserve(sizes.weighted ? sizes.interactions : 0),
      regularisers: plan.reserve(count),
      factors: plan.reserve(count * width),
      gramChunkRows,
      gramChunks: Math.ceil(count / gramChunkRows),
    };
  };
  const users = side(sizes.users);
  const items = side(sizes.items);
  const chunks = Math.max(users.gramChunks, items.gramChunks);
  const layout = {
    width,
    users,
    items,
    gramParts: plan.reserve(chunks * width * width),
    gram: plan.reserve(width * width),
    counter: plan.reserve(1),
    scratch: Array.from({ length: sizes.threads }, () => plan.reserve(solveScratchFloats(width))),
  };
  return { plan, layout };
}
