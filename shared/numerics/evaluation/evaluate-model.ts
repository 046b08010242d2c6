/**
 * Owns one evaluation: fit, rank the whole catalogue, measure; and the choice of parameters on a validation set. Knows nothing of
 * files, queues or stores.
 */
import { AppError } from '../../errors.ts';
import type { FittedFusion } from '../models/fusion.ts';
import type { Model } from '../models/registry.ts';
import type { FitContext, FittedModel, SparseRows, TrainInput } from '../types.ts';
import { ablateSources, type SourceReport } from './ablation.ts';
import { type Explanation, explainPeople } from './explain.ts';
import type { TrainCounts } from './breakdown.ts';
import type { Difference, Intervals } from './compare.ts';
import type { Breakdown, MeasuredLists, MeasureRequest } from './measure.task.ts';
import type { RankingMetrics, TestItems, UserMetrics } from './ranking-metrics.ts';

export interface EvaluationTask {
  readonly train: TrainInput;
  /** What may not be recommended: the training rows and whatever else the caller masks. */
  readonly exclude: SparseRows;
  readonly test: TestItems;
  /** People whom training never saw; they count like everybody. */
  readonly newcomers?: NewcomerTask;
  readonly k: number;
  /** Groups of people with test items, newcomers after the others. */
  readonly groups?: MeasureRequest['groups'];
  /** People (rows of training) whose lists a model that fuses sources is to explain. */
  readonly explain?: readonly number[];
}

export interface NewcomerTask {
  /** `KEY_BYTES` a person. */
  readonly keys: Uint8Array;
  /** `users` are rows of `exclude`. */
  readonly test: TestItems;
  readonly exclude: SparseRows;
  /** What is known of them, though training never saw it: models must serve them from it. */
  readonly histories?: SparseRows;
}

export interface Evaluation extends RankingMetrics {
  readonly model: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly engine: string;
  readonly threads: number;
  readonly trainSeconds: number;
  readonly scoreSeconds: number;
  /** 95 % bootstrap intervals over users. */
  readonly intervals: Intervals;
  readonly breakdown: Breakdown;
  /** Of a model that fuses sources: what each is worth. */
  readonly sources?: readonly SourceReport[];
  /** Of such a model, where it was asked for: why those people are shown what they are shown. */
  readonly explanations?: readonly Explanation[];
}

/** An evaluation with what comparing needs. */
export interface Measured {
  readonly evaluation: Evaluation;
  readonly own: UserMetrics;
  readonly parts: MeasureRequest['parts'];
}

const TASKS = new URL('./measure.task.ts', import.meta.url).href;

/** Fits `model` with `params` (defaults filled in) and measures it. */
export async function evaluateModel(
  model: Model,
  params: unknown,
  task: EvaluationTask,
  context: FitContext,
): Promise<Evaluation> {
  return (await measureModel(model, params, task, context)).evaluation;
}

/** The same, with each person's figures. */
export async function measureModel(
  model: Model,
  params: unknown,
  task: EvaluationTask,
  context: FitContext,
): Promise<Measured> {
  const { pool, seed, signal } = context;
  const begin = performance.now();
  const fitted = await model.fit(task.train, params, context);
  const trained = performance.now();
  const lists = await fitted.rank({ k: task.k, exclude: task.exclude, ...(signal === undefined ? {} : { signal }) });
  const known = { lists, test: task.test, keys: task.train.userKeys };
  const parts = [known, ...(await rankNewcomers(fitted, task, signal))];
  const scored = performance.now();
  const payload: MeasureRequest = {
    parts,
    catalogue: task.train.interactions.columns,
    counts: trainCounts(task.train.interactions),
    seed,
    ...(task.groups === undefined ? {} : { groups: task.groups }),
  };
  const [measured] = await pool.runPhase<MeasuredLists>([{ module: TASKS, name: 'measureLists', payload }], signal);
  const fusion = isFusion(fitted) && (task.train.sources ?? []).length > 0 ? fitted : undefined;
  const sources = fusion && task.test.users.length > 0 && (await ablateSources(fusion, lists, task, context));
  const explanations = fusion && task.explain && (await explainPeople(fusion, task, task.explain, context));
  const evaluation = {
    model: fitted.name,
    params: fitted.params,
    ...measured!.metrics,
    trainSeconds: (trained - begin) / 1000,
    scoreSeconds: (scored - trained) / 1000,
    threads: fitted.threads,
    engine: fitted.engine,
    intervals: measured!.intervals,
    breakdown: measured!.breakdown!,
    ...(sources ? { sources } : {}),
    ...(explanations === undefined ? {} : { explanations }),
  };
  return { evaluation, own: measured!.own, parts };
}

const isFusion = (fitted: FittedModel): fitted is FittedFusion => 'branches' in fitted;

/** `first` minus `second`, on the same people; both come from the same task. */
export async function compareMeasured(
  first: Measured,
  second: Measured,
  { pool, seed, signal }: FitContext,
): Promise<readonly Difference[]> {
  const payload = { first: first.own, second: second.own, parts: first.parts, seed };
  const [differences] = await pool.runPhase<readonly Difference[]>(
    [{ module: TASKS, name: 'compareLists', payload }],
    signal,
  );
  return differences!;
}

/** What novelty and popularity are counted against: training alone. */
function trainCounts({ columns, indices, rows }: SparseRows): TrainCounts {
  const itemUsers = new Int32Array(columns);
  for (const item of indices) itemUsers[item]!++;
  return { users: rows, itemUsers };
}

/**
 * A user whom training never saw gets what the model makes of the user's history, where there is one, else what it gives to
 * everybody, if it gives anything to everybody; else the user's list stays empty. In each case the user counts.
 */
async function rankNewcomers(
  fitted: FittedModel,
  { newcomers, k }: EvaluationTask,
  signal: AbortSignal | undefined,
): Promise<MeasureRequest['parts']> {
  if (newcomers === undefined || newcomers.test.users.length === 0) return [];
  const { exclude, histories, keys, test } = newcomers;
  const options = { k, exclude, userKeys: keys, ...(signal === undefined ? {} : { signal }) };
  if (histories === undefined) return [{ lists: await fitted.rankNewcomers?.(options), test, keys }];
  const personal = fitted.rankHistories?.({ ...options, histories });
  const lists = await (personal ?? fitted.rankNewcomers?.(options));
  if (lists === undefined) {
    throw new AppError('MODEL_NOT_INDUCTIVE', {
      message: `The model ${fitted.name} cannot serve people whom training never saw.`,
      details: { model: fitted.name },
    });
  }
  return [{ lists, test, keys }];
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
