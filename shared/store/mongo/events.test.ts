import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inlinePool } from '../../compute/pool.ts';
import type { ComputePool, Task } from '../../compute/task.ts';
import { EVENT_TYPES } from '../../contract-kit/event.ts';
import { eventKeyOf, hexOf, requestKeyOf } from '../../governance/keys.ts';
import type { EventColumns, EventRow, PreparedEvents, Store } from '../ports.ts';
import { eventRow, TEST_NOON, type TestEvent, testStore } from '../testing.ts';
import { partitionOf } from './events.ts';
import { COLLECTIONS } from './names.ts';

const DAY_MS = 86_400_000;
const some = (from: number, to: number, more: Partial<TestEvent> = {}): TestEvent[] =>
  Array.from({ length: to - from }, (_, n) => ({
    id: `e${from + n}`,
    user: `user-${(from + n) % 7}`,
    item: `item-${(from + n) % 5}`,
    occurredAt: TEST_NOON + ((from + n) % 3) * 31 * DAY_MS,
    ...more,
  }));
const rowsOf = (store: Store, events: readonly TestEvent[]): EventRow[] =>
  events.map((given) => eventRow(store, 'main', given));

async function ingest(store: Store, runKey: string, events: readonly TestEvent[]) {
  return store.events.follow('main', await store.events.prepare('main', runKey, 1, rowsOf(store, events)));
}
async function idsIn(store: Store): Promise<string[]> {
  const ids: string[] = [];
  for await (const columns of store.events.all('main')) ids.push(...idsOf(columns));
  return ids.sort();
}
const idsOf = ({ rows, eventId }: EventColumns): string[] =>
  Array.from({ length: rows }, (_, row) => hexOf(eventId.subarray(row * 16, row * 16 + 16)));
const expectedIds = (events: readonly TestEvent[]): string[] =>
  [...new Set(events.map(({ id }) => hexOf(eventKeyOf('main', 'web', id))))].sort();

async function freeze(store: Store, runKey: string, asOf = TEST_NOON + DAY_MS): Promise<string> {
  const draft = await store.events.freeze('main', runKey, 1, asOf);
  const rest = {
    tenant: 'main',
    kind: 'events',
    runKey,
    fence: 1,
    asOf,
    inputs: [],
    codeVersion: 'test',
    meta: {},
  } as const;
  return (await store.versions.write({ ...draft, ...rest })).version;
}
const plain = (events: EventColumns) =>
  Object.fromEntries(
    Object.entries(events).map(([name, value]) => [
      name,
      ArrayBuffer.isView(value) ? Array.from(value as Uint8Array) : value,
    ]),
  );

