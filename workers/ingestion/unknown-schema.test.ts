/** Batches of a version that nobody knows: held whole, encrypted, and in the store once their mapping is there. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PURPOSES } from '../../shared/contract-kit/purposes.ts';
import { AppError } from '../../shared/errors.ts';
import { testStore, type TestStore } from '../../shared/store/testing.ts';
import { NOW, openWorld, runOnce, TENANT, type World } from '../conformance/world.ts';
import ingestion from './processor.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const MAPPING = { fields: { what: 'type', who: 'user', clip: 'item', when: 'occurredAt' }, timeUnit: 's' } as const;
const records = (user: string) => [
  { what: 'click', who: user, clip: 'v1', when: (NOW - 9000) / 1000 },
  { what: 'save', who: user, clip: 'v2', when: (NOW - 8000) / 1000 },
];
const heldOf = async (source: string) => {
  const batches = [];
  for await (const batch of world.store.quarantine.list(TENANT, { source })) batches.push(batch);
  return batches;
};
async function consent(source: string, user: string): Promise<void> {
  await runOnce(world.ports, ingestion, { source, consents: [{ user, purposes: [...PURPOSES], at: NOW - 10_000 }] });
}

test('an unknown version is held once however often its run is tried, then goes in with its mapping and nothing is lost', async () => {
  const source = 'clips-app';
  await consent(source, 'kim');
  const batch = { source, schema: '7', events: records('kim'), allowUnknownItems: true };
  const before = await world.store.events.count(TENANT);
  const key = 'clips batch';
  for (const _ of [1, 2])
    expect((await runOnce(world.ports, ingestion, batch, { key })).output).toEqual({
      accepted: 0,
      duplicates: 0,
      rejected: [],
      quarantined: 2,
    });
  const [held, ...more] = await heldOf(source);
  expect(more).toEqual([]);
  expect(held).toMatchObject({ source, schema: '7', reason: 'SCHEMA_UNKNOWN', records: 2 });
  const opened = await world.store.quarantine.open(TENANT, held!.id);
  expect(JSON.parse(Buffer.from(opened!.body).toString())).toEqual({ events: batch.events, allowUnknownItems: true });

  await world.store.mappings.write(TENANT, source, '7', MAPPING);
  expect((await runOnce(world.ports, ingestion, batch)).output).toMatchObject({ accepted: 2, rejected: [] });
  expect(await world.store.events.count(TENANT)).toBe(before + 2);
  expect(await world.store.quarantine.release(TENANT, held!.id)).toBe(true);
  expect(await world.store.quarantine.release(TENANT, held!.id)).toBe(false);
  expect(await world.store.quarantine.open(TENANT, held!.id)).toBeUndefined();
  expect(await heldOf(source)).toEqual([]);
});

test('a run that ends before its commit holds nothing that anybody sees', async () => {
  const source = 'aborted-app';
  const batch = { source, schema: '1', events: records('lou') };
  const abort = (verb: string, control: AbortController): void => {
    if (verb === 'commit') control.abort(new AppError('CANCELLED'));
  };
  await expect(runOnce(world.ports, ingestion, batch, { before: abort })).rejects.toMatchObject({ code: 'CANCELLED' });
  expect(await heldOf(source)).toEqual([]);
});

test('a mapping that makes no event is a refusal of each record, with its place and field', async () => {
  const source = 'odd-app';
  await consent(source, 'mia');
  await world.store.mappings.write(TENANT, source, '1', { fields: { who: 'user' } });
  const { output } = await runOnce(world.ports, ingestion, { source, schema: '1', events: records('mia') });
  expect(output.accepted).toBe(0);
  expect(output.rejected).toMatchObject([
    { index: 0, code: 'EVENT_INVALID', field: 'type' },
    { index: 1, code: 'EVENT_INVALID', field: 'type' },
  ]);
});

test('an event of a type that its source is not declared to give is refused by name', async () => {
  await consent('movielens', 'nia');
  const event = { type: 'click', user: 'nia', item: 'v1', occurredAt: NOW - 1000 } as const;
  const { output } = await runOnce(world.ports, ingestion, {
    source: 'movielens',
    events: [event],
    allowUnknownItems: true,
  });
  expect(output.rejected).toMatchObject([{ index: 0, code: 'EVENT_NOT_OF_SOURCE', field: 'type' }]);
});

test('what is held lies encrypted', async () => {
  await using opened: TestStore = await testStore();
  const { store, db } = opened;
  await store.quarantine.prepare(
    'main',
    { id: 'b1', source: 'web', schema: '9', reason: 'SCHEMA_UNKNOWN', records: 1 },
    Buffer.from('Zuleika said marmalade'),
  );
  await store.quarantine.hold('main', 'b1');
  const document = await db.collection('quarantine').findOne({});
  const text = Buffer.from((document?.box as Uint8Array | undefined) ?? new Uint8Array()).toString('latin1');
  expect(text.length).toBeGreaterThan(20);
  expect(JSON.stringify(document) + text).not.toMatch(/Zuleika|marmalade/);
});
