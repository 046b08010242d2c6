/**
 * Owns what runs after what: the list of pipelines (what one is: define-pipeline.ts). Each step is an ordinary job
 * whose input is made from the parameters, the outputs of earlier steps and the release that was live at the start.
 * Only the last step, `publish`, moves the release pointer.
 */
import { z } from 'zod';
import { EMBEDDING_MODELS } from '../shared/contract-kit/embedding-models.ts';
import { FEATURE_VIEWS, type FeatureView } from '../shared/contract-kit/feature-views.ts';
import { AppError } from '../shared/errors.ts';
import { asking } from './asking/contract.ts';
import { backfill } from './backfill.ts';
import { biasAudit } from './bias-audit/contract.ts';
import { candidateGeneration } from './candidate-generation/contract.ts';
import { definePipeline, type Pipeline, type Step, type StepContext, step } from './define-pipeline.ts';
import { embeddingTraining } from './embedding-training/contract.ts';
import { featureBuild } from './feature-build/contract.ts';
import { ingestion } from './ingestion/contract.ts';
import { pipeline, type ReleaseParts } from './pipeline/contract.ts';
import { refreshSharded, type shardedParams } from './sharded-pipeline.ts';
import { tune, type tuneParams } from './search-pipeline.ts';
import { segmentation } from './segmentation/contract.ts';

const params = z.strictObject({
  model: z.enum(EMBEDDING_MODELS).default('ials'),
  modelParams: z.record(z.string(), z.unknown()).default({}),
  /** Take what the last `tune` of the model chose; `modelParams` go before it. */
  tuned: z.boolean().default(true),
  candidates: z.int().min(1).max(500).default(50),
  segments: z.int().min(2).max(100).optional(),
  attributes: z.array(z.string()).min(1).max(10).default(['gender', 'ageGroup']),
  seed: z.int().default(1),
  /** `candidate`: what it makes goes live only when somebody promotes it. */
  channel: z.enum(['live', 'candidate']).default('live'),
});
type Params = z.output<typeof params>;
const of = (context: StepContext): Params => context.params as Params;

/** Limits and moments, as the contract has them. */
const promptParams = asking.input.omit({ dataset: true, asOf: true });

/** A part that must be live already, for pipelines that renew only some parts. */
function livePart(context: StepContext, part: keyof ReleaseParts): string {
  const version = context.live[part];
  if (version === undefined)
    throw new AppError('NOT_PUBLISHED', { message: `No ${part} are published yet.`, details: { part } });
  return version;
}

const compact = step(ingestion, [], ({ asOf }) => ({ compact: { asOf } }));
const datasetOf = (context: StepContext): string => {
  const dataset = context.output('compact', ingestion).dataset;
  if (dataset === undefined) throw new AppError('DATASET_NOT_FOUND', { details: { step: 'compact' } });
  return dataset.version;
};
const viewOf = (view: FeatureView): Step =>
  step(featureBuild, ['compact'], (context) => ({ dataset: datasetOf(context), asOf: context.asOf, view }));
const features = viewOf('behaviour');
const segments = step(segmentation, ['features'], (context) => {
  const { segments: k, seed } = of(context);
  return { features: context.output('features', featureBuild).version, seed, ...(k === undefined ? {} : { k }) };
});
const embeddings = step(embeddingTraining, ['compact'], (context) => {
  const { model, modelParams, seed, tuned } = of(context);
  return { dataset: datasetOf(context), model, params: modelParams, seed, tuned };
});
const audit = (
  after: readonly string[],
  candidates: (context: StepContext) => string,
  dataset: (context: StepContext) => string,
): Step =>
  step(biasAudit, after, (context) => ({
    dataset: dataset(context),
    candidates: candidates(context),
    attributes: of(context).attributes,
    seed: of(context).seed,
  }));
const publish = (after: readonly string[], parts: (context: StepContext) => ReleaseParts): Step =>
  step(pipeline, after, (context) => ({
    publish: { parts: parts(context), asOf: context.asOf, channel: of(context).channel },
  }));

