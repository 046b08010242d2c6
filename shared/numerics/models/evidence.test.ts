/** Age, sources and dislikes, in every model that takes them. Weighted kernels are compared with their slow references elsewhere. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { computePool, type OwnedComputePool } from '../../compute/pool.ts';
import { randomStream } from '../../random.ts';
import { neighboursReference, neighbourScoresReference } from '../kernels/knn.reference.ts';
import { emptyRows, fromTriples } from '../sparse.ts';
import type { SparseRows, TrainInput } from '../types.ts';
import { goldenInteractions, scoresOf } from './golden-linear.ts';
import { findModel } from './registry.ts';

let pool: OwnedComputePool;
beforeAll(() => {
  pool = computePool({ threads: 2 });
});
afterAll(() => pool.close());

const DAY_MS = 86_400_000;
const NEWEST = Date.parse('2025-06-01');
const HALF_LIFE_DAYS = 10;
const MODELS = ['ials', 'bpr', 'warp', 'ease', 'item-knn', 'graph-filter'];

function random(users: number, items: number): SparseRows {
  const stream = randomStream(5, 'evidence');
  const [rows, columns]: [number[], number[]] = [[], []];
  for (let user = 0; user < users; user++) {
    for (let n = 0; n < 6; n++) {
      rows.push(user);
      columns.push(stream.below(items));
    }
  }
  return fromTriples(users, items, rows, columns, new Float32Array(rows.length).fill(1));
}

/** Ages are whole half-lives, so that weights are powers of two and exact. The first is the newest. */
function aged(): { readonly input: TrainInput; readonly weights: Float32Array } {
  const interactions = random(60, 30);
  const stream = randomStream(6, 'ages');
  const ages = Int32Array.from(interactions.indices, (_, at) => (at === 0 ? 0 : stream.below(4)));
  const of = Uint16Array.from(interactions.indices, () => stream.below(3));
  return {
    input: {
      interactions,
      times: Float64Array.from(ages, (age) => NEWEST - age * HALF_LIFE_DAYS * DAY_MS),
      origins: { names: ['web', 'app', 'partner'], of },
    },
    weights: Float32Array.from(ages, (age, at) => 0.5 ** age * [1, 2, 0.25][of[at]!]!),
  };
}

const params = { halfLifeDays: HALF_LIFE_DAYS, sourceWeights: { app: 2, partner: 0.25, unheard: 7 } };

describe.each(MODELS)('%s', (name) => {
  test('counts an interaction by its age and its source, as if that were its value', async () => {
    const { input, weights } = aged();
    const { interactions } = input;
    const byEvidence = await findModel(name).fit(input, params, { pool, seed: 2 });
    const told = { interactions: { ...interactions, values: weights } };
    const byValue = await findModel(name).fit(told, { weighting: 'linear' }, { pool, seed: 2 });
    const alike = await findModel(name).fit(input, {}, { pool, seed: 2 });
    expect(await scoresOf(byEvidence, interactions)).toEqual(await scoresOf(byValue, interactions));
    expect(await scoresOf(byEvidence, interactions)).not.toEqual(await scoresOf(alike, interactions));
  });

  test('counts an interaction as far as its source may move what is learned, unasked', async () => {
    const { interactions, weights } = (({ input, weights: own }) => ({ ...input, weights: own.map((one) => one / 2) }))(
      aged(),
    );
    const held = await findModel(name).fit({ interactions, influence: weights }, {}, { pool, seed: 2 });
    const told = { interactions: { ...interactions, values: weights } };
    const byValue = await findModel(name).fit(told, { weighting: 'linear' }, { pool, seed: 2 });
    expect(await scoresOf(held, interactions)).toEqual(await scoresOf(byValue, interactions));
  });

  test('refuses a half-life without times, sources without names, and ages and sources that fit nothing', async () => {
    const { input } = aged();
    const { origins, times } = input;
    const { interactions } = input;
    const bad: [TrainInput, object][] = [
      [{ interactions, origins: origins! }, { halfLifeDays: 1 }],
      [{ interactions, times: times! }, { sourceWeights: { web: 2 } }],
      [{ interactions, times: times!.map((time, at) => (at === 3 ? Number.NaN : time)) }, {}],
      [{ interactions, origins: { names: ['web'], of: origins!.of } }, {}],
      [{ interactions, origins: { names: origins!.names, of: origins!.of.slice(1) } }, {}],
      [{ interactions, influence: Float32Array.of(1) }, {}],
      [{ interactions, influence: new Float32Array(interactions.indices.length).fill(1.5) }, {}],
    ];
    for (const [own, more] of bad) {
      const fit = findModel(name).fit(own, more, { pool, seed: 1 });
      await expect(fit).rejects.toMatchObject({ code: 'NUMERICS_INPUT_INVALID' });
    }
    const zero = findModel(name).fit(input, { sourceWeights: { web: 0 } }, { pool, seed: 1 });
    await expect(zero).rejects.toMatchObject({ code: 'MODEL_PARAMS_INVALID' });
  });
});

/** iALS, BPR and WARP are held to theirs in models.test.ts and pairwise.test.ts. */
test.each(['ease', 'item-knn', 'graph-filter'])(
  '%s takes a dislike from the scores of what resembles its item',
  async (name) => {
    // Items 0 and 1 go together, and so do 2 and 3; the last person likes 2, and dislikes 0 or does not know it.
    const people = Array.from({ length: 24 }, (_, n) => n);
    const pairs = people.flatMap((n) => (n % 2 === 0 ? [0, 1] : [2, 3]).map((item) => [n, item] as const));
    const rows = (more: readonly (readonly [number, number, number])[]): SparseRows => {
      const all = [...pairs.map(([user, item]) => [user, item, 1] as const), ...more];
      const column = (n: 0 | 1 | 2) => all.map((triple) => triple[n]);
      return fromTriples(25, 4, column(0), column(1), column(2));
    };
    const scoreOf = async (interactions: SparseRows) => {
      const model = await findModel(name).fit({ interactions }, {}, { pool, seed: 1 });
      return (await scoresOf(model, emptyRows(25, 4))).subarray(24 * 4);
    };
    const [told, untold] = [
      await scoreOf(
        rows([
          [24, 2, 1],
          [24, 0, -1],
        ]),
      ),
      await scoreOf(rows([[24, 2, 1]])),
    ];
    expect(told[1]).toBeLessThan(untold[1]!);
    expect(told[3]).toBeGreaterThan(told[1]!);
  },
);

test('neighbours are found among likes alone, and dislikes weigh against them, as in the slow reference', async () => {
  const interactions = goldenInteractions('signed');
  const { columns, indices, indptr, rows, values } = interactions;
  const dense = Array.from({ length: rows }, () => Array.from({ length: columns }, () => 0));
  for (let row = 0; row < rows; row++) {
    for (let at = indptr[row]!; at < indptr[row + 1]!; at++) dense[row]![indices[at]!] = values[at]!;
  }
  const neighbours = neighboursReference(
    dense.map((row) => row.map((value) => Math.max(0, value))),
    5,
    columns,
  );
  const model = await findModel('item-knn').fit({ interactions }, { weighting: 'linear' }, { pool, seed: 1 });
  const scores = await scoresOf(model, interactions);
  dense.forEach((row, user) => {
    neighbourScoresReference(row, neighbours).forEach((score, item) => {
      expect(scores[user * columns + item]).toBeCloseTo(score, 4);
    });
  });
});
