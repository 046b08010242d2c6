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

describe('a fit that goes on from an earlier version', () => {
  test.each(['ials', 'bpr', 'warp'])('finds people and items by their keys, and draws who is new: %s', async (name) => {
    const model = findModel(name);
    const { interactions, itemKeys, userKeys } = input();
    const params = { factors: 20, epochs: 3 };
    const earlier = await model.fit({ interactions, itemKeys: itemKeys!, userKeys: userKeys! }, params, {
      pool,
      seed: 3,
    });
    // Everybody but the first person, in another place; one who was not there before.
    const others = Uint8Array.from([...userKeys!.subarray(KEY_BYTES), ...new Uint8Array(KEY_BYTES).fill(7)]);
    const warmStart = { factors: earlier.factors!, userKeys: userKeys!, itemKeys: itemKeys! };
    // Too small a step to move anything; iALS solves people from the items it was given.
    const still = name === 'ials' ? { epochs: 1 } : { epochs: 1, learningRate: 1e-12 };
    const fit = (start: object) =>
      model.fit(
        { interactions, itemKeys: itemKeys!, userKeys: others },
        { ...params, ...still },
        { pool, seed: 4, ...start },
      );
    const [warm, cold] = [await fit({ warmStart }), await fit({})];
    const distance = (a: Float32Array, b: Float32Array) => Math.hypot(...a.map((value, n) => value - b[n]!));
    const { data, width } = earlier.factors!.items;
    expect(warm.factors!.items.width).toBe(width);
    expect(distance(warm.factors!.items.data, data)).toBeLessThan(0.5 * distance(cold.factors!.items.data, data));
    const last = (USERS - 1) * width;
    const [w, c] = [warm.factors!.users.data.slice(last), cold.factors!.users.data.slice(last)];
    expect(name === 'ials' ? distance(w, c) > 0 : distance(w, c) < 1e-6).toBe(true);
    await expect(model.fit(input(), { factors: 12, epochs: 1 }, { pool, seed: 1, warmStart })).rejects.toMatchObject({
      code: 'MODEL_PARAMS_INVALID',
    });
  });
});
