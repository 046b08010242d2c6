/**
 * Owns the metrics: a model that has not seen the holdout ranks the whole catalogue for everybody. Where training is to stop by itself, it stops on a
 * validation part of what is left, and the holdout stays unseen.
 */
import type { MeasuredLists, MeasureRequest } from '../../shared/numerics/evaluation/measure.task.ts';
import type { InteractionView } from '../../shared/numerics/interactions/interaction-view.ts';
import { rankByFactors } from '../../shared/numerics/ranking/rank-factors.ts';
import type { TestItems } from '../../shared/numerics/evaluation/ranking-metrics.ts';
import type { SparseRows } from '../../shared/numerics/types.ts';
import type { RunContext } from '../runtime/processor.ts';
import { fitCheckpoints } from './checkpoints.ts';
import { fitContext, isWatched, originOf, type Training } from './fitting.ts';
import { holdoutSplit, type Learned, validationOf } from './holdouts.ts';
import { MEASURE, ValidationWatch } from './watch.ts';

/** What the model without the holdout recommended, and what was held out: kept for audits, which judge people's lists by it. */
export interface Measured {
  readonly metrics: { readonly k: number; readonly users: number; readonly recall: number; readonly ndcg: number };
  /** 95 % bootstrap intervals over people. */
  readonly intervals: MeasuredLists['intervals'];
  /** After so many epochs the validation was best; absent: all ran. */
  readonly bestEpoch?: number;
  /** Users * k dense items, best first; -1: none. */
  readonly lists: Int32Array;
  /** A row per user over the items. */
  readonly heldOutPtr: Int32Array;
  readonly heldOutItems: Int32Array;
}

/** Full ranking on the holdout; undefined where no user has a held-out item. */
export async function measure(
  view: InteractionView,
  training: Training,
  context: RunContext,
): Promise<Measured | undefined> {
  const { pool, signal } = context;
  const { k: wanted, seed } = training.input;
  const { learned, test } = await holdoutSplit(view, training.input, context);
  if (test.users.length === 0) return undefined;
  const { interactions: train, userKeys } = learned;
  const k = Math.min(wanted, train.columns);
  const { bestEpoch, lists } = await rankWithout({ learned, test, k }, training, context);
  const payload: MeasureRequest = { parts: [{ lists, test, keys: userKeys }], catalogue: train.columns, seed };
  const [figures] = await pool.runPhase<MeasuredLists>([{ module: MEASURE, name: 'measureLists', payload }], signal);
  const { users, recall, ndcg } = figures!.metrics;
  const heldOutPtr = new Int32Array(train.rows + 1);
  for (const [n, user] of test.users.entries()) heldOutPtr[user + 1] = test.indptr[n + 1]! - test.indptr[n]!;
  for (let user = 0; user < train.rows; user++) heldOutPtr[user + 1]! += heldOutPtr[user]!;
  return {
    metrics: { k, users, recall, ndcg },
    intervals: figures!.intervals,
    ...(bestEpoch !== undefined && { bestEpoch }),
    lists: lists.items,
    heldOutPtr,
    heldOutItems: test.items,
  };
}

interface Part {
  readonly learned: Learned;
  readonly test: TestItems;
  readonly k: number;
}

async function rankWithout(part: Part, training: Training, context: RunContext) {
  const { k, learned } = part;
  const { pool, signal } = context;
  const exclude: SparseRows = learned.interactions;
  const { patience } = training.input;
  const decided = patience !== undefined && isWatched(training.model.name);
  const { data, watch } = await watchOf(part, decided ? patience : undefined, training, context);
  const origin = { ...originOf(training), ...(decided && { patience }) };
  const checkpoints = await fitCheckpoints('measured', data, origin, context, watch);
  const hooks = { ...(checkpoints && { checkpoints }), ...(watch && { watch }) };
  const fitted = await training.model.fit(data, training.params, fitContext(training, context, [0, 0.5], hooks));
  const best = watch?.best;
  if (best === undefined) return { lists: await fitted.rank({ k, exclude, signal }) };
  const { itemKeys, userKeys } = learned;
  const lists = await rankByFactors({ ...best.factors, userKeys, itemKeys }, { k, exclude, signal }, { pool });
  return { lists, bestEpoch: best.epoch };
}

/** What the fit learns from, and who looks at it. Without `patience` the holdout itself is looked at: it decides nothing then. */
async function watchOf(
  { k, learned, test }: Part,
  patience: number | undefined,
  { input, model }: Training,
  context: RunContext,
): Promise<{ readonly data: Learned; readonly watch?: ValidationWatch }> {
  const { itemKeys, userKeys } = learned;
  if (!isWatched(model.name)) return { data: learned };
  if (patience === undefined) {
    const part = { train: learned.interactions, test, userKeys, itemKeys, k };
    return { data: learned, watch: new ValidationWatch(part, undefined, context) };
  }
  const { data, test: validation } = await validationOf(learned, input, context);
  // Too little data to stop by: all epochs run.
  if (validation.users.length === 0) return { data: learned };
  const part = { train: data.interactions, test: validation, userKeys, itemKeys, k };
  return { data, watch: new ValidationWatch(part, patience, context) };
}
