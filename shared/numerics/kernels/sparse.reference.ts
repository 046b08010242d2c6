/** Owns the slow, readable version of ./assembly/sparse.ts, in float64. */
import type { SparseRows } from '../types.ts';

/** Sparse rows times a dense row-major matrix with `width` columns. */
export function sparseProductReference(sparse: SparseRows, dense: ArrayLike<number>, width: number): number[][] {
  return Array.from({ length: sparse.rows }, (_, row) => {
    const sum = Array.from({ length: width }, () => 0);
    for (let at = sparse.indptr[row]!; at < sparse.indptr[row + 1]!; at++) {
      for (let d = 0; d < width; d++) sum[d]! += sparse.values[at]! * dense[sparse.indices[at]! * width + d]!;
    }
    return sum;
  });
}
