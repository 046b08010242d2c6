/** Sources as a person uses them: a social network through ActivityStreams, and a version that nobody knew. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EVENT_TYPES } from '../../shared/contract-kit/event.ts';
import { asUser, TEST_DATA, type User, TIMEOUT_MS } from './as-a-user.ts';
import { importWithStops, writeLog } from './log-import.ts';

/** `npm run bench -- log` does the same with a million, `--full` with ten. */
const LOG_EVENTS_OF_THE_SUITE = 60_000;
const lastfm = join(TEST_DATA, 'lastfm');

/** Who follows whom and who listened to what, once each, as ActivityStreams documents. */
async function lastfmAsActivities(folder: string): Promise<{ path: string; ties: number; listens: number }> {
  const rows = async (name: string): Promise<string[][]> => {
    const text = await readFile(join(lastfm, name), 'utf8');
    return text
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
  };
  const person = (id: string): string => `https://last.fm/user/${id}`;
  const follow = ([a, b]: string[]) => ({ type: 'Follow', actor: person(a!), object: person(b!) });
  const listen = ([user, artist]: string[]) => ({
    type: 'Listen',
    actor: person(user!),
    object: `https://last.fm/artist/${artist}`,
  });
  const texts = (documents: object[]): string[] => [
    ...new Set(documents.map((document) => JSON.stringify({ ...document, published: '2011-05-01T00:00:00Z' }))),
  ];
  const ties = texts((await rows('trustnetwork.txt')).map(follow));
  const listens = texts([...(await rows('data1.txt')), ...(await rows('test1.txt'))].map(listen));
  const path = join(folder, 'lastfm.jsonl');
  await writeFile(path, `${[...ties, ...listens].join('\n')}\n`);
  return { path, ties: ties.length, listens: listens.length };
}

/** Rows of each type, and of the follows those that name whom. */
async function stored({ services: { store } }: User): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for await (const { rows, type, target } of store.events.all('main'))
    for (let row = 0; row < rows; row++) {
      const name = EVENT_TYPES[type[row]!]!;
      counts[name] = (counts[name] ?? 0) + 1;
      if (target?.subarray(row * 16, row * 16 + 16).some((byte) => byte !== 0) === true)
        counts.ties = (counts.ties ?? 0) + 1;
    }
  return counts;
}

interface Report {
  readonly events: { readonly accepted: number; readonly duplicates: number; readonly rejected: number };
}

describe.skipIf(!existsSync(lastfm))('a social network as ActivityStreams (needs the data set lastfm)', () => {
  test('goes in whole: every tie with both ends, every listening, each once', { timeout: TIMEOUT_MS }, async () => {
    await using user = await asUser();
    await user.worker();
    const { path, ties, listens } = await lastfmAsActivities(user.folder);
    const { events } = await user.json<Report>('import', 'activitystreams', path);
    // A tie of two people at one moment is known by who follows alone: ids tell them apart.
    expect(events).toEqual({ accepted: ties + listens, duplicates: 0, rejected: 0 });
    expect(await stored(user)).toEqual({ follow: ties, ties, view: listens });
  });
});

