/** Owns the slow, readable version of ./assembly/als.ts, in float64: what the kernel is compared with. */

/** Sparse rows as the kernel reads them; `weights` absent means all 1. */
export interface ReferenceRows {
  readonly indptr: ArrayLike<number>;
  readonly indices: ArrayLike<number>;
  readonly weights?: ArrayLike<number>;
}

/** Y'Y of a row-major matrix with `width` columns. */
export function gramReference(y: ArrayLike<number>, width: number): Float64Array {
  const gram = new Float64Array(width * width);
  for (let row = 0; row < y.length / width; row++) {
    for (let i = 0; i < width; i++) {
      for (let j = 0; j < width; j++) gram[i * width + j]! += y[row * width + i]! * y[row * width + j]!;
    }
  }
  return gram;
}

/**
 * The normal equations of one row: A = a0 G + reg I + sum |w| y y', b = sum of the positive w times y. With w all 1 this is the
 * minimiser of sum (1 - x.y)^2 + a0 sum_all (x.y)^2 + reg |x|^2.
 */
export function normalEquations(
  row: number,
  rows: ReferenceRows,
  y: ArrayLike<number>,
  width: number,
  gram: Float64Array,
  unobservedWeight: number,
  regulariser: number,
): { readonly a: Float64Array; readonly b: Float64Array } {
  const a = gram.map((value) => value * unobservedWeight);
  const b = new Float64Array(width);
  for (let i = 0; i < width; i++) a[i * width + i]! += regulariser;
  for (let at = rows.indptr[row]!; at < rows.indptr[row + 1]!; at++) {
    const weight = rows.weights?.[at] ?? 1;
    const start = rows.indices[at]! * width;
    for (let i = 0; i < width; i++) {
      if (weight > 0) b[i]! += weight * y[start + i]!;
      for (let j = 0; j < width; j++) a[i * width + j]! += Math.abs(weight) * y[start + i]! * y[start + j]!;
    }
  }
  return { a, b };
}

/** Solves a x = b by Gaussian elimination with pivoting. */
export function solveExactly(a: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  const [m, x] = [a.slice(), b.slice()];
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let row = column + 1; row < n; row++) {
      if (Math.abs(m[row * n + column]!) > Math.abs(m[pivot * n + column]!)) pivot = row;
    }
    for (let k = 0; k < n; k++) [m[column * n + k], m[pivot * n + k]] = [m[pivot * n + k]!, m[column * n + k]!];
    [x[column], x[pivot]] = [x[pivot]!, x[column]!];
    for (let row = column + 1; row < n; row++) {
      const factor = m[row * n + column]! / m[column * n + column]!;
      for (let k = column; k < n; k++) m[row * n + k]! -= factor * m[column * n + k]!;
      x[row]! -= factor * x[column]!;
    }
  }
  for (let row = n - 1; row >= 0; row--) {
    for (let k = row + 1; k < n; k++) x[row]! -= m[row * n + k]! * x[k]!;
    x[row]! /= m[row * n + row]!;
  }
  return x;
}

/** `steps` steps of conjugate gradients on a x = b from `start`, preconditioned by `inverse` (absent: not at all). */
export function conjugateGradients(
  a: Float64Array,
  b: Float64Array,
  start: ArrayLike<number>,
  steps: number,
  inverse?: Float64Array,
): Float64Array {
  const n = b.length;
  const times = (matrix: Float64Array, v: Float64Array) =>
    Float64Array.from({ length: n }, (_, i) => v.reduce((sum, value, j) => sum + matrix[i * n + j]! * value, 0));
  const dot = (u: Float64Array, v: Float64Array) => u.reduce((sum, value, i) => sum + value * v[i]!, 0);
  const precondition = (v: Float64Array) => (inverse === undefined ? v : times(inverse, v));
  const x = Float64Array.from(start);
  const first = times(a, x);
  let r = b.map((value, i) => value - first[i]!);
  let z = precondition(r);
  let p = z.slice();
  for (let step = 0; step < steps; step++) {
    const before = dot(r, z);
    if (before < 1e-20) break;
    const ap = times(a, p);
    const alpha = before / dot(p, ap);
    for (let i = 0; i < n; i++) x[i]! += alpha * p[i]!;
    r = r.map((value, i) => value - alpha * ap[i]!);
    z = precondition(r);
    const beta = dot(r, z) / before;
    p = p.map((value, i) => z[i]! + beta * value);
  }
  return x;
}

/** (gram + shift I)^-1. */
export function shiftedInverse(gram: Float64Array, shift: number): Float64Array {
  const n = Math.sqrt(gram.length);
  const a = gram.map((value, at) => (at % (n + 1) === 0 ? value + shift : value));
  const inverse = new Float64Array(n * n);
  for (let column = 0; column < n; column++) {
    const unit = Float64Array.from({ length: n }, (_, i) => (i === column ? 1 : 0));
    solveExactly(a, unit).forEach((value, row) => {
      inverse[row * n + column] = value;
    });
  }
  return inverse;
}
