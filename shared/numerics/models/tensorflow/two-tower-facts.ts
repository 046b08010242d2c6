/**
 * Owns the side features of the towers: each feature has a row of its own, and what goes into a tower is the entity's row plus the weighted mean of the rows of
 * what is known of it. Nothing known (or not allowed): the entity's row alone. Gradients of the sum are those of its parts, so TensorFlow sees sums only.
 */
import { checkSparseRows } from '../../check-input.ts';
import { AppError } from '../../../errors.ts';
import { sharedFloat32 } from '../../sparse.ts';
import type { SparseRows } from '../../types.ts';
import { type AdamOptions, adamStep, gatherRows, newTable, type Table } from './two-tower-memory.ts';

export interface Facts {
  /** A row a feature; all begin at 0: a feature says nothing until it has learned something. */
  readonly table: Table;
  /** A row an entity; the values of a row add up to 1. */
  readonly rows: SparseRows;
}

/** Weights of each row become shares. @throws AppError NUMERICS_INPUT_INVALID when the rows are not those of the entities. */
export function openFacts(
  rows: SparseRows | undefined,
  side: 'users' | 'items',
  entities: number,
  dimensions: number,
): Facts | undefined {
  if (rows === undefined || rows.indices.length === 0) return undefined;
  checkSparseRows(rows, `facts of ${side}`, true);
  if (rows.rows !== entities) {
    throw new AppError('NUMERICS_INPUT_INVALID', {
      message: `facts of ${side}: needs a row for each.`,
      details: { array: `facts.${side}`, rows: rows.rows, entities },
    });
  }
  const values = sharedFloat32(rows.values.length);
  for (let row = 0; row < rows.rows; row++) {
    const [from, to] = [rows.indptr[row]!, rows.indptr[row + 1]!];
    let total = 0;
    for (let at = from; at < to; at++) total += rows.values[at]!;
    for (let at = from; at < to; at++) values[at] = rows.values[at]! / total;
  }
  return { table: newTable(rows.columns, dimensions), rows: { ...rows, values } };
}

/** What goes into a tower, for some entities. */
export function towerRows(
  own: Pick<Table, 'width' | 'values'>,
  facts: Facts | undefined,
  ids: Int32Array,
): Float32Array {
  const rows = gatherRows(own, ids);
  if (facts === undefined) return rows;
  const { rows: of, table } = facts;
  const { width } = own;
  for (const [place, id] of ids.entries()) {
    for (let at = of.indptr[id]!; at < of.indptr[id + 1]!; at++) {
      const [from, weight] = [of.indices[at]! * width, of.values[at]!];
      for (let d = 0; d < width; d++) rows[place * width + d]! += weight * table.values[from + d]!;
    }
  }
  return rows;
}

/** One step of the features of the entities whose gradients these are. Features that none of them has stay as they are. */
export function factsStep(
  facts: Facts | undefined,
  ids: Int32Array,
  gradient: Float32Array,
  options: AdamOptions,
): void {
  if (facts === undefined) return;
  const { rows: of, table } = facts;
  const { width } = table;
  const places = new Map<number, number>();
  for (const id of ids) {
    for (let at = of.indptr[id]!; at < of.indptr[id + 1]!; at++) {
      if (!places.has(of.indices[at]!)) places.set(of.indices[at]!, places.size);
    }
  }
  const sums = new Float32Array(places.size * width);
  for (const [row, id] of ids.entries()) {
    for (let at = of.indptr[id]!; at < of.indptr[id + 1]!; at++) {
      const [to, weight] = [places.get(of.indices[at]!)! * width, of.values[at]!];
      for (let d = 0; d < width; d++) sums[to + d]! += weight * gradient[row * width + d]!;
    }
  }
  adamStep(table, Int32Array.from(places.keys()), sums, options);
}
