/** Facts about reading MovieLens folders: three layouts, strictness, and complaints that name the place. */
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { checkEvent, checkRecord, derivedEventId, itemSchema, personSchema } from '../../contract-kit/event.ts';
import { AppError } from '../../errors.ts';
import { type MovieLens, openMovieLens } from './index.ts';

const DATA = process.env['MILLRACE_TEST_DATA'] ?? join(import.meta.dirname, '../../../../shared/data');
const ML_100K = join(DATA, 'ml-100k');
const has100k = await stat(ML_100K).then(
  () => true,
  () => false,
);

type Files = Readonly<Record<string, string | Uint8Array>>;

const flags = (...on: number[]): string => Array.from({ length: 19 }, (_, i) => (on.includes(i) ? 1 : 0)).join('|');

const FILES_100K: Files = {
  'u.data': '1\t10\t5\t881250949\n2\t10\t3   891717742\n',
  'u.item': Buffer.from(
    `10|Misérables, Les (1995)|01-Jan-1995||http://x|${flags(8, 12)}\n11|unknown||||${flags(0)}\n12|Belle (1967)|1-Jan-1967|||${flags(8)}\n`,
    'latin1',
  ),
  'u.user': '1|24|M|technician|85711\n2|56|F|other|94043\n',
};
const FILES_1M: Files = {
  'ratings.dat': '1::10::5::978300760\n2::11::4::978300275\n',
  'movies.dat': Buffer.from('10::Les Misérables (1995)::Drama|Musical\n11::Heat (1995)::Action\n', 'latin1'),
  'users.dat': '1::F::1::10::48067\n2::M::56::16::70072\n',
};
const FILES_CSV: Files = {
  'ratings.csv': 'userId,movieId,rating,timestamp\r\n1,10,0.5,964982703\r\n2,11,4.5,964981247\r\n',
  'movies.csv':
    'movieId,title,genres\r\n10,"American President, The (1995)",Comedy|Drama\r\n11,Amélie (2001),(no genres listed)\r\n',
};

async function folder(files: Files): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-ml-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), content);
  return dir;
}

async function collect<T>(batches: AsyncIterable<T[]>): Promise<T[]> {
  const all: T[] = [];
  for await (const batch of batches) all.push(...batch);
  return all;
}

async function read(source: MovieLens) {
  return {
    items: await collect(source.items()),
    people: await collect(source.people()),
    events: await collect(source.events()),
  };
}

