import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { keyIdOf } from '../../governance/crypto.ts';
import type { Store } from '../ports.ts';
import { eventRow, TEST_MASTER_KEY, TEST_NOON, TEST_TENANT_KEY, type TestStore, testStore } from '../testing.ts';
import { COLLECTIONS } from './names.ts';
import { WRAPPED } from './wrapped.ts';

const [NEW, STRANGE] = [Buffer.alloc(32, 8), Buffer.alloc(32, 9)];
const [OLD_ID, NEW_ID] = [keyIdOf(TEST_MASTER_KEY), keyIdOf(NEW)];
const BOTH = { masterKey: [NEW, TEST_MASTER_KEY] };
const whole = { signal: new AbortController().signal };
const EVENT_ID = randomBytes(16);

/** Something under a key of its own in every collection that has such. */
async function fill(store: Store, people: number, tag = ''): Promise<void> {
  const names = Array.from({ length: people }, (_, n) => `person-${tag}${n}`);
  await store.people.upsert(
    'main',
    names.map((id) => ({ id, name: `Name of ${id}` })),
    '1',
  );
  const rows = names.map((user, n) => eventRow(store, 'main', { id: `${tag}${n}`, user, item: 'i' }));
  await store.events.follow('main', await store.events.prepare('main', `run-${tag}`, 1, rows));
  const said = { purposes: ['recommendation' as const], source: 'web', at: TEST_NOON, basis: 'consent' as const };
  await store.consents.record(
    'main',
    `main.ingestion.${tag}1`,
    names.map((user) => ({ user, state: 'given', ...said })),
  );
  const batch = { run: `main.ingestion.${tag}`, source: 'web', licence: 'l', receivedAt: TEST_NOON, consentEpoch: 1 };
  await store.lineage.record('main', { ...batch, events: 1, recordedAt: [TEST_NOON, TEST_NOON] }, EVENT_ID);
  const held = { id: `held${tag}`, source: 'web', schema: '9', reason: 'SCHEMA_UNKNOWN', records: 1 };
  await store.quarantine.prepare('main', held, Buffer.from('{"events":[]}'));
  await store.quarantine.hold('main', held.id);
  await store.webhooks.create('main', { url: 'https://example.org/', kinds: [], states: [] });
}

/** What can be read of it, all of it opened. */
async function readAll(store: Store) {
  const names: string[] = [];
  for await (const { id } of store.people.all('main')) names.push(id);
  let events = 0;
  for await (const { rows } of store.events.all('main')) events += rows;
  const snapshot = await store.consents.snapshot('main');
  const subjects = store.people.keys('main', names);
  let [held, hooks] = [0, 0];
  for await (const { id } of store.quarantine.list('main')) if (await store.quarantine.open('main', id)) held++;
  for (const { id } of await store.webhooks.list('main')) if (await store.webhooks.read('main', id)) hooks++;
  return {
    names: names.sort(),
    events,
    allowed: subjects.filter((subject) => snapshot.allows(subject, 'recommendation', 'web')).length,
    batches: (await store.lineage.find('main', { eventId: EVENT_ID, source: 'web', recordedAt: TEST_NOON })).length,
    held,
    hooks,
  };
}

async function dumped({ db }: TestStore): Promise<string> {
  const names = (await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name).sort();
  const dump = await Promise.all(
    names.map(async (name) => ({
      name,
      indexes: await db.collection(name).indexes(),
      documents: await db.collection(name).find().sort({ _id: 1 }).toArray(),
    })),
  );
  return JSON.stringify(dump);
}

