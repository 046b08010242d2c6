import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { computePool, inlinePool, type OwnedComputePool } from '../../compute/pool.ts';
import { randomStream } from '../../random.ts';
import { emptyRows, fromTriples } from '../sparse.ts';
import { type FittedModel, KEY_BYTES, type RankedLists, type SparseRows, type TrainInput } from '../types.ts';
import { fitIals, ialsParams } from './ials.ts';
import { type IalsParams, resolveIalsParams } from './ials-params.ts';
import { fitItemKnn, itemKnnParams } from './item-knn.ts';
import { fitPopularity, popularityParams } from './popularity.ts';
import { findModel, MODEL_NAMES } from './registry.ts';

let pool: OwnedComputePool;
beforeAll(() => {
  pool = computePool({ threads: 2 });
});
afterAll(() => pool.close());

/** People of `groups` tastes who like items of their own taste, each with its share. */
function tastes(users: number, items: number, groups: number, share: number): SparseRows {
  const stream = randomStream(8, 'tastes');
  const triples: [number, number][] = [];
  for (let user = 0; user < users; user++) {
    for (let item = 0; item < items; item++) {
      const own = user % groups === item % groups;
      if (item === user % items || stream.uniform() < (own ? share : share / 20)) triples.push([user, item]);
    }
  }
  return fromTriples(
    users,
    items,
    triples.map(([user]) => user),
    triples.map(([, item]) => item),
    triples.map(() => 1),
  );
}

function keysOf(count: number, purpose: string): Uint8Array {
  const stream = randomStream(9, purpose);
  return Uint8Array.from({ length: count * KEY_BYTES }, () => stream.below(256));
}

const small = ialsParams.parse({ factors: 20, epochs: 6 });

/** How many of the listed items have the user's own taste. */
function ownTaste({ users, k, items }: RankedLists, groups: number): number {
  let own = 0;
  for (let n = 0; n < users * k; n++) if (items[n]! % groups === Math.floor(n / k) % groups) own++;
  return own / (users * k);
}

