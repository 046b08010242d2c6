/** Owns the one list of models: a name, the schema of its parameters, and how to fit it. */
import type { z } from 'zod';
import { AppError } from '../../errors.ts';
import type { FitContext, FittedModel, TrainInput } from '../types.ts';
import { EASE_CANDIDATES, easeParams, fitEase } from './ease.ts';
import { fitGraphFilter, GRAPH_FILTER_CANDIDATES, graphFilterParams } from './graph-filter.ts';
import { fitIals, ialsParams } from './ials.ts';
import { IALS_CANDIDATES } from './ials-params.ts';
import { fitItem2vec, ITEM2VEC_CANDIDATES, item2vecParams } from './item2vec.ts';
import { fitItemKnn, ITEM_KNN_CANDIDATES, itemKnnParams } from './item-knn.ts';
import { fitBpr, fitWarp } from './pairwise.ts';
import { BPR_CANDIDATES, bprParams, WARP_CANDIDATES, warpParams } from './pairwise-params.ts';
import { fitPopularity, popularityParams } from './popularity.ts';

interface ModelEntry<Schema extends z.ZodType> {
  readonly paramsSchema: Schema;
  readonly fit: (input: TrainInput, params: z.output<Schema>, context: FitContext) => Promise<FittedModel>;
  /** Parameter sets that `--tune` tries besides the defaults, most promising first. */
  readonly candidates: readonly z.input<Schema>[];
}

/** A model with its schema closed over: what callers use. */
export interface Model {
  readonly name: string;
  /**
   * Fills in the defaults.
   * @throws AppError MODEL_PARAMS_INVALID with zod's issues.
   */
  parseParams(params: unknown): Promise<Readonly<Record<string, unknown>>>;
  /** `params` as parseParams returned them, or raw. */
  fit(input: TrainInput, params: unknown, context: FitContext): Promise<FittedModel>;
  candidates(): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

const TWO_TOWER_CANDIDATES = [0.15, 0.3].flatMap((temperature) => [{ temperature }, { temperature, dimensions: 128 }]);

/** Loaded on first use: TensorFlow is large, and most runs do without. */
const MODELS = {
  autoencoder: bind('autoencoder', async () => {
    const { AUTOENCODER_CANDIDATES, autoencoderParams, fitAutoencoder } = await import('./tensorflow/autoencoder.ts');
    return { paramsSchema: autoencoderParams, fit: fitAutoencoder, candidates: AUTOENCODER_CANDIDATES };
  }),
  bpr: bind('bpr', async () => ({ paramsSchema: bprParams, fit: fitBpr, candidates: BPR_CANDIDATES })),
  ease: bind('ease', async () => ({ paramsSchema: easeParams, fit: fitEase, candidates: EASE_CANDIDATES })),
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
  ials: bind('ials', async () => ({ paramsSchema: ialsParams, fit: fitIals, candidates: IALS_CANDIDATES })),
  item2vec: bind('item2vec', async () => ({
    paramsSchema: item2vecParams,
    fit: fitItem2vec,
    candidates: ITEM2VEC_CANDIDATES,
  })),
  'item-knn': bind('item-knn', async () => ({
    paramsSchema: itemKnnParams,
    fit: fitItemKnn,
    candidates: ITEM_KNN_CANDIDATES,
  })),
  popularity: bind('popularity', async () => ({ paramsSchema: popularityParams, fit: fitPopularity, candidates: [] })),
  'proto-mf': bind('proto-mf', async () => {
    const { fitProtoMf, PROTO_MF_CANDIDATES, protoMfParams } = await import('./tensorflow/proto-mf.ts');
    return { paramsSchema: protoMfParams, fit: fitProtoMf, candidates: PROTO_MF_CANDIDATES };
  }),
  sequence: bind('sequence', async () => {
    const { fitSequence, SEQUENCE_CANDIDATES, sequenceParams } = await import('./tensorflow/sequence.ts');
    return { paramsSchema: sequenceParams, fit: fitSequence, candidates: SEQUENCE_CANDIDATES };
  }),
  'two-tower': bind('two-tower', async () => {
    const [{ fitTwoTower }, { twoTowerParams }] = await Promise.all([
      import('./tensorflow/two-tower.ts'),
      import('./tensorflow/two-tower-params.ts'),
    ]);
    return { paramsSchema: twoTowerParams, fit: fitTwoTower, candidates: TWO_TOWER_CANDIDATES };
  }),
  warp: bind('warp', async () => ({ paramsSchema: warpParams, fit: fitWarp, candidates: WARP_CANDIDATES })),
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
    fit: async (input, params, context) => (await load()).fit(input, await parse(params), context),
    candidates: async () => (await load()).candidates as readonly Readonly<Record<string, unknown>>[],
  };
}
