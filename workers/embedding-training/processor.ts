/**
 * Owns embedding-training: user and item embeddings from the canonical view of a data set. The metrics come from a model trained without a
 * holdout; what is published is the same model, with the same parameters and seed, trained on everything.
 */
import { embeddingTraining } from '../../jobs/embedding-training/contract.ts';
import { AppError } from '../../shared/errors.ts';
import {
  INTERACTION_TABLE_VERSION,
  type InteractionView,
  interactionView,
} from '../../shared/numerics/interactions/interaction-view.ts';
import { findModel } from '../../shared/numerics/models/registry.ts';
import type { Factors, FittedModel } from '../../shared/numerics/types.ts';
import type { Tuning } from '../../shared/store/ports.ts';
import { admitFor, type LoadedEvents, loadEvents } from '../reading/dataset.ts';
import { defineProcessor, type RunContext, type Written } from '../runtime/processor.ts';
import { DIGEST, fitCheckpoints } from './checkpoints.ts';
import { fitContext, type Input, isWatched, originOf, type Training } from './fitting.ts';
import { type Measured, measure } from './measured.ts';
import { withItemFacts } from './side-facts.ts';
import { findWarmStart, type FoundStart } from './warm-start.ts';
import { EpochLimit } from './watch.ts';

interface Loaded extends LoadedEvents, Training {
  readonly warm: FoundStart | undefined;
  readonly tuning: Tuning | undefined;
}
interface Computed {
  readonly loaded: Loaded;
  readonly view: InteractionView;
  readonly fitted: FittedModel & { readonly factors: Factors };
  readonly measured: Measured | undefined;
  readonly trainSeconds: number;
  /** What it learned from, for its card; not personal. */
  readonly data: {
    readonly sources: readonly string[];
    readonly events: number;
    readonly from: number;
    readonly to: number;
  };
}

async function load(input: Input, context: RunContext): Promise<Loaded> {
  const model = findModel(input.model);
  // Wrong parameters are refused before anything is read.
  const own = input.patience !== undefined && !isWatched(input.model) ? { patience: input.patience } : {};
  const tuning = input.tuned === true ? await context.store.tunings.read(context.tenant, input.model) : undefined;
  const params = await model.parseParams({ ...tuning?.params, ...own, ...input.params });
  if (input.patience !== undefined && input.holdout === 0)
    throw new AppError('INPUT_INVALID', {
      message: 'Training cannot stop by itself without a holdout.',
      details: { field: 'holdout' },
    });
  const warm = await findWarmStart(input, context);
  if (warm?.refused != null)
    context.log.warn({ runKey: context.runKey, ...warm }, 'training begins at the beginning instead of going on');
  return { input, model, params, warm, tuning, ...(await loadEvents(input.dataset, 'recommendation', context)) };
}

async function compute(loaded: Loaded, context: RunContext): Promise<Computed> {
  const { input, model, params, warm } = loaded;
  const liked = await interactionView(await admitFor('recommendation', loaded, context), context);
  if (liked.interactions.indices.length === 0)
    throw new AppError('DATASET_EMPTY', {
      message: 'Nobody who allows recommendations has liked anything yet.',
      details: { dataset: input.dataset },
    });
  if (liked.capped.length > 0)
    context.log.warn({ runKey: context.runKey, capped: liked.capped }, 'sources count for less than they claim');
  const view = await withItemFacts(liked, params, context);
  const evaluated = input.holdout > 0;
  const measured = evaluated ? await measure(view, loaded, context) : undefined;
  const began = performance.now();
  const epochs = measured?.bestEpoch;
  const watch = new EpochLimit(epochs ?? Number.POSITIVE_INFINITY);
  const origin = {
    ...originOf(loaded),
    ...(epochs !== undefined && { epochs }),
    ...(warm?.start !== undefined && { warmStart: warm.version! }),
  };
  const checkpoints = await fitCheckpoints('published', view, origin, context, watch);
  const hooks = {
    ...(checkpoints && { checkpoints }),
    watch,
    ...(warm?.start && { warmStart: warm.start }),
  };
  const fitted = await model.fit(view, params, fitContext(loaded, context, evaluated ? [0.5, 1] : [0, 1], hooks));
  const trainSeconds = (performance.now() - began) / 1000;
  const { factors } = fitted;
  if (factors === undefined)
    throw new AppError('INTERNAL', {
      message: `The model ${model.name} has no embeddings.`,
      details: { model: model.name },
    });
  const span = { module: DIGEST, name: 'spanOf', payload: { times: view.times } };
  const [[from, to]] = (await context.pool.runPhase<[number, number]>([span], context.signal)) as [[number, number]];
  const data = { sources: loaded.columns.sources, events: loaded.columns.rows, from, to };
  return { loaded, view, fitted: { ...fitted, factors }, measured, trainSeconds, data };
}

async function write(computed: Computed, context: RunContext): Promise<Written<typeof embeddingTraining>> {
  const { store, tenant, runKey, fence, consentEpoch, codeVersion } = context;
  const { loaded, view, fitted, measured, trainSeconds } = computed;
  const { input, dataset, tuning, warm } = loaded;
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
  const begun = warm?.start === undefined ? [] : [warm.version!];
  const lineage = { inputs: [input.dataset, ...begun], seed: input.seed, engine, threads };
  const bestEpoch = measured?.bestEpoch;
  const course = {
    ...(bestEpoch !== undefined && { bestEpoch }),
    ...(tuning !== undefined && { tuning: tuning.runKey }),
    ...(warm !== undefined && { warmStart: { version: warm.version, refused: warm.refused } }),
  };
  const interactions = view.interactions.indices.length;
  const { version } = await store.versions.write({
    ...draft,
    tenant,
    kind: 'embeddings',
    runKey,
    fence,
    asOf: dataset.asOf,
    consentEpoch,
    inputs: lineage.inputs,
    codeVersion,
    meta: {
      model,
      params,
      metrics,
      ...(measured !== undefined && { intervals: measured.intervals }),
      engine,
      threads,
      seed: input.seed,
      holdout: input.holdout,
      trainSeconds,
      data: computed.data,
      users: users.rows,
      items: items.rows,
      factors: users.width,
      interactions,
      ...(view.capped.length > 0 && { capped: view.capped }),
      ...course,
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
  return { output: { ...output, metrics, consentEpoch, trainSeconds, ...course }, version, lineage };
}

// Embeddings are not served: the executor marks them stale when somebody withdrew, and candidate-generation gives those people no list of theirs.
export default defineProcessor({ contract: embeddingTraining, load, compute, write });