describe('openMovieLens', () => {
  test('reads the 100K layout: latin-1 titles, genre flags, age groups, tabs or spaces', async () => {
    const source = await openMovieLens(await folder(FILES_100K));
    expect(source.layout).toBe('100k');
    expect(source.counts).toEqual({ items: 3, people: 2, events: 2 });
    const { items, people, events } = await read(source);
    expect(items).toEqual([
      {
        id: '10',
        title: 'Misérables, Les (1995)',
        topics: ['Drama', 'Musical'],
        publishedAt: Date.UTC(1995, 0, 1),
        attributes: { year: 1995 },
      },
      { id: '11', title: 'unknown', topics: [] },
      { id: '12', title: 'Belle (1967)', topics: ['Drama'], attributes: { year: 1967 } },
    ]);
    expect(people).toEqual([
      { id: '1', gender: 'M', ageGroup: '18-24', attributes: { occupation: 'technician' } },
      { id: '2', gender: 'F', ageGroup: '56+', attributes: { occupation: 'other' } },
    ]);
    const first = { type: 'rating', user: '1', item: '10', value: 5, occurredAt: 881_250_949_000 } as const;
    expect(events[0]).toEqual({ id: derivedEventId('movielens', first), ...first });
    expect(events[1]).toMatchObject({ user: '2', value: 3, occurredAt: 891_717_742_000 });
  });

  test('reads the 1M layout with its codes of age and occupation', async () => {
    const source = await openMovieLens(await folder(FILES_1M));
    expect(source.layout).toBe('1m');
    const { items, people, events } = await read(source);
    expect(items[0]).toMatchObject({ title: 'Les Misérables (1995)', topics: ['Drama', 'Musical'] });
    expect(people).toEqual([
      { id: '1', gender: 'F', ageGroup: '<18', attributes: { occupation: 'K-12 student' } },
      { id: '2', gender: 'M', ageGroup: '56+', attributes: { occupation: 'self-employed' } },
    ]);
    expect(events.map((event) => event.value)).toEqual([5, 4]);
  });

  test('reads the CSV layout with quoted titles and half stars; it has no people', async () => {
    const source = await openMovieLens(await folder(FILES_CSV));
    expect(source.layout).toBe('csv');
    const { items, people, events } = await read(source);
    expect(items.map((item) => [item.title, item.topics])).toEqual([
      ['American President, The (1995)', ['Comedy', 'Drama']],
      ['Amélie (2001)', []],
    ]);
    expect(people).toEqual([]);
    expect(events.map((event) => event.value)).toEqual([0.5, 4.5]);
  });

  test('derives the same event ids on every reading and others for another source', async () => {
    const dir = await folder(FILES_1M);
    const ids = async (source: string): Promise<unknown[]> =>
      (await collect((await openMovieLens(dir, { source })).events())).map((event) => event.id);
    expect(await ids('a')).toEqual(await ids('a'));
    expect(await ids('a')).not.toEqual(await ids('b'));
  });

  test('hands out batches of the size asked for, the last one shorter', async () => {
    const rows = Array.from({ length: 25 }, (_, i) => `1\t10\t${1 + (i % 5)}\t${881_250_949 + i}\n`).join('');
    const source = await openMovieLens(await folder({ ...FILES_100K, 'u.data': rows }), { batchSize: 10 });
    const sizes: number[] = [];
    for await (const batch of source.events()) sizes.push(batch.length);
    expect(sizes).toEqual([10, 10, 5]);
  });

  test('reports progress up to all bytes of the folder', async () => {
    const calls: [number, number][] = [];
    await openMovieLens(await folder(FILES_100K), { onCheck: (done, total) => calls.push([done, total]) });
    const [done, total] = calls.at(-1)!;
    expect(done).toBe(total);
  });

  test('stops with CANCELLED when the signal is aborted', async () => {
    const signal = AbortSignal.abort();
    await expect(openMovieLens(await folder(FILES_100K), { signal })).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

describe('a bad folder is refused whole, with the place', () => {
  const bad: [what: string, base: Files, change: Files, details: Record<string, unknown>][] = [
    [
      'a rating out of range',
      FILES_100K,
      { 'u.data': '1\t10\t5\t8\n1\t10\t6\t8\n' },
      { file: 'u.data', line: 2, column: 6, field: 'rating' },
    ],
    ['a missing field', FILES_100K, { 'u.data': '1\t10\t5\n' }, { file: 'u.data', line: 1 }],
    [
      'a time that is no number',
      FILES_100K,
      { 'u.data': '1\t10\t5\tnow\n' },
      { line: 1, column: 8, field: 'timestamp' },
    ],
    ['an unknown item', FILES_100K, { 'u.data': '1\t99\t5\t8\n' }, { line: 1, column: 3, field: 'item id' }],
    ['an unknown person', FILES_1M, { 'ratings.dat': '9::10::5::8\n' }, { line: 1, column: 1, field: 'UserID' }],
    [
      'a genre flag that is no flag',
      FILES_100K,
      { 'u.item': `10|T (1995)||||2${flags().slice(1)}\n` },
      { file: 'u.item', line: 1, field: 'unknown' },
    ],
    [
      'a date off the calendar',
      FILES_100K,
      { 'u.item': `10|T|31-Feb-1995|||${flags()}\n` },
      { column: 6, field: 'release date' },
    ],
    ['an item twice', FILES_1M, { 'movies.dat': '10::A::X\n11::B::X\n10::C::X\n' }, { file: 'movies.dat', line: 3 }],
    [
      'an age code that does not exist',
      FILES_1M,
      { 'users.dat': '1::F::2::1::x\n' },
      { file: 'users.dat', column: 7, field: 'Age' },
    ],
    [
      'a gender that the release does not know',
      FILES_100K,
      { 'u.user': '1|24|x|other|1\n' },
      { file: 'u.user', column: 6, field: 'gender' },
    ],
    ['a wrong header', FILES_CSV, { 'ratings.csv': 'user,movie,rating,timestamp\n' }, { file: 'ratings.csv', line: 1 }],
    [
      'a quarter star',
      FILES_CSV,
      { 'ratings.csv': 'userId,movieId,rating,timestamp\n1,10,4.2,8\n' },
      { line: 2, column: 3, field: 'rating' },
    ],
    [
      'a quote never closed',
      FILES_CSV,
      { 'movies.csv': 'movieId,title,genres\n10,"A,X\n' },
      { file: 'movies.csv', line: 2 },
    ],
    ['an empty file', FILES_1M, { 'ratings.dat': '' }, { file: 'ratings.dat', line: 1 }],
    [
      'text that is not UTF-8',
      FILES_CSV,
      { 'movies.csv': Buffer.from('movieId,title,genres\n10,Am\xe9lie,X\n', 'latin1') },
      { file: 'movies.csv', line: 2 },
    ],
  ];
  test.each(bad)('%s', async (_, base, change, details) => {
    const opened = openMovieLens(await folder({ ...base, ...change }));
    await expect(opened).rejects.toMatchObject({ code: 'FILE_MALFORMED', details });
    await expect(opened).rejects.toThrow(/line \d+, column \d+/);
  });

  test('an unknown folder says what was looked for, an incomplete one what is missing', async () => {
    await expect(openMovieLens(await folder({ 'x.txt': '' }))).rejects.toThrow(
      /FILE_NOT_FOUND.*u\.data.*ratings\.dat.*ratings\.csv/,
    );
    await expect(openMovieLens(await folder({ 'u.data': '' }))).rejects.toThrow(/u\.item and u\.user missing/);
    await expect(openMovieLens(join(await folder({}), 'nowhere'))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
  });

  test('any bytes in any file give records that fit the schemas, or a coded error', async () => {
    const bases = [FILES_100K, FILES_1M, FILES_CSV];
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom('\n', '\t', '::', '|', ',', '"', '1', '10', '5', '0', 'F', '-').map((text) => Buffer.from(text)),
    );
    const damage = fc.record({
      base: fc.integer({ min: 0, max: 2 }),
      file: fc.nat(),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      cut: fc.nat({ max: 20 }),
      pieces: fc.array(piece, { maxLength: 4 }),
    });
    const dir = await mkdtemp(join(tmpdir(), 'millrace-ml-'));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    const checked = fc.assert(
      fc.asyncProperty(damage, async ({ base, file, at, cut, pieces }) => {
        const entries = Object.entries(bases[base]!);
        const own = join(dir, String(base));
        await rm(own, { recursive: true, force: true });
        await mkdir(own);
        for (const [i, [name, content]] of entries.entries()) {
          const bytes = Buffer.from(content);
          const from = Math.floor(at * bytes.length);
          const damaged = Buffer.concat([bytes.subarray(0, from), ...pieces, bytes.subarray(from + cut)]);
          await writeFile(join(own, name), i === file % entries.length ? damaged : bytes);
        }
        const outcome = await openMovieLens(own).then(read, (thrown: unknown) => thrown);
        if (outcome instanceof AppError) return ['FILE_MALFORMED', 'FILE_NOT_FOUND'].includes(outcome.code);
        const { items, people, events } = outcome as Awaited<ReturnType<typeof read>>;
        return (
          items.every((item) => checkRecord(itemSchema, item, 0).ok) &&
          people.every((person) => checkRecord(personSchema, person, 0).ok) &&
          events.every((event) => checkEvent(event, 0, Date.UTC(2200, 0, 1)).ok)
        );
      }),
      { numRuns: 300, seed: 1 },
    );
    await expect(checked).resolves.toBeUndefined();
  });
});

describe.skipIf(!has100k)('the real MovieLens 100K', () => {
  test('holds 100,000 ratings with distinct ids by 943 people of 1,682 films', async () => {
    const source = await openMovieLens(ML_100K);
    expect(source.counts).toEqual({ items: 1_682, people: 943, events: 100_000 });
    const { items, people, events } = await read(source);
    expect(new Set(events.map((event) => event.id)).size).toBe(100_000);
    expect(people.filter((person) => person.gender === 'F')).toHaveLength(273);
    expect(items.find((item) => item.id === '543')?.title).toBe('Misérables, Les (1995)');
    const histogram = [1, 2, 3, 4, 5].map((value) => events.filter((event) => event.value === value).length);
    expect(histogram).toEqual([6_110, 11_370, 27_145, 34_174, 21_201]);
  });
});
