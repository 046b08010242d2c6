/** Owns the checks on arrays before any work starts: kernels trust what they are given. Linear in the data. */
import { AppError } from '../errors.ts';
import { KEY_BYTES, type Origins, type RankOptions, type SparseRows, type TrainInput } from './types.ts';

/** Bound on entities of one side and on ids: offsets stay within 32 bits. */
const ENTITIES_MAX = 2 ** 30;

function refuse(message: string, details: Readonly<Record<string, unknown>>): never {
  throw new AppError('NUMERICS_INPUT_INVALID', { message, details });
}

/**
 * Shape, ids in range, rows ascending and distinct, values finite (and above 0 if `positive`).
 * @throws AppError NUMERICS_INPUT_INVALID naming the array and the place.
 */
export function checkSparseRows(sparse: SparseRows, name: string, positive: boolean): void {
  const { rows, columns, indptr, indices, values } = sparse;
  for (const [what, count] of Object.entries({ rows, columns })) {
    if (!Number.isInteger(count) || count < 0 || count > ENTITIES_MAX) {
      refuse(`${name}: ${what} must be a whole number up to 2^30.`, { array: name, [what]: count });
    }
  }
  if (indptr.length !== rows + 1 || indptr[0] !== 0 || indptr[rows] !== indices.length) {
    refuse(`${name}: indptr does not span the indices.`, { array: name, rows, indptr: indptr.length });
  }
  if (values.length !== indices.length) {
    refuse(`${name}: values and indices differ in length.`, { array: name, values: values.length });
  }
  for (let row = 0; row < rows; row++) {
    if (indptr[row + 1]! < indptr[row]!) refuse(`${name}: indptr decreases.`, { array: name, row });
    checkRow(sparse, row, name, positive);
  }
}

function checkRow(
  { columns, indptr, indices, values }: SparseRows,
  row: number,
  name: string,
  positive: boolean,
): void {
  let previous = -1;
  for (let at = indptr[row]!; at < indptr[row + 1]!; at++) {
    const column = indices[at]!;
    const value = values[at]!;
    if (column <= previous) refuse(`${name}: a row is not ascending and distinct.`, { array: name, row, column });
    if (column >= columns) refuse(`${name}: a column is out of range.`, { array: name, row, column, columns });
    if (!Number.isFinite(value)) refuse(`${name}: a value is not finite.`, { array: name, row, column, value });
    if (positive && value <= 0) refuse(`${name}: a value is not above 0.`, { array: name, row, column, value });
    previous = column;
  }
}

/**
 * What every fit checks first. `signed` admits negative values (explicit dislikes); 0 is never admitted.
 * @throws AppError NUMERICS_INPUT_INVALID, or DATASET_EMPTY when there is nothing to learn from.
 */
export function checkTrainInput(input: TrainInput, options: { readonly signed?: boolean } = {}): void {
  const { interactions, userKeys, itemKeys, times, origins, influence } = input;
  checkSparseRows(interactions, 'interactions', options.signed !== true);
  if (interactions.indices.length === 0) throw new AppError('DATASET_EMPTY');
  if (options.signed && interactions.values.includes(0)) {
    refuse('interactions: a value is 0.', { array: 'interactions' });
  }
  for (let row = 0; row < interactions.rows; row++) {
    if (interactions.indptr[row] === interactions.indptr[row + 1]) {
      refuse('interactions: a user has none.', { array: 'interactions', row });
    }
  }
  checkKeys(userKeys, interactions.rows, 'userKeys');
  checkKeys(itemKeys, interactions.columns, 'itemKeys');
  if (times !== undefined && times.length !== interactions.indices.length) {
    refuse('times and interactions differ in length.', { array: 'times', length: times.length });
  }
  const strange = times?.findIndex((time) => !Number.isFinite(time)) ?? -1;
  if (strange >= 0) refuse('times: a time is not finite.', { array: 'times', at: strange, value: times![strange] });
  if (origins !== undefined) checkOrigins(origins, interactions.indices.length);
  if (influence !== undefined) checkInfluence(influence, interactions.indices.length);
}

function checkInfluence(influence: Float32Array, interactions: number): void {
  if (influence.length !== interactions)
    refuse('influence and interactions differ in length.', { array: 'influence', length: influence.length });
  const strange = influence.findIndex((one) => !(one >= 0 && one <= 1));
  if (strange >= 0)
    refuse('influence: must be from 0 to 1.', { array: 'influence', at: strange, value: influence[strange] });
}

function checkOrigins({ names, of }: Origins, interactions: number): void {
  if (of.length !== interactions) {
    refuse('origins and interactions differ in length.', { array: 'origins', length: of.length });
  }
  const strange = of.findIndex((source) => source >= names.length);
  if (strange >= 0)
    refuse('origins: a source is out of range.', { array: 'origins', at: strange, source: of[strange] });
}

function checkKeys(keys: Uint8Array | undefined, count: number, name: string): void {
  if (keys !== undefined && keys.length !== count * KEY_BYTES) {
    refuse(`${name} must hold ${KEY_BYTES} bytes an entity.`, { array: name, length: keys.length, entities: count });
  }
}

/** Bound on `k`: a list is kept sorted by insertion. */
export const RANK_K_MAX = 10_000;

/** @throws AppError NUMERICS_INPUT_INVALID */
export function checkListLength(k: number): void {
  if (!Number.isInteger(k) || k < 1 || k > RANK_K_MAX)
    refuse(`k must be a whole number from 1 to ${RANK_K_MAX}.`, { k });
}

/** @throws AppError NUMERICS_INPUT_INVALID when `k` or `exclude` does not fit the model. */
export function checkRankOptions({ k, exclude }: RankOptions, users: number, items: number): void {
  checkListLength(k);
  checkSparseRows(exclude, 'exclude', false);
  if (exclude.rows !== users || exclude.columns !== items) {
    refuse('exclude must have a row per user and a column per item.', {
      array: 'exclude',
      rows: exclude.rows,
      columns: exclude.columns,
      users,
      items,
    });
  }
}
