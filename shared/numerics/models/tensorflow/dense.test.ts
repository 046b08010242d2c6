import { describe, expect, test } from 'vitest';
import { inlinePool } from '../../../compute/pool.ts';
import type { ComputePool } from '../../../compute/task.ts';
import { randomStream } from '../../../random.ts';
import { fromTriples } from '../../sparse.ts';
import type { RankedLists, SparseRows, TrainInput } from '../../types.ts';
import { findModel } from '../registry.ts';
import type { FittedDense } from './dense-fit.ts';
import { loadTensorFlow } from './engine.ts';
import { nearestTitles } from './prototypes.ts';
import { uniformity } from './proto-mf.ts';

const BLOCK_ITEMS = 15;

/** Two blocks: even users know only the first half of the items, odd users only the second. */
function twoBlocks(users = 60): SparseRows {
  const [rows, columns]: [number[], number[]] = [[], []];
  for (let user = 0; user < users; user++) {
    const stream = randomStream(8, 'test.blocks', user);
    for (let n = 0; n < 7; n++) {
      rows.push(user);
      columns.push((user % 2) * BLOCK_ITEMS + stream.below(BLOCK_ITEMS));
    }
  }
  return fromTriples(users, 2 * BLOCK_ITEMS, rows, columns, new Float32Array(rows.length).fill(1));
}

function ownBlockShare({ items, k }: RankedLists, offset = 0): number {
  const own = items.filter((item, at) => Math.floor(item / BLOCK_ITEMS) === (Math.floor(at / k) + offset) % 2);
  return own.length / items.length;
}

function input(): TrainInput {
  const interactions = twoBlocks();
  const times = Float64Array.from(interactions.indices, (_, at) => 1e12 + ((at * 7919) % 1000) * 60_000);
  return { interactions, times };
}

const training = { engine: 'tfjs-wasm', epochs: 25, batchSize: 20, learningRate: 0.03, weightDecay: 0.1 };
const MODELS: readonly [string, object][] = [
  ['autoencoder', { ...training, code: 8, variational: false }],
  ['autoencoder', { ...training, code: 8, hidden: 12, annealSteps: 20 }],
  ['proto-mf', { ...training, variant: 'U', dimensions: 8, prototypes: 6, epochs: 60, validationShare: 0 }],
  ['proto-mf', { ...training, variant: 'I', dimensions: 8, prototypes: 6, nearest: 3, averaging: 0 }],
  ['proto-mf', { ...training, variant: 'UI', dimensions: 8, prototypes: 6 }],
  ['proto-mf', { ...training, variant: 'none', dimensions: 8, lift: 0.5 }],
  ['sequence', { ...training, dimensions: 8, length: 6 }],
  ['sequence', { ...training, dimensions: 8, length: 6, target: 'future', blocks: 2 }],
];

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

