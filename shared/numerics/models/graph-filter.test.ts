/** The graph filter against NumPy (test/reference/linear.py makes the file), its parts against their definitions, threads, bounds, bad input. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { computePool, type OwnedComputePool } from '../../compute/pool.ts';
import { randomStream } from '../../random.ts';
import { instantiate, loadEngine } from '../engine/load.ts';
import { MemoryPlan } from '../engine/memory.ts';
import { graphFilterReference } from '../kernels/graph.reference.ts';
import { fromTriples } from '../sparse.ts';
import { KEY_BYTES, type SparseRows } from '../types.ts';
import { BLOCK_ORDER } from './ease-layout.ts';
import { goldenCases, goldenInteractions, scoresOf } from './golden-linear.ts';
import { filterScratchFloats, fitGraphFilter, graphFilterParams } from './graph-filter.ts';
import { exponentialSeries } from './graph-filter-params.ts';

let pool: OwnedComputePool;
beforeAll(() => {
  pool = computePool({ threads: 2 });
});
afterAll(() => pool.close());

function random(users: number, items: number, each: number): SparseRows {
  const stream = randomStream(7, 'graph');
  const rows = Array.from({ length: users * each }, (_, n) => Math.floor(n / each));
  // Half of a user's items come from the user's own corner of the catalogue.
  const columns = rows.map((user, n) => (n % 2 === 0 ? stream.below(items) : (user * 7 + stream.below(9)) % items));
  return fromTriples(
    users,
    items,
    rows,
    columns,
    rows.map(() => 1),
  );
}

function densely({ columns, indices, indptr, rows, values }: SparseRows): number[][] {
  return Array.from({ length: rows }, (_, row) => {
    const dense = Array.from({ length: columns }, () => 0);
    for (let at = indptr[row]!; at < indptr[row + 1]!; at++) dense[indices[at]!] = values[at]!;
    return dense;
  });
}

const golden = [
  ...goldenCases('graph-filter').map(({ params: { alpha, ...params }, scores }) => ({
    params: graphFilterParams.parse({ ...params, lowRank: alpha, filter: 'linear' }),
    scores,
  })),
  ...goldenCases('sharpened').map(({ params: { beta, ...params }, scores }) => ({
    params: graphFilterParams.parse({ ...params, lowRank: beta }),
    scores,
  })),
];

describe('fitGraphFilter', () => {
  test.each(golden)('has the scores that NumPy has: $params.filter, rank $params.rank, $params.left', async (one) => {
    const interactions = goldenInteractions('binary');
    for (const deterministic of [true, false]) {
      const model = await fitGraphFilter({ interactions }, one.params, { pool, seed: 3, deterministic });
      const scores = await scoresOf(model, interactions);
      const largest = Math.max(...one.scores.map(Math.abs));
      scores.forEach((score, n) => expect(Math.abs(score - one.scores[n]!)).toBeLessThan(1e-5 * largest));
    }
  });

  test.each([
    { filter: 'linear', left: 'raw', rank: 16 },
    { filter: 'linear', left: 'normalised', rank: 5 },
    { filter: 'sharpened', left: 'raw', rank: 20 },
  ] as const)('matches the slow reference over several batches of users: $filter, $left', async (own) => {
    const interactions = random(150, 61, 9);
    const params = graphFilterParams.parse({ ...own, iterations: 40 });
    const expected = graphFilterReference(densely(interactions), params).flat();
    const largest = Math.max(...expected.map(Math.abs));
    const model = await fitGraphFilter({ interactions }, params, { pool, seed: 1 });
    const scores = await scoresOf(model, interactions);
    const worst = scores.reduce((most, score, n) => Math.max(most, Math.abs(score - expected[n]!)), 0);
    expect(worst).toBeLessThan(1e-5 * largest);
  });

  test.each([true, false])('gives the same bytes for 1, 2 and 3 threads (deterministic: %s)', async (deterministic) => {
    const interactions = random(1300, 230, 8);
    const results = await Promise.all(
      [1, 2, 3].map(async (threads) => {
        await using own = computePool({ threads });
        const params = graphFilterParams.parse({ rank: 20 });
        const model = await fitGraphFilter({ interactions }, params, { pool: own, seed: 4, deterministic });
        const { items, scores } = await model.rank({ k: 9, exclude: interactions });
        return [items, scores].map((array) => Buffer.from(array.slice().buffer).toString('hex'));
      }),
    );
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  test('draws are keyed by the items: another seed gives other bytes and the same lists but for near ties', async () => {
    const interactions = random(300, 150, 10);
    const stream = randomStream(8, 'keys');
    const itemKeys = Uint8Array.from({ length: 150 * KEY_BYTES }, () => stream.below(256));
    const params = graphFilterParams.parse({ rank: 12, iterations: 30 });
    const lists = await Promise.all(
      [1, 2].map(async (seed) => {
        const model = await fitGraphFilter({ interactions, itemKeys }, params, { pool, seed });
        return model.rank({ k: 10, exclude: interactions });
      }),
    );
    expect(lists[0]!.scores.some((score, n) => score !== lists[1]!.scores[n])).toBe(true);
    const same = lists[0]!.items.filter((item, n) => item === lists[1]!.items[n]).length;
    expect(same / lists[0]!.items.length).toBeGreaterThan(0.99);
  });

  test('data of rank 1, and an item that nobody has, are no trouble', async () => {
    const interactions = fromTriples(3, 4, [0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1], [1, 1, 1, 1, 1, 1]);
    for (const filter of ['linear', 'sharpened'] as const) {
      const params = graphFilterParams.parse({ rank: 3, filter });
      const model = await fitGraphFilter({ interactions }, params, { pool, seed: 1 });
      const scores = await scoresOf(model, interactions);
      expect(scores.every((score) => Number.isFinite(score))).toBe(true);
      expect([scores[2], scores[3]]).toEqual([0, 0]);
      expect(scores[0]).toBeGreaterThan(0);
      expect(scores[0]).toBeCloseTo(scores[1]!, 5);
    }
  });

  test('values count where they are asked to', async () => {
    const interactions = goldenInteractions('counts');
    const fits = (['none', 'linear', 'log'] as const).map(async (weighting) => {
      const model = await fitGraphFilter({ interactions }, graphFilterParams.parse({ weighting }), { pool, seed: 1 });
      return (await scoresOf(model, interactions)).join();
    });
    expect(new Set(await Promise.all(fits)).size).toBe(3);
  });

  test.each(['raw', 'normalised'] as const)('takes dislikes as the slow reference does: %s', async (left) => {
    const interactions = goldenInteractions('signed');
    const params = graphFilterParams.parse({ rank: 8, weighting: 'linear', left, iterations: 60 });
    const model = await fitGraphFilter({ interactions }, params, { pool, seed: 1 });
    const expected = graphFilterReference(densely(interactions), params).flat();
    const largest = Math.max(...expected.map(Math.abs));
    const scores = await scoresOf(model, interactions);
    scores.forEach((score, n) => expect(Math.abs(score - expected[n]!)).toBeLessThan(1e-4 * largest));
  });

  test('refuses what does not fit the bound on memory, before it works and before it ranks', async () => {
    const interactions = random(800, 600, 6);
    const params = graphFilterParams.parse({ rank: 128 });
    const fit = fitGraphFilter({ interactions }, params, { pool, seed: 1, memoryBytesMax: 2 * 2 ** 20 });
    await expect(fit).rejects.toMatchObject({ code: 'NUMERICS_MEMORY_LIMIT' });
    const model = await fitGraphFilter({ interactions }, graphFilterParams.parse({ rank: 8, oversample: 0 }), {
      pool,
      seed: 1,
      memoryBytesMax: 1.2 * 2 ** 20,
    });
    await expect(model.rank({ k: 9, exclude: interactions })).rejects.toMatchObject({ code: 'NUMERICS_MEMORY_LIMIT' });
  });

  test('ends on an abort between iterations', async () => {
    const stop = new AbortController();
    const fit = fitGraphFilter({ interactions: random(300, 200, 5) }, graphFilterParams.parse({ iterations: 100 }), {
      pool,
      seed: 1,
      signal: stop.signal,
      onProgress: ({ done }) => {
        if (done === 2) stop.abort();
      },
    });
    await expect(fit).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

test('the series is that of the exponential', () => {
  expect(exponentialSeries(0.3, 2)).toBeCloseTo(1 - 0.6 + 0.18 - 0.036 + 0.0054, 12);
});

test('sizes that layouts assume are those of the kernels', async () => {
  const { module } = await loadEngine({ deterministic: true });
  const kernels = instantiate(module, new MemoryPlan().allocate());
  expect(kernels.blockOrder()).toBe(BLOCK_ORDER);
  expect(kernels.pivotScratchBytes()).toBe(2 * BLOCK_ORDER ** 2 * 8);
  for (const [users, items, width] of [
    [1, 1, 16],
    [77, 130, 96],
  ] as const) {
    expect(filterScratchFloats(users, items, width) * 4).toBe(kernels.filterScratchBytes(users, items, width));
  }
});
