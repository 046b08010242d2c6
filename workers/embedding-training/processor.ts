/**
 * Owns embedding-training: user and item embeddings from the canonical view of a data set. The metrics come from a model trained without a
 * holdout; what is published is the same model, with the same parameters and seed, trained on everything.
 */
import { embeddingTraining } from '../../jobs/embedding-training/contract.ts';
import type { ContractOutput, ContractParsed } from '../../shared/contract-kit/define-job.ts';
import { AppError } from '../../shared/errors.ts';
import type { MeasuredLists, MeasureRequest } from '../../shared/numerics/evaluation/measure.task.ts';
import {
  holdOut,
  INTERACTION_TABLE_VERSION,
  type InteractionView,
  interactionView,
} from '../../shared/numerics/interactions/interaction-view.ts';
import { findModel, type Model } from '../../shared/numerics/models/registry.ts';
import type { FitCheckpoints, FitContext, FittedModel } from '../../shared/numerics/types.ts';
import { admitFor, type LoadedEvents, loadEvents } from '../reading/dataset.ts';
import { fitCheckpoints, type Origin } from './checkpoints.ts';
import { defineProcessor, type RunContext, type Written } from '../runtime/processor.ts';

const MEASURE = new URL('../../shared/numerics/evaluation/measure.task.ts', import.meta.url).href;

type Input = ContractParsed<typeof embeddingTraining>;
type Metrics = ContractOutput<typeof embeddingTraining>['metrics'];

interface Loaded extends LoadedEvents {
  readonly input: Input;
  readonly model: Model;
  readonly params: Readonly<Record<string, unknown>>;
}
interface Computed {
  readonly input: Input;
  readonly asOf: number;
  readonly view: InteractionView;
  readonly fitted: FittedModel & { readonly factors: NonNullable<FittedModel['factors']> };
  readonly measured: Measured | undefined;
  readonly trainSeconds: number;
}

async function load(input: Input, context: RunContext): Promise<Loaded> {
  const model = findModel(input.model);
  // Wrong parameters are refused before anything is read.
  const params = await model.parseParams(input.params);
  return { input, model, params, ...(await loadEvents(input.dataset, context)) };
}

async function compute(loaded: Loaded, context: RunContext): Promise<Computed> {
  const { input, model, params, dataset } = loaded;
  const view = await interactionView(await admitFor('recommendation', loaded, context), context);
  if (view.interactions.indices.length === 0)
    throw new AppError('DATASET_EMPTY', {
      message: 'Nobody who allows recommendations has liked anything yet.',
      details: { dataset: input.dataset },
    });
  const evaluated = input.holdout > 0;
  const measured = evaluated ? await measure(view, loaded, context) : undefined;
  const began = performance.now();
  const checkpoints = await fitCheckpoints('published', view, originOf(loaded), context);
  const fitted = await model.fit(view, params, fitContext(input, context, evaluated ? [0.5, 1] : [0, 1], checkpoints));
  const trainSeconds = (performance.now() - began) / 1000;
  const { factors } = fitted;
  if (factors === undefined)
    throw new AppError('INTERNAL', {
      message: `The model ${model.name} has no embeddings.`,
      details: { model: model.name },
    });
  return { input, asOf: dataset.asOf, view, fitted: { ...fitted, factors }, measured, trainSeconds };
}

/** What the model without the holdout recommended, and what was held out: kept for audits, which judge people's lists by it. */
interface Measured {
  readonly metrics: NonNullable<Metrics>;
  /** Users * k dense items, best first; -1: none. */
  readonly lists: Int32Array;
  /** A row per user over the items. */
  readonly heldOutPtr: Int32Array;
  readonly heldOutItems: Int32Array;
}

