/** Every model of the registry refuses what it cannot learn from, with a code, before its work starts; and is not put off by what is merely alike. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { computePool, type OwnedComputePool } from '../../compute/pool.ts';
import type { ComputePool } from '../../compute/task.ts';
import type { AppError } from '../../errors.ts';
import { emptyRows, fromTriples } from '../sparse.ts';
import type { SparseRows, TrainInput } from '../types.ts';
import { scoresOf } from './golden-linear.ts';
import { findModel, MODEL_NAMES } from './registry.ts';

let pool: OwnedComputePool;
beforeAll(() => {
  pool = computePool({ threads: 2 });
});
afterAll(() => pool.close());

const USERS = 12;
const ITEMS = 9;

/** Each person has three items in a row, of the same value. */
function few(value = 1): SparseRows {
  const places = Array.from({ length: USERS * 3 }, (_, n) => n);
  return fromTriples(
    USERS,
    ITEMS,
    places.map((n) => Math.floor(n / 3)),
    places.map((n) => (Math.floor(n / 3) + (n % 3)) % ITEMS),
    places.map(() => value),
  );
}

const good = few();
const withValue = (value: number): SparseRows => ({ ...good, values: good.values.with(4, value) });
const withItem = (item: number): SparseRows => ({ ...good, indices: good.indices.with(good.indices.length - 1, item) });

const INVALID = 'NUMERICS_INPUT_INVALID';
const BAD: readonly (readonly [what: string, input: TrainInput, code: string])[] = [
  ['a value that is no number', { interactions: withValue(Number.NaN) }, INVALID],
  ['a value that is infinite', { interactions: withValue(Infinity) }, INVALID],
  ['a value of 0', { interactions: withValue(0) }, INVALID],
  ['an item beyond range', { interactions: withItem(ITEMS) }, INVALID],
  ['an item below 0', { interactions: { ...good, indices: good.indices.with(0, -1) } }, INVALID],
  ['an item that comes twice', { interactions: { ...good, indices: good.indices.with(1, good.indices[0]!) } }, INVALID],
  [
    'a person without interactions',
    { interactions: { ...good, rows: USERS + 1, indptr: Int32Array.of(...good.indptr, good.indices.length) } },
    INVALID,
  ],
  ['rows that do not span the interactions', { interactions: { ...good, rows: USERS - 1 } }, INVALID],
  ['values that do not fit the interactions', { interactions: { ...good, values: good.values.slice(1) } }, INVALID],
  ['keys that do not fit', { interactions: good, userKeys: new Uint8Array(3) }, INVALID],
  ['times that do not fit', { interactions: good, times: new Float64Array(3) }, INVALID],
  [
    'a time that is no number',
    { interactions: good, times: new Float64Array(good.indices.length).fill(Number.NaN) },
    INVALID,
  ],
  ['nobody and nothing', { interactions: emptyRows(0, 0) }, 'DATASET_EMPTY'],
];

/** Phases that a fit may begin with: they read and check the input. */
const READING_PHASES_MAX = 2;
const TENSORFLOW = ['autoencoder', 'fusion', 'proto-mf', 'sequence', 'two-tower'];
const brief = (name: string): object => (TENSORFLOW.includes(name) ? { epochs: 2, engine: 'tfjs-wasm' } : {});

/** Most models have vectors of a width that is chosen; two are as wide as the catalogue. */
const WIDEST: Readonly<Record<string, object>> = {
  autoencoder: { code: 1024 },
  bpr: { factors: 1024 },
  ials: { factors: 1024 },
  item2vec: { factors: 1023 },
  'proto-mf': { dimensions: 512, prototypes: 512 },
  sequence: { dimensions: 256 },
  'two-tower': { dimensions: 512 },
  warp: { factors: 1024 },
};
/** Two pages: more than the small data with narrow vectors needs in a kernel's memory, less than with the widest. */
const MEMORY_BYTES = 2 * 65_536;

function countingPool(): ComputePool & { phases: number } {
  const counting = {
    threads: pool.threads,
    phases: 0,
    runPhase<T>(...args: Parameters<ComputePool['runPhase']>): Promise<T[]> {
      counting.phases++;
      return pool.runPhase<T>(...args);
    },
  };
  return counting;
}

describe.each(MODEL_NAMES)('%s', (name) => {
  test('refuses bad input before its work starts', async () => {
    const outcomes: (readonly [string, unknown])[] = [];
    for (const [what, input] of BAD) {
      const counting = countingPool();
      const fit = findModel(name).fit(input, brief(name), { pool: counting, seed: 1 });
      const code = await fit.then(
        () => 'accepted',
        (thrown: AppError) => thrown.code,
      );
      outcomes.push([what, counting.phases > READING_PHASES_MAX ? `${code} after ${counting.phases} phases` : code]);
    }
    expect(outcomes).toEqual(BAD.map(([what, , code]) => [what, code]));
  });

  test('takes values that are all alike', async () => {
    const model = await findModel(name).fit({ interactions: few(3) }, brief(name), { pool, seed: 1 });
    const scores = await scoresOf(model, good);
    expect(scores.every((score) => !Number.isNaN(score) && score < Infinity)).toBe(true);
  });

  test('refuses parameters that it does not have, by name', async () => {
    await expect(findModel(name).parseParams({ factorz: 3 })).rejects.toMatchObject({
      code: 'MODEL_PARAMS_INVALID',
      message: expect.stringContaining('factorz'),
    });
  });
});

test.each(Object.entries(WIDEST))('%s refuses more factors than its bound of memory holds', async (name, widest) => {
  const counting = countingPool();
  const context = { pool: counting, seed: 1, memoryBytesMax: MEMORY_BYTES };
  const fit = findModel(name).fit({ interactions: good }, { ...brief(name), ...widest }, context);
  await expect(fit).rejects.toMatchObject({
    code: 'NUMERICS_MEMORY_LIMIT',
    details: { limitBytes: MEMORY_BYTES, needBytes: expect.any(Number) },
  });
  expect(counting.phases).toBeLessThanOrEqual(READING_PHASES_MAX);
});

test.each(['ease', 'fusion', 'graph-filter', 'hybrid', 'item-knn'])(
  '%s refuses a catalogue that its bound of memory does not hold',
  async (name) => {
    const items = 600;
    const interactions = fromTriples(
      items,
      items,
      Array.from({ length: items }, (_, n) => n),
      Array.from({ length: items }, (_, n) => n),
      Array.from({ length: items }, () => 1),
    );
    const counting = countingPool();
    const fit = findModel(name).fit({ interactions }, brief(name), {
      pool: counting,
      seed: 1,
      memoryBytesMax: 3 * MEMORY_BYTES,
    });
    await expect(fit).rejects.toMatchObject({ code: 'NUMERICS_MEMORY_LIMIT' });
    expect(counting.phases).toBeLessThanOrEqual(READING_PHASES_MAX);
  },
);
