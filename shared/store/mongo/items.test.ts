import { expect, it } from 'vitest';
import type { CatalogueItem } from '../../contract-kit/event.ts';
import { hexOf } from '../../governance/keys.ts';
import { testStore } from '../testing.ts';

const film: CatalogueItem = {
  id: 'v1',
  title: 'Googly school',
  topics: ['cricket'],
  publishedAt: 5,
  attributes: { year: 1997, kids: true },
};

it('items are read by key, replaced by a later record, counted and listed', async () => {
  await using test = await testStore();
  const { items } = test.store;
  await items.upsert(
    'main',
    [
      { id: 'v1', title: 'Old title', creator: 'c' },
      { id: 'v2', title: 'Two' },
    ],
    '1',
  );
  await items.upsert('main', [film, { id: 'v3', title: 'Three' }], '2');
  const keys = items.keys('main', ['v1', 'absent']);
  const read = await (await test.another()).items.read('main', keys);
  expect([...read.values()].map(({ key, ...item }) => [hexOf(key), item])).toEqual([[hexOf(keys[0]!), film]]);
  expect(await items.count('main')).toBe(3);
  const listed = await Array.fromAsync(items.all('main'));
  expect(listed.map(({ title }) => title).sort()).toEqual(['Googly school', 'Three', 'Two']);
});

it('items are known once anybody has brought them, and not before', async () => {
  await using test = await testStore();
  const other = await test.another();
  const keys = test.store.items.keys('main', ['v1', 'v2', 'v1']);
  expect(await test.store.items.known('main', keys)).toEqual([false, false, false]);
  await other.items.upsert('main', [film], '3');
  expect(await test.store.items.known('main', keys)).toEqual([true, false, true]);
  expect(await test.store.items.known('other', keys)).toEqual([false, false, false]);
});

it('an item keeps its newest record whatever order the records come in', async () => {
  await using test = await testStore();
  const { items } = test.store;
  const titles = async () => (await Array.fromAsync(items.all('main'))).map(({ title }) => title);
  const two = (title: string) => [{ id: 'v1', title }];
  await Promise.all(['3', '1', '4', '2', '5'].map((order) => items.upsert('main', two(`number ${order}`), order)));
  expect(await titles()).toEqual(['number 5']);
  await items.upsert('main', two('late'), '4');
  expect(await titles()).toEqual(['number 5']);
});

it('an item is read as it was known at a moment, whatever has become of it', async () => {
  await using test = await testStore();
  const { items } = test.store;
  const order = (moment: number): string => `${String(moment).padStart(15, '0')}.x`;
  const keys = items.keys('main', ['v1']);
  const topicsAt = async (asOf?: number) =>
    [...(await items.read('main', keys, asOf)).values()].map(({ topics }) => topics);
  await items.upsert('main', [{ id: 'v1', title: 'One', topics: ['cricket'] }], order(10));
  await items.upsert('main', [{ id: 'v1', title: 'Another title', topics: ['cricket'] }], order(20));
  await items.upsert('main', [{ id: 'v1', title: 'One' }], order(30));
  await items.upsert('main', [{ id: 'v1', title: 'One', topics: ['late'] }], order(25));
  expect(await Promise.all([9, 10, 29, 30].map(topicsAt))).toEqual([[], [['cricket']], [['cricket']], [undefined]]);
  expect(await topicsAt()).toEqual([undefined]);
});
