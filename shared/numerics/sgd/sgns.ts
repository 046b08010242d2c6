/**
 * Owns skip-gram with negative sampling over any sequences of tokens: baskets, histories, walks over a graph. A coordinator of phases on
 * the fixed schedule of ./strata.ts (rows: centres, columns: contexts), all maths in threads.
 *
 * Each occurrence of a word draws a reach of 1..window; what lies within is its context. A pair (c, o) takes a step down
 * -ln sigma(in_c . out_o) - sum over `negatives` drawn words n != o of ln sigma(-in_c . out_n), n in proportion to count^exponent within o's
 * block (see ./strata.ts for what blocks do to that). An explicit negative o takes a step down -ln sigma(-in_c . out_o) alone. The rate falls in a straight line to 1/250 of itself.
 * Source: Mikolov et al. (NIPS 2013). Complexity per epoch: tokens * (window + 1) * (negatives + 1) * dimensions.
 */
import { cancellation } from '../../compute/cancellation.ts';
import { AppError } from '../../errors.ts';
import { randomStream } from '../../random.ts';
import { runEpochs } from '../engine/epochs.ts';
import { type EngineName, loadEngine } from '../engine/load.ts';
import { MemoryState } from '../engine/memory-state.ts';
import { sharedPhase } from '../engine/work-sharing.ts';
import { sharedFloat32 } from '../sparse.ts';
import type { DenseRows, Factors, FitContext } from '../types.ts';
import { meanResidual, type SgnsShared } from './sgns.task.ts';
import { layOutSgns, ROUND_PAIRS, roundTokensOf, type SgnsSizes } from './sgns-layout.ts';
import { blockCount } from './strata.ts';

/** Sequence s holds tokens [indptr[s], indptr[s + 1]); tokens are words 0..words - 1, or ~word. None is written to. */
export interface Sequences {
  readonly indptr: Int32Array;
  /** ~word is an explicit negative of what is near it: said not to belong there. */
  readonly tokens: Int32Array;
  /** Chance times 2^32 that a token is kept, drawn anew each epoch: on the average, a pair counts as much as both its tokens do. Absent: all are. */
  readonly chances?: Uint32Array | undefined;
}

export interface SgnsInput {
  readonly words: number;
  readonly sequences: Sequences;
  /** `KEY_BYTES` bytes a word and a sequence: draws are keyed by them, else by the numbers. */
  readonly wordKeys?: Uint8Array | undefined;
  readonly sequenceKeys?: Uint8Array | undefined;
}

export interface SgnsParams {
  /** Width of the vectors, 1..1024. */
  readonly dimensions: number;
  readonly epochs: number;
  /** Tokens before and after, at most; 1..1000. */
  readonly window: number;
  /** Negatives a pair, 0..100. */
  readonly negatives: number;
  /** Exponent of the count in the chance of a negative. */
  readonly negativeExponent: number;
  readonly learningRate: number;
  /** Occurrences of a word whose share of the tokens is f are kept with chance sqrt(s / f) + s / f; 0 keeps all. Gaps stay. */
  readonly subsample: number;
  /** Whether each sequence is put in a new drawn order each epoch (a basket), or read as it is. */
  readonly shuffled: boolean;
  /** Blocks of the schedule, 1..16, also the most threads at work at once. */
  readonly blocks: number | 'auto';
  /** Bound on the pairs of a round; after each, every block has met every other. */
  readonly roundPairs: number;
}

export const SGNS_DEFAULTS: SgnsParams = {
  dimensions: 64,
  epochs: 5,
  window: 5,
  negatives: 5,
  negativeExponent: 0.75,
  // Twice word2vec's: that was chosen for billions of words, and on small data vectors do not get far in a few epochs.
  learningRate: 0.05,
  subsample: 0,
  shuffled: false,
  blocks: 'auto',
  roundPairs: ROUND_PAIRS,
};

export interface SgnsVectors {
  /** Vectors of words as centres: the embedding. */
  readonly inputs: DenseRows;
  /** Vectors of words as contexts. */
  readonly outputs: DenseRows;
  readonly engine: EngineName;
}

