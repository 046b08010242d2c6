/**
 * Owns reading a MovieLens folder: `openMovieLens` recognises the release, checks every line of every file before
 * anything is handed out (so that an import never stops half-way over a bad line), counts, and then streams
 * canonical records in batches. Memory: ids of items and people, and one chunk of a file.
 */
import { join } from 'node:path';
import type { CanonicalEvent, CatalogueItem, Person } from '../../contract-kit/event.ts';
import { AppError } from '../../errors.ts';
import { fileSizeBytes, malformed, type ReadOptions } from '../read-file.ts';
import { detectLayout, GENRES_100K, type Layout } from './layouts.ts';
import {
  ITEM_FIELDS,
  ITEM_FIELDS_100K,
  item100k,
  itemOfGenreList,
  PERSON_FIELDS,
  person100k,
  person1m,
  RATING_FIELDS,
  ratingEvent,
} from './mapping.ts';
import { type Row, readTable } from './rows.ts';

/** The name under which the imported ratings are stored unless the caller gives another. */
export const MOVIELENS_SOURCE = 'movielens';
export const BATCH_SIZE_DEFAULT = 1_000;

export interface MovieLensOptions {
  /** Source name that goes into the derived event ids. */
  readonly source?: string;
  /** Records in one batch, 1..100,000. */
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
  /** Called while the folder is checked: bytes done of all bytes. */
  readonly onCheck?: (doneBytes: number, totalBytes: number) => void;
}

export interface MovieLens {
  readonly source: string;
  readonly layout: Layout['name'];
  /** Numbers of records, for progress; people is 0 where the release says nothing about them. */
  readonly counts: { readonly items: number; readonly people: number; readonly events: number };
  items(): AsyncIterable<CatalogueItem[]>;
  people(): AsyncIterable<Person[]>;
  /** Ratings in the order of the file. */
  events(): AsyncIterable<CanonicalEvent[]>;
}

interface Table<T> {
  readonly file: string;
  readonly separator: string;
  readonly fields: readonly string[];
  readonly read: (row: Row) => T;
}

interface Folder {
  readonly dir: string;
  readonly layout: Layout;
  readonly items: Table<CatalogueItem>;
  readonly people: Table<Person> | undefined;
  readonly events: Table<CanonicalEvent>;
}

async function* records<T>(folder: Folder, table: Table<T>, read: ReadOptions): AsyncGenerator<T[], undefined> {
  const path = join(folder.dir, table.file);
  const { separator, fields } = table;
  const options = { ...read, separator, fields, encoding: folder.layout.encoding };
  for await (const rows of readTable(path, options)) yield rows.map(table.read);
}

async function* batches<T>(chunks: AsyncIterable<T[]>, size: number): AsyncGenerator<T[], undefined> {
  let waiting: T[] = [];
  for await (const chunk of chunks) {
    waiting = waiting.length === 0 ? chunk : waiting.concat(chunk);
    let from = 0;
    for (; waiting.length - from >= size; from += size) yield waiting.slice(from, from + size);
    waiting = waiting.slice(from);
  }
  if (waiting.length > 0) yield waiting;
}

/** Names of the genre flags: u.genre where it is there, else the published list. */
async function readGenres(dir: string, read: ReadOptions): Promise<readonly string[]> {
  try {
    await fileSizeBytes(join(dir, 'u.genre'));
  } catch {
    return GENRES_100K;
  }
  const genres: string[] = [];
  const options = { ...read, separator: '|', encoding: 'latin1', fields: ['genre', 'number'] } as const;
  for await (const rows of readTable(join(dir, 'u.genre'), options))
    for (const row of rows) {
      if (row.integer(1, 0, 49) !== genres.length)
        row.fail(1, `must be ${genres.length}: genres are numbered in order`);
      genres.push(row.id(0));
    }
  return genres;
}

