/** What is hardly data: one person, one item, everything the same. Every model serves it, and none gives numbers that are none. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { computePool, type OwnedComputePool } from '../../compute/pool.ts';
import { fromTriples } from '../sparse.ts';
import type { SparseRows } from '../types.ts';
import { scoresOf } from './golden-linear.ts';
import { findModel, MODEL_NAMES } from './registry.ts';

let pool: OwnedComputePool;
beforeAll(() => {
  pool = computePool({ threads: 2 });
});
afterAll(() => pool.close());

const ones = (users: number, items: number, at: readonly (readonly [number, number])[]): SparseRows =>
  fromTriples(
    users,
    items,
    at.map(([user]) => user),
    at.map(([, item]) => item),
    at.map(() => 1),
  );
const everything = (users: number, items: number): SparseRows =>
  ones(
    users,
    items,
    Array.from({ length: users * items }, (_, n) => [Math.floor(n / items), n % items] as const),
  );

const CASES: readonly [string, SparseRows][] = [
  ['one person with one item', everything(1, 1)],
  ['one person with several items', everything(1, 5)],
  ['several people with one item', everything(6, 1)],
  ['people who all have everything', everything(6, 5)],
  [
    'an item that nobody has',
    ones(3, 4, [
      [0, 0],
      [1, 0],
      [1, 2],
      [2, 2],
    ]),
  ],
];
/** TensorFlow's plain engine starts fastest; two epochs show what there is to see. */
const BRIEF: Readonly<Record<string, object>> = {
  autoencoder: { epochs: 2, engine: 'tfjs-wasm' },
  'proto-mf': { epochs: 2, engine: 'tfjs-wasm' },
  sequence: { epochs: 2, engine: 'tfjs-wasm' },
  'two-tower': { epochs: 2, engine: 'tfjs-wasm' },
  fusion: { epochs: 2, engine: 'tfjs-wasm' },
};

describe.each(MODEL_NAMES)('%s', (name) => {
  test.each(CASES)('%s', async (_what, interactions) => {
    const model = await findModel(name).fit({ interactions }, BRIEF[name] ?? {}, { pool, seed: 1 });
    const scores = await scoresOf(model, interactions);
    expect(scores.every((score) => !Number.isNaN(score) && score < Infinity)).toBe(true);
  });
});
