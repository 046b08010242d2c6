/** Owns building and turning sparse rows. Everything is linear in the interactions; results lie on shared buffers. */
import type { SparseRows } from './types.ts';

/** Rows become columns; each new row is ascending. Safe to call in a thread or, up to some million interactions, at load time. */
export function transpose(sparse: SparseRows): SparseRows {
  const { rows, columns, indices, values } = sparse;
  const indptr = sharedInt32(columns + 1);
  for (const column of indices) indptr[column + 1]!++;
  for (let column = 0; column < columns; column++) indptr[column + 1]! += indptr[column]!;
  const next = indptr.slice(0, columns);
  const turned = sharedInt32(indices.length);
  const weights = sharedFloat32(indices.length);
  for (let row = 0; row < rows; row++) {
    for (let at = sparse.indptr[row]!; at < sparse.indptr[row + 1]!; at++) {
      const to = next[indices[at]!]!++;
      turned[to] = row;
      weights[to] = values[at]!;
    }
  }
  return { rows: columns, columns: rows, indptr, indices: turned, values: weights };
}

/**
 * Sparse rows from triples in any order; a pair that comes twice keeps the largest value (that is what one rating changed later,
 * or a repeated import, should mean to a model of implicit feedback).
 */
export function fromTriples(
  rows: number,
  columns: number,
  users: ArrayLike<number>,
  items: ArrayLike<number>,
  values: ArrayLike<number>,
): SparseRows {
  const byItem = countingSort(users.length, columns, (n) => items[n]!);
  const order = countingSort(users.length, rows, (n) => users[n]!, byItem);
  const indptr = sharedInt32(rows + 1);
  const indices = new Int32Array(users.length);
  const kept = new Float32Array(users.length);
  let count = 0;
  for (let n = 0; n < order.length; n++) {
    const at = order[n]!;
    const [user, item, value] = [users[at]!, items[at]!, values[at]!];
    const repeats = n > 0 && users[order[n - 1]!] === user && items[order[n - 1]!] === item;
    if (repeats) {
      kept[count - 1] = Math.max(kept[count - 1]!, value);
      continue;
    }
    indices[count] = item;
    kept[count] = value;
    count++;
    indptr[user + 1]!++;
  }
  for (let row = 0; row < rows; row++) indptr[row + 1]! += indptr[row]!;
  return {
    rows,
    columns,
    indptr,
    indices: sharedInt32(count, indices.subarray(0, count)),
    values: sharedFloat32(count, kept.subarray(0, count)),
  };
}

/** Stable: the order of `previous` (or 0, 1, 2, ...) within equal keys. */
function countingSort(count: number, keys: number, key: (n: number) => number, previous?: Int32Array): Int32Array {
  const starts = new Int32Array(keys + 1);
  for (let n = 0; n < count; n++) starts[key(n) + 1]!++;
  for (let k = 0; k < keys; k++) starts[k + 1]! += starts[k]!;
  const order = new Int32Array(count);
  for (let n = 0; n < count; n++) {
    const at = previous === undefined ? n : previous[n]!;
    order[starts[key(at)]!++] = at;
  }
  return order;
}

/** No interactions at all: for `exclude` when nothing is excluded. */
export function emptyRows(rows: number, columns: number): SparseRows {
  return { rows, columns, indptr: sharedInt32(rows + 1), indices: sharedInt32(0), values: sharedFloat32(0) };
}

/** Row-wise union; values come from `a` where both have the pair. */
export function unionRows(a: SparseRows, b: SparseRows): SparseRows {
  const indptr = sharedInt32(a.rows + 1);
  const indices = new Int32Array(a.indices.length + b.indices.length);
  const values = new Float32Array(indices.length);
  let count = 0;
  for (let row = 0; row < a.rows; row++) {
    let [i, j] = [a.indptr[row]!, b.indptr[row]!];
    const [iEnd, jEnd] = [a.indptr[row + 1]!, b.indptr[row + 1]!];
    while (i < iEnd || j < jEnd) {
      const left = i < iEnd ? a.indices[i]! : Infinity;
      const right = j < jEnd ? b.indices[j]! : Infinity;
      indices[count] = Math.min(left, right);
      values[count++] = left <= right ? a.values[i]! : b.values[j]!;
      if (left <= right) i++;
      if (right <= left) j++;
    }
    indptr[row + 1] = count;
  }
  return {
    rows: a.rows,
    columns: a.columns,
    indptr,
    indices: sharedInt32(count, indices.subarray(0, count)),
    values: sharedFloat32(count, values.subarray(0, count)),
  };
}

export function sharedInt32(length: number, from?: ArrayLike<number>): Int32Array<SharedArrayBuffer> {
  const array = new Int32Array(new SharedArrayBuffer(length * 4));
  if (from !== undefined) array.set(from);
  return array;
}

export function sharedUint32(length: number): Uint32Array<SharedArrayBuffer> {
  return new Uint32Array(new SharedArrayBuffer(length * 4));
}

export function sharedFloat32(length: number, from?: ArrayLike<number>): Float32Array<SharedArrayBuffer> {
  const array = new Float32Array(new SharedArrayBuffer(length * 4));
  if (from !== undefined) array.set(from);
  return array;
}
