import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { computePool, type OwnedComputePool } from '../../compute/pool.ts';
import { randomStream } from '../../random.ts';
import { emptyRows, fromTriples } from '../sparse.ts';
import { type FittedModel, KEY_BYTES, type SparseRows } from '../types.ts';
import { fitItem2vec, item2vecParams } from './item2vec.ts';
import { composeFactors, graphOf, itemsOf, readHistories } from './item2vec.task.ts';

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

  test('finds tastes by walks over people and items too, the same for any number of threads', async () => {
    const walking = item2vecParams.parse({
      factors: 16,
      epochs: 5,
      over: 'walks',
      walks: { length: 20, perNode: 4 },
    });
    const keys = (rows: number) => Uint8Array.from({ length: rows * KEY_BYTES }, (_, at) => (at * 131) % 251);
    const input = { interactions, userKeys: keys(300), itemKeys: keys(120) };
    const [two, one] = await Promise.all(
      [2, 1].map(async (threads) => {
        await using own = computePool({ threads });
        const model = await fitItem2vec(input, walking, { pool: own, seed: 1 });
        return { share: await ownTaste(model), items: model.factors!.items.data };
      }),
    );
    expect(two!.share).toBeGreaterThan(0.8);
    expect(one!.items).toEqual(two!.items);
  });

  test('learns less from what is old, and from sources that are believed less', async () => {
    // Half of everybody's history is of the next taste; it is old, or of a source that is hardly believed.
    const stream = randomStream(72, 'stale');
    const triples: [number, number, number][] = [];
    for (let user = 0; user < 300; user++) {
      for (let n = 0; n < 24; n++) {
        const isStale = n % 2 === 0;
        const taste = (user + (isStale ? 1 : 0)) % GROUPS;
        triples.push([user, taste + GROUPS * stream.below(30), isStale ? 2 : 1]);
      }
    }
    const rows = fromTriples(
      300,
      120,
      ...(([0, 1, 2] as const).map((n) => triples.map((triple) => triple[n])) as [number[], number[], number[]]),
    );
    const stale = rows.values.map((value) => value - 1);
    const input = {
      interactions: { ...rows, values: rows.values.map(() => 1) },
      times: Float64Array.from(stale, (value) => (value === 1 ? 0 : 400 * 86_400_000)),
      origins: { names: ['own', 'rumour'], of: Uint16Array.from(stale) },
    };
    const share = async (more: object) => {
      const model = await fitItem2vec(input, item2vecParams.parse({ ...params, epochs: 10, ...more }), {
        pool,
        seed: 1,
      });
      const { items } = await model.rank({ k: 5, exclude: emptyRows(300, 120) });
      return items.filter((item, n) => item % GROUPS === Math.floor(n / 5) % GROUPS).length / items.length;
    };
    const even = await share({});
    expect(even).toBeLessThan(0.7);
    expect(await share({ halfLifeDays: 60 })).toBeGreaterThan(even + 0.2);
    expect(await share({ sourceWeights: { rumour: 0.02 } })).toBeGreaterThan(even + 0.2);
  });

  test('keeps what people dislike away from what they like', async () => {
    // Everybody likes ten items of their taste; half of them say that they dislike the items of the next taste that others of their taste like.
    const stream = randomStream(73, 'dislikes');
    const triples: [number, number, number][] = [];
    for (let user = 0; user < 300; user++) {
      const taste = user % GROUPS;
      for (let n = 0; n < 12; n++) triples.push([user, taste + GROUPS * stream.below(30), 1]);
      const next = (taste + 1) % GROUPS;
      for (let n = 0; n < 6; n++) triples.push([user, next + GROUPS * stream.below(30), user % 3 === 0 ? 1 : -1]);
    }
    const of = (said: (value: number) => boolean) => {
      const kept = triples.filter(([, , value]) => said(value));
      return fromTriples(
        300,
        120,
        kept.map(([u]) => u),
        kept.map(([, i]) => i),
        kept.map(([, , v]) => v),
      );
    };
    const share = async (rows: SparseRows) => {
      const model = await fitItem2vec({ interactions: rows }, { ...params, epochs: 10 }, { pool, seed: 1 });
      const { items } = await model.rank({ k: 40, exclude: rows });
      return items.filter((item, n) => item % GROUPS === (Math.floor(n / 40) + 1) % GROUPS).length / items.length;
    };
    const [told, untold] = [await share(of(() => true)), await share(of((value) => value > 0))];
    expect(untold).toBeGreaterThan(0.2);
    expect(told).toBeLessThan(0.9 * untold);
  });

  test('refuses more memory than its bound', async () => {
    await expect(
      fitItem2vec({ interactions }, params, { pool, seed: 1, memoryBytesMax: 70_000 }),
    ).rejects.toMatchObject({ code: 'NUMERICS_MEMORY_LIMIT' });
  });
});

describe('histories', () => {
  const three = fromTriples(2, 4, [0, 0, 0, 1], [1, 2, 3, 0], [1, -1, 4, 1]);
  const even = item2vecParams.parse({});

  test('hold dislikes as explicit negatives, by item or by time', () => {
    const input = { interactions: three, times: Float64Array.of(30, 20, 10, 5) };
    const shuffled = readHistories({ input, params: even });
    expect([[...shuffled.sequences.indptr], [...shuffled.sequences.tokens]]).toEqual([
      [0, 3, 4],
      [1, ~2, 3, 0],
    ]);
    expect(shuffled.sequences.chances).toBeUndefined();
    expect([...shuffled.likes.indices]).toEqual([1, 3, 0]);
    const timed = readHistories({ input, params: { ...even, order: 'time' } });
    expect([...timed.sequences.tokens]).toEqual([3, ~2, 1, 0]);
  });

  test('are read by chances in proportion to weights, in the order of the tokens', () => {
    const input = { interactions: three, times: Float64Array.of(30, 20, 10, 5) };
    const { likes, sequences } = readHistories({ input, params: { ...even, order: 'time', weighting: 'linear' } });
    expect([...sequences.chances!]).toEqual([0xffff_ffff, 2 ** 30, 2 ** 30, 2 ** 30]);
    expect([...likes.values]).toEqual([1, 4, 1]);
  });

  test('make a graph of items and people, and walks leave people out', () => {
    const { likes } = readHistories({ input: { interactions: three }, params: even });
    const graph = graphOf({ likes });
    expect([[...graph.indptr], [...graph.indices]]).toEqual([
      [0, 1, 2, 2, 3, 5, 6],
      [5, 4, 4, 1, 3, 0],
    ]);
    const walks = { indptr: Int32Array.of(0, 3, 5), tokens: Int32Array.of(1, 4, 3, 5, 0) };
    const { indptr, tokens } = itemsOf({ walks, items: 4 });
    expect([[...indptr], [...tokens]]).toEqual([
      [0, 2, 3],
      [1, 3, 0],
    ]);
  });

  test('become the weighted mean of their items; an item carries the log of its count', () => {
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
      likes: fromTriples(2, 4, [0, 0, 1], [1, 3, 0], [1, 3, 1]),
      popularityWeight: 2,
    });
    expect([...users.data]).toEqual([6, 7, 1, 1, 2, 1]);
    const log = Math.fround(2 * Math.log(2));
    expect([...items.data]).toEqual([8, 7, log, 6, 5, log, 4, 3, 0, 2, 1, log]);
  });
});
