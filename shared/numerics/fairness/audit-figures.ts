/**
 * Owns the figures of a report as functions of sums over people: the same function gives the point estimate (plain sums) and
 * every bootstrap replicate (weighted sums). Definitions: group-rates.ts, popularity-bias.ts, inequality.ts, exposure.ts.
 */
import { COLUMNS, type Column } from './audit-columns.ts';
import { type Estimate, estimated, notEstimable, ratioOf } from './estimate.ts';
import { exposureParityDifference, treatmentRatio } from './exposure.ts';
import {
  averageOddsDifference,
  demographicParityDifference,
  demographicParityRatio,
  disparateImpact,
  equalisedOddsDifference,
  equalOpportunityDifference,
  type GroupCell,
  statisticalParityDifference,
} from './group-rates.ts';
import { deltaGap } from './popularity-bias.ts';

/** Sums of the columns over one cell of people. */
export type CellSums = Readonly<Record<Column, number>>;

/** The cells of one set of sums, [cell][column]. */
export function cellSums(sums: Float64Array): CellSums[] {
  return Array.from({ length: sums.length / COLUMNS.length }, (_, cell) => {
    const start = cell * COLUMNS.length;
    return Object.fromEntries(COLUMNS.map((name, at) => [name, sums[start + at]!])) as Record<Column, number>;
  });
}

/** Figures about one set of people: means over those judged, or those with a list, whoever the figure can speak of. */
export const PEOPLE_FIGURES = {
  servedRate: (c) => ratioOf(c.served, c.judged, { judged: c.judged }, 'people with relevant items'),
  recall: (c) => ratioOf(c.recall, c.judged, { judged: c.judged }, 'people with relevant items'),
  ndcg: (c) => ratioOf(c.ndcg, c.judged, { judged: c.judged }, 'people with relevant items'),
  averagePopularity: (c) => ratioOf(c.popularity, c.shown, { people: c.shown }, 'lists with items'),
  longTailShare: (c) => ratioOf(c.tailShare, c.shown, { people: c.shown }, 'lists with items'),
  /** Sums serve as well as means: both are over the same people. */
  deltaGap: (c) => deltaGap(c.popularityComparable, c.popularityProfile, c.comparable),
  calibrationDivergence: (c) => ratioOf(c.divergence, c.calibrated, { people: c.calibrated }, 'people with topics'),
} as const satisfies Record<string, (cell: CellSums) => Estimate>;

/** Inequality of benefit among judged people; the benefit is recall: yhat - y + 1 with y = 1, all that is relevant found. */
export const INEQUALITY_FIGURES = {
  generalisedEntropy: (c) => {
    const refusal = noBenefit(c);
    if (refusal !== null) return refusal;
    const mean = c.recall / c.judged;
    return estimated((c.recallSquared / c.judged / mean ** 2 - 1) / 2, { people: c.judged });
  },
  theil: (c) => {
    const refusal = noBenefit(c);
    if (refusal !== null) return refusal;
    const mean = c.recall / c.judged;
    return estimated(c.recallLogRecall / c.judged / mean - Math.log(mean), { people: c.judged });
  },
} as const satisfies Record<string, (cell: CellSums) => Estimate>;

function noBenefit(c: CellSums): Estimate | null {
  if (c.judged === 0) return notEstimable('no people with relevant items', { people: 0 });
  return c.recall === 0 ? notEstimable('nobody was served', { people: c.judged }) : null;
}

/** Being served as a yes/no outcome of people: selected = served, of the judged. */
export function servedCell(group: string, c: CellSums): GroupCell {
  return { group, n: c.judged, selected: c.served, positives: 0, truePositives: 0, falsePositives: 0 };
}

/** Recommendation as a classifier of (person, unseen item) pairs: actual = relevant, predicted = recommended. */
export function pairCell(group: string, c: CellSums): GroupCell {
  return {
    group,
    n: c.relevant + c.irrelevant,
    selected: c.hits + c.misses,
    positives: c.relevant,
    truePositives: c.hits,
    falsePositives: c.misses,
  };
}

export interface NamedCell {
  readonly group: string;
  readonly sums: CellSums;
}

