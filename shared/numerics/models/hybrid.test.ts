import { expect, test } from 'vitest';
import { computePool, inlinePool } from '../../compute/pool.ts';
import { randomStream } from '../../random.ts';
import { topItems } from '../ranking/top-items.ts';
import { emptyRows, fromTriples } from '../sparse.ts';
import { entityHashes, tieHash } from '../tie-hash.ts';
import type { SparseRows } from '../types.ts';
import { findModel } from './registry.ts';

/** Two tastes of twelve items each; nobody has all of one. */
function tastes(users = 60): SparseRows {
  const [rows, columns]: [number[], number[]] = [[], []];
  for (let user = 0; user < users; user++) {
    const stream = randomStream(4, 'test.hybrid', user);
    for (let n = 0; n < 6; n++) {
      rows.push(user);
      columns.push((user % 2) * 12 + stream.below(12));
    }
  }
  return fromTriples(users, 24, rows, columns, new Float32Array(rows.length).fill(1));
}

const hybrid = findModel('hybrid');

test('a part with all the weight decides the order alone', async () => {
  await using pool = inlinePool();
  const interactions = tastes();
  const parts = [{ model: 'ease' }, { model: 'popularity', weight: 0 }];
  const fitted = await hybrid.fit({ interactions }, { parts }, { pool, seed: 1 });
  const ease = await findModel('ease').fit({ interactions }, {}, { pool, seed: 1 });
  const options = { k: 5, exclude: interactions };
  expect((await fitted.rank(options)).items).toEqual((await ease.rank(options)).items);
});

test('gives the same lists on one and two threads, leaves out what is excluded, and has something for newcomers', async () => {
  const interactions = tastes();
  const lists = [];
  for (const threads of [1, 2]) {
    await using pool = computePool({ threads });
    const fitted = await hybrid.fit({ interactions }, {}, { pool, seed: 1, deterministic: true });
    lists.push(await fitted.rank({ k: 8, exclude: interactions }));
    const userKeys = new Uint8Array(16);
    const newcomers = await fitted.rankNewcomers!({ k: 3, exclude: emptyRows(1, 24), userKeys });
    expect(newcomers.items).not.toContain(-1);
  }
  expect(lists[1]).toEqual(lists[0]);
  for (const [place, item] of lists[0]!.items.entries()) {
    const user = Math.floor(place / 8);
    const seen = interactions.indices.subarray(interactions.indptr[user], interactions.indptr[user + 1]);
    expect(seen).not.toContain(item);
  }
});

test('stacking takes the weight from a part that knows nothing of tastes', async () => {
  await using pool = inlinePool();
  const parts = [
    { model: 'popularity', weight: 5 },
    { model: 'ease', weight: 1 },
  ];
  const fitted = await hybrid.fit({ interactions: tastes(200) }, { parts, weights: 'stacked' }, { pool, seed: 1 });
  const [popularity, ease] = (fitted.params['parts'] as { weight: number }[]).map(({ weight }) => weight);
  expect(popularity! / ease!).toBeLessThan(5);
});

test('refuses parts that it cannot have, and wrong parameters of a part before anything is fitted', async () => {
  const refused = (params: object) =>
    expect(hybrid.parseParams(params)).rejects.toMatchObject({ code: 'MODEL_PARAMS_INVALID' });
  await refused({ parts: [{ model: 'ease' }] });
  await refused({ parts: [{ model: 'ease' }, { model: 'hybrid' }] });
  await refused({
    parts: [
      { model: 'ease', weight: 0 },
      { model: 'ials', weight: 0 },
    ],
  });
  await using pool = inlinePool();
  const parts = [{ model: 'ease' }, { model: 'ials', params: { factors: -1 } }];
  const phases: unknown[] = [];
  const watched = {
    threads: 1,
    runPhase: <T>(...args: Parameters<typeof pool.runPhase>) => (phases.push(args), pool.runPhase<T>(...args)),
  };
  await expect(hybrid.fit({ interactions: tastes() }, { parts }, { pool: watched, seed: 1 })).rejects.toMatchObject({
    code: 'MODEL_PARAMS_INVALID',
  });
  expect(phases).toEqual([]);
});

test('the best of dense scores are those that sorting gives, ties by hash, what is -Infinity left out', () => {
  const stream = randomStream(2, 'test.top');
  const scores = Float64Array.from({ length: 300 }, (_, n) => (n % 7 === 0 ? -Infinity : stream.below(20)));
  const hashes = entityHashes(0, 300, undefined, 'item');
  for (const k of [1, 10, 299]) {
    const into = { items: new Int32Array(k), scores: new Float32Array(k) };
    topItems(scores, 77, hashes, into);
    const sorted = Array.from(scores.keys())
      .filter((item) => scores[item]! > -Infinity)
      .sort((a, b) => scores[b]! - scores[a]! || tieHash(77, hashes[a]!) - tieHash(77, hashes[b]!));
    expect([...into.items]).toEqual(Array.from({ length: k }, (_, n) => sorted[n] ?? -1));
  }
});

test.each([
  ['bpr', { factors: 1024 }],
  ['ials', { factors: 1024 }],
  ['item-knn', { neighbours: 1000 }],
  ['item2vec', { factors: 1023 }],
  ['proto-mf', { dimensions: 512, prototypes: 512 }],
  ['two-tower', { dimensions: 512 }],
])('refuses a last part that would not fit, %s, before it fits the first', async (model, params) => {
  await using pool = inlinePool();
  const begun: string[] = [];
  const onProgress = ({ label }: { readonly label: string }) => void begun.push(label);
  const wide = wideCatalogue();
  const context = { pool, seed: 1, memoryBytesMax: 2 ** 24, onProgress };
  const parts = [{ model: 'popularity' }, { model, params }];
  const fit = hybrid.fit({ interactions: wide }, { parts, depth: 10 }, context);
  await expect(fit).rejects.toMatchObject({ code: 'NUMERICS_MEMORY_LIMIT' });
  expect(begun).toEqual([]);
});

/** Many items, of which each person has one. */
function wideCatalogue(): SparseRows {
  const places = Array.from({ length: 9000 }, (_, n) => n);
  return fromTriples(9000, 9000, places, places, new Float32Array(9000).fill(1));
}
