/** `millrace import` as a person runs it: everything once, twice, and with workers that die under it. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { QueueEvents } from 'bullmq';
import { describe, expect, test } from 'vitest';
import { asUser, kill, TEST_DATA, type User, TIMEOUT_MS } from './as-a-user.ts';
import { writeFilms } from './films.ts';

interface Report {
  readonly items: number;
  readonly people: number;
  readonly licencedConsents: number;
  readonly events: { readonly accepted: number; readonly duplicates: number; readonly rejected: number };
}

/** `user item rating` of everything stored, as the export has it, in order. */
async function exported(user: User): Promise<string[]> {
  const { code, stdout, stderr } = await user.millrace('export', 'events', '--format', 'csv');
  expect({ code, stderr }).toMatchObject({ code: 0 });
  const [head, ...rows] = stdout.trimEnd().split('\n');
  expect(head!.split(',').slice(1, 5)).toEqual(['type', 'user', 'item', 'value']);
  return rows.map((row) => row.split(',').slice(2, 5).join(' ')).sort();
}

/** The same of a folder in the layout of MovieLens 100K. */
async function ratingsOf(dir: string): Promise<string[]> {
  const lines = (await readFile(join(dir, 'u.data'), 'utf8')).trimEnd().split('\n');
  return lines.map((line) => line.split(/\s+/).slice(0, 3).join(' ')).sort();
}

/**
 * Imports while the worker is killed, and another one started, each time that so many batches have completed: the next ones are at work or on their way
 * then. The numbers are ascending and below that of all batches, a thousand records each.
 */
async function importUnderFire(user: User, dir: string, completions: readonly number[]): Promise<void> {
  const { prefix, redis } = user.services;
  await using stack = new AsyncDisposableStack();
  const connection = stack.adopt(redis.duplicate(), (own) => own.disconnect());
  const options = { connection, prefix, lastEventId: '0' };
  const queue = stack.adopt(new QueueEvents('ingestion', options), (own) => own.close());
  await queue.waitUntilReady();
  let worker = await user.worker();
  const load = user.start('jobs/cli/bin.mjs', ['import', 'movielens', dir]);
  const ends = load.ended.then(({ code, stderr }) => {
    throw new Error(`It ended with ${code} before it was shot at: ${stderr}`);
  });
  ends.catch(() => {});
  let completed = 0;
  const reached = new Map(completions.map((wanted) => [wanted, Promise.withResolvers<void>()]));
  queue.on('completed', () => reached.get(++completed)?.resolve());
  for (const { promise } of reached.values()) {
    await Promise.race([promise, ends]);
    await kill(worker);
    worker = await user.worker();
  }
  expect(await load.ended).toMatchObject({ code: 0 });
}

const ml100k = join(TEST_DATA, 'ml-100k');

describe('import movielens', { timeout: TIMEOUT_MS }, () => {
  test('stores every rating once, also when it runs twice, and says so', async () => {
    await using user = await asUser();
    const { dir, people, films, ratings } = await writeFilms(user.folder);
    await user.worker();
    const events = { accepted: ratings, duplicates: 0, rejected: 0 };
    const first = await user.json<Report>('import', 'movielens', dir);
    expect(first).toMatchObject({ items: films, people, licencedConsents: people, events });
    const again = await user.millrace('import', 'movielens', dir);
    expect(again).toMatchObject({ code: 0 });
    expect(again.stdout).toContain(`0 events stored, ${ratings.toLocaleString('en')} were there already, 0 refused`);
    expect(again.stdout).toMatch(/consent records were written on the basis "dataset-licence" for recommendation/);
    expect(await exported(user)).toEqual(await ratingsOf(dir));
  });

  test('loses and doubles nothing when its worker is killed again and again', async () => {
    await using user = await asUser();
    const { dir } = await writeFilms(user.folder, { people: 400, films: 300, perPerson: 40 });
    await importUnderFire(user, dir, [5, 8, 11]);
    expect(await exported(user)).toEqual(await ratingsOf(dir));
  });

  test('never overrides a withdrawal, however often the data set is imported', async () => {
    await using user = await asUser();
    const { dir, ratings } = await writeFilms(user.folder, { people: 20, films: 50, perPerson: 10 });
    await user.worker();
    await user.json('import', 'movielens', dir);
    const purposes = ['recommendation', 'segmentation', 'audit'];
    // Said long ago: a licence written today is later, and still no word of the person.
    const withdrawal = { user: '1', purposes, state: 'withdrawn', at: 1_000 };
    const input = JSON.stringify({ source: 'web', consents: [withdrawal] });
    await user.json('enqueue', 'ingestion', '--input', input, '--wait');
    const { events } = await user.json<Report>('import', 'movielens', dir);
    expect(events.accepted).toBe(0);
    expect(events.duplicates + events.rejected).toBe(ratings);
    const { store } = user.services;
    const [one, two] = store.people.keys('main', ['1', '2']);
    const consents = await store.consents.snapshot('main');
    expect(consents.allows(two!, 'recommendation', 'movielens')).toBe(true);
    for (const purpose of ['recommendation', 'segmentation', 'audit'] as const)
      expect(consents.allows(one!, purpose, 'movielens')).toBe(false);
  });
});

describe.skipIf(!existsSync(ml100k))('import movielens of ML-100K', { timeout: TIMEOUT_MS }, () => {
  test('keeps 100,000 ratings once each, with the worker killed in the middle', async () => {
    await using user = await asUser();
    await importUnderFire(user, ml100k, [30, 70]);
    const stored = await exported(user);
    expect(stored).toHaveLength(100_000);
    expect(stored).toEqual(await ratingsOf(ml100k));
    const { events } = await user.json<Report>('import', 'movielens', ml100k);
    expect(events).toEqual({ accepted: 0, duplicates: 100_000, rejected: 0 });
  });
});
