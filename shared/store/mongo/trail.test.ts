/** Facts about the audit trail in the store: many writers make one chain, people stand under pseudonyms that go with them, and what is done to documents is found. */
import { expect, test } from 'vitest';
import { testStore, type TestStore } from '../testing.ts';
import type { SignedTrailHead, TrailEntry, TrailNote, TrailQuery } from '../ports.ts';
import { COLLECTIONS } from './names.ts';

const AT = Date.UTC(2026, 0, 1);
const noteOf = (n: number, more: Partial<TrailNote> = {}): TrailNote => ({
  actor: { kind: 'key', id: `k${n % 3}` },
  act: 'people:read',
  object: 'GET /v1/people/:user',
  outcome: n % 2 === 0 ? 'allowed' : 'NOT_FOUND',
  at: AT + n,
  ...more,
});

interface Group {
  _id: string;
  entries: TrailEntry[];
}
const groupsOf = ({ db }: TestStore) => db.collection<Group>(COLLECTIONS.trail);

test('many processes that write at once make one chain, and nobody’s entry is lost', async () => {
  await using own = await testStore();
  const stores = [own.store, await own.another(), await own.another()];
  await Promise.all(Array.from({ length: 90 }, (_, n) => stores[n % 3]!.trail.note('main', [noteOf(n)])));
  await own.store.trail.note('other', [noteOf(1)]);
  const entries = await own.store.trail.read('main', {}, 1000);
  expect(entries.map(({ n }) => n)).toEqual(Array.from({ length: 90 }, (_, n) => 90 - n));
  expect(new Set(entries.map(({ at }) => at)).size).toBe(90);
  expect(await stores[1]!.trail.verify('main')).toEqual({ checked: 90, first: 1, last: 90, heads: 0, faults: [] });
  expect(await own.store.trail.tenants()).toEqual(['main', 'other']);
  // What was told while a write was under way went in together.
  expect(await groupsOf(own).countDocuments({})).toBeLessThan(60);
});

test('is read by actor, permission, moment, outcome and person, page by page', async () => {
  await using own = await testStore();
  const { trail, people } = own.store;
  await people.ensure('main', ['asha', 'ben']);
  const [asha, ben, stranger] = people.keys('main', ['asha', 'ben', 'nobody']);
  for (let n = 0; n < 12; n++) await trail.note('main', [noteOf(n, { subject: [asha!, ben!, stranger!][n % 3]! })]);
  const numbers = async (query: TrailQuery, limit: number) =>
    (await trail.read('main', query, limit)).map(({ n }) => n);
  expect(await numbers({ actor: 'k1' }, 10)).toEqual([11, 8, 5, 2]);
  expect(await numbers({ actor: 'key', since: AT + 10 }, 10)).toEqual([12, 11]);
  expect(await numbers({ act: 'jobs:write' }, 10)).toEqual([]);
  expect(await numbers({ outcome: 'refused' }, 2)).toEqual([12, 10]);
  expect(await numbers({ outcome: 'refused', before: 10 }, 2)).toEqual([8, 6]);
  expect(await numbers({ subject: asha! }, 10)).toEqual([10, 7, 4, 1]);
  expect(await numbers({ subject: stranger! }, 10)).toEqual([]);
});

test('people stand under a pseudonym that nobody can make any more once their envelope is gone', async () => {
  await using own = await testStore();
  const { people, trail, consents, erasures } = own.store;
  await people.ensure('main', ['asha', 'ben']);
  const [asha, ben] = people.keys('main', ['asha', 'ben']);
  await trail.note('main', [
    noteOf(0, { subject: asha! }),
    noteOf(1, { subject: ben! }),
    noteOf(2, { subject: asha! }),
  ]);
  const before = (await trail.read('main', {}, 10)).toReversed().map(({ person }) => person);
  expect(before[0]).toMatch(/^[0-9a-f]{32}$/);
  expect(before[0]).toBe(before[2]);
  expect(before[1]).not.toBe(before[0]);
  const raw = JSON.stringify(await groupsOf(own).find().toArray());
  expect(raw).not.toContain('asha');
  expect(raw).not.toContain(Buffer.from(asha!).toString('hex'));

  await consents.erase('main', 'main.governance.r1', asha!);
  await erasures.sweep('main', asha!, {
    externalId: 'asha',
    quiet: async () => ({ isQuiet: true, keep: new Set<string>() }),
  });
  const later = await own.another();
  await later.trail.note('main', [noteOf(3, { subject: asha! })]);
  const [after, , , first] = await later.trail.read('main', {}, 10);
  expect([after?.person, first?.person]).toEqual(['unknown', before[0]]);
  expect(await later.trail.read('main', { subject: asha! }, 10)).toEqual([]);
  // Who comes back is somebody else.
  await later.consents.readmit('main', 'main.governance.r2', asha!);
  await later.people.upsert('main', [{ id: 'asha' }], '');
  const back = await own.another();
  await back.trail.note('main', [noteOf(4, { subject: asha! })]);
  expect([...before, 'unknown']).not.toContain((await back.trail.read('main', {}, 1))[0]?.person);
  expect((await back.trail.verify('main')).faults).toEqual([]);
});

