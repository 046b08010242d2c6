/** Owns what the threads of a graph filter's fit do besides the singular vectors: the scaled graph, and the factors of the low-rank part. */
import { checkTrainInput } from '../check-input.ts';
import { f32, f64 } from '../engine/memory.ts';
import { transpose } from '../sparse.ts';
import type { SvdLayout } from '../spectral/randomised-svd.ts';
import type { SparseRows, TrainInput } from '../types.ts';
import type { FilterSource } from './graph-filter.ts';
import { exponentialSeries, type GraphFilterParams, TAIL_SHARE } from './graph-filter-params.ts';
import { writeRows } from './item-knn.task.ts';
import { weightsOf } from './value-weight.ts';

interface Shared {
  readonly memory: WebAssembly.Memory;
  readonly svd: SvdLayout;
  readonly params: GraphFilterParams;
  readonly source: FilterSource;
  /** Vectors wanted; width of the factors. */
  readonly rank: number;
  readonly width: number;
}

/** Eigenvalues below this share of the first are rounding, not structure. */
const NULL_SHARE = 1e-10;

/** Checks the input, fills in the graph of what is liked, and writes it for the SVD. A dislike is in what a person enters the graph with. One thread. */
export function prepare({ input, memory, params, source, svd }: Shared & { readonly input: TrainInput }): void {
  checkTrainInput(input, { signed: true });
  const { interactions } = input;
  const { byUser, byItem, left, weights } = source;
  byUser.indptr.set(interactions.indptr);
  byUser.indices.set(interactions.indices);
  weights.set(weightsOf(input, params));
  const rowRoots = degreeRoots({ ...interactions, values: weights });
  const columnRoots = degreeRoots(transpose({ ...interactions, values: weights }));
  for (let user = 0; user < interactions.rows; user++) {
    for (let at = interactions.indptr[user]!; at < interactions.indptr[user + 1]!; at++) {
      const scaled = weights[at]! * inverse(rowRoots[user]!) * inverse(columnRoots[interactions.indices[at]!]!);
      byUser.values[at] = Math.max(0, scaled);
      left[at] = params.left === 'raw' ? weights[at]! : scaled;
    }
  }
  const turned = transpose(byUser);
  byItem.indptr.set(turned.indptr);
  byItem.indices.set(turned.indices);
  byItem.values.set(turned.values);
  writeRows(memory, svd.users.rows, byUser);
  writeRows(memory, svd.items.rows, byItem);
}

/** Square roots of the rows' degrees, in which only likes count; 0 where there is none. */
function degreeRoots({ indptr, rows, values }: SparseRows): Float64Array {
  const sums = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    for (let at = indptr[row]!; at < indptr[row + 1]!; at++) sums[row]! += Math.max(0, values[at]!);
  }
  return sums.map((sum) => Math.sqrt(sum));
}

/** Writes A and B, such that the low-rank part of the scores is (weights A) B'. Returns the weight of the local part. One thread. */
export function findFactors(shared: Shared): number {
  const { memory, params, source, svd } = shared;
  const values = f64(memory, svd.values);
  let rank = 0;
  while (rank < shared.rank && values[rank]! > NULL_SHARE * values[0]!) rank++;
  const roots = degreeRoots(transpose({ ...source.byUser, values: source.weights }));
  const vectors = f32(memory, svd.items.basis);
  if (params.filter === 'linear') {
    writeLinear(shared, rank, roots, vectors);
    return 1;
  }
  const tail = exponentialSeries(TAIL_SHARE * values[rank - 1]!, params.time);
  writeSharpened(shared, rank, roots, vectors, tail);
  return tail;
}

const inverse = (root: number) => (root > 0 ? 1 / root : 0);

/** A = Di^-1/2 V, B = alpha Di^1/2 V. */
function writeLinear(
  { params, source: { a, b }, svd, width }: Shared,
  rank: number,
  roots: Float64Array,
  vectors: Float32Array,
): void {
  roots.forEach((root, item) => {
    for (let k = 0; k < rank; k++) {
      const v = vectors[item * svd.width + k]!;
      a[item * width + k] = inverse(root) * v;
      b[item * width + k] = params.lowRank * root * v;
    }
  });
}

/** A = [V | Di^-1/2 V], B = [V diag(l (p - c)) | beta (Di^1/2 V + V diag(p - 1) M)] with M = V' Di^1/2 V. */
function writeSharpened(
  { memory, params, source: { a, b }, svd, width }: Shared,
  rank: number,
  roots: Float64Array,
  vectors: Float32Array,
  tail: number,
): void {
  const values = f64(memory, svd.values);
  const series = Float64Array.from({ length: rank }, (_, k) => exponentialSeries(values[k]!, params.time));
  const mixed = mixing(vectors, svd.width, roots, rank);
  const row = new Float64Array(rank);
  for (let item = 0; item < roots.length; item++) {
    const own = vectors.subarray(item * svd.width, item * svd.width + rank);
    row.fill(0);
    for (let k = 0; k < rank; k++) {
      const weight = own[k]! * (series[k]! - 1);
      for (let j = 0; j < rank; j++) row[j]! += weight * mixed[k * rank + j]!;
    }
    const at = item * width;
    for (let k = 0; k < rank; k++) {
      a[at + k] = own[k]!;
      b[at + k] = own[k]! * values[k]! * (series[k]! - tail);
      a[at + rank + k] = inverse(roots[item]!) * own[k]!;
      b[at + rank + k] = params.lowRank * (roots[item]! * own[k]! + row[k]!);
    }
  }
}

/** V' Di^1/2 V, rank * rank. */
function mixing(vectors: Float32Array, stride: number, roots: Float64Array, rank: number): Float64Array {
  const mixed = new Float64Array(rank * rank);
  roots.forEach((root, item) => {
    for (let i = 0; i < rank; i++) {
      const weight = root * vectors[item * stride + i]!;
      for (let j = 0; j < rank; j++) mixed[i * rank + j]! += weight * vectors[item * stride + j]!;
    }
  });
  return mixed;
}
