import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventRow, TEST_MASTER_KEY, TEST_TENANT_KEY, type TestStore, testStore } from '../testing.ts';
import { backUp, MANIFEST } from './backup.ts';
import { restore } from './restore.ts';

async function folder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-backup-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

const keys = { masterKey: TEST_MASTER_KEY, tenantKey: TEST_TENANT_KEY };
const optionsOf = (test: TestStore) => ({ url: process.env.MONGODB_URL!, database: test.db.databaseName, ...keys });

/** One batch of events, from prepare to follow. */
async function recordBatch(test: TestStore, n: number): Promise<void> {
  const { events, people } = test.store;
  const users = Array.from({ length: 20 }, (_, index) => `user-${n}-${index}`);
  await people.ensure('main', users);
  const rows = users.map((user, index) => eventRow(test.store, 'main', { id: `${n}.${index}`, user, item: 'v1' }));
  await events.follow('main', await events.prepare('main', `run-${n}`, 1, rows));
}

async function filled(test: TestStore): Promise<string> {
  const { store } = test;
  await store.items.upsert('main', [{ id: 'v1', title: 'Googly school' }], '1');
  await store.people.upsert('main', [{ id: 'asha', name: 'Asha' }], '1');
  await store.consents.record('main', 'run-c', [
    { user: 'asha', purposes: ['audit'], source: 'web', state: 'given', at: 5, basis: 'consent' },
  ]);
  for (let n = 0; n < 5; n++) await recordBatch(test, n);
  const draft = await store.events.freeze('main', 'run-f', 1, Date.now());
  const made = await store.versions.write({
    ...draft,
    tenant: 'main',
    kind: 'events',
    runKey: 'run-f',
    fence: 1,
    asOf: 1,
    inputs: [],
    codeVersion: 'test',
    meta: { floating: 2, long: 2 ** 40 },
  });
  await store.releases.write({
    version: 'r1',
    tenant: 'main',
    dataset: made.version,
    asOf: 1,
    createdAt: 1,
    runKey: 'run-p',
  });
  expect(await store.releases.move('main', 0, { asOf: 1, runKey: 'run-p', version: 'r1' })).toBe('moved');
  return made.version;
}

describe('the drill', () => {
  it('restores into an empty database all that was there, and everything opens under the same keys', async () => {
    await using test = await testStore();
    await using other = await testStore();
    await using at = await folder();
    const version = await filled(test);
    const manifest = await backUp(at.path, optionsOf(test));
    expect(await readFile(join(at.path, MANIFEST), 'utf8')).not.toContain(TEST_MASTER_KEY.toString('hex'));
    await restore(at.path, optionsOf(other));
    for (const { collection, documents } of manifest.files) {
      const raw = (from: TestStore) =>
        from.db.collection(collection).find({}, { raw: true }).sort({ _id: 1 }).toArray();
      const [before, after] = await Promise.all([raw(test), raw(other)]);
      expect({ collection, documents: after }).toEqual({ collection, documents: before });
      expect(before).toHaveLength(documents);
    }
    const restored = await other.another();
    expect((await restored.releases.live('main'))?.dataset).toBe(version);
    expect((await restored.events.read('main', version)).rows).toBe(100);
    expect(await restored.events.count('main')).toBe(100);
    const [asha] = restored.people.keys('main', ['asha']);
    expect([...(await restored.people.open('main', [asha!])).values()]).toEqual([{ id: 'asha', name: 'Asha' }]);
    expect((await restored.consents.snapshot('main')).allows(asha!, 'audit', 'web')).toBe(true);
  });

  it('is consistent although writers go on: all that the backup names is in it', async () => {
    await using test = await testStore();
    await using other = await testStore();
    await using at = await folder();
    const version = await filled(test);
    const over = new AbortController();
    const writer = (async () => {
      for (let n = 100; !over.signal.aborted; n++) {
        await recordBatch(test, n);
        await test.store.events.freeze('main', `run-${n}`, 1, Date.now()); // compacts: blocks are superseded
      }
    })();
    await backUp(at.path, optionsOf(test));
    over.abort();
    await writer;
    await restore(at.path, optionsOf(other));
    const restored = await other.another();
    expect((await restored.events.read('main', version)).rows).toBe(100);
    let rows = 0;
    for await (const columns of restored.events.all('main')) rows += columns.rows;
    expect(rows).toBe(await restored.events.count('main'));
    expect(rows).toBeGreaterThanOrEqual(100);
  });
});

it('a restore refuses a used database, other keys and a damaged file, before it writes anything', async () => {
  await using test = await testStore();
  await using other = await testStore();
  await using at = await folder();
  await filled(test);
  await backUp(at.path, optionsOf(test));
  await expect(restore(at.path, optionsOf(test))).rejects.toMatchObject({ code: 'RESTORE_REFUSED' });
  await expect(restore(at.path, { ...optionsOf(other), masterKey: Buffer.alloc(32, 9) })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  });
  const blocks = join(at.path, 'blocks.bson');
  const bytes = await readFile(blocks);
  bytes[bytes.length - 9]! ^= 1;
  await writeFile(blocks, bytes);
  await expect(restore(at.path, optionsOf(other))).rejects.toMatchObject({ code: 'BACKUP_INVALID' });
  await rm(join(at.path, MANIFEST));
  await expect(restore(at.path, optionsOf(other))).rejects.toMatchObject({ code: 'BACKUP_INVALID' });
  expect(await other.db.collection('blocks').countDocuments({})).toBe(0);
  await expect(backUp(at.path, optionsOf(test))).rejects.toMatchObject({ code: 'USAGE' });
});
