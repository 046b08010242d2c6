/** Owns the one list of models: a name, the schema of its parameters, and how to fit it. */
import type { z } from 'zod';
import { AppError } from '../../errors.ts';
import { checkMemory } from '../engine/memory.ts';
import type { FitContext, FittedModel, TrainInput } from '../types.ts';
import { EASE_CANDIDATES, easeBytes, easeParams, fitEase } from './ease.ts';
import { fitGraphFilter, GRAPH_FILTER_CANDIDATES, graphFilterBytes, graphFilterParams } from './graph-filter.ts';
import { fitIals, ialsBytes, ialsParams } from './ials.ts';
import { IALS_CANDIDATES } from './ials-params.ts';
import { fitItem2vec, ITEM2VEC_CANDIDATES, item2vecBytes, item2vecParams } from './item2vec.ts';
import { fitItemKnn, ITEM_KNN_CANDIDATES, itemKnnBytes, itemKnnParams } from './item-knn.ts';
import { fitBpr, fitWarp, pairwiseBytes } from './pairwise.ts';
import { BPR_CANDIDATES, bprParams, WARP_CANDIDATES, warpParams } from './pairwise-params.ts';
import { fitPopularity, popularityParams } from './popularity.ts';
import type { DenseModelName } from './tensorflow/dense-definition.ts';
import type { DenseTraining } from './tensorflow/dense-params.ts';

interface ModelEntry<Schema extends z.ZodType> {
  readonly paramsSchema: Schema;
  readonly fit: (input: TrainInput, params: z.output<Schema>, context: FitContext) => Promise<FittedModel>;
  /** What a fit takes at most beside its input, in bytes; absent: next to nothing, or the model asks its parts. */
  readonly bytes?: (input: TrainInput, params: z.output<Schema>, threads: number) => number;
  /** Parameter sets that `--tune` tries besides the defaults, most promising first. */
  readonly candidates: readonly z.input<Schema>[];
  /** True: it weighs no interaction, so what counts less is left out that often before it begins. */
  readonly weighsNothing?: boolean;
}

