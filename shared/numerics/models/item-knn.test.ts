/** BM25 neighbours against NumPy (test/reference/linear.py makes the file). The cosine is proved in models.test.ts and ../kernels. */
import { describe, expect, test } from 'vitest';
import { computePool } from '../../compute/pool.ts';
import { fromTriples } from '../sparse.ts';
import { goldenCases, goldenInteractions, scoresOf } from './golden-linear.ts';
import { fitItemKnn, itemKnnParams } from './item-knn.ts';

describe('fitItemKnn with BM25', () => {
  test.each(goldenCases('bm25'))('has the scores that NumPy has: $params', async (one) => {
    const interactions = goldenInteractions('counts');
    for (const threads of [1, 2, 3]) {
      await using pool = computePool({ threads });
      const params = itemKnnParams.parse({ ...one.params, weighting: 'bm25' });
      const model = await fitItemKnn({ interactions }, params, { pool, seed: 1 });
      const scores = await scoresOf(model, interactions);
      const largest = Math.max(...one.scores);
      const worst = scores.reduce((most, score, n) => Math.max(most, Math.abs(score - one.scores[n]!)), 0);
      expect(worst).toBeLessThan(1e-5 * largest);
    }
  });

  test('many people whose weights are 0 do not crowd the lists', async () => {
    const users = 60;
    const all = Array.from({ length: users * 3 }, (_, n) => n);
    const interactions = fromTriples(
      users + 2,
      4,
      [...all.map((n) => Math.floor(n / 3)), users, users, users + 1],
      [...all.map((n) => n % 3), 0, 3, 1],
      [...all.map(() => 1), 1, 1, 1],
    );
    await using pool = computePool({ threads: 2 });
    const params = itemKnnParams.parse({ weighting: 'bm25', neighbours: 3 });
    const model = await fitItemKnn({ interactions }, params, { pool, seed: 1 });
    const scores = await scoresOf(model, interactions);
    // Only items 0 and 3 meet in a row that tells anything: ln(4 / 3) above 0.
    const row = [...scores.subarray(users * 4, users * 4 + 4)];
    expect(row.map((score) => score > 0)).toEqual([true, false, false, true]);
  });

  test('a person who has everything tells nothing, and nobody is told anything by them alone', async () => {
    const interactions = fromTriples(2, 3, [0, 0, 0, 1], [0, 1, 2, 0], [5, 5, 5, 2]);
    await using pool = computePool({ threads: 1 });
    const params = itemKnnParams.parse({ weighting: 'bm25' });
    const model = await fitItemKnn({ interactions }, params, { pool, seed: 1 });
    const scores = await scoresOf(model, interactions);
    expect([...scores]).toEqual([0, 0, 0, 0, 0, 0]);
  });
});
