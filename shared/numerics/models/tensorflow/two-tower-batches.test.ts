import { assert, integer, property } from 'fast-check';
import { expect, test } from 'vitest';
import { randomStream } from '../../../random.ts';
import { fromTriples } from '../../sparse.ts';
import { KEY_BYTES, type SparseRows } from '../../types.ts';
import { BatchMaker, logShares, orderEpoch, splitInternally, toPairs } from './two-tower-batches.ts';
import { newMemory } from './two-tower-memory.ts';

function keysOf(ids: readonly number[]): Uint8Array {
  const keys = new Uint8Array(ids.length * KEY_BYTES);
  ids.forEach((id, n) => new DataView(keys.buffer).setUint32(n * KEY_BYTES + 12, id));
  return keys;
}

const ITEMS = 9;
const itemKeys = keysOf(Array.from({ length: ITEMS }, (_, n) => 700 + n));

/** Users by number; who is in `people` decides the rows, not what each one did. */
function world(people: readonly number[]): { rows: SparseRows; userKeys: Uint8Array } {
  const users: number[] = [];
  const items: number[] = [];
  people.forEach((person, row) => {
    const stream = randomStream(4, 'test.world', person);
    for (let n = 0; n < 6; n++) {
      users.push(row);
      items.push(stream.below(ITEMS));
    }
  });
  return {
    rows: fromTriples(
      people.length,
      ITEMS,
      users,
      items,
      users.map(() => 1),
    ),
    userKeys: keysOf(people),
  };
}

test('without one person, everybody else is split, ordered and initialised as before', () => {
  assert(
    property(integer({ min: 0, max: 11 }), integer(), (leaver, seed) => {
      const everybody = Array.from({ length: 12 }, (_, n) => n);
      const describe = (people: readonly number[]) => {
        const { rows, userKeys } = world(people);
        const keys = { userKeys, itemKeys };
        const keep = splitInternally(rows, 0.3, seed, keys);
        const pairs = toPairs(rows, keep);
        const order = new Int32Array(pairs.item.length);
        orderEpoch(pairs, order, seed, 2, keys);
        const { users } = newMemory({
          users: people.length,
          items: ITEMS,
          dimensions: 2,
          itemHidden: 0,
          seed,
          ...keys,
        });
        return {
          order: [...order].map((at) => `${people[pairs.user[at]!]}:${pairs.item[at]}`),
          rows: people.map((person, row) => `${person}: ${users.values.subarray(row * 2, row * 2 + 2).join()}`),
        };
      };
      const before = describe(everybody);
      const after = describe(everybody.filter((person) => person !== leaver));
      expect(after.order).toEqual(before.order.filter((name) => !name.startsWith(`${leaver}:`)));
      expect(after.rows).toEqual(before.rows.filter((name) => !name.startsWith(`${leaver}:`)));
    }),
    { numRuns: 25 },
  );
});

test('an epoch visits every pair once, in another order than the epoch before', () => {
  const pairs = toPairs(world([1, 2, 3, 4, 5, 6]).rows);
  const orders = [0, 1].map((epoch) => {
    const order = new Int32Array(pairs.item.length);
    orderEpoch(pairs, order, 9, epoch, {});
    return order;
  });
  for (const order of orders) expect([...order].sort((a, b) => a - b)).toEqual([...order.keys()]);
  expect(orders[0]).not.toEqual(orders[1]);
});

test('holding out leaves every user at least one pair and takes about its share', () => {
  const { rows, userKeys } = world(Array.from({ length: 300 }, (_, n) => n));
  const keep = splitInternally(rows, 0.25, 1, { userKeys, itemKeys });
  for (let u = 0; u < rows.rows; u++) {
    expect(keep.subarray(rows.indptr[u], rows.indptr[u + 1])).toContain(1);
  }
  const held = keep.reduce((sum, kept) => sum + 1 - kept, 0) / keep.length;
  expect(held).toBeGreaterThan(0.2);
  expect(held).toBeLessThan(0.3);
});

test('a batch masks what its user knows, and counts its own target once', () => {
  // User 0 knows items 0 and 1, user 1 knows item 1, user 2 knows item 2. q = 1/4, 2/4, 1/4.
  const pairs = toPairs(fromTriples(3, 3, [0, 0, 1, 2], [0, 1, 1, 2], [1, 1, 1, 1]));
  const batch = new BatchMaker(pairs, logShares(pairs)).make(Int32Array.of(0, 1, 2, 3));
  expect([...batch.userIds]).toEqual([0, 1, 2]);
  expect([...batch.itemIds]).toEqual([0, 1, 2]);
  expect([...batch.itemAt]).toEqual([0, 1, 1, 2]);
  // Expected: log(count in batch / (batch size * q)) for negatives, log(1 / (batch size * q)) for the target.
  const half = Math.log(1 / 2);
  const expected = [
    [0, -1e9, 0],
    [-1e9, half, 0],
    [0, half, 0],
    [0, 0, 0],
  ];
  expected.flat().forEach((value, at) => expect(batch.adjust[at]).toBeCloseTo(value, 5));
});
