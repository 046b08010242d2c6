/** Owns the slow, readable version of ./assembly/inverse.ts and of the weights that EASE makes of it, in float64 on dense matrices. */

/** X'X + lambda I for a dense X (rows are users). */
export function gramMatrix(x: readonly (readonly number[])[], lambda: number): number[][] {
  const items = x[0]?.length ?? 0;
  return Array.from({ length: items }, (_, i) =>
    Array.from(
      { length: items },
      (_unused, j) => x.reduce((sum, row) => sum + row[i]! * row[j]!, 0) + (i === j ? lambda : 0),
    ),
  );
}

/** The inverse by Gauss-Jordan elimination with partial pivoting. @throws RangeError when it is singular. */
export function inverseReference(matrix: readonly (readonly number[])[]): number[][] {
  const n = matrix.length;
  const rows = matrix.map((row, i) => [...row, ...Array.from({ length: n }, (_, j) => (i === j ? 1 : 0))]);
  for (let k = 0; k < n; k++) {
    let best = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(rows[i]![k]!) > Math.abs(rows[best]![k]!)) best = i;
    [rows[k], rows[best]] = [rows[best]!, rows[k]!];
    const pivot = rows[k]![k]!;
    if (pivot === 0) throw new RangeError('singular');
    rows[k] = rows[k]!.map((value) => value / pivot);
    for (let i = 0; i < n; i++) {
      const factor = rows[i]![k]!;
      if (i !== k && factor !== 0) rows[i] = rows[i]!.map((value, j) => value - factor * rows[k]![j]!);
    }
  }
  return rows.map((row) => row.slice(n));
}

/** B_ij = -P_ij / P_jj, zero on the diagonal (Steck, WWW 2019). */
export function easeReference(x: readonly (readonly number[])[], lambda: number): number[][] {
  const p = inverseReference(gramMatrix(x, lambda));
  return p.map((row, i) => row.map((value, j) => (i === j ? 0 : -value / p[j]![j]!)));
}
