/** Owns `millrace export`: what is stored, as files that other tools read. Personal data leaves the store in the clear here: the note says so. */
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { writeFile as writeWhole } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { type Command, Option } from 'commander';
import { DEVICES, EVENT_TYPES } from '../../../shared/contract-kit/event.ts';
import { AppError } from '../../../shared/errors.ts';
import type { EventColumns, Store } from '../../../shared/store/ports.ts';
import { wholeNumber } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { count } from '../output.ts';
import type { Session } from '../session.ts';

const WHATS = ['events', 'items', 'people', 'recommendations', 'segments', 'embeddings'] as const;
type What = (typeof WHATS)[number];

interface Options {
  readonly out?: string;
  readonly format: 'jsonl' | 'csv' | 'npy';
  readonly k: number;
}

type Row = Readonly<Record<string, unknown>>;
const hex = (bytes: Uint8Array, row: number, width: number): string =>
  Buffer.from(bytes.subarray(row * width, (row + 1) * width)).toString('hex');
const isZero = (text: string): boolean => /^0*$/.test(text);

/** External ids by the hex of their keys, looked up block by block. */
class Names {
  readonly #store: Store;
  readonly #tenant: string;
  readonly #people = new Map<string, string>();
  readonly #items = new Map<string, string>();

  constructor(store: Store, tenant: string) {
    this.#store = store;
    this.#tenant = tenant;
  }

  async people(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const unknown = [...new Set(keys)].filter((key) => !this.#people.has(key));
    const opened = await this.#store.people.open(
      this.#tenant,
      unknown.map((key) => Buffer.from(key, 'hex')),
    );
    for (const [key, person] of opened) this.#people.set(key, person.id);
    return this.#people;
  }

  async items(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const unknown = [...new Set(keys)].filter((key) => !isZero(key) && !this.#items.has(key));
    const found = await this.#store.items.read(
      this.#tenant,
      unknown.map((key) => Buffer.from(key, 'hex')),
    );
    for (const [key, item] of found) this.#items.set(key, item.id);
    return this.#items;
  }
}

async function* eventRows(columns: EventColumns, names: Names): AsyncIterable<Row> {
  const rows = Array.from({ length: columns.rows }, (_, row) => row);
  const subjects = rows.map((row) => hex(columns.subject, row, 16));
  const itemKeys = rows.map((row) => hex(columns.item, row, 16));
  const [people, items] = [await names.people(subjects), await names.items(itemKeys)];
  for (const row of rows) {
    const value = columns.value[row]!;
    const item = itemKeys[row]!;
    yield {
      id: hex(columns.eventId, row, 16),
      type: EVENT_TYPES[columns.type[row]!],
      user: people.get(subjects[row]!) ?? `(erased:${subjects[row]})`,
      item: isZero(item) ? undefined : (items.get(item) ?? `(unknown:${item})`),
      value: Number.isNaN(value) ? undefined : value,
      occurredAt: columns.occurredAt[row],
      recordedAt: columns.recordedAt[row],
      source: columns.sources[columns.source[row]!],
      position: columns.position[row] === 0 ? undefined : columns.position[row],
      device: columns.device[row] === 0 ? undefined : DEVICES[columns.device[row]!],
    };
  }
}

async function* allEvents(store: Store, tenant: string): AsyncIterable<Row> {
  const names = new Names(store, tenant);
  for await (const columns of store.events.all(tenant)) yield* eventRows(columns, names);
}

/** One row a person and place in their list. */
async function* allRecommendations(store: Store, tenant: string, k: number): AsyncIterable<Row> {
  const live = await store.releases.live(tenant);
  if (live?.candidates === undefined) throw new AppError('NOT_PUBLISHED');
  const names = new Names(store, tenant);
  for await (const person of store.people.all(tenant)) {
    const [subject] = store.people.keys(tenant, [person.id]);
    const served = subject === undefined ? undefined : await store.served.candidates(tenant, live.candidates, subject);
    if (served === undefined) continue;
    const keys = served.items.slice(0, k).map((key) => Buffer.from(key).toString('hex'));
    const items = await names.items(keys);
    for (const [i, key] of keys.entries())
      yield { user: person.id, position: i + 1, item: items.get(key) ?? key, score: served.scores[i] };
  }
}

async function* allSegments(store: Store, tenant: string): AsyncIterable<Row> {
  const live = await store.releases.live(tenant);
  if (live?.segments === undefined) throw new AppError('NOT_PUBLISHED');
  for await (const person of store.people.all(tenant)) {
    const [subject] = store.people.keys(tenant, [person.id]);
    const segment = subject === undefined ? undefined : await store.served.segment(tenant, live.segments, subject);
    if (segment !== undefined) yield { user: person.id, segment };
  }
}

async function* plainItems(store: Store, tenant: string): AsyncIterable<Row> {
  for await (const { key: _key, ...item } of store.items.all(tenant)) yield item;
}

function rowsOf(what: Exclude<What, 'embeddings'>, store: Store, tenant: string, k: number): AsyncIterable<Row> {
  if (what === 'events') return allEvents(store, tenant);
  if (what === 'items') return plainItems(store, tenant);
  if (what === 'people') return store.people.all(tenant) as AsyncIterable<Row>;
  return what === 'segments' ? allSegments(store, tenant) : allRecommendations(store, tenant, k);
}

