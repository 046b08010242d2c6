/**
 * Owns making what is evaluated from files of interactions: the data set of the training lines, what is to be found, what may not be
 * recommended, and the groups of people. The training lines alone decide what is an item, a person, a count or a mean.
 */
import { AppError } from '../../errors.ts';
import { fromTriples } from '../sparse.ts';
import type { ExternalSource, SparseRows } from '../types.ts';
import {
  buildDataset,
  compareIds,
  type Dataset,
  exclusions,
  historyRows,
  newcomerExclusions,
  testItems,
  type TestSet,
} from './dataset.ts';
import type { EvaluationTask } from './evaluate-model.ts';
import { holdoutSplit, learnedPart } from './holdout.ts';
import type { InteractionFile } from './interaction-file.ts';

export interface TaskFiles {
  /** Learned from. */
  readonly train: InteractionFile;
  /** To be found. */
  readonly test: InteractionFile;
  /** Known, but neither learned from nor to be found: not to be recommended. */
  readonly masks: readonly InteractionFile[];
  /** Known of people whom training never saw. */
  readonly histories?: InteractionFile;
  /** Lines `user group`; the last one of a user counts. Absent: groups by length of history. */
  readonly groups?: InteractionFile;
  /** What other sources know of the people: lines `user key [value]`. */
  readonly sources?: readonly SourceFile[];
  readonly k: number;
  /** What is known of people and items: lines `id feature [value]`. */
  readonly facts?: { readonly users?: InteractionFile | undefined; readonly items?: InteractionFile | undefined };
  /** Ids of people whose lists are to be explained. */
  readonly explain?: readonly string[];
}

export interface SourceFile {
  readonly name: string;
  readonly kind: ExternalSource['kind'];
  readonly file: InteractionFile;
}

export interface PreparedTask {
  readonly task: EvaluationTask;
  readonly dataset: Dataset;
}

/** @throws AppError DATASET_EMPTY when there is nothing to learn from, or nothing to find. */
export function prepareTask(files: TaskFiles): PreparedTask {
  const learned = buildDataset(files.train);
  const built = files.facts === undefined ? learned : withFacts(learned, files.facts);
  const sources = files.sources?.map((source) => sourceRows(source, built));
  const dataset = sources === undefined ? built : { ...built, train: { ...built.train, sources } };
  const found = testItems(dataset, files.test);
  if (found.items.users.length + found.newcomers.ids.length === 0) {
    throw new AppError('DATASET_EMPTY', { message: 'There are no interactions to find.' });
  }
  const { histories, masks } = files;
  const known = histories === undefined ? masks : [...masks, histories];
  const task = {
    train: dataset.train,
    exclude: exclusions(dataset, known),
    test: found.items,
    newcomers: {
      ...found.newcomers,
      exclude: newcomerExclusions(dataset, found.newcomers.ids, known),
      ...(histories === undefined ? {} : { histories: historyRows(dataset, found.newcomers.ids, histories) }),
    },
    k: files.k,
    groups: files.groups === undefined ? groupsByHistory(dataset, found) : groupsOf(files.groups, dataset, found),
    ...(files.explain === undefined ? {} : { explain: files.explain.map((id) => knownUser(dataset, id)) }),
  };
  return { task, dataset };
}

/** Of those who are not in training nothing is kept. */
function withFacts(dataset: Dataset, files: NonNullable<TaskFiles['facts']>): Dataset {
  const rowsOf = (file: InteractionFile, count: number, placeOf: (id: string) => number | undefined): SparseRows => {
    const names = [...new Set(file.items)].sort(compareIds);
    const columns = new Map(names.map((name, place) => [name, place]));
    const lines = file.users.flatMap((id, n) => {
      const row = placeOf(id);
      return row === undefined ? [] : [{ row, column: columns.get(file.items[n]!)!, value: file.values[n]! }];
    });
    return fromTriples(
      count,
      names.length,
      lines.map(({ row }) => row),
      lines.map(({ column }) => column),
      lines.map(({ value }) => value),
    );
  };
  const { itemIds, itemOf, train, userIds, userOf } = dataset;
  const facts = {
    ...(files.users && { users: rowsOf(files.users, userIds.length, userOf) }),
    ...(files.items && { items: rowsOf(files.items, itemIds.length, itemOf) }),
  };
  return { ...dataset, train: { ...train, facts } };
}

