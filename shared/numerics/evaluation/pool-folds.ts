/** Owns putting the folds of a cross-validation together: means of the figures, and intervals that draw a person's folds as one. */
import type { FitContext } from '../types.ts';
import type { GroupRow, PopularityRow } from './breakdown.ts';
import type { Intervals } from './compare.ts';
import type { Evaluation, Measured } from './evaluate-model.ts';
import type { Breakdown } from './measure.task.ts';
import type { UserMetrics } from './ranking-metrics.ts';

const TASKS = new URL('./measure.task.ts', import.meta.url).href;
const MEANS = ['recall', 'ndcg', 'precision', 'map', 'mrr', 'hitRate', 'coverage'] as const;

/** `folds` of one model with one set of parameters; seconds are sums. One fold stays as it is. */
export async function poolFolds(folds: readonly Measured[], { pool, seed, signal }: FitContext): Promise<Measured> {
  const first = folds[0]!;
  if (folds.length === 1) return first;
  const parts = folds.flatMap((fold) => fold.parts);
  const own = joinOwn(folds.map((fold) => fold.own));
  const payload = { own, parts, seed };
  const [intervals] = await pool.runPhase<Intervals>([{ module: TASKS, name: 'pooledIntervals', payload }], signal);
  const all = folds.map(({ evaluation }) => evaluation);
  const means = Object.fromEntries(MEANS.map((name) => [name, mean(all.map((one) => one[name]))]));
  const sum = (of: (one: Evaluation) => number) => all.reduce((total, one) => total + of(one), 0);
  const evaluation: Evaluation = {
    ...first.evaluation,
    ...(means as Pick<Evaluation, (typeof MEANS)[number]>),
    users: Math.max(...all.map(({ users }) => users)),
    trainSeconds: sum(({ trainSeconds }) => trainSeconds),
    scoreSeconds: sum(({ scoreSeconds }) => scoreSeconds),
    intervals: intervals!,
    breakdown: poolBreakdowns(all.map(({ breakdown }) => breakdown)),
  };
  return { evaluation, own, parts };
}

function joinOwn(all: readonly UserMetrics[]): UserMetrics {
  const join = (name: 'recall' | 'ndcg' | 'map' | 'mrr') => Float64Array.from(all.flatMap((own) => [...own[name]]));
  return {
    recall: join('recall'),
    ndcg: join('ndcg'),
    map: join('map'),
    mrr: join('mrr'),
    hits: Int32Array.from(all.flatMap(({ hits }) => [...hits])),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function meanKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : mean(known);
}

function poolBreakdowns(all: readonly Breakdown[]): Breakdown {
  return {
    novelty: meanKnown(all.map(({ novelty }) => novelty)),
    popularity: meanKnown(all.map(({ popularity }) => popularity)),
    tailShare: meanKnown(all.map(({ tailShare }) => tailShare)),
    gini: meanKnown(all.map(({ gini }) => gini)),
    byPopularity: all[0]!.byPopularity.map(({ name }) => poolPopularity(all, name)),
    groups: poolGroups(all.flatMap(({ groups }) => groups)),
  };
}

function poolPopularity(all: readonly Breakdown[], name: PopularityRow['name']): PopularityRow {
  const rows = all.flatMap(({ byPopularity }) => byPopularity.filter((row) => row.name === name));
  const wanted = rows.reduce((sum, row) => sum + row.wanted, 0);
  const found = rows.reduce((sum, row) => sum + (row.recall ?? 0) * row.wanted, 0);
  const items = Math.round(mean(rows.map((row) => row.items)));
  return { name, items, wanted, recall: wanted === 0 ? null : found / wanted };
}

/** Means weigh each person of each fold the same; `users` is how many a fold has on average. */
function poolGroups(rows: readonly GroupRow[]): GroupRow[] {
  const names = [...new Set(rows.map(({ name }) => name))];
  return names.map((name) => {
    const own = rows.filter((row) => row.name === name);
    const users = own.reduce((sum, row) => sum + row.users, 0);
    const weighed = (of: (row: GroupRow) => number) => own.reduce((sum, row) => sum + of(row) * row.users, 0) / users;
    return {
      name,
      users: Math.round(users / own.length),
      recall: weighed(({ recall }) => recall),
      ndcg: weighed(({ ndcg }) => ndcg),
    };
  });
}
