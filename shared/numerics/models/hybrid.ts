/**
 * Owns the hybrid: lists of several models merged into one by weighting or by stacking (Burke, "Hybrid Recommender Systems", UMUAI 2002).
 * Every part ranks `depth` items a person; a person's scores of one part are brought to mean 0 and deviation 1, items beyond its list have
 * the score of its end, and the weighted sum decides. So models whose scores have nothing in common can be merged, and the catalogue may
 * be large. People without a history get the popular items (switching). Complexity: the parts' own, and users * depth * parts.
 */
import { checkListLength } from '../check-input.ts';
import { checkMemory } from '../engine/memory.ts';
import { holdOut } from '../interactions/interaction-view.ts';
import { sharedFloat32, sharedInt32 } from '../sparse.ts';
import type { FitContext, FittedModel, RankedLists, RankOptions, TrainInput } from '../types.ts';
import type { MergePayload, StackPayload } from './hybrid.task.ts';
import type { HybridParams } from './hybrid-params.ts';

/** Fits a model by its name; the registry's. */
export interface PartModel {
  /** Refuses wrong parameters, and a fit that would not fit into its bound. */
  checkMemory(input: TrainInput, params: unknown, context: Pick<FitContext, 'memoryBytesMax' | 'pool'>): Promise<void>;
  fit(input: TrainInput, params: unknown, context: FitContext): Promise<FittedModel>;
}

const TASKS = new URL('./hybrid.task.ts', import.meta.url).href;
/** Item and score of one place of one list. */
const LIST_PLACE_BYTES = 8;

/** @throws what the parts throw; NUMERICS_MEMORY_LIMIT before any work. */
export async function fitHybrid(
  input: TrainInput,
  params: HybridParams,
  context: FitContext,
  findPart: (name: string) => PartModel,
): Promise<FittedModel> {
  const { rows, columns } = input.interactions;
  const depth = Math.min(params.depth, columns);
  checkMemory(rows * depth * LIST_PLACE_BYTES * (params.parts.length + 1), context.memoryBytesMax);
  const models = params.parts.map((part) => ({ part, model: findPart(part.model) }));
  // Wrong parameters, and what would not fit into memory, are refused before anything is fitted.
  for (const { model, part } of models) await model.checkMemory(input, part.params, context);
  const rounds = params.weights === 'stacked' ? 2 : 1;
  const fitAll = async (data: TrainInput, round: number) => {
    const fitted: FittedModel[] = [];
    for (const [n, { model, part }] of models.entries()) {
      context.onProgress?.({
        done: round * models.length + n,
        total: rounds * models.length,
        label: `parts, ${part.model}`,
      });
      const { onProgress: _, ...quiet } = context;
      fitted.push(await model.fit(data, part.params, quiet));
    }
    return fitted;
  };
  const given = params.parts.map(({ weight }) => weight);
  const weights = rounds === 2 ? await stack(input, params, context, (data) => fitAll(data, 0)) : given;
  const fitted = await fitAll(input, rounds - 1);
  // Who has no history yet gets what most people like: the parts have nothing to say about them.
  const popular = await findPart('popularity').fit(input, {}, { ...context, onProgress: () => {} });
  const resolved = {
    ...params,
    parts: params.parts.map(({ model }, n) => ({ model, params: fitted[n]!.params, weight: weights[n]! })),
  };
  return {
    name: 'hybrid',
    engine: [...new Set(fitted.map(({ engine }) => engine))].join(' + '),
    threads: context.pool.threads,
    params: resolved,
    rank: async (options) => {
      checkListLength(options.k);
      const lists = await rankParts(fitted, options, params.depth);
      const { exclude, ...rest } = options;
      return merge({ lists, weights, users: exclude.rows, items: columns }, input, rest, context);
    },
    ...(popular.rankNewcomers === undefined ? {} : { rankNewcomers: (options) => popular.rankNewcomers!(options) }),
  };
}

/** Lists of `depth`, or of k where that is more. */
async function rankParts(
  fitted: readonly FittedModel[],
  options: RankOptions,
  depth: number,
): Promise<readonly RankedLists[]> {
  const k = Math.min(options.exclude.columns, Math.max(depth, options.k));
  const lists: RankedLists[] = [];
  for (const part of fitted) lists.push(await part.rank({ ...options, k }));
  return lists;
}

async function merge(
  source: Pick<MergePayload, 'lists' | 'weights' | 'users' | 'items'>,
  { userKeys, itemKeys }: TrainInput,
  { k, signal }: Omit<RankOptions, 'exclude'>,
  { pool }: FitContext,
): Promise<RankedLists> {
  const { users } = source;
  const into = { users, k, items: sharedInt32(users * k), scores: sharedFloat32(users * k) };
  const share = Math.ceil(users / pool.threads);
  const tasks = Array.from({ length: pool.threads }, (_, thread) => {
    const [from, to] = [Math.min(users, thread * share), Math.min(users, (thread + 1) * share)];
    return { module: TASKS, name: 'mergeLists', payload: { ...source, userKeys, itemKeys, into, from, to } };
  });
  await pool.runPhase(tasks, signal);
  return into;
}

async function stack(
  input: TrainInput,
  { depth, holdout, parts }: HybridParams,
  context: FitContext,
  fitAll: (data: TrainInput) => Promise<readonly FittedModel[]>,
): Promise<readonly number[]> {
  const { pool, seed, signal } = context;
  const { interactions, itemKeys, userKeys } = input;
  const split = await holdOut({ view: input, holdout, seed }, context);
  const start = parts.map(({ weight }) => weight);
  // Nothing could be held out: everybody has one interaction.
  if (split.test.users.length === 0) return start;
  const fitted = await fitAll(split.learned);
  const options = { k: depth, exclude: split.train, ...(signal === undefined ? {} : { signal }) };
  const lists = await rankParts(fitted, options, depth);
  const { rows: users, columns: items } = interactions;
  const stacking: StackPayload = { lists, weights: start, users, items, userKeys, itemKeys, test: split.test };
  const [weights] = await pool.runPhase<number[]>([{ module: TASKS, name: 'stackWeights', payload: stacking }], signal);
  return weights!;
}