/** RFC 4180: quoted where needed; objects as JSON. */
function csvCell(value: unknown): string {
  if (value === undefined || value === null) return '';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const CSV_COLUMNS: Readonly<Record<Exclude<What, 'embeddings'>, readonly string[]>> = {
  events: ['id', 'type', 'user', 'item', 'value', 'occurredAt', 'recordedAt', 'source', 'position', 'device'],
  items: ['id', 'title', 'creator', 'topics', 'publishedAt', 'durationMs', 'attributes'],
  people: ['id', 'name', 'gender', 'ageGroup', 'attributes'],
  recommendations: ['user', 'position', 'item', 'score'],
  segments: ['user', 'segment'],
};

async function write(stream: Writable, text: string): Promise<void> {
  if (!stream.write(text)) await once(stream, 'drain');
}

async function exportRows(
  session: Session,
  what: Exclude<What, 'embeddings'>,
  options: Options,
  stream: Writable,
): Promise<number> {
  const columns = CSV_COLUMNS[what];
  if (options.format === 'csv') await write(stream, `${columns.join(',')}\n`);
  let rows = 0;
  for await (const row of rowsOf(what, await session.store(), session.config.tenant, options.k)) {
    session.signal.throwIfAborted();
    await write(
      stream,
      options.format === 'csv'
        ? `${columns.map((name) => csvCell(row[name])).join(',')}\n`
        : `${JSON.stringify(row)}\n`,
    );
    rows += 1;
  }
  return rows;
}

/** NumPy's .npy, version 1.0, little-endian, C order. Source: numpy.lib.format. */
export function npy(data: Float32Array, shape: readonly number[]): Buffer {
  const dictionary = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`;
  const prefixBytes = 10;
  const padded = dictionary.padEnd(Math.ceil((prefixBytes + dictionary.length + 1) / 64) * 64 - prefixBytes - 1, ' ');
  const head = Buffer.alloc(prefixBytes);
  head.write('\u0093NUMPY', 'latin1');
  head.writeUInt8(1, 6);
  head.writeUInt16LE(padded.length + 1, 8);
  return Buffer.concat([
    head,
    Buffer.from(`${padded}\n`, 'latin1'),
    Buffer.from(data.buffer, data.byteOffset, data.byteLength),
  ]);
}

/** Writes PREFIX.users.npy, PREFIX.items.npy and the ids of their rows, one a line, beside them. */
async function exportEmbeddings({ config: { tenant }, store: open }: Session, prefix: string): Promise<number> {
  const store = await open();
  const live = await store.releases.live(tenant);
  if (live?.embeddings === undefined) throw new AppError('NOT_PUBLISHED');
  const arrays = await store.versions.arrays(tenant, await store.versions.read(tenant, live.embeddings));
  const names = new Names(store, tenant);
  let rows = 0;
  for (const [side, factorsName, keysName] of [
    ['users', 'userFactors', 'subjects'],
    ['items', 'itemFactors', 'itemKeys'],
  ] as const) {
    const [factors, keys] = [arrays.get(factorsName), arrays.get(keysName)];
    if (!(factors instanceof Float32Array) || !(keys instanceof Uint8Array))
      throw new AppError('DATASET_NOT_FOUND', { message: `The embeddings hold no ${factorsName}.` });
    const length = keys.length / 16;
    const ids = Array.from({ length }, (_, row) => hex(keys, row, 16));
    const found = side === 'users' ? await names.people(ids) : await names.items(ids);
    await writeFile(`${prefix}.${side}.npy`, npy(factors, [length, factors.length / Math.max(1, length)]));
    await writeFile(`${prefix}.${side}.txt`, ids.map((id) => `${found.get(id) ?? id}\n`).join(''));
    rows += length;
  }
  return rows;
}

async function writeFile(path: string, content: Buffer | string): Promise<void> {
  try {
    await writeWhole(path, content, { mode: 0o600 });
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

const unwritable = (path: string, cause: unknown): AppError =>
  new AppError('FILE_NOT_FOUND', { message: `${path} cannot be written.`, details: { file: path }, cause });

function openFile(path: string): Writable {
  return createWriteStream(path, { mode: 0o600 });
}

async function exportTo(session: Session, what: What, options: Options): Promise<number> {
  if (what === 'embeddings') {
    if (options.out === undefined)
      throw new AppError('USAGE', { message: 'Embeddings are binary: name a prefix with --out PREFIX.' });
    return exportEmbeddings(session, options.out);
  }
  if (options.format === 'npy') throw new AppError('USAGE', { message: '--format npy is for embeddings.' });
  if (options.out === undefined) return exportRows(session, what, options, process.stdout);
  const stream = openFile(options.out);
  const failed = new Promise<never>((_resolve, reject) => {
    stream.once('error', (cause) => reject(unwritable(options.out ?? '', cause)));
  });
  const work = exportRows(session, what, options, stream).then(async (rows) => {
    stream.end();
    await once(stream, 'finish');
    return rows;
  });
  return Promise.race([work, failed]);
}

export function registerExport({ program, run }: Cli): void {
  program
    .command('export <what>')
    .description(`write what is stored to a file: ${WHATS.join(', ')}`)
    .option('--out <file>', 'the file; absent: standard output (embeddings: PREFIX of four files)')
    .addOption(
      new Option('--format <format>', 'jsonl or csv; embeddings are npy')
        .choices(['jsonl', 'csv', 'npy'])
        .default('jsonl'),
    )
    .option('-k, --k <n>', 'recommendations: how many a person', wholeNumber(1, 500), 10)
    .action((what: string, options: Options, command: Command) =>
      run(command, async (session) => {
        if (!(WHATS as readonly string[]).includes(what))
          throw new AppError('USAGE', { message: `There is no export of "${what}".`, details: { known: [...WHATS] } });
        const rows = await exportTo(session, what as What, options);
        if (options.out !== undefined)
          session.output.result(
            { what, rows, out: options.out },
            () => `${count(rows)} ${what} written to ${options.out}. This file holds personal data in the clear.`,
          );
        else session.output.note(`${count(rows)} ${what}`);
      }),
    );
}
