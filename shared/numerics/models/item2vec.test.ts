import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { computePool, type OwnedComputePool } from '../../compute/pool.ts';
import { randomStream } from '../../random.ts';
import { fromTriples } from '../sparse.ts';
import type { FittedModel, SparseRows } from '../types.ts';
import { fitItem2vec, item2vecParams } from './item2vec.ts';
import { composeFactors, readHistories } from './item2vec.task.ts';

let pool: OwnedComputePool;
beforeAll(() => {
  pool = computePool({ threads: 2 });
});
afterAll(() => pool.close());

const GROUPS = 4;

function tastes(users: number, items: number): SparseRows {
  const stream = randomStream(71, 'tastes');
  const pairs: [number, number][] = [];
  for (let user = 0; user < users; user++) {
    for (let item = 0; item < items; item++) {
      const share = user % GROUPS === item % GROUPS ? 0.4 : 0.02;
      if (item === user % items || stream.uniform() < share) pairs.push([user, item]);
    }
  }
  return fromTriples(
    users,
    items,
    pairs.map(([user]) => user),
    pairs.map(([, item]) => item),
    pairs.map(() => 1),
  );
}

const interactions = tastes(300, 120);
const params = item2vecParams.parse({ factors: 16, epochs: 20 });

async function ownTaste(model: FittedModel): Promise<number> {
  const { items, k } = await model.rank({ k: 5, exclude: interactions });
  const own = items.filter((item, n) => item % GROUPS === Math.floor(n / k) % GROUPS);
  return own.length / items.length;
}

describe('fitItem2vec', () => {
  test('recommends items of the taste that a person showed', async () => {
    expect(await ownTaste(await fitItem2vec({ interactions }, params, { pool, seed: 1 }))).toBeGreaterThan(0.9);
  });

  test.each([true, false])('gives the same bytes for 1, 2 and 3 threads (deterministic: %s)', async (deterministic) => {
    const results = await Promise.all(
      [1, 2, 3].map(async (threads) => {
        await using own = computePool({ threads });
        const context = { pool: own, seed: 2, deterministic };
        const { factors } = await fitItem2vec({ interactions }, { ...params, epochs: 2, blocks: 4 }, context);
        return [factors!.users.data, factors!.items.data].map((data) =>
          Buffer.from(data.slice().buffer).toString('hex'),
        );
      }),
    );
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  test('reads histories in the order of time where it is told to, and refuses to without times', async () => {
    const inTime = { ...params, order: 'time' as const, epochs: 10 };
    const times = Float64Array.from(interactions.indices, (_, at) => (at * 7919) % 10_007);
    expect(await ownTaste(await fitItem2vec({ interactions, times }, inTime, { pool, seed: 1 }))).toBeGreaterThan(0.85);
    await expect(fitItem2vec({ interactions }, inTime, { pool, seed: 1 })).rejects.toMatchObject({
      code: 'NUMERICS_INPUT_INVALID',
      details: { array: 'times' },
    });
  });

  test('refuses more memory than its bound', async () => {
    await expect(
      fitItem2vec({ interactions }, params, { pool, seed: 1, memoryBytesMax: 70_000 }),
    ).rejects.toMatchObject({ code: 'NUMERICS_MEMORY_LIMIT' });
  });
});

describe('histories', () => {
  const three = fromTriples(2, 4, [0, 0, 0, 1], [1, 2, 3, 0], [1, -1, 1, 1]);

  test('leave dislikes out, by item or by time', () => {
    const times = Float64Array.of(30, 20, 10, 5);
    const shuffled = readHistories({ input: { interactions: three, times }, order: 'shuffled' });
    expect([[...shuffled.indptr], [...shuffled.tokens]]).toEqual([
      [0, 2, 3],
      [1, 3, 0],
    ]);
    const timed = readHistories({ input: { interactions: three, times }, order: 'time' });
    expect([...timed.tokens]).toEqual([3, 1, 0]);
  });

  test('become the mean of their items; an item carries the log of its count', () => {
    const rows = (count: number, width: number, data: number[]) => ({
      rows: count,
      width,
      data: Float32Array.from(data),
    });
    const users = rows(2, 3, [0, 0, 0, 0, 0, 0]);
    const items = rows(
      4,
      3,
      Array.from({ length: 12 }, () => 0),
    );
    composeFactors({
      inputs: rows(4, 2, [1, 2, 3, 4, 5, 6, 7, 8]),
      outputs: rows(4, 2, [8, 7, 6, 5, 4, 3, 2, 1]),
      users,
      items,
      input: { interactions: three },
      popularityWeight: 2,
    });
    expect([...users.data]).toEqual([5, 6, 1, 1, 2, 1]);
    const log = Math.fround(2 * Math.log(2));
    expect([...items.data]).toEqual([8, 7, log, 6, 5, log, 4, 3, 0, 2, 1, log]);
  });
});