describe('events', () => {
  it('come back with every field', async () => {
    await using test = await testStore();
    const { store } = test;
    const full = {
      id: 'a',
      user: 'asha',
      type: 'view',
      item: 'v1',
      value: 87.5,
      position: 3,
      session: 's1',
      requestId: 'r1',
    } as const;
    await ingest(store, 'run', [
      full,
      { id: 'b', user: 'ben', type: 'follow', target: 'asha', source: 'app', recordedAt: 5 },
    ]);
    const events = await store.events.read('main', await freeze(store, 'freeze'));
    const [asha, ben] = store.people.keys('main', ['asha', 'ben']);
    const [a, b] = hexOf(asha!) < hexOf(ben!) ? [0, 1] : [1, 0];
    const key = (column: Uint8Array, row: number) => hexOf(column.subarray(row * 16, row * 16 + 16));
    expect([EVENT_TYPES[events.type[a]!], EVENT_TYPES[events.type[b]!]]).toEqual(['view', 'follow']);
    expect([events.value[a], events.value[b]]).toEqual([87.5, Number.NaN]);
    expect([events.position[a], events.position[b]]).toEqual([3, 0]);
    expect([events.recordedAt[a], events.recordedAt[b]]).toEqual([TEST_NOON, 5]);
    expect([events.sources[events.source[a]!], events.sources[events.source[b]!]]).toEqual(['web', 'app']);
    expect([key(events.subject, a), key(events.subject, b)]).toEqual([hexOf(asha!), hexOf(ben!)]);
    expect([key(events.item, a), key(events.item, b)]).toEqual([
      hexOf(store.items.keys('main', ['v1'])[0]!),
      '00'.repeat(16),
    ]);
    expect([key(events.target!, b), key(events.request!, a)]).toEqual([
      hexOf(asha!),
      hexOf(requestKeyOf('main', 'r1')),
    ]);
    expect(events.session.subarray(a * 8, a * 8 + 8).some((byte) => byte !== 0)).toBe(true);
    expect(events.session.subarray(b * 8, b * 8 + 8).every((byte) => byte === 0)).toBe(true);
  });

  it('of a batch that came before are duplicates, also to another process', async () => {
    await using test = await testStore();
    expect(await ingest(test.store, 'run-1', some(0, 50))).toEqual({ accepted: 50, duplicates: 0 });
    expect(await ingest(test.store, 'run-2', [...some(40, 60), ...some(55, 60)])).toEqual({
      accepted: 10,
      duplicates: 15,
    });
    expect(await ingest(await test.another(), 'run-3', some(30, 70))).toEqual({ accepted: 10, duplicates: 30 });
    expect(await idsIn(test.store)).toEqual(expectedIds(some(0, 70)));
    expect(await test.store.events.count('main')).toBe(70);
  });

  it('are nowhere to be seen between prepare and follow', async () => {
    await using test = await testStore();
    await ingest(test.store, 'run-1', some(0, 5));
    await test.store.events.prepare('main', 'run-2', 1, rowsOf(test.store, some(5, 30)));
    for (const store of [test.store, await test.another()]) {
      expect(await store.events.count('main')).toBe(5);
      expect(await idsIn(store)).toEqual(expectedIds(some(0, 5)));
      expect((await store.events.read('main', await freeze(store, 'freeze'))).rows).toBe(5);
    }
  });

  it('follow once however often they are asked to, by whomever, also after a compaction', async () => {
    await using test = await testStore();
    const { store } = test;
    await ingest(store, 'run-1', some(0, 20));
    const first = await store.events.prepare('main', 'run-2', 1, rowsOf(store, some(10, 60)));
    // As the sweeper has it: from the run's document.
    const prepared = JSON.parse(JSON.stringify(first)) as PreparedEvents;
    const counts = { accepted: 40, duplicates: 10 };
    const other = await test.another();
    expect(await Promise.all([store.events.follow('main', prepared), other.events.follow('main', prepared)])).toEqual([
      counts,
      counts,
    ]);
    await freeze(other, 'freeze');
    for (const process of [store, other, await test.another()])
      expect(await process.events.follow('main', prepared)).toEqual(counts);
    expect(await idsIn(store)).toEqual(expectedIds(some(0, 60)));
  });

  it('that no attempt of a run followed stay unseen when a later attempt did', async () => {
    await using test = await testStore();
    const { store } = test;
    await store.events.prepare('main', 'run-1', 1, rowsOf(store, some(0, 9)));
    const second = await store.events.prepare('main', 'run-1', 2, rowsOf(store, some(0, 9)));
    expect(await store.events.follow('main', second)).toEqual({ accepted: 9, duplicates: 0 });
    expect(await store.events.count('main')).toBe(9);
  });

  it('of parallel writers with overlapping batches end up in the store once each', async () => {
    await using test = await testStore();
    const stores = [test.store, await test.another(), await test.another()];
    const slice = fc
      .tuple(fc.nat(40), fc.integer({ min: 1, max: 25 }))
      .map(([from, length]) => some(from, from + length));
    let round = 0;
    const brought: TestEvent[] = [];
    await fc.assert(
      fc.asyncProperty(fc.array(slice, { minLength: 2, maxLength: 6 }), async (batches) => {
        const fresh = batches.map((batch) => batch.map((event) => ({ ...event, id: `${round}-${event.id}` })));
        round++;
        const results = await Promise.all(
          fresh.map((batch, n) => ingest(stores[n % stores.length]!, `run-${round}-${n}`, batch)),
        );
        brought.push(...fresh.flat());
        const accepted = results.reduce((sum, result) => sum + result.accepted, 0);
        expect(accepted).toBe(expectedIds(fresh.flat()).length);
        results.forEach((result, n) => expect(result.accepted + result.duplicates).toBe(fresh[n]!.length));
        expect(await idsIn(stores[round % stores.length]!)).toEqual(expectedIds(brought));
      }),
      { numRuns: 12 },
    );
    expect((await test.store.events.read('main', await freeze(test.store, 'freeze'))).rows).toBe(
      expectedIds(brought).length,
    );
  });

  it('of one tenant are invisible to another', async () => {
    await using test = await testStore();
    await ingest(test.store, 'run', some(0, 5));
    expect(await test.store.events.count('main-2')).toBe(0);
    expect((await test.store.events.freeze('main-2', 'freeze', 1, TEST_NOON)).rows).toBe(0);
  });
});

