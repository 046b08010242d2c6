/** The definitions against fairlearn, AIF360, SciPy and NumPy; test/reference/fairness.py makes the file. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { quantile } from './bootstrap.ts';
import type { Estimate } from './estimate.ts';
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
import { calibrationDivergence } from './popularity-bias.ts';
import { erfc, fisherExact, twoProportionTest } from './significance.ts';

interface Decisions extends Readonly<Record<string, unknown>> {
  readonly predicted: number[];
  readonly actual: number[];
  readonly groups: string[];
  readonly reference: string;
  readonly other: string;
}

interface Golden {
  readonly decisions: (Decisions & Readonly<Record<string, number>>)[];
  readonly benefits: { values: number[]; theil: number; entropy: Record<string, number>; gini: number }[];
  readonly tables: { table: [number, number, number, number]; fisher: number; z: number }[];
  readonly calibration: { p: number[]; q: number[]; divergence: number }[];
  readonly percentiles: { values: number[]; q: Record<string, number> }[];
  readonly erfc: [number, number][];
}

const path = new URL('../../../test/reference/golden/fairness.json', import.meta.url);
const golden = JSON.parse(readFileSync(path, 'utf8')) as Golden;

/** How far off; NaN, which is never within tolerance, when not estimable. */
function off(estimate: Estimate | number, expected: number): number {
  const value = typeof estimate === 'number' ? estimate : estimate.estimable ? estimate.value : Number.NaN;
  return Math.abs(value - expected);
}

const TOLERANCE = 1e-9;

test('group rates equal those of fairlearn and AIF360', () => {
  expect(golden.decisions).toHaveLength(3);
  for (const one of golden.decisions) {
    const cells = countCells(one.predicted, one.actual, one.groups);
    const every = { minimumCell: 1 };
    const pair = { ...every, group: one.other, reference: one.reference };
    expect(off(demographicParityDifference(cells, every), one['demographicParityDifference']!)).toBeLessThanOrEqual(
      TOLERANCE,
    );
    expect(off(demographicParityRatio(cells, every), one['demographicParityRatio']!)).toBeLessThanOrEqual(TOLERANCE);
    expect(off(equalisedOddsDifference(cells, every), one['equalisedOddsWorst']!)).toBeLessThanOrEqual(TOLERANCE);
    expect(
      off(equalisedOddsDifference(cells, { ...every, combine: 'mean' }), one['equalisedOddsMean']!),
    ).toBeLessThanOrEqual(TOLERANCE);
    expect(off(equalOpportunityDifference(cells, every), one['equalOpportunity']!)).toBeLessThanOrEqual(TOLERANCE);
    expect(off(statisticalParityDifference(cells, pair), one['statisticalParityDifference']!)).toBeLessThanOrEqual(
      TOLERANCE,
    );
    expect(off(disparateImpact(cells, pair), one['disparateImpact']!)).toBeLessThanOrEqual(TOLERANCE);
    expect(off(averageOddsDifference(cells, pair), one['averageOddsDifference']!)).toBeLessThanOrEqual(TOLERANCE);
  }
});

test('entropy indices equal those of AIF360, and Gini its definition by pairwise differences', () => {
  for (const { values, theil: t, entropy, gini: g } of golden.benefits) {
    expect(off(theil(values), t)).toBeLessThanOrEqual(TOLERANCE);
    expect(off(gini(values), g)).toBeLessThanOrEqual(TOLERANCE);
    for (const [alpha, expected] of Object.entries(entropy))
      expect(off(generalisedEntropy(values, Number(alpha)), expected)).toBeLessThanOrEqual(TOLERANCE);
  }
});

test('both tests of two rates equal those of SciPy', () => {
  for (const { table, fisher, z } of golden.tables) {
    const [a, n, b, m] = table;
    expect(off(fisherExact({ a, n, b, m }), fisher)).toBeLessThanOrEqual(TOLERANCE);
    expect(off(twoProportionTest({ a, n, b, m }), z)).toBeLessThanOrEqual(TOLERANCE);
  }
  for (const [x, expected] of golden.erfc) expect(Math.abs(erfc(x) - expected)).toBeLessThanOrEqual(1e-14);
});

test('calibration divergence and percentiles equal those of SciPy and NumPy', () => {
  for (const { p, q, divergence } of golden.calibration)
    expect(off(calibrationDivergence(p, q), divergence)).toBeLessThanOrEqual(TOLERANCE);
  for (const { values, q } of golden.percentiles) {
    const sorted = Float64Array.from(values).sort();
    for (const [place, expected] of Object.entries(q))
      expect(off(quantile(sorted, Number(place)), expected)).toBeLessThanOrEqual(TOLERANCE);
  }
});
