/** Owns the proof that no name, identifier or free text of a person lies in the store in the clear. */
import { BSON, type Document } from 'mongodb';
import { expect, it } from 'vitest';
import { consentSchema } from '../../contract-kit/event.ts';
import { eventRow, type TestStore, testStore } from '../testing.ts';

/** Every byte of every document, as the server gives it. */
async function rawBytes({ db }: TestStore): Promise<Map<string, Buffer>> {
  const bytes = new Map<string, Buffer>();
  for (const { name } of await db.listCollections().toArray()) {
    const documents: Document[] = await db.collection(name).find().toArray();
    bytes.set(name, Buffer.concat(documents.map((document) => Buffer.from(BSON.serialize(document)))));
  }
  return bytes;
}

it('nothing personal is in any stored byte, in any spelling', async () => {
  await using test = await testStore();
  const { store } = test;
  const secrets = [
    'asha-4711',
    'Asha Rao',
    'Pune',
    'yorker tips',
    'session-of-asha',
    'receipt-815',
    'ben-4712',
    'request-77',
  ];
  const person = { id: 'asha-4711', name: 'Asha Rao', attributes: { town: 'Pune' } };
  await store.people.upsert('main', [person], '1');
  await store.people.upsert('main', [person], '2');
  await store.people.ensure('main', ['ben-4712']);
  await store.consents.record('main', 'run-c', [
    consentSchema.parse({ user: 'asha-4711', purposes: ['recommendation'], at: 1, receipt: 'receipt-815' }),
    consentSchema.parse({ user: 'ben-4712', purposes: ['audit'], at: 1, state: 'withdrawn' }),
  ]);
  const [subject] = store.people.keys('main', ['asha-4711']);
  const row = eventRow(store, 'main', {
    id: 'e1',
    user: 'asha-4711',
    item: 'v1',
    session: 'session-of-asha',
    target: 'ben-4712',
    requestId: 'request-77',
  });
  await store.people.keepTexts('main', [{ subject: subject!, eventId: row.eventId, text: 'yorker tips' }]);
  const prepared = await store.events.prepare('main', 'run-e', 1, [row]);
  await store.events.follow('main', prepared);
  const frozen = await store.events.freeze('main', 'run-f', 1, Date.now());
  const rest = {
    tenant: 'main',
    kind: 'events',
    runKey: 'run-f',
    fence: 1,
    asOf: 1,
    inputs: [],
    codeVersion: 'x',
    meta: {},
  } as const;
  await store.versions.write({ ...frozen, ...rest });
  await store.versions.draft('main', 'run-d', 1, 1, [
    { name: 'text', data: new Uint8Array(Buffer.from(secrets.join(' '))) },
  ]);

  const stored = await rawBytes(test);
  expect(stored.size).toBeGreaterThanOrEqual(7);
  const found: string[] = [];
  for (const [name, bytes] of stored) {
    for (const secret of secrets) {
      const [plain, base64] = [Buffer.from(secret), Buffer.from(secret).toString('base64').replace(/=+$/, '')];
      for (const spelling of [secret, plain.toString('hex'), base64])
        if (bytes.includes(spelling)) found.push(`${spelling} in ${name}`);
    }
  }
  expect(found).toEqual([]);
  // The scan does see what is in the clear.
  await store.items.upsert('main', [{ id: 'v1', title: 'Googly school' }], '3');
  expect((await rawBytes(test)).get('items')!.includes('Googly school')).toBe(true);
});

it('the subject key of a person appears in no block in the clear', async () => {
  await using test = await testStore();
  const { store } = test;
  const row = eventRow(store, 'main', { id: 'e1', user: 'asha', item: 'v1' });
  await store.events.follow('main', await store.events.prepare('main', 'run', 1, [row]));
  const keys = [row.subject, row.item!, row.eventId].map((key) => Buffer.from(key));
  const stored = [...(await rawBytes(test)).values()];
  expect(stored.length).toBeGreaterThan(2);
  expect(stored.some((bytes) => keys.some((key) => bytes.includes(key)))).toBe(false);
});