describe('a version of events', () => {
  it('has the same bytes in whatever order and batches the events came', async () => {
    const events = some(0, 90).map((event, n) =>
      Object.assign({}, event, { value: n, type: 'view' as const }, n % 9 === 0 ? { session: `s${n}` } : {}),
    );
    const read = async (order: readonly TestEvent[], size: number): Promise<object> => {
      await using test = await testStore();
      for (let at = 0; at < order.length; at += size) await ingest(test.store, `run-${at}`, order.slice(at, at + size));
      return plain(await test.store.events.read('main', await freeze(test.store, 'freeze')));
    };
    const whole = await read(events, 1000);
    expect(await read(events.toReversed(), 17)).toEqual(whole);
  });

  it('keeps its rows when others come in, are compacted, and when it is frozen while they do', async () => {
    await using test = await testStore();
    const { store } = test;
    const other = await test.another();
    await ingest(store, 'run-0', some(0, 40));
    const first = await freeze(store, 'freeze-1');
    const [versions] = await Promise.all([
      Promise.all([freeze(store, 'freeze-2'), freeze(other, 'freeze-3')]),
      ...[1, 2, 3, 4].map((n) => ingest(n % 2 === 0 ? store : other, `run-${n}`, some(n * 30, n * 30 + 40))),
    ]);
    const last = await freeze(other, 'freeze-4');
    expect(idsOf(await store.events.read('main', first)).sort()).toEqual(expectedIds(some(0, 40)));
    expect(idsOf(await store.events.read('main', last)).sort()).toEqual(expectedIds(some(0, 160)));
    for (const version of versions) {
      const ids = idsOf(await store.events.read('main', version));
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids.length).toBeGreaterThanOrEqual(40);
    }
    expect(await idsIn(store)).toEqual(expectedIds(some(0, 160)));
  });

  it('leaves out what was recorded after its moment', async () => {
    await using test = await testStore();
    await ingest(test.store, 'run', [...some(0, 20), ...some(20, 30, { recordedAt: TEST_NOON + 5 })]);
    const version = await freeze(test.store, 'freeze', TEST_NOON);
    expect((await test.store.versions.read('main', version)).rows).toBe(20);
    expect(idsOf(await test.store.events.read('main', version)).sort()).toEqual(expectedIds(some(0, 20)));
  });

  it('merges small blocks, so that a frozen partition is one block', async () => {
    await using test = await testStore();
    for (let n = 0; n < 5; n++) await ingest(test.store, `run-${n}`, some(n * 20, n * 20 + 20));
    const partitions = new Set(
      rowsOf(test.store, some(0, 100)).map(({ event, subject }) => partitionOf(event.occurredAt, subject)),
    );
    const draft = await test.store.events.freeze('main', 'freeze', 1, TEST_NOON);
    expect([draft.rows, draft.blocks.length]).toEqual([100, partitions.size]);
  });

  it('is opened, merged and compacted in the pool where there is one, with the same result', async () => {
    const asked = new Set<string>();
    const threads = inlinePool();
    const compute: ComputePool = {
      threads: 1,
      runPhase<T>(tasks: readonly Task[], signal?: AbortSignal): Promise<T[]> {
        for (const { name } of tasks) asked.add(name);
        return threads.runPhase<T>(tasks, signal);
      },
    };
    await using test = await testStore();
    const many = Array.from({ length: 6000 }, (_, n) => ({
      id: `e${n}`,
      user: 'asha',
      item: `item-${n % 50}`,
      occurredAt: TEST_NOON + n,
    }));
    await ingest(test.store, 'run-1', many.slice(0, 3000));
    await ingest(test.store, 'run-2', many.slice(3000));
    const pooled = await test.another({ compute });
    const version = await freeze(pooled, 'freeze');
    expect(plain(await pooled.events.read('main', version))).toEqual(
      plain(await test.store.events.read('main', version)),
    );
    expect([...asked].sort()).toEqual(['compactBlocks', 'mergeBlocks', 'openBlock']);
  });

  it('gives BLOCK_CORRUPT when a stored byte was changed, BLOCK_KEY_MISSING when the key is gone', async () => {
    await using test = await testStore();
    const { store } = test;
    await ingest(store, 'run', some(0, 10, { user: 'asha', occurredAt: TEST_NOON }));
    const version = await freeze(store, 'freeze');
    const blocks = test.db.collection<{ _id: string; data: Buffer; key: Buffer }>(COLLECTIONS.blocks);
    const block = await blocks.findOne({});
    const data = Buffer.from(block!.data);
    data[data.length >> 1]! ^= 1;
    await blocks.updateOne({ _id: block!._id }, { $set: { data } });
    await expect(store.events.read('main', version)).rejects.toMatchObject({ code: 'BLOCK_CORRUPT' });
    await blocks.updateOne({ _id: block!._id }, { $unset: { key: 1 } });
    await expect(store.events.read('main', version)).rejects.toMatchObject({ code: 'BLOCK_KEY_MISSING' });
  });

  it('of another kind, unknown or erased is refused', async () => {
    await using test = await testStore();
    const { store } = test;
    await expect(store.events.read('main', 'events-none')).rejects.toMatchObject({ code: 'DATASET_NOT_FOUND' });
    const version = await freeze(store, 'freeze');
    expect((await store.events.read('main', version)).rows).toBe(0);
    await test.db
      .collection<{ _id: string }>(COLLECTIONS.versions)
      .updateOne({ _id: `main.${version}` }, { $set: { state: 'erased' } });
    await expect(store.events.read('main', version)).rejects.toMatchObject({ code: 'DATASET_ERASED' });
  });
});