/** Replicates do not ask for the minimum again: it was decided on the true counts which groups take part. */
const EVERY_CELL = { minimumCell: 0 };

/** Figures across the groups that take part. "served" compares people, "pair" compares (person, item) pairs. */
export const ACROSS_FIGURES = {
  demographicParityDifference: (groups) => demographicParityDifference(served(groups), EVERY_CELL),
  demographicParityRatio: (groups) => demographicParityRatio(served(groups), EVERY_CELL),
  equalOpportunityDifference: (groups) => equalOpportunityDifference(pairs(groups), EVERY_CELL),
  equalisedOddsDifference: (groups) => equalisedOddsDifference(pairs(groups), EVERY_CELL),
  equalisedOddsMeanDifference: (groups) => equalisedOddsDifference(pairs(groups), { ...EVERY_CELL, combine: 'mean' }),
  ndcgDifference: (groups) => spreadOf(groups, PEOPLE_FIGURES.ndcg),
  recallDifference: (groups) => spreadOf(groups, PEOPLE_FIGURES.recall),
  deltaGapDifference: (groups) => spreadOf(groups, PEOPLE_FIGURES.deltaGap),
  calibrationDifference: (groups) => spreadOf(groups, PEOPLE_FIGURES.calibrationDivergence),
} as const satisfies Record<string, (groups: readonly NamedCell[]) => Estimate>;

/** The people that a figure across groups counts. */
export function denominatorOf(figure: string): 'judged' | 'comparable' | 'calibrated' {
  if (figure === 'deltaGapDifference') return 'comparable';
  return figure === 'calibrationDifference' ? 'calibrated' : 'judged';
}

function served(groups: readonly NamedCell[]): GroupCell[] {
  return groups.map(({ group, sums }) => servedCell(group, sums));
}

function pairs(groups: readonly NamedCell[]): GroupCell[] {
  return groups.map(({ group, sums }) => pairCell(group, sums));
}

/** Highest minus lowest group figure. */
function spreadOf(groups: readonly NamedCell[], figure: (cell: CellSums) => Estimate): Estimate {
  const values: number[] = [];
  const n: Record<string, number> = {};
  for (const { group, sums } of groups) {
    const estimate = figure(sums);
    n[group] = Math.max(...Object.values(estimate.n));
    if (estimate.estimable) values.push(estimate.value);
  }
  if (values.length < 2) return notEstimable('fewer than two groups are large enough', n);
  return estimated(Math.max(...values) - Math.min(...values), n);
}

/** Figures of a group against the reference group (AIF360's sign: below 0 the group gets less). */
export const AGAINST_FIGURES = {
  statisticalParityDifference: (own, other) => compare(statisticalParityDifference, servedCell, own, other),
  disparateImpact: (own, other) => compare(disparateImpact, servedCell, own, other),
  averageOddsDifference: (own, other) => compare(averageOddsDifference, pairCell, own, other),
} as const satisfies Record<string, (own: NamedCell, other: NamedCell) => Estimate>;

function compare(figure: typeof disparateImpact, cell: typeof servedCell, own: NamedCell, other: NamedCell): Estimate {
  const cells = [cell(own.group, own.sums), cell(other.group, other.sums)];
  return figure(cells, { group: own.group, reference: other.group, ...EVERY_CELL });
}

/** Figures of one group of items against the rest of the catalogue. `sums` as in exposureColumns. */
export function itemGroupFigures(
  sums: Float64Array,
  group: number,
  members: number,
  items: number,
): Readonly<Record<'exposureShare' | 'exposureParityDifference' | 'treatmentRatio', Estimate>> {
  const all = sums.length - 2;
  const own = { members, exposure: sums[2 * group]!, relevance: sums[2 * group + 1]! };
  const rest = {
    members: items - members,
    exposure: sums[all]! - own.exposure,
    relevance: sums[all + 1]! - own.relevance,
  };
  const pair = { group: own, other: rest };
  return {
    exposureShare: ratioOf(own.exposure, sums[all]!, { items: members }, 'exposure at all'),
    exposureParityDifference: exposureParityDifference(pair),
    treatmentRatio: treatmentRatio(pair),
  };
}