const TASKS = new URL('./sgns.task.ts', import.meta.url).href;
/** 160 MB of records. */
export const ROUND_PAIRS_MAX = 20_000_000;
/** Last rate as a share of the first. */
const RATE_END = 1 / 250;

/** What of the schedule does not depend on what was learned: the keys of an epoch, and the rate of the round that begins at a token. */
export function epochKeys(seed: number, epoch: number): { readonly key: number; readonly centreKey: number } {
  const stream = randomStream(seed, 'sgns', 'epoch', epoch);
  return { key: stream.uint32(), centreKey: stream.uint32() };
}

export function rateOf({ epochs, learningRate }: SgnsParams, epoch: number, from: number, tokens: number): number {
  return learningRate * (1 - (1 - RATE_END) * ((epoch + from / tokens) / epochs));
}

/** Of a fit of these sequences, all but the threads. */
export function sgnsSizes({ sequences, words }: SgnsInput, params: SgnsParams): Omit<SgnsSizes, 'threads'> {
  const { chances, indptr, tokens } = sequences;
  const counts = { words, sequences: indptr.length - 1, tokens: tokens.length, chanced: chances !== undefined };
  return sgnsSizesOf(counts, params);
}

type SgnsCounts = Pick<SgnsSizes, 'chanced' | 'sequences' | 'tokens' | 'words'>;

/** What a fit's kernels reserve, in bytes. */
export function sgnsBytes(counts: SgnsCounts, params: SgnsParams, threads: number): number {
  return layOutSgns({ ...sgnsSizesOf(counts, params), threads }).plan.bytes;
}

function sgnsSizesOf(counts: SgnsCounts, params: SgnsParams): Omit<SgnsSizes, 'threads'> {
  const { blocks, dimensions, negatives, roundPairs, window } = params;
  const { tokens, words } = counts;
  const pairs = roundTokensOf(tokens, window, roundPairs) * (window + 1);
  return {
    ...counts,
    dimensions,
    window,
    negatives,
    blocks: blocks === 'auto' ? blockCount(words, words, pairs) : blocks,
    roundPairs,
    subsampled: params.subsample > 0,
  };
}

/**
 * Trains vectors. Same input, parameters and seed give the same bytes for any number of threads.
 * @throws AppError NUMERICS_INPUT_INVALID, DATASET_EMPTY, NUMERICS_MEMORY_LIMIT (before any work), CANCELLED, KERNEL_MISSING,
 * MODEL_PARAMS_INVALID when the vectors grew beyond float32.
 * `factorsOf`: the model that whoever watches the fit is shown; without it nobody is.
 */
export async function trainSgns(
  input: SgnsInput,
  params: SgnsParams,
  context: FitContext,
  factorsOf?: (vectors: Omit<SgnsVectors, 'engine'>) => Promise<Factors>,
): Promise<SgnsVectors> {
  const { pool, signal } = context;
  const { sequences, words } = input;
  checkParams(params);
  await pool.runPhase([{ module: TASKS, name: 'inspect', payload: { words, sequences } }], signal);
  const { plan, layout } = layOutSgns({ ...sgnsSizes(input, params), threads: pool.threads });
  const memory = plan.allocate(context.memoryBytesMax);
  const engine = await loadEngine(context);
  const { watch, ...alone } = context;
  const watched = watch !== undefined && factorsOf !== undefined ? context : alone;
  const fit = new SgnsFit({ module: engine.module, memory, layout, params }, watched);
  const { inputs, outputs } = layout;
  await fit.run(input, new MemoryState(context, engine, memory, { inputs, outputs }), factorsOf);
  return { ...(await fit.vectors()), engine: engine.name };
}

