/** Owns what the threads do to cut an iALS fit into blocks of rows: its data, and the numbers that all blocks of a side share. */
import { sharedFloat32, sharedInt32, transpose } from '../sparse.ts';
import type { SparseRows, TrainInput } from '../types.ts';
import { confidences, mean, regularisersOf } from './ials.task.ts';
import { gramChunkRowsOf } from './ials-layout.ts';
import type { ResolvedIalsParams } from './ials-params.ts';

/** Rows [from, to) of one side: whole chunks of its Gram matrix, so that a block sums what one process would. */
export interface IalsBlock {
  readonly from: number;
  readonly to: number;
  readonly indptr: Int32Array;
  readonly indices: Int32Array;
  /** Confidences; empty when all are 1. */
  readonly weights: Float32Array;
  readonly regularisers: Float32Array;
}

export interface CutSide {
  readonly blocks: readonly IalsBlock[];
  /** Mean of the side's regularisers, as one process sums it. */
  readonly shift: number;
}

/** One thread. Linear in the interactions. */
export function cutBlocks({
  blocks,
  input,
  params,
  weighted,
}: {
  readonly input: TrainInput;
  readonly params: ResolvedIalsParams;
  readonly weighted: boolean;
  readonly blocks: number;
}): { readonly users: CutSide; readonly items: CutSide } {
  // Weights first: transposing carries them along.
  const interactions = { ...input.interactions, values: confidences(input, params) };
  const side = (rows: SparseRows): CutSide => cutSide(rows, params, weighted, blocks);
  return { users: side(interactions), items: side(transpose(interactions)) };
}

function cutSide(rows: SparseRows, params: ResolvedIalsParams, weighted: boolean, wanted: number): CutSide {
  const regularisers = regularisersOf(rows, params);
  const blocks = boundsOf(rows.rows, wanted).map(([from, to]): IalsBlock => {
    const [begin, end] = [rows.indptr[from]!, rows.indptr[to]!];
    const indptr = sharedInt32(to - from + 1);
    for (let row = from; row <= to; row++) indptr[row - from] = rows.indptr[row]! - begin;
    const values = weighted ? rows.values.subarray(begin, end) : [];
    return {
      from,
      to,
      indptr,
      indices: sharedInt32(end - begin, rows.indices.subarray(begin, end)),
      weights: sharedFloat32(values.length, values),
      regularisers: sharedFloat32(to - from, regularisers.subarray(from, to)),
    };
  });
  return { blocks, shift: mean(regularisers) };
}

/** As many blocks as are asked for, or one a chunk where there are fewer chunks. */
function boundsOf(rows: number, wanted: number): [number, number][] {
  const size = gramChunkRowsOf(rows);
  const chunks = Math.ceil(rows / size);
  const blocks = Math.min(wanted, chunks);
  const begin = (block: number) => Math.min(rows, Math.floor((chunks * block) / blocks) * size);
  return Array.from({ length: blocks }, (_, block) => [begin(block), begin(block + 1)]);
}
