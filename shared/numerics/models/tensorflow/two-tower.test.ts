import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { computePool, inlinePool } from '../../../compute/pool.ts';
import type { ComputePool } from '../../../compute/task.ts';
import { AppError } from '../../../errors.ts';
import { randomStream } from '../../../random.ts';
import { fromTriples } from '../../sparse.ts';
import type { RankedLists, SparseRows } from '../../types.ts';
import { fitTwoTower, twoTowerParams } from './two-tower.ts';

const BLOCK_ITEMS = 20;

/** Two blocks: even users know only the first half of the items, odd users only the second. */
function twoBlocks(users = 60): SparseRows {
  const [rows, columns]: number[][] = [[], []];
  for (let u = 0; u < users; u++) {
    const stream = randomStream(8, 'test.blocks', u);
    for (let n = 0; n < 8; n++) {
      rows!.push(u);
      columns!.push((u % 2) * BLOCK_ITEMS + stream.below(BLOCK_ITEMS));
    }
  }
  return fromTriples(
    users,
    2 * BLOCK_ITEMS,
    rows!,
    columns!,
    rows!.map(() => 1),
  );
}

/** Share of recommended items that lie in the user's own block. */
function ownBlockShare({ items, k }: RankedLists): number {
  const own = items.filter((item, at) => Math.floor(item / BLOCK_ITEMS) === Math.floor(at / k) % 2);
  return own.length / items.length;
}

const small = { dimensions: 8, batchSize: 32, engine: 'tfjs-wasm', learningRate: 0.03 } as const;

test.each([0, 8])('two blocks of users and items are told apart (hidden width %i)', async (itemHidden) => {
  await using pool = inlinePool();
  const interactions = twoBlocks();
  const params = twoTowerParams.parse({ ...small, itemHidden, epochs: 12, validationShare: 0 });
  const model = await fitTwoTower({ interactions }, params, { pool, seed: 3 });
  const lists = await model.rank({ k: 5, exclude: interactions });
  expect(ownBlockShare(lists)).toBeGreaterThan(0.9);
  expect(model.engine).toBe('tfjs-wasm');
  expect(model.training.losses).toHaveLength(12);
  expect(model.training.losses.at(-1)!).toBeLessThan(model.training.losses[0]!);
});

test('factors have unit length, and the ranked scores are their dot products', async () => {
  await using pool = inlinePool();
  const interactions = twoBlocks();
  const params = twoTowerParams.parse({ ...small, epochs: 3 });
  const model = await fitTwoTower({ interactions }, params, { pool, seed: 3 });
  const { factors } = model;
  const row = (data: Float32Array, at: number) => data.subarray(at * 8, (at + 1) * 8);
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, d) => sum + x * b[d]!, 0);
  for (let u = 0; u < factors.users.rows; u++) {
    expect(dot(row(factors.users.data, u), row(factors.users.data, u))).toBeCloseTo(1, 4);
  }
  const { items, scores } = await model.rank({ k: 3, exclude: interactions });
  items.forEach((item, at) => {
    const user = Math.floor(at / 3);
    expect(scores[at]).toBeCloseTo(dot(row(factors.users.data, user), row(factors.items.data, item)), 4);
  });
});

test('stops early, goes back to the best epoch, and makes one last pass over all pairs', async () => {
  await using pool = inlinePool();
  const params = twoTowerParams.parse({ ...small, epochs: 60, validationShare: 0.2, patience: 2 });
  const { training } = await fitTwoTower({ interactions: twoBlocks() }, params, { pool, seed: 3 });
  const { validation, bestEpoch, losses } = training;
  expect(validation.length).toBeLessThan(60);
  expect(bestEpoch).toBe(validation.indexOf(Math.max(...validation)) + 1);
  expect(validation).toHaveLength(bestEpoch + 2);
  expect(losses).toHaveLength(validation.length + 1);
});

test('the same seed gives the same bytes on WASM, another seed others', async () => {
  await using pool = inlinePool();
  const interactions = twoBlocks();
  const params = twoTowerParams.parse({ ...small, epochs: 2 });
  const [one, two, other] = await Promise.all(
    [1, 1, 2].map((seed) => fitTwoTower({ interactions }, params, { pool, seed })),
  );
  expect(two!.factors).toEqual(one!.factors);
  expect(other!.factors).not.toEqual(one!.factors);
});

/** An inline pool that keeps what its tasks returned. */
function recordingPool(returned: unknown[]): ComputePool {
  const pool = inlinePool();
  return {
    threads: 1,
    async runPhase<T>(...args: Parameters<ComputePool['runPhase']>): Promise<T[]> {
      const results = await pool.runPhase<T>(...args);
      returned.push(...results);
      return results;
    },
  };
}