const madeCandidates = (context: StepContext): string => context.output('candidates', candidateGeneration).version;
const madeAudit = (context: StepContext): string => context.output('audit', biasAudit).version;
const madeSegments = (context: StepContext): string => context.output('segments', segmentation).version;

export const PIPELINES = {
  refresh: definePipeline({
    name: 'refresh',
    title: 'Everything: data set, features, segments, embeddings, candidates, audit, publish.',
    params,
    steps: {
      compact,
      features,
      segments,
      embeddings,
      candidates: step(candidateGeneration, ['compact', 'embeddings'], (context) => ({
        dataset: datasetOf(context),
        embeddings: context.output('embeddings', embeddingTraining).version,
        k: of(context).candidates,
      })),
      audit: audit(['candidates'], madeCandidates, datasetOf),
      publish: publish(['audit', 'segments'], (context) => ({
        dataset: datasetOf(context),
        embeddings: context.output('embeddings', embeddingTraining).version,
        segments: madeSegments(context),
        candidates: madeCandidates(context),
        audit: madeAudit(context),
      })),
    },
  }),
  'refresh-segments': definePipeline({
    name: 'refresh-segments',
    title: 'New segments from the newest events; the rest of the release stays.',
    params,
    steps: {
      compact,
      features,
      segments,
      audit: audit(['segments'], (context) => livePart(context, 'candidates'), datasetOf),
      publish: publish(['audit'], (context) => ({ segments: madeSegments(context), audit: madeAudit(context) })),
    },
  }),
  'refresh-candidates': definePipeline({
    name: 'refresh-candidates',
    title: 'New candidates from the newest events and the live embeddings.',
    params,
    steps: {
      compact,
      candidates: step(candidateGeneration, ['compact'], (context) => ({
        dataset: datasetOf(context),
        embeddings: livePart(context, 'embeddings'),
        k: of(context).candidates,
      })),
      audit: audit(['candidates'], madeCandidates, datasetOf),
      publish: publish(['audit'], (context) => ({
        dataset: datasetOf(context),
        candidates: madeCandidates(context),
        audit: madeAudit(context),
      })),
    },
  }),
  'refresh-features': definePipeline({
    name: 'refresh-features',
    title: 'Every view of features of people as of now; nothing is published. Run regularly, it is their history.',
    params: z.strictObject({}),
    steps: { compact, ...Object.fromEntries(FEATURE_VIEWS.map((view) => [view, viewOf(view)])) },
  }),
  ask: definePipeline({
    name: 'ask',
    title: 'Whom to ask for feedback, from the newest events. What is live stays.',
    params: promptParams,
    steps: {
      compact,
      prompts: step(asking, ['compact'], (context) => ({
        ...(context.params as z.output<typeof promptParams>),
        dataset: datasetOf(context),
      })),
    },
  }),
  tune,
  'refresh-sharded': refreshSharded,
  'audit-live': definePipeline({
    name: 'audit-live',
    title: 'A fresh audit of what is live.',
    params,
    steps: {
      audit: audit(
        [],
        (context) => livePart(context, 'candidates'),
        (context) => livePart(context, 'dataset'),
      ),
      publish: publish(['audit'], (context) => ({ audit: madeAudit(context) })),
    },
  }),
} as const satisfies Record<string, Pipeline>;

export type PipelineName = keyof typeof PIPELINES;
export const PIPELINE_NAMES = Object.keys(PIPELINES) as PipelineName[];
export type PipelineParams =
  | z.input<typeof params>
  | z.input<typeof promptParams>
  | z.input<typeof tuneParams>
  | z.input<typeof shardedParams>;

/** A pipeline by name, backfills included; throws PIPELINE_UNKNOWN. */
export function pipelineOf(name: string): Pipeline {
  if (name === backfill.name) return backfill;
  if (!Object.hasOwn(PIPELINES, name))
    throw new AppError('PIPELINE_UNKNOWN', {
      message: `There is no pipeline "${name}".`,
      details: { name, known: PIPELINE_NAMES },
    });
  return PIPELINES[name as PipelineName];
}
