/** Formats in time: what any version of the store wrote is read for ever, and can be brought up to the newest format without anything being read otherwise. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PROJECT_DIR } from '../../shared/config.ts';
import { AppError } from '../../shared/errors.ts';
import { COLLECTIONS } from '../../shared/store/mongo/names.ts';
import { restore } from '../../shared/store/mongo/restore.ts';
import { eventRow, TEST_MASTER_KEY, TEST_TENANT_KEY, type TestStore, testStore } from '../../shared/store/testing.ts';
import { contentOf, type Made } from './sample.ts';

const FOLDER = join(PROJECT_DIR, 'test', 'fixtures', 'formats');
const recorded = readdirSync(FOLDER).sort((a, b) => Number(a) - Number(b));
const keys = { masterKey: TEST_MASTER_KEY, tenantKey: TEST_TENANT_KEY };
const TENANT = 'main';

interface Recorded {
  readonly made: Made;
  readonly content: unknown;
}

async function restored(format: string): Promise<{ readonly test: TestStore; readonly record: Recorded }> {
  const store = await testStore();
  const folder = join(FOLDER, format);
  await restore(folder, { url: process.env.MONGODB_URL!, database: store.db.databaseName, ...keys });
  return { test: store, record: JSON.parse(readFileSync(join(folder, 'content.json'), 'utf8')) as Recorded };
}

test('every format up to the newest has its record: else `npm run formats`, and commit it', async () => {
  await using store = await testStore();
  const { newest } = await store.store.formats.status(TENANT);
  expect(recorded).toEqual(Array.from({ length: newest }, (_, n) => String(n + 1)));
});

test.each(recorded)('a store of format %s is restored, read, migrated, and read again', async (format) => {
  const { test: own, record } = await restored(format);
  await using _ = own;
  const store = await own.another();
  expect(await contentOf(store, record.made)).toEqual(record.content);
  await store.formats.enable();
  await store.formats.migrate(TENANT, { signal: new AbortController().signal });
  expect(await store.formats.status(TENANT)).toMatchObject({ lagging: 0 });
  // By a process that has seen the old blocks, and by one that has not.
  expect(await contentOf(store, record.made)).toEqual(record.content);
  expect(await contentOf(await own.another(), record.made)).toEqual(record.content);
});

test('blocks are written in the first format until the newest is enabled', async () => {
  await using own = await testStore();
  const { events, formats } = own.store;
  const formatsOf = async (): Promise<number[]> => {
    const found = await own.db
      .collection(COLLECTIONS.blocks)
      .find({ packing: { $ne: 'none' } })
      .toArray();
    return found.map(({ v }) => Number(v)).sort((a, b) => a - b);
  };
  const batch = async (run: string): Promise<void> => {
    for (const part of ['a', 'b']) {
      const rows = Array.from({ length: 50 }, (_, n) =>
        eventRow(own.store, TENANT, { id: `${run}${part}${n}`, user: 'asha' }),
      );
      await events.follow(TENANT, await events.prepare(TENANT, `${run}${part}`, 1, rows));
    }
    await events.freeze(TENANT, run, 1, Date.now());
  };
  await batch('first');
  expect(await formatsOf()).toEqual([1]);
  await expect(formats.migrate(TENANT, { signal: new AbortController().signal })).rejects.toMatchObject({
    code: 'FORMAT_NOT_ENABLED',
  });
  await formats.enable();
  expect(await formats.status(TENANT)).toMatchObject({ writes: 2, newest: 2, lagging: 1, blocks: 1 });
  await batch('second');
  expect(await formatsOf()).toEqual([1, 2]);
  expect(await events.count(TENANT)).toBe(200);
});

/** A signal that ends a migration at its n-th question. */
function endsAfter(questions: number): AbortSignal {
  let left = questions;
  const throwIfAborted = (): void => {
    if (left-- <= 0) throw new AppError('WORKER_STOPPING');
  };
  return { throwIfAborted } as unknown as AbortSignal;
}

test('a migration that is ended anywhere, and two at once, bring everything up to date beside readers and writers', async () => {
  const { test: own, record } = await restored('1');
  await using _ = own;
  const [one, two] = [await own.another(), await own.another()];
  await one.formats.enable();
  let written = 0;
  for (let questions = 0; ; questions++) {
    const rows = [eventRow(two, TENANT, { id: `late-${questions}`, user: 'user-1' })];
    written += (await two.events.follow(TENANT, await two.events.prepare(TENANT, `late-${questions}`, 1, rows)))
      .accepted;
    const done = await one.formats.migrate(TENANT, { signal: endsAfter(questions) }).then(
      () => true,
      (thrown: AppError) => {
        expect(thrown.code).toBe('WORKER_STOPPING');
        return false;
      },
    );
    const now = (await contentOf(questions % 2 === 0 ? one : two, record.made)) as { events: number[] };
    now.events[0]! -= written;
    expect(now).toEqual(record.content);
    if (done) break;
    expect(questions).toBeLessThan(50);
  }
  const signal = new AbortController().signal;
  await Promise.all([one, two].map((store) => store.formats.migrate(TENANT, { signal })));
  expect(await two.formats.status(TENANT)).toMatchObject({ lagging: 0 });
  expect(written).toBeGreaterThan(3);
  // Data sets and manifests share their blocks as before.
  const [dataset] = await own.db.collection(COLLECTIONS.versions).find({ kind: 'events' }).toArray();
  const manifests = JSON.stringify(
    await own.db
      .collection(COLLECTIONS.manifests)
      .find({ base: { $exists: true } })
      .toArray(),
  );
  for (const { block } of dataset!['blocks'] as { block: string }[]) expect(manifests).toContain(block);
});