test('no phase leaves tensors behind, and progress tells the loss', async () => {
  const returned: unknown[] = [];
  const told: { done: number; total: number; loss: number | undefined }[] = [];
  const params = twoTowerParams.parse({ ...small, epochs: 3, itemHidden: 4 });
  await fitTwoTower({ interactions: twoBlocks() }, params, {
    pool: recordingPool(returned),
    seed: 3,
    onProgress: ({ done, total, metrics }) => told.push({ done, total, loss: metrics?.['loss'] }),
  });
  const leaked = returned.filter((result) => typeof result === 'object' && result !== null && 'leaked' in result);
  expect(leaked.length).toBeGreaterThan(2);
  for (const result of leaked) expect(result).toMatchObject({ leaked: 0 });
  expect(told.length).toBe(leaked.length);
  for (const { done, total, loss } of told) {
    expect(done).toBeLessThanOrEqual(total);
    expect(loss).toBeGreaterThan(0);
  }
});

test('cancelling ends the fit with CANCELLED', async () => {
  await using pool = computePool({ threads: 1 });
  const controller = new AbortController();
  const params = twoTowerParams.parse({ ...small, epochs: 1000, patience: 100 });
  const fit = fitTwoTower({ interactions: twoBlocks() }, params, {
    pool,
    seed: 3,
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  await expect(fit).rejects.toMatchObject({ code: 'CANCELLED' });
});

test('refuses empty data and parameters that make it diverge', async () => {
  await using pool = inlinePool();
  const none = fromTriples(0, 0, [], [], []);
  const params = twoTowerParams.parse({ ...small, epochs: 1 });
  await expect(fitTwoTower({ interactions: none }, params, { pool, seed: 1 })).rejects.toThrow(AppError);
  const wild = twoTowerParams.parse({ ...small, learningRate: 1, weightDecay: 10, epochs: 120, validationShare: 0 });
  const fit = fitTwoTower({ interactions: twoBlocks() }, wild, { pool, seed: 1 });
  await expect(fit).rejects.toMatchObject({ code: 'MODEL_PARAMS_INVALID' });
});

const DATA = process.env['MILLRACE_TEST_DATA'] ?? join(import.meta.dirname, '../../../../../shared/data');
const RATINGS = join(DATA, 'ml-100k/u.data');

test.skipIf(!existsSync(RATINGS))(
  'five epochs reach NDCG@10 of .22 on MovieLens-100K, WASM',
  { timeout: 300_000 },
  async () => {
    const { train, held } = movieLens();
    await using pool = computePool({ threads: 2 });
    const params = twoTowerParams.parse({ engine: 'tfjs-wasm', epochs: 5, validationShare: 0 });
    const model = await fitTwoTower({ interactions: train }, params, { pool, seed: 1 });
    expect(ndcg(await model.rank({ k: 10, exclude: train }), held)).toBeGreaterThan(0.22);
  },
);

/** Ratings >= 3; of each user about a tenth is held out, by a hash. */
function movieLens(): { train: SparseRows; held: Map<number, Set<number>> } {
  const lines = readFileSync(RATINGS, 'utf8').trim().split('\n');
  const rows = lines.map((line) => line.split(/\s+/).map(Number)).filter((row) => row[2]! >= 3);
  const kept = rows.filter(([user, item]) => randomStream(7, 'test.split', user!, item!).uniform() >= 0.1);
  const gone = rows.filter(([user, item]) => randomStream(7, 'test.split', user!, item!).uniform() < 0.1);
  const column = (from: number[][], at: number) => from.map((row) => row[at]! - 1);
  const train = fromTriples(
    943,
    1682,
    column(kept, 0),
    column(kept, 1),
    kept.map(() => 1),
  );
  const held = new Map<number, Set<number>>();
  for (const [user, item] of gone) held.set(user! - 1, (held.get(user! - 1) ?? new Set()).add(item! - 1));
  return { train, held };
}

function ndcg({ items, k }: RankedLists, held: Map<number, Set<number>>): number {
  let sum = 0;
  for (const [user, relevant] of held) {
    const gain = [...items.subarray(user * k, (user + 1) * k)]
      .map((item, n) => (relevant.has(item) ? 1 / Math.log2(n + 2) : 0))
      .reduce((total, part) => total + part, 0);
    const ideal = Array.from({ length: Math.min(k, relevant.size) }, (_, n) => 1 / Math.log2(n + 2));
    sum += gain / ideal.reduce((total, part) => total + part, 0);
  }
  return sum / held.size;
}
