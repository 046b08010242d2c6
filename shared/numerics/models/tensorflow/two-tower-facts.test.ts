import { describe, expect, test } from 'vitest';
import { inlinePool } from '../../../compute/pool.ts';
import { randomStream } from '../../../random.ts';
import { fromTriples } from '../../sparse.ts';
import type { SparseRows, TrainInput } from '../../types.ts';
import { fitTwoTower, twoTowerParams } from './two-tower.ts';
import { factsStep, openFacts, towerRows } from './two-tower-facts.ts';
import { adamStep, newTable } from './two-tower-memory.ts';

const rows = fromTriples(4, 3, [0, 0, 2, 3], [0, 2, 1, 2], [1, 3, 5, 2]);
const adam = { learningRate: 0.1, weightDecay: 0, step: 0 };

describe('facts', () => {
  test('add the weighted mean of their rows to an entity, and nothing to one of which nothing is known', () => {
    const facts = openFacts(rows, 'items', 4, 2)!;
    facts.table.values.set([1, 2, 10, 20, 100, 200]);
    const own = { width: 2, values: Float32Array.of(1, 1, 2, 2, 3, 3, 4, 4) };
    const composed = towerRows(own, facts, Int32Array.of(3, 0, 1, 2));
    expect([...composed]).toEqual([104, 204, 1 + 0.25 + 75, 1 + 0.5 + 150, 2, 2, 13, 23]);
    expect(towerRows(own, undefined, Int32Array.of(1))).toEqual(Float32Array.of(2, 2));
  });

  test('take one step down the sum of their entities’ gradients, each by its weight; others stay', () => {
    const facts = openFacts(rows, 'items', 4, 2)!;
    factsStep(facts, Int32Array.of(0, 3), Float32Array.of(4, 8, 1, -2), adam);
    const expected = newTable(3, 2);
    adamStep(expected, Int32Array.of(0, 2), Float32Array.of(1, 2, 3 + 1, 6 - 2), adam);
    expect(facts.table).toEqual(expected);
  });

  test('are refused where they are not those of the entities', () => {
    expect(() => openFacts(rows, 'items', 5, 2)).toThrow(
      expect.objectContaining({
        code: 'NUMERICS_INPUT_INVALID',
        details: { array: 'facts.items', rows: 4, entities: 5 },
      }),
    );
    const bad = { ...rows, values: Float32Array.of(1, -3, 5, 2) };
    expect(() => openFacts(bad, 'users', 4, 2)).toThrow(expect.objectContaining({ code: 'NUMERICS_INPUT_INVALID' }));
    expect(openFacts(undefined, 'users', 4, 2)).toBeUndefined();
  });
});

const [USERS, ITEMS] = [60, 40];

/** Two halves of people and items; everybody knows two items of their half, so that histories alone say little. */
function thin(): TrainInput {
  const [users, items]: [number[], number[]] = [[], []];
  for (let user = 0; user < USERS; user++) {
    const stream = randomStream(9, 'test.facts', user);
    for (let n = 0; n < 2; n++) {
      users.push(user);
      items.push((user % 2) + 2 * stream.below(ITEMS / 2));
    }
  }
  const ones = (length: number) => Array.from({ length }, () => 1);
  const halves = (count: number): SparseRows => {
    const all = Array.from({ length: count }, (_, n) => n);
    return fromTriples(
      count,
      2,
      all,
      all.map((n) => n % 2),
      ones(count),
    );
  };
  return {
    interactions: fromTriples(USERS, ITEMS, users, items, ones(users.length)),
    facts: { users: halves(USERS), items: halves(ITEMS) },
  };
}

const params = twoTowerParams.parse({
  dimensions: 8,
  batchSize: 32,
  engine: 'tfjs-wasm',
  learningRate: 0.03,
  epochs: 15,
  validationShare: 0,
});

async function fit(input: TrainInput, more: object = {}) {
  await using pool = inlinePool();
  const model = await fitTwoTower(input, { ...params, ...more }, { pool, seed: 3 });
  const { items, k } = await model.rank({ k: 10, exclude: input.interactions });
  const own = items.filter((item, at) => item % 2 === Math.floor(at / k) % 2).length / items.length;
  return { own, factors: model.factors };
}

test('people are shown what resembles theirs in facts, where histories say little; told not to, nothing is read', async () => {
  const input = thin();
  const { facts: _, ...alone } = input;
  const [known, unknown] = [await fit(input), await fit(alone)];
  expect(known.own).toBeGreaterThan(0.7);
  expect(known.own).toBeGreaterThan(unknown.own + 0.1);
  expect((await fit(input, { sideFeatures: false })).factors).toEqual(unknown.factors);
});

test('one side may be known alone, and some of its entities not at all', async () => {
  const input = thin();
  const { items } = input.facts!;
  const first = Array.from({ length: 20 }, (_, n) => n);
  const half = fromTriples(ITEMS, 2, first, items!.indices.slice(0, 20), new Float32Array(20).fill(1));
  const { own } = await fit({ ...input, facts: { items: half } });
  expect(own).toBeGreaterThan(0.5);
});
