/**
 * Owns one evaluation: fit, rank the whole catalogue, measure; and the choice of parameters on a validation set. Knows nothing of
 * files, queues or stores.
 */
import { AppError } from '../../errors.ts';
import type { Model } from '../models/registry.ts';
import type { FitContext, FittedModel, RankedLists, SparseRows, TrainInput } from '../types.ts';
import { rankingMetrics, type RankingMetrics, type TestItems, userMetrics } from './ranking-metrics.ts';

export interface EvaluationTask {
  readonly train: TrainInput;
  /** What may not be recommended: the training rows and whatever else the caller masks. */
  readonly exclude: SparseRows;
  readonly test: TestItems;
  /** Per user whom training never saw, the dense ids of the test items (-1 for unknown ones). */
  readonly newUsers?: readonly (readonly number[])[];
  readonly k: number;
}

export interface Evaluation extends RankingMetrics {
  readonly model: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly engine: string;
  readonly threads: number;
  readonly trainSeconds: number;
  readonly scoreSeconds: number;
  /** 95 % normal intervals over users. */
  readonly intervals: { readonly recall: readonly [number, number]; readonly ndcg: readonly [number, number] };
}

/** Fits `model` with `params` (defaults filled in) and measures it. */
export async function evaluateModel(
  model: Model,
  params: unknown,
  task: EvaluationTask,
  context: FitContext,
): Promise<Evaluation> {
  const begin = performance.now();
  const fitted = await model.fit(task.train, params, context);
  const trained = performance.now();
  const { signal } = context;
  const lists = await fitted.rank({ k: task.k, exclude: task.exclude, ...(signal === undefined ? {} : { signal }) });
  const scored = performance.now();
  const catalogue = task.train.interactions.columns;
  const { lists: allLists, test } = withNewUsers(fitted, lists, task);
  const own = userMetrics(allLists, test);
  return {
    ...rankingMetrics(allLists, test, catalogue),
    model: fitted.name,
    params: fitted.params,
    engine: fitted.engine,
    threads: fitted.threads,
    trainSeconds: (trained - begin) / 1000,
    scoreSeconds: (scored - trained) / 1000,
    intervals: { recall: interval(own.recall), ndcg: interval(own.ndcg) },
  };
}

/**
 * A user whom training never saw gets what the model gives to everybody, if it gives anything to everybody; a personal model has
 * nothing to say, and the user's list stays empty. Either way the user counts.
 */
function withNewUsers(
  { itemScores }: FittedModel,
  lists: RankedLists,
  { newUsers = [], test, k }: EvaluationTask,
): { readonly lists: RankedLists; readonly test: TestItems } {
  if (newUsers.length === 0) return { lists, test };
  const users = lists.users + newUsers.length;
  const items = new Int32Array(users * k).fill(-1);
  const scores = new Float32Array(users * k).fill(Number.NEGATIVE_INFINITY);
  items.set(lists.items);
  scores.set(lists.scores);
  if (itemScores !== undefined) {
    const best = [...itemScores.keys()].sort((a, b) => itemScores[b]! - itemScores[a]! || a - b).slice(0, k);
    for (let user = lists.users; user < users; user++) items.set(best, user * k);
  }
  const indptr = [...test.indptr];
  for (const own of newUsers) indptr.push(indptr.at(-1)! + own.length);
  return {
    lists: { users, k, items, scores },
    test: {
      users: Int32Array.from([...test.users, ...newUsers.map((_, n) => lists.users + n)]),
      indptr: Int32Array.from(indptr),
      items: Int32Array.from([...test.items, ...newUsers.flat()]),
    },
  };
}

export interface Trial {
  /** As tried; what is automatic in it is resolved anew where it is fitted to other data. */
  readonly given: Readonly<Record<string, unknown>>;
  /** As in force in the trial. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly ndcg: number;
  readonly recall: number;
}

/**
 * Evaluates the given parameters and then each candidate laid over them, and returns all trials, the best NDCG first (the earlier
 * one on ties). Candidates that diverge or do not fit in memory are passed over.
 */
export async function tuneModel(
  model: Model,
  params: Readonly<Record<string, unknown>>,
  task: EvaluationTask,
  context: FitContext,
  onTrial?: (trial: Trial, done: number, total: number) => void,
): Promise<readonly Trial[]> {
  const candidates = [params];
  for (const candidate of await model.candidates()) candidates.push({ ...candidate, ...params });
  const trials: Trial[] = [];
  for (const [n, candidate] of candidates.entries()) {
    try {
      const { ndcg, recall, params: used } = await evaluateModel(model, candidate, task, context);
      trials.push({ given: candidate, params: used, ndcg, recall });
    } catch (thrown) {
      // The caller's own parameters must work; a candidate of ours may not suit the data.
      const skip =
        thrown instanceof AppError && ['MODEL_PARAMS_INVALID', 'NUMERICS_MEMORY_LIMIT'].includes(thrown.code);
      if (n === 0 || !skip) throw thrown;
      continue;
    }
    onTrial?.(trials.at(-1)!, n + 1, candidates.length);
  }
  return trials.toSorted((a, b) => b.ndcg - a.ndcg);
}

function interval(values: Float64Array): readonly [number, number] {
  const n = values.length;
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / n;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  const half = n < 2 ? Number.NaN : 1.96 * Math.sqrt(squares / (n - 1) / n);
  return [mean - half, mean + half];
}