/** Full ranking on the holdout; undefined where no user has a held-out item. */
async function measure(
  view: InteractionView,
  { input, model, params }: Loaded,
  context: RunContext,
): Promise<Measured | undefined> {
  const { pool, signal } = context;
  const split = await holdOut({ view, holdout: input.holdout, seed: input.seed }, { pool, signal });
  const { train, test } = split;
  if (test.users.length === 0) return undefined;
  const k = Math.min(input.k, view.interactions.columns);
  const { userKeys, itemKeys } = view;
  const learned = { interactions: train, userKeys, itemKeys };
  const checkpoints = await fitCheckpoints('measured', learned, originOf({ input, model, params }), context);
  const fitted = await model.fit(learned, params, fitContext(input, context, [0, 0.5], checkpoints));
  const lists = await fitted.rank({ k, exclude: train, signal });
  const payload: MeasureRequest = { parts: [{ lists, test }], catalogue: view.interactions.columns };
  const [figures] = await pool.runPhase<MeasuredLists>([{ module: MEASURE, name: 'measureLists', payload }], signal);
  const { users, recall, ndcg } = figures!.metrics;
  const heldOutPtr = new Int32Array(train.rows + 1);
  for (const [n, user] of test.users.entries()) heldOutPtr[user + 1] = test.indptr[n + 1]! - test.indptr[n]!;
  for (let user = 0; user < train.rows; user++) heldOutPtr[user + 1]! += heldOutPtr[user]!;
  return { metrics: { k, users, recall, ndcg }, lists: lists.items, heldOutPtr, heldOutItems: test.items };
}

const originOf = ({ input, model, params }: Pick<Loaded, 'input' | 'model' | 'params'>): Origin => ({
  model: model.name,
  params,
  seed: input.seed,
});

/** Both fits report within one range, so that progress never runs backwards. */
function fitContext(
  input: Input,
  context: RunContext,
  [from, to]: readonly [number, number],
  checkpoints: FitCheckpoints | undefined,
): FitContext {
  const { pool, signal, progress, tfjsNative } = context;
  return {
    pool,
    signal,
    seed: input.seed,
    onProgress: ({ done, total, label, metrics }) => {
      const share = from + (to - from) * (done / Math.max(1, total));
      progress({ done: Math.round(share * 1000), total: 1000, label, ...(metrics && { metrics }) });
    },
    ...(checkpoints === undefined ? {} : { checkpoints }),
    ...(tfjsNative === undefined ? {} : { tensorflow: { nativePath: tfjsNative } }),
  };
}

async function write(computed: Computed, context: RunContext): Promise<Written<typeof embeddingTraining>> {
  const { store, tenant, runKey, fence, consentEpoch, codeVersion } = context;
  const { input, view, fitted, measured, trainSeconds } = computed;
  const metrics = measured?.metrics ?? null;
  const { users, items } = fitted.factors;
  const draft = await store.versions.draft(tenant, runKey, fence, users.rows, [
    { name: 'subjects', data: view.userKeys },
    { name: 'itemKeys', data: view.itemKeys },
    { name: 'userFactors', data: users.data },
    { name: 'itemFactors', data: items.data },
    ...(measured === undefined
      ? []
      : [
          { name: 'evaluatedItems', data: measured.lists },
          { name: 'heldOutPtr', data: measured.heldOutPtr },
          { name: 'heldOutItems', data: measured.heldOutItems },
        ]),
  ]);
  const model = input.model;
  const { engine, threads } = fitted;
  const params = { ...fitted.params };
  const lineage = { inputs: [input.dataset], seed: input.seed, engine, threads };
  const interactions = view.interactions.indices.length;
  const { version } = await store.versions.write({
    ...draft,
    tenant,
    kind: 'embeddings',
    runKey,
    fence,
    asOf: computed.asOf,
    consentEpoch,
    inputs: lineage.inputs,
    codeVersion,
    meta: {
      model,
      params,
      metrics,
      engine,
      seed: input.seed,
      factors: users.width,
      interactions,
      interactionTable: INTERACTION_TABLE_VERSION,
    },
  });
  const output = {
    version,
    model,
    engine,
    threads,
    params,
    users: users.rows,
    items: items.rows,
    factors: users.width,
  };
  return { output: { ...output, metrics, consentEpoch, trainSeconds }, version, lineage };
}

// Embeddings are not served: the executor marks them stale when somebody withdrew, and candidate-generation gives those people no list of theirs.
export default defineProcessor({ contract: embeddingTraining, load, compute, write });