describe('models trained on whole rows of users', () => {
  test.each(MODELS)('%s %j tells two tastes apart, and leaves no tensor behind', async (name, params) => {
    const returned: unknown[] = [];
    const data = input();
    const fitted = await findModel(name).fit(data, params, { pool: recordingPool(returned), seed: 3 });
    const lists = await fitted.rank({ k: 4, exclude: data.interactions });
    expect(ownBlockShare(lists)).toBeGreaterThan(0.9);
    const phases = returned.filter((result) => typeof result === 'object' && result !== null && 'leaked' in result);
    expect(phases.length).toBeGreaterThan(2);
    for (const phase of phases) expect(phase).toMatchObject({ leaked: 0, engine: 'tfjs-wasm' });
    const { losses } = (fitted as FittedDense).training;
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
  });

  test.each(['autoencoder', 'proto-mf', 'sequence'])('%s gives the same bytes for the same seed', async (name) => {
    const params = { ...MODELS.find(([model]) => model === name)![1], epochs: 2 };
    const fits = await Promise.all(
      [1, 1, 2].map((seed) => findModel(name).fit(input(), params, { pool: inlinePool(), seed })),
    );
    expect(fits[1]!.factors).toEqual(fits[0]!.factors);
    expect(fits[2]!.factors).not.toEqual(fits[0]!.factors);
  });

  test.each(['autoencoder', 'sequence'])(
    '%s serves people whom training never saw, from their history',
    async (name) => {
      const params = MODELS.find(([model]) => model === name)![1];
      await using pool = inlinePool();
      const fitted = await findModel(name).fit(input(), params, { pool, seed: 3 });
      const histories = fromTriples(2, 2 * BLOCK_ITEMS, [0, 0, 1, 1], [16, 18, 2, 4], [1, 1, 1, 1]);
      const lists = await fitted.rankHistories!({ k: 3, exclude: histories, histories });
      expect(ownBlockShare(lists, 1)).toBe(1);
    },
  );

  test('a model whose people are parameters cannot, and says so by not offering it', async () => {
    await using pool = inlinePool();
    const fitted = await findModel('proto-mf').fit(input(), { ...MODELS[2]![1], epochs: 1 }, { pool, seed: 3 });
    expect(Object.keys(fitted)).not.toContain('rankHistories');
  });

  test('the lift adds to the bias of items what their people say, and changes nothing that is learned', async () => {
    await using pool = inlinePool();
    const data = input();
    const params = { ...training, variant: 'I', dimensions: 8, prototypes: 4, epochs: 2 };
    const [plain, lifted] = await Promise.all(
      [0, 0.5].map(
        (lift) => findModel('proto-mf').fit(data, { ...params, lift }, { pool, seed: 3 }) as Promise<FittedDense>,
      ),
    );
    expect(lifted!.factors.users).toEqual(plain!.factors.users);
    const { data: before, width } = plain!.factors.items;
    const counts = new Int32Array(2 * BLOCK_ITEMS);
    for (const item of data.interactions.indices) counts[item]!++;
    const mean = data.interactions.indices.length / counts.length;
    for (const [at, value] of lifted!.factors.items.data.entries()) {
      const isBias = (at + 1) % width === 0;
      const added = isBias ? 0.5 * Math.log(1 + mean / counts[Math.floor(at / width)]!) : 0;
      expect(value).toBeCloseTo(before[at]! + added, 5);
    }
  });

  test('begins anew over all pairs for as many epochs as served best, or passes over them once', async () => {
    await using pool = inlinePool();
    const params = { ...training, code: 8, epochs: 4, patience: 1, averaging: 0.5 };
    const fit = (more: object) =>
      findModel('autoencoder').fit(input(), { ...params, ...more }, { pool, seed: 3 }) as Promise<FittedDense>;
    const { training: record } = await fit({});
    expect(record.losses).toHaveLength(record.validation.length + record.bestEpoch);
    const once = await fit({ refit: false });
    expect(once.training.losses).toHaveLength(once.training.validation.length + 1);
    expect(once.training.validation).toEqual(record.validation);
  });

  test('refuses a step that does not fit the bound on memory, and training that diverges', async () => {
    await using pool = inlinePool();
    const autoencoder = findModel('autoencoder');
    const small = { pool, seed: 1, memoryBytesMax: 1000 };
    await expect(autoencoder.fit(input(), {}, small)).rejects.toMatchObject({ code: 'NUMERICS_MEMORY_LIMIT' });
    const wild = { ...training, code: 8, learningRate: 1, weightDecay: 10, epochs: 120, validationShare: 0 };
    await expect(autoencoder.fit(input(), wild, { pool, seed: 1 })).rejects.toMatchObject({
      code: 'MODEL_PARAMS_INVALID',
    });
  });
});

describe('prototypes', () => {
  test('uniformity is the mean over pairs that its definition gives, and spreading lowers it', async () => {
    const { tf } = await loadTensorFlow({ prefer: 'tfjs-wasm' });
    const value = (rows: number[][]) => tf.tidy(() => uniformity(tf, tf.tensor2d(rows)).dataSync()[0]!);
    // Three unit vectors: squared distances 2, 4, 2.
    const byHand = Math.log((2 * Math.exp(-4) + Math.exp(-8)) / 3);
    expect(
      value([
        [1, 0],
        [0, 5],
        [-2, 0],
      ]),
    ).toBeCloseTo(byHand, 4);
    expect(
      value([
        [1, 0],
        [1, 0.1],
        [1, -0.1],
      ]),
    ).toBeGreaterThan(byHand);
  });

  test('each is explained by the titles nearest to it', async () => {
    await using pool = inlinePool();
    const params = { ...training, variant: 'I', dimensions: 8, prototypes: 4 };
    const fitted = (await findModel('proto-mf').fit(input(), params, { pool, seed: 3 })) as FittedDense;
    const titles = Array.from({ length: 2 * BLOCK_ITEMS }, (_, item) => `title ${item}`);
    const explained = nearestTitles(fitted, titles, 3);
    expect(explained).toHaveLength(4);
    for (const { nearest } of explained) {
      expect(nearest).toHaveLength(3);
      expect(nearest[0]!.similarity).toBeGreaterThanOrEqual(nearest[2]!.similarity);
      expect(titles).toContain(nearest[0]!.title);
    }
  });
});
