/**
 * Owns item2vec: skip-gram with negative sampling over people's histories. A person's vector is the mean of the centre vectors of the items
 * in their history (each once, dislikes left out); score = that mean . the item's context vector + popularityWeight * ln(count).
 * At the optimum in_c . out_o is ln(#(c, o) / (#(c) count(o)^exponent)) + a constant, so a popularityWeight equal to the exponent of
 * the negatives gives back the log of P(o near c), and a smaller one favours the less known.
 * Sources: Barkan, Koenigstein, "Item2Vec" (MLSP 2016); Levy, Goldberg, "Neural Word Embedding as Implicit Matrix Factorization"
 * (NIPS 2014). Complexity: see ../sgd/sgns.ts.
 */
import { z } from 'zod';
import { AppError } from '../../errors.ts';
import { rankByFactors } from '../ranking/rank-factors.ts';
import { type Sequences, trainSgns } from '../sgd/sgns.ts';
import { sharedFloat32 } from '../sparse.ts';
import type { DenseRows, Factors, FitContext, FittedModel, TrainInput } from '../types.ts';

export const item2vecParams = z
  .strictObject({
    /** Width of the vectors, 1..1023. */
    factors: z.int().min(1).max(1023).default(64),
    /** Passes over the histories, 1..10000. */
    epochs: z.int().min(1).max(10_000).default(25),
    /** Items before and after that count as near, 1..1000. */
    window: z.int().min(1).max(1000).default(5),
    /** Negatives a pair, 1..100; their chance is count^negativeExponent. */
    negatives: z.int().min(1).max(100).default(5),
    negativeExponent: z.number().min(0).max(2).default(0.75),
    /** First size of the steps, > 0; it falls to 1/250 of itself. */
    learningRate: z.number().positive().max(10).default(0.04),
    /** Share of the interactions above which an item's occurrences are thinned out; 0 keeps all. */
    subsample: z.number().min(0).max(1).default(0),
    /** `shuffled`: a history is a set, put in a new keyed order each epoch. `time`: in the order of its times. */
    order: z.enum(['shuffled', 'time']).default('shuffled'),
    /** How much the log of an item's count adds to its score. */
    popularityWeight: z.number().min(-10).max(10).default(0.25),
    /** Blocks of the schedule (../sgd/strata.ts). `auto`: from the size of the data. */
    blocks: z.union([z.literal('auto'), z.int().min(1).max(16)]).default('auto'),
  })
  .readonly();

export type Item2vecParams = z.output<typeof item2vecParams>;

/** What `--tune` tries. */
export const ITEM2VEC_CANDIDATES: readonly z.input<typeof item2vecParams>[] = [5, 20].flatMap((window) =>
  [0.25, 0, 0.5].map((popularityWeight) => ({ window, popularityWeight })),
);

const TASKS = new URL('./item2vec.task.ts', import.meta.url).href;

/**
 * Same input, parameters and seed give the same bytes for any number of threads.
 * @throws AppError NUMERICS_INPUT_INVALID (also where `order` is `time` and the input has no times), DATASET_EMPTY,
 * NUMERICS_MEMORY_LIMIT (before any work), CANCELLED, KERNEL_MISSING, MODEL_PARAMS_INVALID when vectors grew beyond float32.
 */
export async function fitItem2vec(
  input: TrainInput,
  params: Item2vecParams,
  context: FitContext,
): Promise<FittedModel> {
  const { pool, signal } = context;
  const { itemKeys, userKeys } = input;
  if (params.order === 'time' && input.times === undefined) {
    throw new AppError('NUMERICS_INPUT_INVALID', {
      message: 'Histories cannot be put in the order of time: the interactions have no times.',
      details: { array: 'times', order: params.order },
    });
  }
  const read = { input, order: params.order };
  const [sequences] = await pool.runPhase<Sequences>([{ module: TASKS, name: 'readHistories', payload: read }], signal);
  const words = input.interactions.columns;
  const width = params.factors + 1;
  const rows = (count: number): DenseRows => ({ rows: count, width, data: sharedFloat32(count * width) });
  const factorsOf = async (vectors: { readonly inputs: DenseRows; readonly outputs: DenseRows }): Promise<Factors> => {
    const factors = { users: rows(input.interactions.rows), items: rows(words) };
    const payload = { ...vectors, ...factors, input, popularityWeight: params.popularityWeight };
    await pool.runPhase([{ module: TASKS, name: 'composeFactors', payload }], signal);
    return factors;
  };
  const vectors = await trainSgns(
    { words, sequences: sequences!, wordKeys: itemKeys, sequenceKeys: userKeys },
    { ...params, dimensions: params.factors, shuffled: params.order === 'shuffled' },
    context,
    factorsOf,
  );
  const factors = await factorsOf(vectors);
  return {
    name: 'item2vec',
    engine: vectors.engine,
    threads: pool.threads,
    params,
    factors,
    rank: (options) => rankByFactors({ ...factors, userKeys, itemKeys }, options, context),
  };
}