test('a version that nobody knew is held, then goes in once its mapping is there', {
  timeout: TIMEOUT_MS,
}, async () => {
  await using user = await asUser();
  await user.worker();
  const at = '2025-11-02T18:30:00Z';
  const enqueue = (input: object) => user.json('enqueue', 'ingestion', '--input', JSON.stringify(input), '--wait');
  await enqueue({ source: 'tv-app', consents: [{ user: 'asha', purposes: ['recommendation'], at, receipt: 'r-17' }] });
  const events = [1, 2, 3].map((n) => ({ who: 'asha', clip: `v${n}`, at }));
  await enqueue({ source: 'tv-app', schema: '2', events, allowUnknownItems: true });
  const held = await user.json<{ id: string; records: number }[]>('quarantine', 'list', '--source', 'tv-app');
  expect(held).toMatchObject([{ records: 3 }]);
  const early = await user.millrace('quarantine', 'release', '--source', 'tv-app');
  expect(early).toMatchObject({ code: 3, stderr: expect.stringContaining('SCHEMA_UNKNOWN') as string });
  const table = join(user.folder, 'mapping.json');
  const fields = { who: 'user', clip: 'item', at: 'occurredAt' };
  await writeFile(table, JSON.stringify({ fields }));
  await user.json('source', 'map', 'tv-app', '2', table);
  // A table that forgets the type: the batch stays held.
  expect(await user.json('quarantine', 'release')).toMatchObject([{ released: false, accepted: 0 }]);
  await writeFile(table, JSON.stringify({ fields, constants: { type: 'save' } }));
  await user.json('source', 'map', 'tv-app', '2', table);
  expect(await user.json('quarantine', 'release')).toMatchObject([{ released: true, accepted: 3 }]);
  expect(await user.json('quarantine', 'list')).toEqual([]);
  expect(await stored(user)).toEqual({ save: 3 });
  const { sources } = await user.json<{ sources: { days: { received: number; passed: number }[] }[] }>(
    'quality',
    'report',
    '--source',
    'tv-app',
  );
  expect(sources).toMatchObject([{ source: 'tv-app', standing: 'unknown' }]);
  const days = sources.flatMap((one) => one.days); // a test at midnight has two
  // Refused under the table that forgot the type, then in.
  expect(days.reduce((sum, { received }) => sum + received, 0)).toBe(6);
  expect(days.reduce((sum, { passed }) => sum + passed, 0)).toBe(3);
  const traced = await user.json<object[]>('trace', 'asha', '--last', '2');
  expect(traced).toHaveLength(2);
  expect(traced[0]).toMatchObject({
    type: 'save',
    source: { name: 'tv-app', licence: 'as the operator states' },
    consents: [expect.stringMatching(/^given for recommendation .*receipt r-17$/)],
    batches: [{ schema: '2', events: 3, run: expect.stringMatching(/^main\.ingestion\./) as string }],
    versions: [],
    releases: [],
  });
});

test('what is too much of one person waits, is told, and goes in once it is let go', {
  timeout: TIMEOUT_MS,
}, async () => {
  await using user = await asUser();
  await user.worker();
  const file = join(user.folder, 'flood.jsonl');
  const start = Date.UTC(2025, 10, 2, 18);
  const lines = Array.from({ length: 2_050 }, (_, n) =>
    JSON.stringify({ type: 'click', user: n < 2_040 ? 'asha' : 'ben', item: `v${n % 7}`, occurredAt: start + n }),
  );
  await writeFile(file, `${lines.join('\n')}\n`);
  const args = ['import', 'events', file, '--source', 'flood', '--allow-unknown-items'];
  const { events } = await user.json<Report>(...args);
  expect(events).toEqual({ accepted: 2_010, duplicates: 0, rejected: 0, quarantined: 40 });
  const [held, ...more] = await user.json<{ id: string }[]>('quarantine', 'list');
  expect(more).toEqual([]);
  expect(held).toMatchObject({ source: 'flood', reason: 'EVENT_OVER_LIMIT', records: 40 });
  expect(await user.json('quarantine', 'release', held!.id)).toMatchObject([{ released: true, accepted: 40 }]);
  expect(await user.json('quarantine', 'list')).toEqual([]);
  expect(await stored(user)).toEqual({ click: 2_050 });
  // Let go is let go: the same again is known, whole.
  expect((await user.json<Report>(...args)).events).toEqual({ accepted: 0, duplicates: 2_050, rejected: 0 });
});

test('a log whose import is killed between its batches, twice, is in whole and once, from where it was', {
  timeout: TIMEOUT_MS * 10,
}, async () => {
  await using user = await asUser();
  await user.worker();
  const events = LOG_EVENTS_OF_THE_SUITE;
  const log = await writeLog(user.folder, events);
  const { stops, last } = await importWithStops(user, log, [25_000, 30_000]);
  expect(stops).toHaveLength(2);
  for (const { shown, stored: atLeast } of stops) expect(atLeast).toBeGreaterThanOrEqual(events * shown);
  expect(stops[1]!.goesOnAfter).toBeGreaterThanOrEqual(5_000);
  expect(last).toMatchObject({ code: 0, said: expect.stringContaining('Goes on after line') as string });
  expect(last.goesOnAfter).toBeGreaterThan(stops[1]!.goesOnAfter);
  expect(await stored(user)).toEqual({ view: events });
  const scales = await user.json<object[]>('source', 'scales');
  expect(scales).toMatchObject([{ source: 'access-log', month: '2025-03', people: 100, median: events / 100 }]);
  // Once whole, it is read again when it is asked for again, and is known.
  const again = await user.json<Report>(...log.args);
  expect(again.events).toEqual({ accepted: 0, duplicates: events, rejected: 0 });
});
