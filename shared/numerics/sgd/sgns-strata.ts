/**
 * Owns skip-gram stratum by stratum: what a process needs to learn one stratum of a round, and gives the same bytes as ./sgns.ts does in one process
 * on plain SIMD. A round is B sweeps of B strata that share no word; stratum p of sweep s holds the pairs of centres of block p and contexts of block
 * (p + s) mod B. Its vectors travel as rows of those words, ascending and padded: of p as centres from the same p of the sweep before, of its contexts
 * from p + 1, which had them last. Only an epoch, which deals words to blocks anew, begins with those of all blocks.
 */
import { checkMemory, paddedWidth } from '../engine/memory.ts';
import { loadEngine } from '../engine/load.ts';
import { sharedFloat32 } from '../sparse.ts';
import type { DenseRows, FitContext } from '../types.ts';
import { refuseInfinite, type SgnsInput, type SgnsParams, sgnsSizes } from './sgns.ts';
import { roundTokensOf } from './sgns-layout.ts';

const INSPECT = new URL('./sgns.task.ts', import.meta.url).href;
const TASKS = new URL('./sgns-strata.task.ts', import.meta.url).href;

/** Vectors of the words of a stratum, padded. */
export interface StratumVectors {
  readonly inputs: Float32Array;
  readonly outputs: Float32Array;
}

/** Where a stratum is in the course of the fit. */
export interface Stratum {
  /** Of all epochs. */
  readonly round: number;
  readonly sweep: number;
  /** Block of its centres. */
  readonly block: number;
}

export interface Schedule {
  readonly blocks: number;
  readonly roundsPerEpoch: number;
}

export type StrataParams = SgnsParams & { readonly blocks: number };

type Context = Pick<FitContext, 'pool' | 'signal' | 'seed' | 'memoryBytesMax'>;

export const epochOf = (
  { round }: Pick<Stratum, 'round'>,
  { roundsPerEpoch }: Pick<Schedule, 'roundsPerEpoch'>,
): number => Math.floor(round / roundsPerEpoch);

/** Of a fit in as many blocks as are asked for, or as the data has. */
export function scheduleOf(input: SgnsInput, params: SgnsParams): Schedule {
  const { blocks } = sgnsSizes(input, params);
  const tokens = input.sequences.tokens.length;
  return { blocks, roundsPerEpoch: Math.ceil(tokens / roundTokensOf(tokens, params.window, params.roundPairs)) };
}

/** @throws AppError NUMERICS_INPUT_INVALID, DATASET_EMPTY. */
export async function checkSequences(
  { sequences, words }: SgnsInput,
  { pool, signal }: Pick<Context, 'pool' | 'signal'>,
): Promise<void> {
  await pool.runPhase([{ module: INSPECT, name: 'inspect', payload: { words, sequences } }], signal);
}

/** The blocks whose strata of the sweep before a stratum goes on from; none: it begins the fit. */
export function strataBefore({ block, round, sweep }: Stratum, { blocks, roundsPerEpoch }: Schedule): number[] {
  if (round === 0 && sweep === 0) return [];
  if (sweep === 0 && round % roundsPerEpoch === 0) return Array.from({ length: blocks }, (_, n) => n);
  return [...new Set([block, (block + 1) % blocks])];
}

export interface StratumRequest {
  readonly input: SgnsInput;
  readonly params: StrataParams;
  readonly stratum: Stratum;
  /** By block; those that `strataBefore` names. */
  readonly before: ReadonlyMap<number, StratumVectors>;
}

/** One thread: a stratum is learned pair by pair. @throws AppError NUMERICS_MEMORY_LIMIT, CANCELLED, KERNEL_MISSING. */
export async function learnStratum(request: StratumRequest, context: Context): Promise<StratumVectors> {
  const { memoryBytesMax, pool, seed, signal } = context;
  const { module } = await loadEngine({ deterministic: true });
  const payload = { ...request, module, seed, memoryBytesMax };
  const [learned] = await pool.runPhase<StratumVectors>([{ module: TASKS, name: 'learnStratum', payload }], signal);
  return learned!;
}

export interface JoinRequest {
  readonly words: number;
  readonly wordKeys?: Uint8Array | undefined;
  readonly params: StrataParams;
  /** Strata of the last sweep, by block. */
  readonly last: ReadonlyMap<number, StratumVectors>;
}

/** All words, without the padding. @throws AppError MODEL_PARAMS_INVALID when the vectors grew beyond float32. */
export async function joinStrata(
  request: JoinRequest,
  { memoryBytesMax, pool, seed, signal }: Context,
): Promise<{ readonly inputs: DenseRows; readonly outputs: DenseRows }> {
  const { params, words } = request;
  const { dimensions } = params;
  checkMemory(4 * words * paddedWidth(dimensions) * 4, memoryBytesMax);
  const rows = (): DenseRows => ({ rows: words, width: dimensions, data: sharedFloat32(words * dimensions) });
  const vectors = { inputs: rows(), outputs: rows() };
  const payload = { ...request, seed, into: vectors };
  const [finite] = await pool.runPhase<boolean>([{ module: TASKS, name: 'joinVectors', payload }], signal);
  if (finite !== true) refuseInfinite();
  return vectors;
}