describe('fitIals', () => {
  test('recommends items of the taste that a person showed, and none that were excluded', async () => {
    const interactions = tastes(120, 80, 4, 0.4);
    const model = await fitIals({ interactions }, small, { pool, seed: 1 });
    const lists = await model.rank({ k: 5, exclude: interactions });
    expect(ownTaste(lists, 4)).toBeGreaterThan(0.95);
    for (let user = 0; user < 120; user++) {
      const seen = interactions.indices.subarray(interactions.indptr[user], interactions.indptr[user + 1]);
      for (const item of lists.items.subarray(user * 5, user * 5 + 5)) expect(seen).not.toContain(item);
    }
  });

  test('lowers its objective with every epoch', async () => {
    const interactions = tastes(60, 40, 3, 0.3);
    const objectives: number[] = [];
    for (const epochs of [1, 2, 4, 8]) {
      const params = ialsParams.parse({ factors: 8, epochs, lambda: 0.02, unobservedWeight: 0.3, steps: 8 });
      const { factors } = await fitIals({ interactions }, params, { pool, seed: 3 });
      objectives.push(objective(interactions, factors!, params));
    }
    for (let n = 1; n < objectives.length; n++) expect(objectives[n]).toBeLessThan(objectives[n - 1]!);
  });

  test.each([true, false])('gives the same bytes for 1, 2 and 3 threads (deterministic: %s)', async (deterministic) => {
    const interactions = tastes(1100, 300, 5, 0.1);
    const results = await Promise.all(
      [1, 2, 3].map(async (threads) => {
        await using own = computePool({ threads });
        const model = await fitIals({ interactions }, small, { pool: own, seed: 4, deterministic });
        const { items } = await model.rank({ k: 7, exclude: interactions });
        return [model.factors!.users.data, model.factors!.items.data, items].map((array) =>
          Buffer.from(array.slice().buffer).toString('hex'),
        );
      }),
    );
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  test('gives the bytes of a fit without a person, as if that person had never been there', async () => {
    const interactions = tastes(50, 30, 3, 0.3);
    const [userKeys, itemKeys] = [keysOf(50, 'users'), keysOf(30, 'items')];
    const gone = 17;
    const start = interactions.indptr[gone]!;
    const size = interactions.indptr[gone + 1]! - start;
    const without: TrainInput = {
      interactions: {
        rows: 49,
        columns: 30,
        indptr: Int32Array.from([
          ...interactions.indptr.subarray(0, gone + 1),
          ...interactions.indptr.subarray(gone + 2).map((at) => at - size),
        ]),
        indices: Int32Array.from([
          ...interactions.indices.subarray(0, start),
          ...interactions.indices.subarray(start + size),
        ]),
        values: new Float32Array(interactions.indices.length - size).fill(1),
      },
      userKeys: Uint8Array.from([
        ...userKeys.subarray(0, gone * KEY_BYTES),
        ...userKeys.subarray((gone + 1) * KEY_BYTES),
      ]),
      itemKeys,
    };
    const remaining = fromTriples(
      49,
      30,
      [...rowsOf(without.interactions)],
      [...without.interactions.indices],
      [...without.interactions.values],
    );
    const once = await fitIals(without, small, { pool, seed: 2 });
    const again = await fitIals({ ...without, interactions: remaining }, small, { pool, seed: 2 });
    expect([...again.factors!.items.data]).toEqual([...once.factors!.items.data]);
    // With one epoch's start alone the items' draws are visible: they do not move with who else is there.
    const tiny = ialsParams.parse({ factors: 4, epochs: 1, lambda: 0.1, unobservedWeight: 1, nu: 0 });
    const whole = await fitIals({ interactions, userKeys, itemKeys }, tiny, { pool, seed: 2 });
    const part = await fitIals(without, tiny, { pool, seed: 2 });
    const others = [
      ...whole.factors!.users.data.subarray(0, gone * 4),
      ...whole.factors!.users.data.subarray((gone + 1) * 4),
    ];
    // The first pass solves users against the drawn items alone; without a frequency term nobody else's degree is in it.
    expect([...part.factors!.users.data]).toEqual(others);
  });

  test('pushes away what a person disliked', async () => {
    const interactions = tastes(80, 40, 4, 0.4);
    const values = interactions.values.slice();
    // Person 0 dislikes half of what they touched.
    const end = interactions.indptr[1]!;
    for (let at = 0; at < end; at += 2) values[at] = -1;
    const model = await fitIals({ interactions: { ...interactions, values } }, small, { pool, seed: 1 });
    const { items, users } = model.factors!;
    const score = (item: number) =>
      items.data.subarray(item * 20, (item + 1) * 20).reduce((sum, value, d) => sum + value * users.data[d]!, 0);
    const own = [...interactions.indices.subarray(0, end)].map(score);
    const mean = (scores: number[]) => scores.reduce((sum, value) => sum + value, 0) / scores.length;
    expect(mean(own.filter((_, n) => n % 2 === 0))).toBeLessThan(mean(own.filter((_, n) => n % 2 === 1)));
  });

  test('resolves automatic parameters from the data and reports them', async () => {
    const data = { users: 943, items: 1540, interactions: 65_641, meanConfidence: 1, dislikes: false };
    const { lambda, unobservedWeight } = resolveIalsParams(ialsParams.parse({}), data);
    expect(unobservedWeight).toBeCloseTo((16 * 65_641) / (943 * 1540), 10);
    // nu = 1: lambda (1 + 16) is .6 of 1/sqrt(69.6) + 1/sqrt(42.6).
    expect(lambda * 17).toBeCloseTo(0.6 * (1 / Math.sqrt(65_641 / 943) + 1 / Math.sqrt(65_641 / 1540)), 10);
    const model = await fitIals({ interactions: tastes(20, 10, 2, 0.5) }, small, { pool, seed: 1 });
    expect(model.params).toMatchObject({ lambda: expect.any(Number), unobservedWeight: expect.any(Number) });
  });

  test('tells progress at every epoch and ends within 500 ms of an abort', async () => {
    const stop = new AbortController();
    const seen: number[] = [];
    let aborted = 0;
    const fit = fitIals({ interactions: tastes(400, 100, 4, 0.3) }, ialsParams.parse({ epochs: 1000 }), {
      pool,
      seed: 1,
      signal: stop.signal,
      onProgress: ({ done, total }) => {
        seen.push(done);
        expect(total).toBe(1000);
        if (done !== 2) return;
        aborted = performance.now();
        stop.abort();
      },
    });
    await expect(fit).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(performance.now() - aborted).toBeLessThan(500);
    expect(seen).toEqual([1, 2]);
  });

  test('refuses what does not fit the bound on memory', async () => {
    const fit = fitIals({ interactions: tastes(20, 10, 2, 0.5) }, small, { pool, seed: 1, memoryBytesMax: 2 ** 16 });
    await expect(fit).rejects.toMatchObject({ code: 'NUMERICS_MEMORY_LIMIT', details: { limitBytes: 2 ** 16 } });
  });
});

function* rowsOf({ rows, indptr }: SparseRows): Generator<number> {
  for (let row = 0; row < rows; row++) for (let at = indptr[row]!; at < indptr[row + 1]!; at++) yield row;
}

/** The loss that the head of ials.ts states, for nu = 1 and weights 1. */
function objective(
  interactions: SparseRows,
  { users, items }: NonNullable<FittedModel['factors']>,
  params: IalsParams,
): number {
  const [lambda, a0] = [params.lambda as number, params.unobservedWeight as number];
  const d = users.width;
  const counts = new Float64Array(items.rows);
  let loss = 0;
  for (let user = 0; user < users.rows; user++) {
    const seen = new Set(interactions.indices.subarray(interactions.indptr[user], interactions.indptr[user + 1]));
    const row = users.data.subarray(user * d, (user + 1) * d);
    for (let item = 0; item < items.rows; item++) {
      const s = row.reduce((sum, value, k) => sum + value * items.data[item * d + k]!, 0);
      loss += a0 * s * s + (seen.has(item) ? (1 - s) ** 2 : 0);
      if (seen.has(item)) counts[item]!++;
    }
    loss += lambda * (seen.size + a0 * items.rows) * row.reduce((sum, value) => sum + value * value, 0);
  }
  for (let item = 0; item < items.rows; item++) {
    const row = items.data.subarray(item * d, (item + 1) * d);
    loss += lambda * (counts[item]! + a0 * users.rows) * row.reduce((sum, value) => sum + value * value, 0);
  }
  return loss;
}

describe('fitItemKnn', () => {
  test('recommends neighbours of what a person has, the same for 1, 2 and 3 threads', async () => {
    const interactions = tastes(150, 60, 4, 0.4);
    const lists = await Promise.all(
      [1, 2, 3].map(async (threads) => {
        await using own = computePool({ threads });
        const model = await fitItemKnn({ interactions }, itemKnnParams.parse({ neighbours: 20 }), {
          pool: own,
          seed: 1,
        });
        return await model.rank({ k: 6, exclude: interactions });
      }),
    );
    expect(ownTaste(lists[0]!, 4)).toBeGreaterThan(0.9);
    expect([...lists[1]!.items]).toEqual([...lists[0]!.items]);
    expect([...lists[2]!.scores]).toEqual([...lists[0]!.scores]);
  });

  test('refuses a value of 0', async () => {
    const interactions = { ...fromTriples(1, 2, [0, 0], [0, 1], [1, 1]), values: Float32Array.of(1, 0) };
    const fit = fitItemKnn({ interactions }, itemKnnParams.parse({}), { pool, seed: 1 });
    await expect(fit).rejects.toMatchObject({ code: 'NUMERICS_INPUT_INVALID', details: { array: 'interactions' } });
  });
});

describe('fitPopularity', () => {
  test('ranks by the number of people, orders ties by key, and fills short lists with -1', async () => {
    const interactions = fromTriples(3, 4, [0, 1, 2, 1, 2, 0], [2, 2, 2, 3, 3, 0], [1, 1, 1, 9, 9, 99]);
    const model = await fitPopularity({ interactions }, popularityParams.parse({}), { pool, seed: 1 });
    expect([...model.itemScores!]).toEqual([1, 0, 3, 2]);
    const all = await model.rank({ k: 5, exclude: emptyRows(3, 4) });
    expect([...all.items.subarray(0, 5)]).toEqual([2, 3, 0, 1, -1]);
    expect(all.scores[4]).toBe(Number.NEGATIVE_INFINITY);
    const rest = await model.rank({ k: 2, exclude: interactions });
    expect([...rest.items]).toEqual([3, 1, 0, 1, 0, 1]);
    const sums = await fitPopularity({ interactions }, popularityParams.parse({ count: 'sum' }), { pool, seed: 1 });
    expect([...sums.itemScores!]).toEqual([99, 0, 3, 18]);
  });

  test('breaks ties differently for different people, by their keys and not by their places', async () => {
    const interactions = fromTriples(
      40,
      30,
      Array.from({ length: 40 }, (_, n) => n),
      Array.from({ length: 40 }, () => 0),
      Array.from({ length: 40 }, () => 1),
    );
    const [userKeys, itemKeys] = [keysOf(40, 'u'), keysOf(30, 'i')];
    const params = popularityParams.parse({});
    const model = await fitPopularity({ interactions, userKeys, itemKeys }, params, { pool, seed: 1 });
    const { items } = await model.rank({ k: 3, exclude: interactions });
    const lists = Array.from({ length: 40 }, (_, user) => items.subarray(user * 3, user * 3 + 3).join());
    expect(new Set(lists).size).toBeGreaterThan(30);
    const tail = {
      ...interactions,
      rows: 39,
      indptr: interactions.indptr.slice(0, 40),
      indices: interactions.indices.slice(1),
      values: interactions.values.slice(1),
    };
    const later = await fitPopularity(
      { interactions: tail, userKeys: userKeys.subarray(KEY_BYTES), itemKeys },
      params,
      { pool, seed: 1 },
    );
    const shifted = await later.rank({ k: 3, exclude: tail });
    expect([...shifted.items]).toEqual([...items.subarray(3)]);
  });
});

describe('every model', () => {
  const interactions = tastes(12, 9, 3, 0.4);
  const names = MODEL_NAMES.filter((name) => name !== 'two-tower');
  // One inline pool has one TensorFlow, threads have their own: their tests run on WASM alone.
  const withoutTensorFlow = names.filter((name) => !['autoencoder', 'proto-mf', 'sequence'].includes(name));

  test.each(withoutTensorFlow)('%s runs on a pool without threads as it does in threads', async (name) => {
    const lists = await Promise.all(
      [pool, inlinePool(2)].map(async (own) => {
        const model = await findModel(name).fit({ interactions }, {}, { pool: own, seed: 5 });
        return model.rank({ k: 4, exclude: interactions });
      }),
    );
    expect([...lists[1]!.items]).toEqual([...lists[0]!.items]);
  });

  test.each(withoutTensorFlow)('%s refuses to rank with exclusions of another shape, or k 0', async (name) => {
    const model = await findModel(name).fit({ interactions }, {}, { pool, seed: 1 });
    const code = 'NUMERICS_INPUT_INVALID';
    await expect(model.rank({ k: 3, exclude: emptyRows(12, 8) })).rejects.toMatchObject({ code });
    await expect(model.rank({ k: 0, exclude: emptyRows(12, 9) })).rejects.toMatchObject({ code });
  });

  test('an unknown name is answered with the known ones', () => {
    expect(() => findModel('svd')).toThrow(
      expect.objectContaining({ code: 'MODEL_UNKNOWN', details: { name: 'svd', known: MODEL_NAMES } }),
    );
  });
});
