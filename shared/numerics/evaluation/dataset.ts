/**
 * Owns turning files of interactions into arrays: the canonical order of ids, dense ids, and what to exclude and to test.
 * Ids are ordered as whole numbers where both are (so 2 comes before 10), else as text; numbers before text.
 */
import { createHash } from 'node:crypto';
import { AppError } from '../../errors.ts';
import { emptyRows, fromTriples, unionRows } from '../sparse.ts';
import { KEY_BYTES, type SparseRows, type TrainInput } from '../types.ts';
import type { InteractionFile } from './interaction-file.ts';
import type { TestItems } from './ranking-metrics.ts';

export interface Dataset {
  /** Dense ids are places in these lists. */
  readonly userIds: readonly string[];
  readonly itemIds: readonly string[];
  readonly train: TrainInput;
  /** Dense user id, or undefined for one that training never saw. */
  readonly userOf: (id: string) => number | undefined;
  readonly itemOf: (id: string) => number | undefined;
}

const WHOLE_NUMBER = /^(0|[1-9][0-9]{0,14})$/;

/** Where an id stands in the canonical order. */
export function compareIds(a: string, b: string): number {
  const [aNumber, bNumber] = [WHOLE_NUMBER.test(a), WHOLE_NUMBER.test(b)];
  if (aNumber && bNumber) return Number(a) - Number(b);
  if (aNumber !== bNumber) return aNumber ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Entities with at least one training interaction, in canonical order; their keys are hashes of their ids, so that another entity
 * left out changes nobody's draws.
 * @throws AppError DATASET_EMPTY
 */
export function buildDataset(train: InteractionFile): Dataset {
  if (train.users.length === 0)
    throw new AppError('DATASET_EMPTY', { message: 'The training file has no interactions.' });
  const userIds = [...new Set(train.users)].sort(compareIds);
  const itemIds = [...new Set(train.items)].sort(compareIds);
  const users = new Map(userIds.map((id, place) => [id, place]));
  const items = new Map(itemIds.map((id, place) => [id, place]));
  const interactions = fromTriples(
    userIds.length,
    itemIds.length,
    train.users.map((id) => users.get(id)!),
    train.items.map((id) => items.get(id)!),
    train.values,
  );
  const times = pairTimes(
    train,
    interactions,
    (id) => users.get(id)!,
    (id) => items.get(id)!,
  );
  return {
    userIds,
    itemIds,
    train: {
      interactions,
      userKeys: entityKeys(userIds),
      itemKeys: entityKeys(itemIds),
      ...(times === undefined ? {} : { times }),
    },
    userOf: (id) => users.get(id),
    itemOf: (id) => items.get(id),
  };
}

/** Times before this are seconds: as milliseconds they would lie in March 1973. */
const SECONDS_BELOW = 1e11;

/** When each pair happened last, ms since the epoch; undefined where a line has no time. */
function pairTimes(
  file: InteractionFile,
  { columns, indices, indptr, rows }: SparseRows,
  userOf: (id: string) => number,
  itemOf: (id: string) => number,
): Float64Array | undefined {
  let latest = -Infinity;
  for (const time of file.times) {
    if (Number.isNaN(time)) return undefined;
    latest = Math.max(latest, time);
  }
  const unitMs = latest < SECONDS_BELOW ? 1000 : 1;
  const places = new Map<number, number>();
  for (let row = 0; row < rows; row++) {
    for (let at = indptr[row]!; at < indptr[row + 1]!; at++) places.set(row * columns + indices[at]!, at);
  }
  const times = new Float64Array(new SharedArrayBuffer(indices.length * 8)).fill(-Infinity);
  for (let n = 0; n < file.users.length; n++) {
    const at = places.get(userOf(file.users[n]!) * columns + itemOf(file.items[n]!))!;
    times[at] = Math.max(times[at]!, file.times[n]! * unitMs);
  }
  return times;
}

/** `KEY_BYTES` an id: the head of its SHA-256. */
export function entityKeys(ids: readonly string[]): Uint8Array {
  const keys = new Uint8Array(new SharedArrayBuffer(ids.length * KEY_BYTES));
  ids.forEach((id, place) => {
    keys.set(createHash('sha256').update(id).digest().subarray(0, KEY_BYTES), place * KEY_BYTES);
  });
  return keys;
}

/** The training rows and those of `more` files: what may not be recommended. Unknown users and items are left out. */
export function exclusions(dataset: Dataset, more: readonly InteractionFile[]): SparseRows {
  const { userIds, userOf } = dataset;
  return more.reduce<SparseRows>(
    (rows, file) => unionRows(rows, knownRows(dataset, file, userIds.length, userOf)),
    dataset.train.interactions,
  );
}

/** The same for people whom training never saw, in the order of `ids`. */
export function newcomerExclusions(
  dataset: Dataset,
  ids: readonly string[],
  more: readonly InteractionFile[],
): SparseRows {
  const places = new Map(ids.map((id, place) => [id, place]));
  return more.reduce<SparseRows>(
    (rows, file) =>
      unionRows(
        rows,
        knownRows(dataset, file, ids.length, (id) => places.get(id)),
      ),
    emptyRows(ids.length, dataset.itemIds.length),
  );
}

/** What is known of people whom training never saw, a row for each of `ids`; items that training never saw are left out. */
export function historyRows(dataset: Dataset, ids: readonly string[], file: InteractionFile): SparseRows {
  const places = new Map(ids.map((id, place) => [id, place]));
  return knownRows(dataset, file, ids.length, (id) => places.get(id));
}

function knownRows(
  { itemIds, itemOf }: Dataset,
  file: InteractionFile,
  rows: number,
  rowOf: (id: string) => number | undefined,
): SparseRows {
  const users: number[] = [];
  const items: number[] = [];
  const values: number[] = [];
  for (let n = 0; n < file.users.length; n++) {
    const [user, item] = [rowOf(file.users[n]!), itemOf(file.items[n]!)];
    if (user === undefined || item === undefined) continue;
    users.push(user);
    items.push(item);
    values.push(file.values[n]!);
  }
  if (users.length === 0) return emptyRows(rows, itemIds.length);
  return fromTriples(rows, itemIds.length, users, items, values);
}

/** People with test items whom training never saw. */
export interface Newcomers {
  /** In canonical order. */
  readonly ids: readonly string[];
  /** `KEY_BYTES` an id. */
  readonly keys: Uint8Array;
  /** `users` are places in `ids`. */
  readonly test: TestItems;
}

export interface TestSet {
  readonly items: TestItems;
  readonly newcomers: Newcomers;
}

/** The test items of each user; an item that training never saw is -1, a pair that comes twice counts once. */
export function testItems(dataset: Dataset, file: InteractionFile): TestSet {
  const wanted = new Map<string, Set<string>>();
  for (let n = 0; n < file.users.length; n++) {
    const user = file.users[n]!;
    const set = wanted.get(user) ?? new Set();
    wanted.set(user, set.add(file.items[n]!));
  }
  const ids = [...wanted.keys()].sort(compareIds);
  const rowsOf = (own: readonly string[], row: (id: string, place: number) => number): TestItems => {
    const indptr = new Int32Array(own.length + 1);
    const items: number[] = [];
    own.forEach((id, place) => {
      for (const item of wanted.get(id)!) items.push(dataset.itemOf(item) ?? -1);
      indptr[place + 1] = items.length;
    });
    return { users: Int32Array.from(own, row), indptr, items: Int32Array.from(items) };
  };
  const known = ids.filter((id) => dataset.userOf(id) !== undefined);
  const unknown = ids.filter((id) => dataset.userOf(id) === undefined);
  return {
    items: rowsOf(known, (id) => dataset.userOf(id)!),
    newcomers: { ids: unknown, keys: entityKeys(unknown), test: rowsOf(unknown, (_, place) => place) },
  };
}