async function describeFolder(dir: string, source: string, read: ReadOptions): Promise<Folder> {
  const layout = await detectLayout(dir);
  const { name } = layout;
  const genres = name === '100k' ? await readGenres(dir, read) : [];
  const items: Table<CatalogueItem> = {
    file: layout.items.name,
    separator: layout.items.separator,
    fields: name === '100k' ? [...ITEM_FIELDS_100K, ...genres] : ITEM_FIELDS[name],
    read: name === '100k' ? (row) => item100k(row, genres) : itemOfGenreList,
  };
  const people: Table<Person> | undefined =
    layout.people === undefined || name === 'csv'
      ? undefined
      : {
          file: layout.people.name,
          separator: layout.people.separator,
          fields: PERSON_FIELDS[name],
          read: name === '100k' ? person100k : person1m,
        };
  const events: Table<CanonicalEvent> = {
    file: layout.ratings.name,
    separator: layout.ratings.separator,
    fields: RATING_FIELDS[name],
    read: (row) => ratingEvent(source, layout, row),
  };
  return { dir, layout, items, people, events };
}

/** Reads one file to its end and returns the distinct ids in it. */
async function checkIds<T extends { id: string }>(folder: Folder, table: Table<T>, read: ReadOptions) {
  const ids = new Set<string>();
  const once = (row: Row): T => {
    const record = table.read(row);
    if (ids.has(record.id)) row.fail(0, 'must not be there twice');
    ids.add(record.id);
    return record;
  };
  for await (const chunk of records(folder, { ...table, read: once }, read)) void chunk;
  if (ids.size === 0) throw malformed({ file: table.file, line: 1, column: 1, reason: 'the file holds no records' });
  return ids;
}

async function checkFolder(folder: Folder, read: ReadOptions): Promise<MovieLens['counts']> {
  const items = await checkIds(folder, folder.items, read);
  const people = folder.people === undefined ? undefined : await checkIds(folder, folder.people, read);
  let events = 0;
  const known = (row: Row): undefined => {
    const event = folder.events.read(row);
    if (people?.has(event.user) === false) row.fail(0, `must be somebody in ${folder.people?.file ?? ''}`);
    if (!items.has(event.item ?? '')) row.fail(1, `must be an item of ${folder.items.file}`);
    events++;
    return undefined;
  };
  for await (const chunk of records(folder, { ...folder.events, read: known }, read)) void chunk;
  if (events === 0)
    throw malformed({ file: folder.events.file, line: 1, column: 1, reason: 'the file holds no ratings' });
  return { items: items.size, people: people?.size ?? 0, events };
}

async function totalBytes(folder: Folder): Promise<number> {
  let total = 0;
  for (const table of [folder.items, folder.people, folder.events])
    if (table !== undefined) total += await fileSizeBytes(join(folder.dir, table.file));
  return total;
}

async function* nothing(): AsyncGenerator<never, undefined> {
  // Releases without a file of people have none to give.
}

/**
 * Opens a MovieLens folder (100K, 1M or CSV layout) and checks all of it.
 * Throws FILE_NOT_FOUND (no such folder, or not MovieLens: says what was looked for), FILE_MALFORMED with
 * `details` = { file, line, column, field, reason }, INPUT_INVALID (batch size), CANCELLED.
 */
export async function openMovieLens(dir: string, options: MovieLensOptions = {}): Promise<MovieLens> {
  const { source = MOVIELENS_SOURCE, batchSize = BATCH_SIZE_DEFAULT, signal, onCheck } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1 || batchSize > 100_000)
    throw new AppError('INPUT_INVALID', { message: 'batchSize must be a whole number 1..100000.' });
  const folder = await describeFolder(dir, source, { signal });
  const total = await totalBytes(folder);
  let done = 0;
  const onBytes = (bytes: number): void => onCheck?.((done += bytes), total);
  const counts = await checkFolder(folder, { signal, onBytes });
  const stream = <T>(table: Table<T>): AsyncIterable<T[]> => batches(records(folder, table, { signal }), batchSize);
  return {
    source,
    layout: folder.layout.name,
    counts,
    items: () => stream(folder.items),
    people: () => (folder.people === undefined ? nothing() : stream(folder.people)),
    events: () => stream(folder.events),
  };
}
