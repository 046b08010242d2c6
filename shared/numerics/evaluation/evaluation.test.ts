import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inlinePool } from '../../compute/pool.ts';
import { findModel } from '../models/registry.ts';
import { fromTriples } from '../sparse.ts';
import { KEY_BYTES, type RankedLists, type SparseRows } from '../types.ts';
import { buildDataset, compareIds, entityKeys, exclusions, newcomerExclusions, testItems } from './dataset.ts';
import { evaluateModel, tuneModel } from './evaluate-model.ts';
import { holdoutSplit, thinnedBy } from './holdout.ts';
import { type InteractionFile, partLikings, readInteractions } from './interaction-file.ts';
import { rankingMetrics } from './ranking-metrics.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-evaluation-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function fileOf(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

const interactions = (pairs: readonly (readonly [string, string])[]): InteractionFile => ({
  users: pairs.map(([user]) => user),
  items: pairs.map(([, item]) => item),
  values: Float64Array.from(pairs, () => 1),
  times: Float64Array.from(pairs, () => Number.NaN),
});

const lists = (k: number, rows: readonly (readonly number[])[]): RankedLists => ({
  users: rows.length,
  k,
  items: Int32Array.from(rows.flat()),
  scores: new Float32Array(rows.length * k),
});

describe('rankingMetrics', () => {
  test('has the figures that the definitions give by hand', () => {
    const ranked = lists(3, [
      [5, 1, 9],
      [2, 3, 4],
      [7, 8, -1],
    ]);
    const wanted = {
      users: Int32Array.of(0, 2),
      indptr: Int32Array.of(0, 2, 6),
      // The first wants 1 and 5; the second one known item and three that training never saw.
      items: Int32Array.of(1, 5, 8, -1, -1, -1),
    };
    const figures = rankingMetrics(ranked, wanted, 10);
    const second = 1 / Math.log2(3) / (1 + 1 / Math.log2(3) + 0.5);
    expect(figures.users).toBe(2);
    expect(figures.recall).toBeCloseTo((1 + 1 / 4) / 2, 12);
    expect(figures.ndcg).toBeCloseTo((1 + second) / 2, 12);
    expect(figures.precision).toBeCloseTo((2 + 1) / 2 / 3, 12);
    expect(figures.map).toBeCloseTo((1 + 1 / 2 / 3) / 2, 12);
    expect(figures.mrr).toBeCloseTo((1 + 1 / 2) / 2, 12);
    expect(figures).toMatchObject({ hitRate: 1, coverage: 0.5 });
  });

  test('is not estimable without test users', () => {
    const none = { users: new Int32Array(0), indptr: Int32Array.of(0), items: new Int32Array(0) };
    expect(() => rankingMetrics(lists(1, [[0]]), none, 1)).toThrow(expect.objectContaining({ code: 'DATASET_EMPTY' }));
  });

  test('lies within 0 and 1, is 1 for an ideal list, and grows with k in recall', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.nat(30), { minLength: 12, maxLength: 12 }),
        fc.integer({ min: 1, max: 20 }),
        (ranking, size) => {
          const own = Array.from({ length: size }, (_, n) => (n * 7) % 31);
          const wanted = { users: Int32Array.of(0), indptr: Int32Array.of(0, size), items: Int32Array.from(own) };
          let before = 0;
          for (let k = 1; k <= 12; k++) {
            const figures = rankingMetrics(lists(k, [ranking.slice(0, k)]), wanted, 31);
            for (const name of ['recall', 'ndcg', 'precision', 'map', 'mrr', 'hitRate'] as const) {
              expect(figures[name]).toBeGreaterThanOrEqual(0);
              expect(figures[name]).toBeLessThanOrEqual(1 + 1e-12);
            }
            expect(figures.recall).toBeGreaterThanOrEqual(before);
            before = figures.recall;
          }
          const ideal = rankingMetrics(lists(size, [own]), wanted, 31);
          expect([ideal.recall, ideal.ndcg, ideal.map]).toEqual([1, 1, 1]);
        },
      ),
    );
  });
});