describe('a database', () => {
  it('refuses a process with a wrong key before anything is written', async () => {
    await using test = await testStore();
    await fill(test.store, 3);
    const before = await dumped(test);
    const refusals = [
      [{ masterKey: STRANGE }, 'master', [OLD_ID]],
      [{ tenantKey: STRANGE }, 'tenant', [keyIdOf(TEST_TENANT_KEY)]],
      [{ masterKey: [STRANGE, NEW] }, 'master', [OLD_ID]],
    ] as const;
    for (const [options, key, needed] of refusals)
      await expect(test.another(options)).rejects.toMatchObject({
        code: 'KEY_WRONG',
        retry: 'never',
        details: { key, needed },
      });
    expect(await dumped(test)).toBe(before);
    expect((await readAll(await test.another())).names).toHaveLength(3);
  });

  it('of before keys were noted tells strangers by what is in it, and takes its own', async () => {
    await using test = await testStore();
    await fill(test.store, 1);
    await test.db.collection(COLLECTIONS.keyring).drop();
    await expect(test.another({ masterKey: STRANGE })).rejects.toMatchObject({ code: 'KEY_WRONG' });
    await expect(test.another({ tenantKey: STRANGE })).rejects.toMatchObject({ code: 'KEY_WRONG' });
    expect((await readAll(await test.another())).names).toEqual(['person-0']);
    expect(await test.db.collection(COLLECTIONS.keyring).countDocuments()).toBe(1);
  });

  it('that two processes begin at once with different keys belongs to one of them', async () => {
    await using test = await testStore();
    await test.db.collection(COLLECTIONS.keyring).drop();
    const opened = await Promise.allSettled(
      [NEW, STRANGE, NEW, STRANGE].map((masterKey) => test.another({ masterKey })),
    );
    const [won, lost] = [NEW, STRANGE]
      .map((key, n) => ({ key, ok: opened[n]!.status === 'fulfilled' }))
      .sort((a) => (a.ok ? -1 : 1));
    expect([won!.ok, lost!.ok]).toEqual([true, false]);
    await expect(test.another({ masterKey: lost!.key })).rejects.toMatchObject({ code: 'KEY_WRONG' });
  });

  it('has every collection with wrapped keys on the list of what a rotation wraps anew', async () => {
    await using test = await testStore();
    await fill(test.store, 2);
    const found = new Set<string>();
    const look = (collection: string, value: unknown, path: string): void => {
      if (value === OLD_ID) found.add(`${collection} ${path}`);
      else if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value))
        for (const [name, inner] of Object.entries(value))
          look(collection, inner, path === '' ? name : `${path}.${name}`);
    };
    for (const { name } of await test.db.listCollections({}, { nameOnly: true }).toArray())
      if (name !== COLLECTIONS.keyring)
        for await (const document of test.db.collection(name).find()) look(name, document, '');
    expect([...found].sort()).toEqual(WRAPPED.map(({ collection, kid }) => `${collection} ${kid}`).sort());
  });
});

