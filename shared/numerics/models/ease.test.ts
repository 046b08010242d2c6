/** EASE against NumPy (test/reference/linear.py makes the file), for any number of threads, at its bounds and with bad input. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { computePool, type OwnedComputePool } from '../../compute/pool.ts';
import { randomStream } from '../../random.ts';
import { emptyRows, fromTriples } from '../sparse.ts';
import type { SparseRows } from '../types.ts';
import { easeParams, fitEase } from './ease.ts';
import { BLOCK_ORDER } from './ease-layout.ts';
import { resolveEaseParams } from './ease-params.ts';
import { goldenCases, goldenInteractions, scoresOf } from './golden-linear.ts';

let pool: OwnedComputePool;
beforeAll(() => {
  pool = computePool({ threads: 2 });
});
afterAll(() => pool.close());

/** Users with `each` items of `items`. */
function random(users: number, items: number, each: number): SparseRows {
  const stream = randomStream(6, 'ease');
  const rows = Array.from({ length: users * each }, (_, n) => Math.floor(n / each));
  const columns = rows.map(() => stream.below(items));
  return fromTriples(
    users,
    items,
    rows,
    columns,
    rows.map(() => 1),
  );
}

describe('fitEase', () => {
  test.each(
    goldenCases('ease').flatMap((one) => (['single', 'double'] as const).map((precision) => ({ one, precision }))),
  )('has the scores that NumPy has: $one.params, $precision', async ({ one, precision }) => {
    const { regularisation, ...more } = one.params;
    const interactions = goldenInteractions(more['weighting'] === 'linear' ? 'signed' : 'binary');
    const params = easeParams.parse({ ...more, lambda: regularisation, precision });
    const model = await fitEase({ interactions }, params, { pool, seed: 1 });
    const scores = await scoresOf(model, interactions);
    const largest = Math.max(...one.scores.map(Math.abs));
    scores.forEach((score, n) => expect(Math.abs(score - one.scores[n]!)).toBeLessThan(1e-5 * largest));
  });

  test.each(['single', 'double'] as const)('gives the same bytes for 1, 2 and 3 threads, %s', async (precision) => {
    const interactions = random(500, 3 * BLOCK_ORDER + 17, 12);
    const results = await Promise.all(
      [1, 2, 3].map(async (threads) => {
        await using own = computePool({ threads });
        const model = await fitEase({ interactions }, easeParams.parse({ precision }), { pool: own, seed: threads });
        const { items, scores } = await model.rank({ k: 9, exclude: interactions });
        return [items, scores].map((array) => Buffer.from(array.slice().buffer).toString('hex'));
      }),
    );
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  test('single precision finds the lists of double precision', async () => {
    const interactions = random(400, 300, 15);
    const [one, two] = await Promise.all(
      (['single', 'double'] as const).map(async (precision) => {
        const model = await fitEase({ interactions }, easeParams.parse({ precision, lambda: 10 }), { pool, seed: 1 });
        return model.rank({ k: 10, exclude: interactions });
      }),
    );
    const same = one!.items.filter((item, n) => item === two!.items[n]).length;
    expect(same / one!.items.length).toBeGreaterThan(0.999);
  });

  test('an item that nobody has is scored 0 for everybody', async () => {
    const interactions = fromTriples(2, 4, [0, 0, 1], [0, 1, 1], [1, 1, 1]);
    const model = await fitEase({ interactions }, easeParams.parse({ lambda: 1 }), { pool, seed: 1 });
    const scores = await scoresOf(model, interactions);
    expect([scores[2], scores[3], scores[6], scores[7]]).toEqual([0, 0, 0, 0]);
    expect(scores[4]).toBeGreaterThan(0);
  });

  test('derives lambda from the size and the weights of the data, and reports it', async () => {
    const data = { users: 100, items: 25, interactions: 900, meanSquare: 4 };
    const { lambda } = resolveEaseParams(easeParams.parse({ strength: 2 }), data);
    expect(lambda).toBeCloseTo(2 * 15 * (3 + 6) * 4, 10);
    const interactions = goldenInteractions('binary');
    const model = await fitEase({ interactions }, easeParams.parse({}), { pool, seed: 1 });
    expect(model.params).toMatchObject({ lambda: expect.any(Number), precision: 'single' });
  });

  test('refuses a regularisation that is lost in rounding, naming the item', async () => {
    const interactions = fromTriples(1, 3, [0, 0], [0, 2], [1, 1]);
    const fit = fitEase({ interactions }, easeParams.parse({ lambda: 1e-30 }), { pool, seed: 1 });
    await expect(fit).rejects.toMatchObject({ code: 'MODEL_PARAMS_INVALID', details: { item: expect.any(Number) } });
  });

  test('refuses more items than fit the bound on memory, before it works and before it ranks', async () => {
    const interactions = random(50, 2000, 4);
    const params = easeParams.parse({});
    const seen: number[] = [];
    const fit = fitEase({ interactions }, params, {
      pool,
      seed: 1,
      memoryBytesMax: 8 * 2 ** 20,
      onProgress: ({ done }) => seen.push(done),
    });
    await expect(fit).rejects.toMatchObject({ code: 'NUMERICS_MEMORY_LIMIT' });
    expect(seen).toEqual([]);
    const model = await fitEase({ interactions }, params, { pool, seed: 1, memoryBytesMax: 14 * 2 ** 20 });
    await expect(model.rank({ k: 5, exclude: emptyRows(50, 2000) })).rejects.toMatchObject({
      code: 'NUMERICS_MEMORY_LIMIT',
    });
  });

  test('ends on an abort between block columns', async () => {
    const stop = new AbortController();
    const fit = fitEase({ interactions: random(300, 1000, 5) }, easeParams.parse({}), {
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
