/** Fits that go on from a state between two epochs, as if nothing had happened. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { computePool, type OwnedComputePool } from '../../compute/pool.ts';
import { randomStream } from '../../random.ts';
import { fromTriples } from '../sparse.ts';
import { type FitCheckpoints, type FitState, KEY_BYTES, type OfferedState, type TrainInput } from '../types.ts';
import { findModel } from './registry.ts';

let pool: OwnedComputePool;
let other: OwnedComputePool;
beforeAll(() => {
  pool = computePool({ threads: 2 });
  other = computePool({ threads: 1 });
});
afterAll(async () => {
  await pool.close();
  await other.close();
});

const [USERS, ITEMS] = [90, 40];

function input(): TrainInput {
  const stream = randomStream(5, 'checkpoints');
  const [rows, columns]: [number[], number[]] = [[], []];
  for (let user = 0; user < USERS; user++) {
    for (let n = 0; n < 8; n++) {
      rows.push(user);
      columns.push((user % 2) * (ITEMS / 2) + stream.below(ITEMS / 2));
    }
  }
  const interactions = fromTriples(USERS, ITEMS, rows, columns, new Float32Array(rows.length).fill(1));
  const keys = (count: number) => Uint8Array.from({ length: count * KEY_BYTES }, () => stream.below(256));
  const times = Float64Array.from(interactions.indices, (_, at) => 1e12 + ((at * 7919) % 1000) * 60_000);
  return { interactions, times, userKeys: keys(USERS), itemKeys: keys(ITEMS) };
}

/** Keeps a copy of every state that is offered, as a store would. */
class Kept implements FitCheckpoints {
  readonly states: FitState[] = [];
  readonly engines = new Set<string>();
  readonly #from: FitState | undefined;

  constructor(from?: FitState) {
    this.#from = from;
  }

  async last(engine: string): Promise<FitState | undefined> {
    this.engines.add(engine);
    return this.#from;
  }

  async offer(offered: OfferedState): Promise<void> {
    const { engine, epoch } = offered;
    this.engines.add(engine);
    const { arrays, facts } = offered.state();
    const copies = Object.entries(arrays).map(([name, data]) => [name, data.slice()] as const);
    this.states.push({ epoch, facts: structuredClone(facts), arrays: Object.fromEntries(copies) });
  }
}

const wasm = { engine: 'tfjs-wasm', batchSize: 30 };
const MODELS: readonly (readonly [string, object])[] = [
  ['ials', { factors: 20, epochs: 4 }],
  ['bpr', { factors: 20, epochs: 4, negatives: 'popularity' }],
  ['warp', { factors: 20, epochs: 4 }],
  ['item2vec', { factors: 20, epochs: 4, subsample: 0.01 }],
  ['two-tower', { ...wasm, dimensions: 8, itemHidden: 6, epochs: 6, patience: 1 }],
  ['two-tower', { ...wasm, dimensions: 8, epochs: 3, validationShare: 0 }],
  ['proto-mf', { ...wasm, dimensions: 8, prototypes: 6, epochs: 5, patience: 2, learningRate: 0.2 }],
  ['autoencoder', { ...wasm, code: 8, epochs: 3 }],
  ['sequence', { ...wasm, dimensions: 8, length: 6, epochs: 3 }],
];

describe('a fit that was killed', () => {
  test.each(MODELS)('goes on from any epoch with the same bytes: %s %j', async (name, params) => {
    const model = findModel(name);
    const data = input();
    const whole = await model.fit(data, params, { pool, seed: 3 });
    const kept = new Kept();
    const watched = await model.fit(data, params, { pool, seed: 3, checkpoints: kept });
    expect(watched.factors).toEqual(whole.factors);
    expect(kept.states.length).toBeGreaterThan(2);
    for (const state of kept.states) {
      const again = new Kept(state);
      const seen: number[] = [];
      const resumed = await model.fit(data, params, {
        pool: other,
        seed: 3,
        checkpoints: again,
        onProgress: ({ done, total }) => seen.push(done / total),
      });
      expect(resumed.factors, `from epoch ${state.epoch}`).toEqual(whole.factors);
      expect(resumed.engine).toBe(whole.engine);
      expect(again.states.map(({ epoch }) => epoch)).toEqual(
        kept.states.map(({ epoch }) => epoch).filter((epoch) => epoch > state.epoch),
      );
      expect(seen.length > 0).toBe(again.states.length > 0);
    }
    expect(kept.engines.size).toBe(1);
    expect([...kept.engines][0]).toMatch(/^(wasm-(relaxed-)?simd [0-9a-f]{8}|tfjs-wasm \d)/);
  });
});
