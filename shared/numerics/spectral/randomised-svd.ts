/**
 * Owns the top right singular vectors of sparse rows by randomised subspace iteration (Halko, Martinsson, Tropp: "Finding structure
 * with randomness", SIAM Review 53(2), 2011, algorithms 4.4 and 5.1): keyed normal draws, products with the rows and their transpose,
 * Cholesky QR in float64, Rayleigh-Ritz at the end. A coordinator of phases; the same bytes for any number of threads.
 * Complexity: (2 iterations + 1) * interactions * width + (iterations + 2) * (users + items) * width^2 multiply-adds.
 */
import { cancellation } from '../../compute/cancellation.ts';
import { type MemoryPlan, paddedWidth, type Region } from '../engine/memory.ts';
import { sharedPhase } from '../engine/work-sharing.ts';
import type { RowRegions } from '../models/item-knn.ts';
import type { FitContext } from '../types.ts';

const TASKS = new URL('./randomised-svd.task.ts', import.meta.url).href;

/** Rows of one chunk of a Gram matrix: at least this, and at most GRAM_CHUNKS_MAX chunks, so that sums have one order. */
const GRAM_CHUNK_ROWS_MIN = 512;
const GRAM_CHUNKS_MAX = 16;

export interface SvdSide {
  readonly count: number;
  readonly rows: RowRegions;
  /** count (padded to 4) * width float32. */
  readonly basis: Region;
  readonly gramChunkRows: number;
  readonly gramChunks: number;
}

export interface SvdLayout {
  /** Directions that are followed: the rank and the oversampling, padded. */
  readonly width: number;
  readonly users: SvdSide;
  readonly items: SvdSide;
  readonly gramParts: Region;
  /** The transform at hand as panels of eight columns. */
  readonly transform: Region;
  /** Squares of the singular values, descending; float64. */
  readonly values: Region;
  readonly counter: Region;
  readonly scratch: readonly Region[];
}

/** Rows that a thread takes at a time. A multiple of 4. */
export const SVD_CHUNK_ROWS = 64;

export interface SvdSizes {
  readonly users: number;
  readonly items: number;
  readonly interactions: number;
  /** Directions wanted, oversampling included. */
  readonly directions: number;
  readonly threads: number;
}

export function layOutSvd(plan: MemoryPlan, sizes: SvdSizes): SvdLayout {
  const { interactions, threads } = sizes;
  const width = paddedWidth(sizes.directions);
  const side = (count: number): SvdSide => {
    const gramChunkRows = Math.max(GRAM_CHUNK_ROWS_MIN, Math.ceil(count / GRAM_CHUNKS_MAX));
    return {
      count,
      rows: {
        indptr: plan.reserve(count + 1),
        indices: plan.reserve(interactions),
        values: plan.reserve(interactions),
      },
      basis: plan.reserve(Math.ceil(count / 4) * 4 * width),
      gramChunkRows,
      gramChunks: Math.ceil(count / gramChunkRows),
    };
  };
  const users = side(sizes.users);
  const items = side(sizes.items);
  const chunks = Math.max(users.gramChunks, items.gramChunks);
  return {
    width,
    users,
    items,
    gramParts: plan.reserve(chunks * width * width, 8),
    transform: plan.reserve(width * width),
    values: plan.reserve(width, 8),
    counter: plan.reserve(1),
    scratch: Array.from({ length: threads }, () => plan.reserve(SVD_CHUNK_ROWS * width)),
  };
}

export interface SvdShared {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly svd: SvdLayout;
}

/**
 * Leaves the singular vectors, best first, in the columns of `items.basis` and the squared values in `values`. The rows of both sides must
 * be in the memory. Directions beyond the rank of the rows are 0.
 * @throws AppError CANCELLED.
 */
export async function rightSingularVectors(
  shared: SvdShared,
  how: { readonly iterations: number; readonly itemKeys: Uint8Array | undefined },
  { pool, seed, signal, onProgress }: FitContext,
): Promise<void> {
  const { memory, svd } = shared;
  const everywhere = (name: string, more: object = {}) => {
    const task = { module: TASKS, name, payload: { ...shared, ...more } };
    return pool.runPhase(sharedPhase(pool.threads, memory, svd.counter, task), signal);
  };
  const once = (name: string, more: object = {}) =>
    pool.runPhase([{ module: TASKS, name, payload: { ...shared, ...more } }], signal);
  const orthonormalise = async () => {
    await everywhere('gram', { side: 'items' });
    await once('findTransform', { side: 'items' });
    await everywhere('transformBasis', { side: 'items' });
  };
  await everywhere('draw', { seed, itemKeys: how.itemKeys });
  for (let iteration = 0; iteration < how.iterations; iteration++) {
    if (signal?.aborted) throw cancellation(signal);
    await everywhere('multiply', { side: 'users' });
    await everywhere('multiply', { side: 'items' });
    await orthonormalise();
    onProgress?.({ done: iteration + 1, total: how.iterations, label: 'iterations' });
  }
  await orthonormalise();
  await everywhere('multiply', { side: 'users' });
  await everywhere('gram', { side: 'users' });
  await once('findRotation');
  await everywhere('transformBasis', { side: 'items' });
}