describe('readInteractions', () => {
  test('reads tabs, spaces and commas, skips blanks and comments, and fills in what a line leaves out', async () => {
    const path = await fileOf('mixed.tsv', '\uFEFFu1\ti1\t4\t880\r\n\n# note\nu2 i2\nu 3,2.5\n');
    const file = await readInteractions(path);
    expect(file.users).toEqual(['u1', 'u2', 'u']);
    expect(file.items).toEqual(['i1', 'i2', '3']);
    expect([...file.values]).toEqual([4, 1, 2.5]);
    expect([...file.times]).toEqual([880, Number.NaN, Number.NaN]);
  });

  test.each([
    ['one field', 'a\tb\nonly\n', 2, 2],
    ['five fields', 'a b 1 2 3\n', 1, 5],
    ['a value that is no number', 'a b 1\nc d x\n', 2, 3],
    ['a value that is NaN', 'a b NaN\n', 1, 3],
    ['a value of 0', 'a b 0\n', 1, 3],
    ['a value beyond float32', 'a b 1e300\n', 1, 3],
    ['a value below 0', 'a b -2\n', 1, 3],
    ['a time that is no number', 'a b 1 yesterday\n', 1, 4],
  ])('names file, line and column of %s', async (what, text, line, column) => {
    const path = await fileOf(`${what.replaceAll(' ', '-')}.tsv`, text);
    await expect(readInteractions(path)).rejects.toMatchObject({
      code: 'FILE_MALFORMED',
      details: { file: path, line, column },
      message: expect.stringContaining(`line ${line}, column ${column}`),
    });
  });

  test.each(['user item', 'user_id,item_id,value', 'userId\tmovieId\trating\ttimestamp', '"user","item"'])(
    'skips the header %j, on the first line only',
    async (header) => {
      const path = await fileOf('header.tsv', `# a note\n${header}\r\nu1 i1  \r\n`);
      expect((await readInteractions(path)).users).toEqual(['u1']);
      const late = await fileOf('late.tsv', 'u1 i1\nuser item\n');
      expect((await readInteractions(late)).users).toEqual(['u1', 'user']);
    },
  );

  test('parts likings from what was met without liking, by value', async () => {
    const file = await readInteractions(await fileOf('rated.tsv', 'a x 5\na y 2\nb x 3\n'));
    const { likings, others } = partLikings(file, 3);
    expect([likings.users, likings.items]).toEqual([
      ['a', 'b'],
      ['x', 'x'],
    ]);
    expect(others.items).toEqual(['y']);
    expect(partLikings(file, -Infinity).likings).toBe(file);
  });

  test('admits dislikes where they are asked for', async () => {
    const path = await fileOf('signed.tsv', 'a b -2\n');
    expect([...(await readInteractions(path, { signed: true })).values]).toEqual([-2]);
  });

  test.each(['nowhere.tsv', '.'])('says that %s cannot be read', async (name) => {
    await expect(readInteractions(join(folder, name))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
  });
});

describe('buildDataset', () => {
  test('orders ids as numbers where they are numbers, whatever the order of the lines', () => {
    const pairs = [
      ['10', 'b'],
      ['9', 'a'],
      ['x', '2'],
      ['9', 'b'],
    ] as const;
    const dataset = buildDataset(interactions(pairs));
    expect(dataset.userIds).toEqual(['9', '10', 'x']);
    expect(dataset.itemIds).toEqual(['2', 'a', 'b']);
    const turned = buildDataset(interactions(pairs.toReversed()));
    expect([...turned.train.interactions.indices]).toEqual([...dataset.train.interactions.indices]);
    expect(['01', '1', '1.5'].sort(compareIds)).toEqual(['1', '01', '1.5']);
  });

  test('keeps the larger value of a pair that comes twice', () => {
    const file = {
      ...interactions([
        ['u', 'i'],
        ['u', 'i'],
        ['u', 'j'],
      ]),
      values: Float64Array.of(2, 5, 1),
    };
    const { indices, values } = buildDataset(file).train.interactions;
    expect([[...indices], [...values]]).toEqual([
      [0, 1],
      [5, 1],
    ]);
  });

  test('masks training and excluded files, and counts unseen test items and users', () => {
    const dataset = buildDataset(
      interactions([
        ['1', 'a'],
        ['2', 'b'],
        ['1', 'c'],
      ]),
    );
    const excluded = exclusions(dataset, [
      interactions([
        ['1', 'b'],
        ['2', 'zzz'],
        ['9', 'a'],
      ]),
      interactions([['2', 'a']]),
    ]);
    expect([...excluded.indptr]).toEqual([0, 3, 5]);
    expect([...excluded.indices]).toEqual([0, 1, 2, 0, 1]);
    const { items, newcomers } = testItems(
      dataset,
      interactions([
        ['2', 'c'],
        ['2', 'new'],
        ['2', 'c'],
        ['7', 'a'],
      ]),
    );
    expect([...items.users]).toEqual([1]);
    expect([...items.items]).toEqual([2, -1]);
    expect(newcomers).toMatchObject({ ids: ['7'], keys: entityKeys(['7']) });
    expect([...newcomers.test.items]).toEqual([0]);
    const masks = [
      interactions([
        ['7', 'c'],
        ['7', 'zzz'],
        ['1', 'a'],
      ]),
    ];
    expect([...newcomerExclusions(dataset, newcomers.ids, masks).indices]).toEqual([2]);
  });
});

describe('what counts less', () => {
  const users = Array.from({ length: 4_000 }, (_, n) => n % 200);
  const items = Array.from({ length: 4_000 }, (_, n) => Math.floor(n / 200));
  const interactions = fromTriples(200, 20, users, items, new Float32Array(4_000).fill(1));
  const times = Float64Array.from(interactions.indices, (_, at) => at);
  // Items 0 to 9 count a quarter, the others whole; of the last person nothing counts but a little of one item.
  const influence = Float32Array.from(interactions.indices, (item, at) =>
    at >= 3_980 ? (item === 3 ? 1e-9 : 0) : item < 10 ? 0.25 : 1,
  );

  test('is left out that often, by a keyed hash; of nobody everything, and what came along stays with its interaction', () => {
    const thin = thinnedBy({ interactions, times, influence }, influence, 3);
    expect(thin).not.toHaveProperty('influence');
    const kept = [...thin.interactions.indices];
    expect(kept.filter((item) => item >= 10)).toHaveLength(10 * 199);
    // Binomial(1990, 1/4): six standard deviations are 116.
    expect(Math.abs(kept.filter((item) => item < 10).length - 1 - 1990 / 4)).toBeLessThan(116);
    expect(kept.slice(thin.interactions.indptr[199])).toEqual([3]);
    for (const [at, time] of thin.times.entries()) expect(interactions.indices[time]).toBe(kept[at]);
    expect(thinnedBy({ interactions, influence }, influence, 3).interactions.indices).toEqual(
      thin.interactions.indices,
    );
    expect(thinnedBy({ interactions, influence }, influence, 4).interactions.indices).not.toEqual(
      thin.interactions.indices,
    );
  });
});

describe('holdoutSplit', () => {
  const rows = 200;
  const all = fromTriples(
    rows,
    50,
    Array.from({ length: rows * 10 }, (_, n) => Math.floor(n / 10)),
    Array.from({ length: rows * 10 }, (_, n) => (n * 7) % 50),
    Array.from({ length: rows * 10 }, () => 1),
  );
  const userKeys = entityKeys(Array.from({ length: rows }, (_, n) => `u${n}`));
  const itemKeys = entityKeys(Array.from({ length: 50 }, (_, n) => `i${n}`));
  const rowOf = ({ indptr, indices }: SparseRows, row: number) => [...indices.subarray(indptr[row], indptr[row + 1])];

  test('parts the interactions in about the asked share, and leaves everybody something', () => {
    const { train, test: held } = holdoutSplit(all, 0.2, 3, userKeys, itemKeys);
    const share = held.items.length / all.indices.length;
    expect(share).toBeGreaterThan(0.16);
    expect(share).toBeLessThan(0.24);
    held.users.forEach((user, n) => {
      const own = [...held.items.subarray(held.indptr[n], held.indptr[n + 1])];
      expect([...own, ...rowOf(train, user)].sort((a, b) => a - b)).toEqual(rowOf(all, user));
    });
    const most = holdoutSplit(all, 0.99, 3, userKeys, itemKeys);
    for (let row = 0; row < rows; row++) expect(rowOf(most.train, row).length).toBeGreaterThanOrEqual(1);
  });

  test('moves nobody else when a person is left out, and differs by seed', () => {
    const whole = holdoutSplit(all, 0.3, 3, userKeys, itemKeys);
    const tail = {
      ...all,
      rows: rows - 1,
      indptr: all.indptr.slice(1).map((at) => at - all.indptr[1]!),
      indices: all.indices.slice(all.indptr[1]),
      values: all.values.slice(all.indptr[1]),
    };
    const part = holdoutSplit(tail, 0.3, 3, userKeys.subarray(KEY_BYTES), itemKeys);
    for (let row = 0; row < rows - 1; row++) expect(rowOf(part.train, row)).toEqual(rowOf(whole.train, row + 1));
    expect([...holdoutSplit(all, 0.3, 4, userKeys, itemKeys).train.indices]).not.toEqual([...whole.train.indices]);
  });
});

describe('evaluateModel', () => {
  const train = buildDataset(
    interactions([
      ['1', 'a'],
      ['2', 'a'],
      ['3', 'a'],
      ['1', 'b'],
      ['2', 'b'],
      ['3', 'c'],
    ]),
  );
  const context = { pool: inlinePool(), seed: 1 };
  const task = (pairs: readonly (readonly [string, string])[], masks: readonly InteractionFile[] = []) => {
    const { items, newcomers } = testItems(train, interactions(pairs));
    const exclude = newcomerExclusions(train, newcomers.ids, masks);
    return {
      train: train.train,
      exclude: train.train.interactions,
      test: items,
      newcomers: { ...newcomers, exclude },
      k: 1,
    };
  };

  test('measures the lists of those with test items; a new user gets what a model gives to everybody', async () => {
    const wanted = task([
      ['3', 'b'],
      ['1', 'nothing'],
      ['new', 'a'],
    ]);
    const popular = await evaluateModel(findModel('popularity'), {}, wanted, context);
    expect(popular).toMatchObject({ users: 3, model: 'popularity', recall: 2 / 3, ndcg: 2 / 3, k: 1 });
    // Three people are too few to resample.
    expect(popular.intervals.ndcg[0]).toBeNaN();
    const personal = await evaluateModel(findModel('item-knn'), {}, wanted, context);
    expect(personal).toMatchObject({ users: 3, recall: 1 / 3 });
  });

  test('never gives new users what is masked for them, and orders their ties by their own hash', async () => {
    const masked = task([['new', 'b']], [interactions([['new', 'a']])]);
    expect(await evaluateModel(findModel('popularity'), {}, masked, context)).toMatchObject({ users: 1, recall: 1 });
    const even = buildDataset(interactions(Array.from({ length: 40 }, (_, n) => [`u${n}`, `i${n}`] as const)));
    const { newcomers, items } = testItems(even, interactions(Array.from({ length: 200 }, (_, n) => [`x${n}`, 'i7'])));
    const exclude = newcomerExclusions(even, newcomers.ids, []);
    const given = { train: even.train, exclude: even.train.interactions, test: items, k: 1 };
    const figures = await evaluateModel(
      findModel('popularity'),
      {},
      { ...given, newcomers: { ...newcomers, exclude } },
      context,
    );
    // One of 40 equals each: neither everybody nor nobody has the one item first.
    expect(figures.recall).toBeGreaterThan(0);
    expect(figures.recall).toBeLessThan(0.2);
    expect(figures.coverage).toBeGreaterThan(0.5);
  });

  test('refuses lists that do not fit in memory before any of them is made', async () => {
    const many = { ...task([['1', 'b']]), k: 10_000 };
    const small = { ...context, memoryBytesMax: 200_000 };
    await expect(evaluateModel(findModel('popularity'), {}, many, small)).rejects.toMatchObject({
      code: 'NUMERICS_MEMORY_LIMIT',
    });
  });

  test("tunes over the caller's own parameters and the candidates, best first", async () => {
    const told: number[] = [];
    const model = findModel('item-knn');
    const trials = await tuneModel(model, { weighting: 'linear' }, task([['3', 'b']]), context, (_, done) =>
      told.push(done),
    );
    expect(trials).toHaveLength((await model.candidates()).length + 1);
    expect(told).toEqual(trials.map((_, n) => n + 1));
    for (const { params } of trials) expect(params).toMatchObject({ weighting: 'linear' });
    for (let n = 1; n < trials.length; n++) expect(trials[n]!.ndcg).toBeLessThanOrEqual(trials[n - 1]!.ndcg);
  });
});
