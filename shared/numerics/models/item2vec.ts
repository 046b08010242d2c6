/**
 * Owns item2vec: skip-gram with negative sampling over people's histories, or over walks on the graph of people and items. A person's vector is
 * the mean of the centre vectors of the items in their history (each by its weight, dislikes left out); score = that mean . the item's context
 * vector + popularityWeight * ln(count). What an interaction weighs by its value, age and source is the chance that it is read in an epoch; a
 * dislike is an explicit negative of what its person likes near it. Walks pass ties by their weight, and leave dislikes out.
 * At the optimum in_c . out_o is ln(#(c, o) / (#(c) count(o)^exponent)) + a constant, so a popularityWeight equal to the exponent of
 * the negatives gives back the log of P(o near c), and a smaller one favours the less known.
 * Sources: Barkan, Koenigstein, "Item2Vec" (MLSP 2016); Levy, Goldberg, "Neural Word Embedding as Implicit Matrix Factorization"
 * (NIPS 2014). Complexity: see ../sgd/sgns.ts.
 */
import { z } from 'zod';
import { AppError } from '../../errors.ts';
import { rankByFactors } from '../ranking/rank-factors.ts';
import {
  ROUND_PAIRS_MAX,
  type Sequences,
  type SgnsInput,
  type SgnsParams,
  type SgnsVectors,
  sgnsBytes,
  trainSgns,
} from '../sgd/sgns.ts';
import { ROUND_PAIRS } from '../sgd/sgns-layout.ts';
import { randomWalks } from '../sgd/walks.ts';
import { evidenceParams, isWeighed } from '../interactions/evidence.ts';
import { sharedFloat32 } from '../sparse.ts';
import type { DenseRows, Factors, FitContext, FittedModel, SparseRows, TrainInput } from '../types.ts';
import type { Histories } from './item2vec.task.ts';

type Vectors = Omit<SgnsVectors, 'engine'>;

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
    /** `histories` of people, or `walks` over people and items, from which people are left out: near are also items of people with items in common. */
    over: z.enum(['histories', 'walks']).default('histories'),
    /** Walks from each person and item: people and items of one, and how much it goes back and stays near (see ../sgd/walks.ts). */
    walks: z
      .strictObject({
        length: z.int().min(3).max(1000).default(40),
        perNode: z.int().min(1).max(1000).default(10),
        p: z.number().min(0.001).max(1000).default(1),
        q: z.number().min(0.001).max(1000).default(1),
      })
      .prefault({}),
    /** What an interaction's value does: `none`; `linear`: it counts by its value; `log`: by ln(1 + value). */
    weighting: z.enum(['none', 'linear', 'log']).default('none'),
    ...evidenceParams,
    /** Blocks of the schedule (../sgd/strata.ts). `auto`: from the size of the data. */
    blocks: z.union([z.literal('auto'), z.int().min(1).max(16)]).default('auto'),
    /** Pairs that are learned block by block before blocks meet again; more make fewer rounds, and slower starts. */
    roundPairs: z.int().min(1000).max(ROUND_PAIRS_MAX).default(ROUND_PAIRS),
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
 * @throws AppError NUMERICS_INPUT_INVALID (also where what is asked for needs times or sources and the input has none), DATASET_EMPTY,
 * NUMERICS_MEMORY_LIMIT (before any work), CANCELLED, KERNEL_MISSING, MODEL_PARAMS_INVALID when vectors grew beyond float32.
 */
export async function fitItem2vec(
  input: TrainInput,
  params: Item2vecParams,
  context: FitContext,
): Promise<FittedModel> {
  const { itemKeys, userKeys } = input;
  const { likes, skipGram } = await readItem2vec(input, params, context);
  const compose = (vectors: Vectors): Promise<Factors> =>
    composeItem2vec({ ...vectors, likes, popularityWeight: params.popularityWeight }, context);
  const vectors = await trainSgns(skipGram, sgnsParamsOf(params), context, compose);
  const factors = await compose(vectors);
  return {
    name: 'item2vec',
    engine: vectors.engine,
    threads: context.pool.threads,
    params,
    factors,
    rank: (options) => rankByFactors({ ...factors, userKeys, itemKeys }, options, context),
  };
}

/** What a fit's kernels reserve at most, in bytes: histories hold every interaction, walks as many places as they are asked for. */
export function item2vecBytes(input: TrainInput, params: Item2vecParams, threads: number): number {
  const { columns: words, indices, rows } = input.interactions;
  const { length, perNode } = params.walks;
  const nodes = rows + words;
  const histories = { sequences: rows, tokens: indices.length };
  // Every other place is a person's, who is left out.
  const walks = { sequences: nodes * perNode, tokens: nodes * perNode * Math.ceil(length / 2) };
  const counts = { words, chanced: isWeighed(params, input), ...(params.over === 'histories' ? histories : walks) };
  return sgnsBytes(counts, sgnsParamsOf(params), threads);
}

/** How skip-gram is to learn. */
export function sgnsParamsOf(params: Item2vecParams): SgnsParams {
  return {
    ...params,
    dimensions: params.factors,
    shuffled: params.over === 'histories' && params.order === 'shuffled',
  };
}

/** What is learned from: sequences of items, and what each person likes. */
export async function readItem2vec(
  input: TrainInput,
  params: Item2vecParams,
  context: FitContext,
): Promise<{ readonly skipGram: SgnsInput; readonly likes: SparseRows }> {
  const { pool, signal } = context;
  const { itemKeys, userKeys } = input;
  if (params.over === 'histories' && params.order === 'time' && input.times === undefined) {
    throw new AppError('NUMERICS_INPUT_INVALID', {
      message: 'Histories cannot be put in the order of time: the interactions have no times.',
      details: { array: 'times', order: params.order },
    });
  }
  const [read] = await pool.runPhase<Histories>(
    [{ module: TASKS, name: 'readHistories', payload: { input, params } }],
    signal,
  );
  const { likes, sequences } = read!;
  const words = likes.columns;
  if (params.over === 'histories') {
    return { likes, skipGram: { words, sequences, wordKeys: itemKeys, sequenceKeys: userKeys } };
  }
  const [graph] = await pool.runPhase<SparseRows>([{ module: TASKS, name: 'graphOf', payload: { likes } }], signal);
  const nodeKeys = itemKeys && userKeys && joined(itemKeys, userKeys);
  const walks = await randomWalks(graph!, params.walks, context, nodeKeys);
  const [items] = await pool.runPhase<Sequences>(
    [{ module: TASKS, name: 'itemsOf', payload: { walks, items: words } }],
    signal,
  );
  return { likes, skipGram: { words, sequences: items!, wordKeys: itemKeys } };
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** People and items as factors, of vectors of items. */
export async function composeItem2vec(
  of: Vectors & { readonly likes: SparseRows; readonly popularityWeight: number },
  { pool, signal }: Pick<FitContext, 'pool' | 'signal'>,
): Promise<Factors> {
  const width = of.inputs.width + 1;
  const rows = (count: number): DenseRows => ({ rows: count, width, data: sharedFloat32(count * width) });
  const factors = { users: rows(of.likes.rows), items: rows(of.likes.columns) };
  await pool.runPhase([{ module: TASKS, name: 'composeFactors', payload: { ...of, ...factors } }], signal);
  return factors;
}