function knownUser({ userOf }: Dataset, id: string): number {
  const user = userOf(id);
  if (user !== undefined) return user;
  throw new AppError('NOT_FOUND', {
    message: 'Somebody whose list is to be explained is not in the training data.',
    details: { field: 'explain', user: id },
  });
}

/** People whom training never saw are left out; a tie binds both. */
function sourceRows({ file, kind, name }: SourceFile, { userIds, userOf }: Dataset): ExternalSource {
  const keyIds = kind === 'ties' ? userIds : [...new Set(file.items)].sort(compareIds);
  const places = new Map(keyIds.map((id, place) => [id, place]));
  const [users, keys, values]: [number[], number[], number[]] = [[], [], []];
  for (let n = 0; n < file.users.length; n++) {
    const [user, key] = [userOf(file.users[n]!), places.get(file.items[n]!)];
    if (user === undefined || key === undefined || (kind === 'ties' && user === key)) continue;
    users.push(user);
    keys.push(key);
    values.push(file.values[n]!);
    if (kind !== 'ties') continue;
    users.push(key);
    keys.push(user);
    values.push(file.values[n]!);
  }
  return { name, kind, rows: fromTriples(userIds.length, keyIds.length, users, keys, values) };
}

/** For choosing parameters: what `valid` says, or a share of the training interactions. Never what is tested. */
export function validationTask(
  { dataset, task }: PreparedTask,
  from: { readonly valid: InteractionFile } | { readonly holdout: number; readonly seed: number },
  masks: readonly InteractionFile[],
): EvaluationTask {
  const { k } = task;
  if ('valid' in from) {
    const { items, newcomers } = testItems(dataset, from.valid);
    const others = { ...newcomers, exclude: newcomerExclusions(dataset, newcomers.ids, masks) };
    return { train: dataset.train, exclude: exclusions(dataset, masks), test: items, newcomers: others, k };
  }
  const { interactions, itemKeys, userKeys } = dataset.train;
  const split = holdoutSplit(interactions, from.holdout, from.seed, userKeys, itemKeys);
  const train = learnedPart(dataset.train, split.train);
  return { train, exclude: exclusions({ ...dataset, train }, masks), test: split.test, k };
}

type Groups = NonNullable<EvaluationTask['groups']>;

function groupsOf(file: InteractionFile, { userIds }: Dataset, { items, newcomers }: TestSet): Groups {
  const names = [...new Set(file.items)].sort(compareIds);
  const placeOf = new Map(names.map((name, place) => [name, place]));
  const own = new Map(file.users.map((user, n) => [user, placeOf.get(file.items[n]!)!]));
  const people = [...Array.from(items.users, (user) => userIds[user]!), ...newcomers.ids];
  return { names, of: Int32Array.from(people, (id) => own.get(id) ?? -1) };
}

/** Quarters of the people with test items by the number of their training interactions, and those with none. */
const HISTORY_QUANTILES = [0.25, 0.5, 0.75] as const;

function groupsByHistory({ train: { interactions } }: Dataset, { items, newcomers }: TestSet): Groups {
  const lengths = items.users.map((user) => interactions.indptr[user + 1]! - interactions.indptr[user]!);
  const sorted = lengths.slice().sort();
  const bounds = HISTORY_QUANTILES.map((q) => sorted[Math.floor(q * (sorted.length - 1))] ?? 0);
  const distinct = [...new Set(bounds)];
  const names = distinct.map((bound, n) => `history ${n === 0 ? 1 : distinct[n - 1]! + 1} to ${bound}`);
  names.push(`history above ${distinct.at(-1) ?? 0}`, 'not in training');
  const groupOf = (length: number) => {
    const place = distinct.findIndex((bound) => length <= bound);
    return place < 0 ? distinct.length : place;
  };
  const of = [...Array.from(lengths, groupOf), ...newcomers.ids.map(() => names.length - 1)];
  return { names, of: Int32Array.from(of) };
}
