/** Each definition on cases worked by hand, and the properties that hold for any input. */
import { array, assert, boolean, constantFrom, double, integer, property, record, shuffledSubarray } from 'fast-check';
import { expect, test } from 'vitest';
import { type Estimate, valueOf } from './estimate.ts';
import {
  equityOfAttention,
  exposureParityDifference,
  itemExposure,
  positionWeight,
  treatmentRatio,
} from './exposure.ts';
import { fourFifthsScreen } from './four-fifths.ts';
import {
  averageOddsDifference,
  countCells,
  demographicParityDifference,
  demographicParityRatio,
  disparateImpact,
  equalisedOddsDifference,
  equalOpportunityDifference,
  statisticalParityDifference,
} from './group-rates.ts';
import { generalisedEntropy, gini, theil } from './inequality.ts';
import {
  averageLongTailShare,
  averageRecommendationPopularity,
  calibrationDivergence,
  coverage,
  deltaGap,
  longTail,
} from './popularity-bias.ts';
import { fisherExact, testTwoRates, twoProportionTest } from './significance.ts';

function value(estimate: Estimate): number {
  if (!estimate.estimable) throw new Error(`not estimable: ${estimate.reason}`);
  return estimate.value;
}

const people = array(
  record({
    predicted: integer({ min: 0, max: 1 }),
    actual: integer({ min: 0, max: 1 }),
    group: constantFrom('a', 'b', 'c'),
  }),
  {
    minLength: 1,
    maxLength: 60,
  },
);
type Person = { readonly predicted: number; readonly actual: number; readonly group: string };

function cellsOf(persons: readonly Person[]) {
  return countCells(
    persons.map(({ predicted }) => predicted),
    persons.map(({ actual }) => actual),
    persons.map(({ group }) => group),
  );
}

const FIGURES = [
  demographicParityDifference,
  demographicParityRatio,
  equalOpportunityDifference,
  equalisedOddsDifference,
] as const;

test('group figures lie in [0, 1], and do not depend on the order of people', () => {
  assert(
    property(
      people.chain((persons) =>
        record({ persons: constantFrom(persons), mixed: shuffledSubarray(persons, { minLength: persons.length }) }),
      ),
      ({ persons, mixed }) => {
        for (const figure of FIGURES) {
          const [one, two] = [figure(cellsOf(persons), { minimumCell: 1 }), figure(cellsOf(mixed), { minimumCell: 1 })];
          expect(two).toEqual(one);
          expect(valueOf(one) ?? 0).toBeGreaterThanOrEqual(0);
          expect(valueOf(one) ?? 1).toBeLessThanOrEqual(1);
        }
      },
    ),
  );
});

test('signed differences turn their sign, and disparate impact inverts, when the groups change places', () => {
  assert(
    property(people, (persons) => {
      const cells = cellsOf(persons);
      const there = { group: 'a', reference: 'b', minimumCell: 1 };
      const back = { group: 'b', reference: 'a', minimumCell: 1 };
      for (const figure of [statisticalParityDifference, averageOddsDifference]) {
        const [one, two] = [figure(cells, there), figure(cells, back)];
        expect(two.estimable).toBe(one.estimable);
        expect((valueOf(one) ?? 0) + (valueOf(two) ?? 0)).toBeCloseTo(0, 12);
      }
      const ratios = [disparateImpact(cells, there), disparateImpact(cells, back)].map(valueOf);
      const product = ratios.includes(null) ? 1 : ratios[0]! * ratios[1]!;
      expect(product).toBeCloseTo(1, 12);
    }),
  );
});

test('a figure without a denominator is not estimable, and carries its counts', () => {
  const nobodySelected = countCells([0, 0, 0, 0], [1, 0, 1, 0], ['a', 'a', 'b', 'b']);
  expect(demographicParityRatio(nobodySelected, { minimumCell: 1 })).toEqual({
    estimable: false,
    reason: 'nobody was selected in any group',
    n: { a: 2, b: 2 },
  });
  const noPositives = countCells([1, 0, 1, 0], [1, 0, 0, 0], ['a', 'a', 'b', 'b']);
  expect(equalOpportunityDifference(noPositives, { minimumCell: 1 })).toMatchObject({
    estimable: false,
    n: { a: 1, b: 0 },
  });
  expect(disparateImpact(nobodySelected, { group: 'a', reference: 'b', minimumCell: 1 }).estimable).toBe(false);
  expect(deltaGap(3, 0, 5).estimable).toBe(false);
  expect(
    treatmentRatio({
      group: { members: 2, exposure: 1, relevance: 0 },
      other: { members: 2, exposure: 1, relevance: 1 },
    }),
  ).toEqual({
    estimable: false,
    reason: 'a group has no observed relevance',
    n: { group: 2, other: 2 },
  });
  for (const empty of [
    gini([]),
    theil([]),
    gini([0, 0]),
    theil([0, 0]),
    equityOfAttention([0], [1]),
    coverage({ items: Int32Array.of(), k: 1 }, 0),
  ]) {
    expect(empty.estimable).toBe(false);
  }
});

test('groups under the minimum cell are left out of the comparison', () => {
  const cells = countCells(
    Array.from({ length: 40 }, (_, n) => (n < 20 ? n % 2 : n < 39 ? 1 : 0)),
    Array.from({ length: 40 }, () => 1),
    Array.from({ length: 40 }, (_, n) => (n < 20 ? 'a' : n < 39 ? 'b' : 'tiny')),
  );
  expect(value(demographicParityDifference(cells))).toBeCloseTo(0.5, 12);
  expect(value(demographicParityDifference(cells, { minimumCell: 1 }))).toBe(1);
  expect(demographicParityDifference(cells, { minimumCell: 20 }).estimable).toBe(false);
});

