import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { computePool, type OwnedComputePool } from '../../compute/pool.ts';
import { randomStream } from '../../random.ts';
import { fromTriples } from '../sparse.ts';
import type { FittedModel, SparseRows } from '../types.ts';
import { fitBpr, fitWarp } from './pairwise.ts';
import { bprParams, warpParams } from './pairwise-params.ts';

let pool: OwnedComputePool;
beforeAll(() => {
  pool = computePool({ threads: 2 });
});
afterAll(() => pool.close());

const USERS = 400;
const ITEMS = 200;
const GROUPS = 5;

/** People of five tastes who like items of their own taste; low items are liked by more people. */
function tastes(users = USERS, items = ITEMS): SparseRows {
  const stream = randomStream(31, 'tastes');
  const pairs: [number, number][] = [];
  for (let user = 0; user < users; user++) {
    for (let item = 0; item < items; item++) {
      const own = user % GROUPS === item % GROUPS;
      const share = (own ? 0.5 : 0.03) * (1.4 - item / items);
      if (item === user % items || stream.uniform() < share) pairs.push([user, item]);
    }
  }
  return fromTriples(
    users,
    items,
    pairs.map(([user]) => user),
    pairs.map(([, item]) => item),
    pairs.map(() => 1),
  );
}

const interactions = tastes();
const FITS = [
  ['bpr', fitBpr, bprParams],
  ['warp', fitWarp, warpParams],
] as const;

type Options = Readonly<Record<string, unknown>>;

/** Fits by name, for tests that say the same of both. */
function fit(name: 'bpr' | 'warp', input: SparseRows, params: Options, own = pool, more = {}): Promise<FittedModel> {
  const context = { pool: own, seed: 6, ...more };
  return name === 'bpr'
    ? fitBpr({ interactions: input }, bprParams.parse(params), context)
    : fitWarp({ interactions: input }, warpParams.parse(params), context);
}

async function ownTaste(model: FittedModel): Promise<number> {
  const { items, k } = await model.rank({ k: 5, exclude: interactions });
  return items.reduce((sum, item, n) => sum + (item % GROUPS === Math.floor(n / k) % GROUPS ? 1 : 0), 0) / items.length;
}

describe.each(FITS)('%s', (name) => {
  test.each([
    ['uniform negatives', {}],
    ['negatives by popularity', { negatives: 'popularity' }],
    ['no biases', { itemBias: false }],
    ['seen items among the negatives', { skipSeen: false }],
  ])('recommends items of the taste that a person showed: %s', async (_what, params) => {
    const model = await fit(name, interactions, { factors: 16, epochs: 20, ...params });
    expect(await ownTaste(model)).toBeGreaterThan(0.9);
  });

  test('is as accurate with negatives from within strata as with negatives from the whole catalogue', async () => {
    const shares = await Promise.all(
      [1, 2, 4].map(async (blocks) => ownTaste(await fit(name, interactions, { factors: 16, epochs: 20, blocks }))),
    );
    for (const share of shares) expect(Math.abs(share - shares[0]!)).toBeLessThan(0.02);
  });

  test.each([true, false])('gives the same bytes for 1, 2 and 3 threads (deterministic: %s)', async (deterministic) => {
    const results = await Promise.all(
      [1, 2, 3].map(async (threads) => {
        await using own = computePool({ threads });
        const params = { factors: 20, epochs: 3, blocks: 4, negatives: 'popularity' };
        const { factors } = await fit(name, interactions, params, own, { deterministic });
        return [factors!.users.data, factors!.items.data].map((data) =>
          Buffer.from(data.slice().buffer).toString('hex'),
        );
      }),
    );
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  test('gives other bytes for another seed, and puts more pairs in order with every few epochs', async () => {
    const ordered: number[] = [];
    const onProgress = ({ metrics }: { readonly metrics?: Readonly<Record<string, number>> }) => {
      ordered.push(metrics!['ordered']!);
    };
    const one = await fit(name, interactions, { factors: 16, epochs: 12 }, pool, { onProgress });
    const two = await fit(name, interactions, { factors: 16, epochs: 12 }, pool, { seed: 7 });
    expect([...one.factors!.items.data]).not.toEqual([...two.factors!.items.data]);
    expect(ordered).toHaveLength(12);
    expect(ordered[11]).toBeGreaterThan(ordered[0]!);
  });

  test('pushes what a person disliked below what nobody told about', async () => {
    const values = interactions.values.slice();
    const disliked: [number, number][] = [];
    for (let user = 0; user < 40; user++) {
      const at = interactions.indptr[user]!;
      values[at] = -1;
      disliked.push([user, interactions.indices[at]!]);
    }
    const params = { factors: 16, epochs: 20 };
    const [told, untold] = [
      await fit(name, { ...interactions, values }, params),
      await fit(name, interactions, params),
    ];
    const score = ({ factors }: FittedModel, user: number, item: number) => {
      const { data, width } = factors!.users;
      let sum = 0;
      for (let d = 0; d < width; d++) sum += data[user * width + d]! * factors!.items.data[item * width + d]!;
      return sum;
    };
    const lower = disliked.filter(([user, item]) => score(told, user, item) < score(untold, user, item));
    expect(lower.length).toBeGreaterThanOrEqual(36);
  });

  test('refuses more memory than its bound before any work', async () => {
    await expect(fit(name, interactions, {}, pool, { memoryBytesMax: 100_000 })).rejects.toMatchObject({
      code: 'NUMERICS_MEMORY_LIMIT',
    });
  });

  test('stops between epochs when it is cancelled', async () => {
    const stop = new AbortController();
    const onProgress = () => stop.abort();
    await expect(
      fit(name, interactions, { epochs: 50 }, pool, { signal: stop.signal, onProgress }),
    ).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

test('steps that are too large end in an error that names them', async () => {
  const wild = { learningRate: 10, userDecay: 10, itemDecay: 10, epochs: 20 };
  await expect(fit('bpr', interactions, wild)).rejects.toMatchObject({
    code: 'MODEL_PARAMS_INVALID',
    details: { issues: [{ path: ['learningRate'] }] },
  });
});

test('a catalogue of one item gives lists of that item', async () => {
  const single = fromTriples(2, 1, [0, 1], [0, 0], [1, 1]);
  const model = await fit('bpr', single, {});
  const none = { ...single, indptr: new Int32Array(3), indices: new Int32Array(0), values: new Float32Array(0) };
  expect([...(await model.rank({ k: 1, exclude: none })).items]).toEqual([0, 0]);
});