describe('a rotation', () => {
  it('wraps everything anew, after which the old key is not needed and opens nothing', async () => {
    await using test = await testStore();
    await fill(test.store, 1_200);
    const before = await readAll(test.store);
    expect(before).toMatchObject({ events: 1_200, allowed: 1_200, batches: 1, held: 1, hooks: 1 });
    const rotating = await test.another(BOTH);
    const told: (readonly [number, number])[] = [];
    const done = await rotating.keyring.rotate({ ...whole, onProgress: (n, total) => told.push([n, total]) });
    const old = (await test.store.keyring.masters()).find(({ id }) => id === OLD_ID);
    expect(done).toEqual({ rewrapped: told.at(-1)![1], left: 0, unreadable: 0 });
    expect(told.at(-1)![0]).toBe(done.rewrapped);
    expect(told.length).toBeGreaterThan(4);
    expect(old).toMatchObject({ wraps: {}, retiredAt: expect.any(Number) });
    expect(await rotating.keyring.rotate(whole)).toMatchObject({ rewrapped: 0, left: 0 });
    const after = await test.another({ masterKey: NEW });
    expect(await readAll(after)).toEqual(before);
    await fill(after, 2, 'later-');
    await expect(test.another()).rejects.toMatchObject({ code: 'KEY_WRONG', details: { needed: [NEW_ID] } });
    // A process that had begun with the old key alone is told that it lacks one, not that something was erased.
    await expect(readAll(test.store)).rejects.toMatchObject({ code: 'MASTER_KEY_MISSING', retry: 'later' });
  });

  it('that was ended half-way goes on with what is left, and the old key is needed until then', async () => {
    await using test = await testStore();
    await fill(test.store, 1_200);
    const rotating = await test.another(BOTH);
    const control = new AbortController();
    const ended = rotating.keyring.rotate({
      signal: control.signal,
      onProgress: () => control.abort(new Error('enough')),
    });
    await expect(ended).rejects.toThrow('enough');
    const counts = await rotating.keyring.masters();
    const sum = (id: string): number =>
      Object.values(counts.find((key) => key.id === id)!.wraps).reduce((a, b) => a + b, 0);
    expect(sum(NEW_ID)).toBeGreaterThan(0);
    expect(sum(OLD_ID)).toBeGreaterThan(0);
    await expect(test.another({ masterKey: NEW })).rejects.toMatchObject({
      code: 'MASTER_KEY_MISSING',
      details: { keyIds: [OLD_ID] },
    });
    expect(await rotating.keyring.rotate(whole)).toEqual({ rewrapped: sum(OLD_ID), left: 0, unreadable: 0 });
    expect(await readAll(await test.another({ masterKey: NEW }))).toMatchObject({ events: 1_200, allowed: 1_200 });
  });

  it('meets writers, under the new key and still under the old one, and loses nothing of either', async () => {
    await using test = await testStore();
    await fill(test.store, 600);
    const rotating = await test.another(BOTH);
    // As in a deployment: every process has both, some put the old one first until they are started again.
    const behind = await test.another({ masterKey: [TEST_MASTER_KEY, NEW] });
    const replaced = Array.from({ length: 600 }, (_, n) => ({ id: `person-${n}`, name: 'changed' }));
    await Promise.all([
      rotating.keyring.rotate(whole),
      fill(rotating, 300, 'new-'),
      fill(behind, 300, 'old-'),
      rotating.people.upsert('main', replaced.slice(0, 300), '2'),
      behind.people.upsert('main', replaced.slice(300), '2'),
    ]);
    expect(await rotating.keyring.rotate(whole)).toMatchObject({ left: 0 });
    const after = await test.another({ masterKey: NEW });
    expect(await readAll(after)).toMatchObject({ events: 1_200, allowed: 1_200, held: 3, hooks: 3 });
    let changed = 0;
    for await (const { name } of after.people.all('main')) if (name === 'changed') changed++;
    expect(changed).toBe(600);
  });

  it('passes by what did not open before, says so, and keeps the old key as needed', async () => {
    await using test = await testStore();
    await fill(test.store, 3);
    const people = test.db.collection<{ _id: string; key: Buffer }>(COLLECTIONS.people);
    const [spoilt] = await people.find().limit(1).toArray();
    await people.updateOne({ _id: spoilt!._id }, { $set: { key: randomBytes(60) } });
    const rotating = await test.another(BOTH);
    expect(await rotating.keyring.rotate(whole)).toMatchObject({ left: 1, unreadable: 1 });
    await expect(test.another({ masterKey: NEW })).rejects.toMatchObject({ code: 'MASTER_KEY_MISSING' });
  });

  it('is refused while something lies under a key that is not given', async () => {
    await using test = await testStore();
    await fill(test.store, 1);
    const rotating = await test.another(BOTH);
    await test.db.collection(COLLECTIONS.people).updateMany({}, { $set: { kid: 'deadbeef' } });
    await expect(rotating.keyring.rotate(whole)).rejects.toMatchObject({
      code: 'MASTER_KEY_MISSING',
      details: { keyIds: ['deadbeef'] },
    });
  });
});

describe('seal keys', () => {
  it('are noted with since when they seal, and strangers are refused until all are forgotten', async () => {
    await using test = await testStore({ clock: () => 1_000 });
    const { keyring } = test.store;
    await keyring.admitSeals(['old']);
    const later = (await test.another({ clock: () => 2_000 })).keyring;
    await later.admitSeals(['new', 'old']);
    await keyring.admitSeals(['new']);
    expect(await keyring.seals(['new'])).toEqual([
      { id: 'new', currentSince: 2_000, current: true, held: true },
      { id: 'old', current: false, held: false },
    ]);
    await expect(keyring.admitSeals(['strange'])).rejects.toMatchObject({
      code: 'KEY_WRONG',
      details: { key: 'seal', needed: ['new', 'old'] },
    });
    await keyring.forgetSeals();
    await keyring.admitSeals(['strange']);
    expect(await keyring.seals([])).toEqual([{ id: 'strange', currentSince: 1_000, current: false, held: false }]);
  });
});
