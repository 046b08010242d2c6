/**
 * Owns the eigenvalues and vectors of a small symmetric matrix, by cyclic Jacobi rotations in float64 (Golub and Van Loan, "Matrix
 * Computations", 8.5). Only +, -, *, / and sqrt: the same bytes on every CPU. Complexity: some 8 sweeps of 6 n^3 operations.
 */

export interface SymmetricEigen {
  /** Descending; n. */
  readonly values: Float64Array;
  /** Row k is the unit vector of values[k]; n * n. */
  readonly vectors: Float64Array;
}

const SWEEPS_MAX = 60;
/** Off-diagonal part below which the matrix counts as diagonal, relative to its norm. */
const TOLERANCE = 1e-15;

/** `matrix` is n * n, row-major, symmetric; not written to. */
export function symmetricEigen(matrix: Float64Array, n: number): SymmetricEigen {
  const a = matrix.slice();
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  let norm = 0;
  for (const value of a) norm += value * value;
  const small = TOLERANCE * Math.sqrt(norm);
  for (let sweep = 0; sweep < SWEEPS_MAX && offDiagonal(a, n) > small; sweep++) {
    for (let p = 0; p < n - 1; p++) for (let q = p + 1; q < n; q++) rotate(a, v, n, p, q);
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[j * n + j]! - a[i * n + i]! || i - j);
  const vectors = new Float64Array(n * n);
  order.forEach((from, to) => vectors.set(v.subarray(from * n, (from + 1) * n), to * n));
  return { values: Float64Array.from(order, (i) => a[i * n + i]!), vectors };
}

function offDiagonal(a: Float64Array, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) sum += 2 * a[i * n + j]! ** 2;
  return Math.sqrt(sum);
}

/** Makes a[p][q] zero. Rows of `v` are the vectors so far. */
function rotate(a: Float64Array, v: Float64Array, n: number, p: number, q: number): void {
  const [pp, qq, pq] = [a[p * n + p]!, a[q * n + q]!, a[p * n + q]!];
  if (pq === 0) return;
  const tau = (qq - pp) / (2 * pq);
  const t = (tau >= 0 ? 1 : -1) / (Math.abs(tau) + Math.sqrt(1 + tau * tau));
  const c = 1 / Math.sqrt(1 + t * t);
  const s = t * c;
  mixRows(a, n, p, q, c, s);
  for (let k = 0; k < n; k++) {
    if (k === p || k === q) continue;
    a[k * n + p] = a[p * n + k]!;
    a[k * n + q] = a[q * n + k]!;
  }
  a[p * n + p] = pp - t * pq;
  a[q * n + q] = qq + t * pq;
  a[p * n + q] = 0;
  a[q * n + p] = 0;
  mixRows(v, n, p, q, c, s);
}

function mixRows(rows: Float64Array, n: number, p: number, q: number, c: number, s: number): void {
  const [one, two] = [p * n, q * n];
  for (let k = 0; k < n; k++) {
    const [x, y] = [rows[one + k]!, rows[two + k]!];
    rows[one + k] = c * x - s * y;
    rows[two + k] = s * x + c * y;
  }
}