test('four fifths: the same rates are flagged with many people and only noticed with few', () => {
  const cell = (group: string, n: number, selected: number) => ({
    group,
    n,
    selected,
    positives: 0,
    truePositives: 0,
    falsePositives: 0,
  });
  const many = fourFifthsScreen([cell('a', 1000, 300), cell('b', 1000, 500)]);
  expect(many).toMatchObject({ below: true, flagged: true, lowest: 'a', highest: 'b', test: 'two-proportion' });
  const few = fourFifthsScreen([cell('a', 10, 3), cell('b', 10, 5)]);
  expect(few).toMatchObject({ below: true, flagged: false, test: 'fisher' });
  expect(few.pValue).toBeCloseTo(0.6499, 4);
  expect(fourFifthsScreen([cell('a', 1000, 500), cell('b', 1000, 500)])).toMatchObject({
    below: false,
    flagged: false,
  });
  expect(fourFifthsScreen([cell('a', 5, 1), cell('b', 1000, 500)])).toMatchObject({ below: null, pValue: null });
});

test('p values lie in [0, 1] and do not depend on which group comes first', () => {
  const cell = record({ n: integer({ min: 1, max: 400 }), share: double({ min: 0, max: 1, noNaN: true }) });
  assert(
    property(cell, cell, (one, two) => {
      const table = { a: Math.round(one.n * one.share), n: one.n, b: Math.round(two.n * two.share), m: two.n };
      const turned = { a: table.b, n: table.m, b: table.a, m: table.n };
      for (const p of [fisherExact, twoProportionTest]) {
        expect(p(table)).toBeGreaterThanOrEqual(0);
        expect(p(table)).toBeLessThanOrEqual(1);
        expect(p(turned)).toBeCloseTo(p(table), 9);
      }
      expect(testTwoRates(table).test).toBe(testTwoRates(turned).test);
    }),
  );
});

test('Gini, Theil and entropy: scale and order do not matter, equality is 0, one owner is the maximum', () => {
  const benefits = array(integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 40 });
  assert(
    property(benefits, integer({ min: 2, max: 9 }), (values, factor) => {
      const scaled = values.map((x) => x * factor).toReversed();
      for (const figure of [gini, theil, (x: number[]) => generalisedEntropy(x, 2)]) {
        const [one, two] = [figure(values), figure(scaled)];
        expect(two.estimable).toBe(one.estimable);
        expect(valueOf(two) ?? 0).toBeCloseTo(valueOf(one) ?? 0, 9);
      }
      const share = valueOf(gini(values)) ?? 0;
      expect(share).toBeGreaterThanOrEqual(0);
      expect(share).toBeLessThan(1);
    }),
  );
  expect(value(gini([3, 3, 3]))).toBe(0);
  expect(value(theil([3, 3, 3]))).toBe(0);
  expect(value(gini([0, 0, 0, 8]))).toBeCloseTo(3 / 4, 12);
  expect(value(theil([0, 0, 0, 8]))).toBeCloseTo(Math.log(4), 12);
  expect(generalisedEntropy([0, 1], 0).estimable).toBe(false);
});

test('exposure is discounted by place and adds up over lists', () => {
  const exposure = itemExposure(Int32Array.of(0, 1, 1, -1), 2, 3);
  expect([...exposure]).toEqual([1, positionWeight(2) + 1, 0]);
  const pair = { group: { members: 2, exposure: 4, relevance: 1 }, other: { members: 4, exposure: 4, relevance: 2 } };
  expect(value(exposureParityDifference(pair))).toBe(1);
  expect(value(treatmentRatio(pair))).toBe(2);
});

test('equity of attention is 0 when attention follows relevance and 2 when they never meet', () => {
  expect(value(equityOfAttention([1, 2, 3], [10, 20, 30]))).toBeCloseTo(0, 12);
  expect(value(equityOfAttention([1, 0], [0, 7]))).toBe(2);
});

test('popularity figures of two lists, by hand', () => {
  const popularity = [100, 10, 4, 2, 1];
  const lists = { items: Int32Array.of(0, 1, 2, -1), k: 2 };
  expect(value(averageRecommendationPopularity(lists, popularity))).toBe((55 + 4) / 2);
  const tail = longTail(popularity);
  expect([...tail]).toEqual([0, 1, 1, 1, 1]);
  expect(value(averageLongTailShare(lists, tail))).toBe(0.75);
  expect(value(coverage(lists, 5))).toBe(0.6);
  expect(value(deltaGap(30, 20, 2))).toBe(0.5);
});

test('calibration divergence is 0 on equal topics, positive otherwise, finite when a topic is missing', () => {
  assert(
    property(array(integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 8 }), boolean(), (weights, missing) => {
      const total = weights.reduce((sum, x) => sum + x, 0);
      const p = weights.map((x) => x / total);
      expect(calibrationDivergence(p, p)).toBeCloseTo(0, 12);
      const q = missing ? [0, p[1]! + p[0]!, ...p.slice(2)] : p.toReversed();
      const divergence = calibrationDivergence(p, q);
      expect(divergence).toBeGreaterThanOrEqual(0);
      expect(divergence).toBeLessThanOrEqual(Math.log(100));
      expect(divergence > 0 || !missing).toBe(true);
    }),
  );
});