/** A model with its schema closed over: what callers use. */
export interface Model {
  readonly name: string;
  /**
   * Fills in the defaults.
   * @throws AppError MODEL_PARAMS_INVALID with zod's issues.
   */
  parseParams(params: unknown): Promise<Readonly<Record<string, unknown>>>;
  /**
   * Refuses a fit that would not fit into its bound, so that whoever has several to make is told before the first.
   * @throws AppError MODEL_PARAMS_INVALID, NUMERICS_MEMORY_LIMIT.
   */
  checkMemory(input: TrainInput, params: unknown, context: Pick<FitContext, 'memoryBytesMax' | 'pool'>): Promise<void>;
  /** `params` as parseParams returned them, or raw. */
  fit(input: TrainInput, params: unknown, context: FitContext): Promise<FittedModel>;
  candidates(): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

const TWO_TOWER_CANDIDATES = [0.15, 0.3].flatMap((temperature) => [{ temperature }, { temperature, dimensions: 128 }]);

/** Loaded on first use: TensorFlow is large, and most runs do without. */
const MODELS = {
  autoencoder: bind('autoencoder', async () => {
    const { AUTOENCODER_CANDIDATES, autoencoderParams, fitAutoencoder } = await import('./tensorflow/autoencoder.ts');
    const bytes = await denseBytesOf('autoencoder');
    return {
      paramsSchema: autoencoderParams,
      fit: fitAutoencoder,
      bytes,
      candidates: AUTOENCODER_CANDIDATES,
      weighsNothing: true,
    };
  }),
  bpr: bind('bpr', async () => ({
    paramsSchema: bprParams,
    fit: fitBpr,
    bytes: pairwiseBytes,
    candidates: BPR_CANDIDATES,
  })),
  ease: bind('ease', async () => ({
    paramsSchema: easeParams,
    fit: fitEase,
    bytes: easeBytes,
    candidates: EASE_CANDIDATES,
  })),
  fusion: bind('fusion', async () => {
    const [{ fitFusion }, { FUSION_CANDIDATES, fusionParams }] = await Promise.all([
      import('./fusion.ts'),
      import('./fusion-params.ts'),
    ]);
    return { paramsSchema: fusionParams, fit: fitFusion, candidates: FUSION_CANDIDATES };
  }),
  'graph-filter': bind('graph-filter', async () => ({
    paramsSchema: graphFilterParams,
    fit: fitGraphFilter,
    bytes: graphFilterBytes,
    candidates: GRAPH_FILTER_CANDIDATES,
  })),
  hybrid: bind('hybrid', async () => {
    const [{ fitHybrid }, { HYBRID_CANDIDATES, hybridParams }] = await Promise.all([
      import('./hybrid.ts'),
      import('./hybrid-params.ts'),
    ]);
    const fit: ModelEntry<typeof hybridParams>['fit'] = (input, params, context) =>
      fitHybrid(input, params, context, findModel);
    return { paramsSchema: hybridParams, fit, candidates: HYBRID_CANDIDATES };
  }),
  ials: bind('ials', async () => ({
    paramsSchema: ialsParams,
    fit: fitIals,
    bytes: ialsBytes,
    candidates: IALS_CANDIDATES,
  })),
  item2vec: bind('item2vec', async () => ({
    paramsSchema: item2vecParams,
    fit: fitItem2vec,
    bytes: item2vecBytes,
    candidates: ITEM2VEC_CANDIDATES,
  })),
  'item-knn': bind('item-knn', async () => ({
    paramsSchema: itemKnnParams,
    fit: fitItemKnn,
    bytes: itemKnnBytes,
    candidates: ITEM_KNN_CANDIDATES,
  })),
  popularity: bind('popularity', async () => ({ paramsSchema: popularityParams, fit: fitPopularity, candidates: [] })),
  'proto-mf': bind('proto-mf', async () => {
    const { fitProtoMf, PROTO_MF_CANDIDATES, protoMfParams } = await import('./tensorflow/proto-mf.ts');
    const bytes = await denseBytesOf('proto-mf');
    return {
      paramsSchema: protoMfParams,
      fit: fitProtoMf,
      bytes,
      candidates: PROTO_MF_CANDIDATES,
      weighsNothing: true,
    };
  }),
  sequence: bind('sequence', async () => {
    const { fitSequence, SEQUENCE_CANDIDATES, sequenceParams } = await import('./tensorflow/sequence.ts');
    const bytes = await denseBytesOf('sequence');
    return {
      paramsSchema: sequenceParams,
      fit: fitSequence,
      bytes,
      candidates: SEQUENCE_CANDIDATES,
      weighsNothing: true,
    };
  }),
  'two-tower': bind('two-tower', async () => {
    const [{ fitTwoTower, twoTowerBytes }, { twoTowerParams }] = await Promise.all([
      import('./tensorflow/two-tower.ts'),
      import('./tensorflow/two-tower-params.ts'),
    ]);
    return {
      paramsSchema: twoTowerParams,
      fit: fitTwoTower,
      bytes: twoTowerBytes,
      candidates: TWO_TOWER_CANDIDATES,
      weighsNothing: true,
    };
  }),
  warp: bind('warp', async () => ({
    paramsSchema: warpParams,
    fit: fitWarp,
    bytes: pairwiseBytes,
    candidates: WARP_CANDIDATES,
  })),
} as const satisfies Record<string, Model>;

export type ModelName = keyof typeof MODELS;
export const MODEL_NAMES = Object.keys(MODELS) as ModelName[];

/** @throws AppError MODEL_UNKNOWN with `details.known`. */
export function findModel(name: string): Model {
  const known = MODEL_NAMES.find((other) => other === name);
  if (known === undefined) {
    throw new AppError('MODEL_UNKNOWN', {
      message: `There is no model named ${name}; there are ${MODEL_NAMES.join(', ')}.`,
      details: { name, known: MODEL_NAMES },
    });
  }
  return MODELS[known];
}

const SPLIT = new URL('../interactions/split.task.ts', import.meta.url).href;

async function withoutLess(input: TrainInput, { pool, seed, signal }: FitContext): Promise<TrainInput> {
  if (input.influence === undefined) return input;
  const [learned] = await pool.runPhase<TrainInput>(
    [{ module: SPLIT, name: 'thin', payload: { input, seed } }],
    signal,
  );
  return learned!;
}

function bind<Schema extends z.ZodType>(name: string, load: () => Promise<ModelEntry<Schema>>): Model {
  const parse = async (params: unknown) => {
    const { paramsSchema } = await load();
    const parsed = paramsSchema.safeParse(params);
    if (parsed.success) return parsed.data;
    const issues = parsed.error.issues.map(({ path, message }) => ({ path, message }));
    const words = issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`));
    throw new AppError('MODEL_PARAMS_INVALID', {
      message: `The parameters of ${name} are not valid (${words.join('; ')}).`,
      details: { model: name, issues },
    });
  };
  return {
    name,
    parseParams: async (params) => (await parse(params)) as Readonly<Record<string, unknown>>,
    fit: async (input, params, context) => {
      const { fit, weighsNothing } = await load();
      const learned = weighsNothing === true ? await withoutLess(input, context) : input;
      return fit(learned, await parse(params), context);
    },
    checkMemory: async (input, params, { memoryBytesMax, pool }) => {
      const bytes = (await load()).bytes?.(input, await parse(params), pool.threads);
      if (bytes !== undefined) checkMemory(bytes, memoryBytesMax);
    },
    candidates: async () => (await load()).candidates as readonly Readonly<Record<string, unknown>>[],
  };
}

async function denseBytesOf(name: DenseModelName) {
  const [{ denseBytes }, { denseModel }] = await Promise.all([
    import('./tensorflow/dense-fit.ts'),
    import('./tensorflow/dense-models.ts'),
  ]);
  return (input: TrainInput, params: DenseTraining): number => denseBytes(denseModel(name), input, params);
}
