/** Owns the slow, readable version of the graph filter (./assembly/graph.ts and the factors that it gets), in float64 on dense matrices. */
import { exponentialSeries, type GraphFilterParams, TAIL_SHARE } from '../models/graph-filter-params.ts';
import { symmetricEigen } from '../spectral/symmetric-eigen.ts';

type Matrix = readonly (readonly number[])[];

const times = (a: Matrix, b: Matrix): number[][] =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, value, k) => sum + value * b[k]![j]!, 0)));
const turn = (a: Matrix): number[][] => a[0]!.map((_, j) => a.map((row) => row[j]!));
const scaleColumns = (a: Matrix, by: readonly number[]): number[][] => a.map((row) => row.map((v, j) => v * by[j]!));
const add = (a: Matrix, b: Matrix, weight: number): number[][] =>
  a.map((row, i) => row.map((value, j) => value + weight * b[i]![j]!));

/** The scores of all users (rows of `r`) for all items. Every row and column of `r` has something in it. */
export function graphFilterReference(r: Matrix, params: GraphFilterParams): number[][] {
  const positive = (rows: Matrix) => rows.map((row) => row.map((value) => Math.max(0, value)));
  const sums = (rows: Matrix) => positive(rows).map((row) => row.reduce((sum, value) => sum + value, 0));
  const inverse = (value: number) => (value > 0 ? 1 / value : 0);
  const [rowDegrees, columnDegrees] = [sums(r), sums(turn(r))];
  const roots = columnDegrees.map(Math.sqrt);
  const scaled = r.map((row, u) =>
    row.map((value, i) => value * inverse(Math.sqrt(rowDegrees[u]! * columnDegrees[i]!))),
  );
  const liked = positive(scaled);
  const gram = times(turn(liked), liked);
  const { values, vectors } = symmetricEigen(Float64Array.from(gram.flat()), gram.length);
  const rank = Math.min(params.rank, r.length, gram.length);
  const top = [...values.subarray(0, rank)];
  const vt = top.map((_, k) => [...vectors.subarray(k * gram.length, (k + 1) * gram.length)]);
  const v = turn(vt);
  const local = times(params.left === 'raw' ? r : scaled, gram);
  const spread = times(scaleColumns(r, roots.map(inverse)), v);
  const w = scaleColumns(vt, roots);
  if (params.filter === 'linear') return add(local, times(spread, w), params.lowRank);
  const series = top.map((value) => exponentialSeries(value, params.time));
  const tail = exponentialSeries(TAIL_SHARE * top.at(-1)!, params.time);
  const lifted = scaleColumns(
    times(r, v),
    top.map((value, k) => value * (series[k]! - tail)),
  );
  const sharp = add(
    w,
    times(
      scaleColumns(
        times(w, v),
        series.map((value) => value - 1),
      ),
      vt,
    ),
    1,
  );
  const smooth = add(
    times(lifted, vt),
    local.map((row) => row.map((value) => tail * value)),
    1,
  );
  return add(smooth, times(spread, sharp), params.lowRank);
}
