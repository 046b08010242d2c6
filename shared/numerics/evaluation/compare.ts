/**
 * Owns intervals by bootstrap over people, and comparing two models on the same people: a person's luck with a test item is shared by
 * both, so the interval of the paired difference is far narrower than two intervals side by side.
 */
import { percentileInterval, resample } from '../fairness/bootstrap.ts';
import type { UserMetrics } from './ranking-metrics.ts';

export const METRICS = ['recall', 'ndcg', 'map', 'mrr'] as const;
export type MetricName = (typeof METRICS)[number];
export type Range = readonly [number, number];
export type Intervals = Readonly<Record<MetricName, Range>>;

const LEVEL = 0.95;
const REPLICATES = 1000;
const REPLICATES_MIN = 100;
/** Bound on people * replicates; more people need fewer replicates. */
const DRAWS_MAX = 5e7;

export interface BootstrapKeys {
  readonly seed: number;
  /** `KEY_BYTES` a person. */
  readonly keys?: Uint8Array | undefined;
}

/** 95 % percentile intervals of the means; NaN where people are too few to resample (under four). */
export function bootstrapIntervals(own: UserMetrics, how: BootstrapKeys): Intervals {
  const ranges = meanRanges(
    METRICS.map((name) => own[name]),
    how,
  );
  return Object.fromEntries(METRICS.map((name, n) => [name, ranges[n]!])) as unknown as Intervals;
}

export interface Difference {
  readonly metric: MetricName;
  /** Mean of the first model minus mean of the second. */
  readonly difference: number;
  readonly interval: Range;
  /** Share of people for whom the first is better, and for whom the second is. */
  readonly better: number;
  readonly worse: number;
}

/** The same people in the same order in both. */
export function compareMetrics(first: UserMetrics, second: UserMetrics, how: BootstrapKeys): readonly Difference[] {
  if (first.ndcg.length !== second.ndcg.length) throw new RangeError('compareMetrics: the people differ');
  const differences = METRICS.map((name) => first[name].map((value, person) => value - second[name][person]!));
  const ranges = meanRanges(differences, how);
  const share = (values: Float64Array, sign: number) =>
    values.reduce((sum, value) => sum + (Math.sign(value) === sign ? 1 : 0), 0) / values.length;
  return METRICS.map((metric, n) => ({
    metric,
    difference: differences[n]!.reduce((sum, value) => sum + value, 0) / differences[n]!.length,
    interval: ranges[n]!,
    better: share(differences[n]!, 1),
    worse: share(differences[n]!, -1),
  }));
}

function meanRanges(columns: readonly Float64Array[], { seed, keys }: BootstrapKeys): Range[] {
  const people = columns[0]?.length ?? 0;
  if (people < 2) return columns.map(() => [Number.NaN, Number.NaN]);
  const width = columns.length + 1;
  const data = new Float64Array(people * width);
  for (let person = 0; person < people; person++) {
    data[person * width] = 1;
    for (const [c, column] of columns.entries()) data[person * width + c + 1] = column[person]!;
  }
  const replicates = Math.max(REPLICATES_MIN, Math.min(REPLICATES, Math.floor(DRAWS_MAX / people)));
  const table = { people, columns: width, data, cells: 1, memberships: 1, cellOf: new Int32Array(people) };
  const sums = resample([table], { replicates, seed, keys })[0]!;
  return columns.map((_, c) => {
    const means = Array.from({ length: replicates }, (_, r) => {
      const count = sums[r * width]!;
      return count === 0 ? null : sums[r * width + c + 1]! / count;
    });
    const found = percentileInterval(means, LEVEL);
    return found === null ? [Number.NaN, Number.NaN] : [found.low, found.high];
  });
}