test('a changed, a removed, a moved and a cut-off document each are located', async () => {
  await using own = await testStore();
  const { trail } = own.store;
  let head: SignedTrailHead | undefined;
  trail.onHead((told) => (head = told));
  for (let n = 0; n < 6; n++) await trail.note('main', [noteOf(n), noteOf(n), noteOf(n)]);
  expect(head).toMatchObject({ head: { tenant: 'main', n: 18 } });
  expect(await trail.head('main')).toEqual(head);
  const groups = groupsOf(own);
  const all = await groups.find().sort({ _id: 1 }).toArray();
  const faultsAfter = async (change: () => Promise<unknown>) => {
    await change();
    const { faults } = await (await own.another()).trail.verify('main', [head!]);
    await groups.deleteMany({});
    await groups.insertMany(all);
    return faults;
  };
  expect(
    await faultsAfter(() => groups.updateOne({ _id: all[2]!._id }, { $set: { 'entries.1.outcome': 'allowed!' } })),
  ).toEqual([{ what: 'changed', n: 8 }]);
  expect(await faultsAfter(() => groups.deleteOne({ _id: all[3]!._id }))).toEqual([{ what: 'removed', n: 10, to: 12 }]);
  expect(
    await faultsAfter(() => groups.updateOne({ _id: all[4]!._id }, { $set: { entries: all[4]!.entries.slice(0, 2) } })),
  ).toEqual([{ what: 'removed', n: 15 }]);
  expect(await faultsAfter(() => groups.deleteOne({ _id: all[5]!._id }))).toEqual([{ what: 'cut-off', n: 16, to: 18 }]);
  expect(
    await faultsAfter(() =>
      groups.updateOne(
        { _id: all[0]!._id },
        { $set: { entries: [all[0]!.entries[1]!, all[0]!.entries[0]!, all[0]!.entries[2]!] } },
      ),
    ),
  ).toEqual([{ what: 'out-of-order', n: 1 }]);
});

test('what is older than is kept is removed with a note of it, and the rest still holds together', async () => {
  await using own = await testStore();
  const { trail } = own.store;
  for (let n = 0; n < 8; n++) await trail.note('main', [noteOf(n)]);
  const head = await trail.head('main');
  expect(await trail.prune('main', AT + 5)).toBe(5);
  expect(await trail.prune('main', AT + 5)).toBe(0);
  const entries = await trail.read('main', {}, 100);
  expect(entries.map(({ n }) => n)).toEqual([9, 8, 7, 6]);
  expect(entries[0]).toMatchObject({ act: 'trail:prune', ids: ['5', expect.any(String)] });
  expect((await trail.verify('main', [head!])).faults).toEqual([]);
  await groupsOf(own).deleteOne({ _id: 'main.000000000006' });
  expect((await trail.verify('main')).faults).toEqual([{ what: 'removed', n: 1, to: 6 }]);
});

test('a store that is gone says so, and nothing is taken for written', async () => {
  await using own = await testStore();
  const lost = await own.another();
  await lost[Symbol.asyncDispose]();
  await expect(lost.trail.note('main', [noteOf(1)])).rejects.toMatchObject({ code: 'TRAIL_UNAVAILABLE' });
  expect(await own.store.trail.read('main', {}, 10)).toEqual([]);
});