/** @throws RangeError: models check what users give, so a bound that is broken here is a fault of the caller. */
function checkParams(params: SgnsParams): void {
  const bounds = [
    ['dimensions', 1, 1024],
    ['epochs', 1, 10_000],
    ['window', 1, 1000],
    ['negatives', 0, 100],
    ['roundPairs', 1, ROUND_PAIRS_MAX],
  ] as const;
  for (const [name, least, most] of bounds) {
    const value = params[name];
    if (!Number.isInteger(value) || value < least || value > most) throw new RangeError(`trainSgns: ${name} ${value}`);
  }
  const { blocks, learningRate, negativeExponent, subsample } = params;
  if (!(learningRate > 0 && negativeExponent >= 0 && subsample >= 0)) throw new RangeError('trainSgns: a rate below 0');
  if (blocks !== 'auto' && !(Number.isInteger(blocks) && blocks >= 1 && blocks <= 16)) {
    throw new RangeError(`trainSgns: blocks ${blocks}`);
  }
}

class SgnsFit {
  readonly #shared: SgnsShared;
  readonly #context: FitContext;

  constructor(shared: SgnsShared, context: FitContext) {
    this.#shared = shared;
    this.#context = context;
  }

  async run(
    { sequenceKeys, sequences, wordKeys }: SgnsInput,
    state: MemoryState,
    factorsOf: Parameters<typeof trainSgns>[3],
  ): Promise<void> {
    const { seed, signal } = this.#context;
    const { layout, memory, params } = this.#shared;
    await this.#once('prepare', { sequences, wordKeys, sequenceKeys });
    await this.#everywhere('initialise', { wordKeys, seed });
    const epoch = async (number: number): Promise<void> => {
      await this.#once('beginEpoch', epochKeys(seed, number));
      if (params.shuffled) await this.#everywhere('shuffleOrder', {});
      for (let from = 0; from < layout.tokens; from += layout.roundTokens) {
        if (signal?.aborted) throw cancellation(signal);
        await this.#round(from, rateOf(params, number, from, layout.tokens));
      }
    };
    await runEpochs({
      epochs: params.epochs,
      context: this.#context,
      state,
      epoch,
      metrics: async () => ({ residual: meanResidual(memory, layout) }),
      factors: async () => factorsOf!(await this.vectors()),
    });
  }

  async #round(from: number, rate: number): Promise<void> {
    const { layout } = this.#shared;
    const to = Math.min(layout.tokens, from + layout.roundTokens);
    await this.#everywhere('countRound', { from, to });
    await this.#once('assignPlaces', { rate });
    await this.#everywhere('placeRound', { from, to });
    for (let shift = 0; shift < layout.blocks; shift++) await this.#everywhere('sweep', { shift });
  }

  async #once(name: string, more: object): Promise<void> {
    const payload = { ...this.#shared, ...more };
    await this.#context.pool.runPhase([{ module: TASKS, name, payload }], this.#context.signal);
  }

  async #everywhere(name: string, more: object): Promise<void> {
    const { pool, signal } = this.#context;
    const { layout, memory } = this.#shared;
    const task = { module: TASKS, name, payload: { ...this.#shared, ...more } };
    await pool.runPhase(sharedPhase(pool.threads, memory, layout.counter, task), signal);
  }

  async vectors(): Promise<{ inputs: DenseRows; outputs: DenseRows }> {
    const { dimensions, words } = this.#shared.layout;
    const rows = (): DenseRows => ({ rows: words, width: dimensions, data: sharedFloat32(words * dimensions) });
    const vectors = { inputs: rows(), outputs: rows() };
    const tasks = Object.entries(vectors).map(([side, into]) => ({
      module: TASKS,
      name: 'copyVectors',
      payload: { ...this.#shared, side, into },
    }));
    const finite = await this.#context.pool.runPhase<boolean>(tasks, this.#context.signal);
    if (finite.includes(false)) refuseInfinite();
    return vectors;
  }
}

/** @throws AppError MODEL_PARAMS_INVALID */
export function refuseInfinite(): never {
  throw new AppError('MODEL_PARAMS_INVALID', {
    message: 'The vectors grew beyond what float32 holds: the steps are too large for this data.',
    details: { issues: [{ path: ['learningRate'], message: 'lower learningRate' }] },
  });
}
