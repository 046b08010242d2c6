/** Owns what the threads of an iALS fit do, one exported function a phase. Everything lies in the kernel's shared memory. */
import { randomStream } from '../../random.ts';
import { checkTrainInput } from '../check-input.ts';
import type { KernelExports } from '../engine/exports.ts';
import { instantiate } from '../engine/load.ts';
import { f32, i32 } from '../engine/memory.ts';
import { takeChunks } from '../engine/work-sharing.ts';
import { entityKey } from '../entity-key.ts';
import { type EvidenceParams, withEvidence } from '../interactions/evidence.ts';
import { transpose } from '../sparse.ts';
import type { SparseRows, TrainInput } from '../types.ts';
import { type IalsLayout, type IalsSide, SOLVE_CHUNK_ROWS } from './ials-layout.ts';
import type { IalsDataSummary, IalsParams, ResolvedIalsParams } from './ials-params.ts';

export interface IalsShared {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly layout: IalsLayout;
}

type SideName = 'users' | 'items';

/** Checks the input and measures it. One thread. */
export function summarise(payload: { readonly input: TrainInput; readonly params: IalsParams }): IalsDataSummary {
  checkTrainInput(payload.input, { signed: true });
  const { columns, indices, rows } = payload.input.interactions;
  const values = confidences(payload.input, payload.params);
  let [sum, dislikes] = [0, false];
  for (const value of values) {
    sum += Math.abs(value);
    dislikes ||= value < 0;
  }
  return { users: rows, items: columns, interactions: indices.length, meanConfidence: sum / values.length, dislikes };
}

/** Writes both sides' rows, confidences and regularisers into the memory. One thread. */
export function prepare(
  payload: IalsShared & { readonly input: TrainInput; readonly params: ResolvedIalsParams },
): void {
  const { input, layout, memory, params } = payload;
  const rows = { ...input.interactions, values: confidences(input, params) };
  writeSide(memory, layout.users, rows, params);
  writeSide(memory, layout.items, transpose(rows), params);
}

function writeSide(memory: WebAssembly.Memory, side: IalsSide, rows: SparseRows, params: ResolvedIalsParams): void {
  i32(memory, side.indptr).set(rows.indptr);
  i32(memory, side.indices).set(rows.indices);
  if (side.weights.length > 0) f32(memory, side.weights).set(rows.values);
  f32(memory, side.regularisers).set(regularisersOf(rows, params));
}

export function regularisersOf(rows: SparseRows, params: ResolvedIalsParams): Float32Array {
  return Float32Array.from({ length: rows.rows }, (_, row) => {
    const own = rows.indptr[row + 1]! - rows.indptr[row]!;
    return params.lambda * (own + params.unobservedWeight * rows.columns) ** params.nu;
  });
}

/** The weights of all interactions, by value, age and source. */
export function confidences(
  input: TrainInput,
  params: Pick<IalsParams, 'weighting' | 'alpha'> & EvidenceParams,
): Float32Array {
  const own = input.interactions.values.map((value) => confidence(value, params));
  return withEvidence(own, input, params);
}

/** The weight of an observed interaction; a negative value keeps its sign (preference 0 at that weight). */
export function confidence(value: number, params: Pick<IalsParams, 'weighting' | 'alpha'>): number {
  const size = Math.abs(value);
  if (params.weighting === 'linear') return params.alpha * value;
  if (params.weighting === 'log') return Math.sign(value) * (1 + params.alpha * Math.log1p(size));
  return Math.sign(value);
}

/**
 * Item factors start at N(0, sigma / sqrt(factors)), each drawn from a stream of its own key; users start at 0, because they are
 * solved first. Threads share the items.
 */
export function initialise(
  payload: IalsShared & {
    readonly itemKeys: Uint8Array | undefined;
    readonly seed: number;
    readonly params: IalsParams;
  },
): void {
  const { layout, memory, params, seed } = payload;
  const factors = f32(memory, layout.items.factors);
  const scale = params.sigma / Math.sqrt(params.factors);
  const root = randomStream(seed, 'ials-item');
  takeChunks(memory, layout.counter, layout.items.count, SOLVE_CHUNK_ROWS, (from, to) => {
    for (let item = from; item < to; item++) {
      const stream = root.derive(...entityKey(payload.itemKeys, item));
      for (let d = 0; d < params.factors; d++) factors[item * layout.width + d] = scale * stream.normal();
    }
  });
}

/** The Gram matrix of each chunk of `side`'s factors. Threads share the chunks; chunk c is always the same rows. */
export function gram(payload: IalsShared & { readonly side: SideName }): void {
  const { layout, memory, module } = payload;
  const side = layout[payload.side];
  const kernels = instantiate(module, memory);
  takeChunks(memory, layout.counter, side.gramChunks, 1, (chunk) => sumChunk(kernels, side, layout.width, chunk));
}

function sumChunk(kernels: KernelExports, side: IalsSide, width: number, chunk: number): void {
  const from = chunk * side.gramChunkRows;
  const to = Math.min(side.count, from + side.gramChunkRows);
  kernels.gramChunk(side.factors.at, from, to, width, side.gramParts.at + chunk * width * width * 4);
}

type SolvePayload = IalsShared & {
  readonly side: SideName;
  readonly params: ResolvedIalsParams;
  readonly thread?: number;
  /** Mean regulariser of the whole side, where the memory holds a part of it. */
  readonly shift?: number;
};

/**
 * Solves the rows of `side` against the other side's factors. Threads share the rows; whoever solves the last row of a chunk of the Gram
 * matrix sums that chunk for the next phase, which saves a phase and finds the rows in the cache.
 */
export function solve(payload: SolvePayload): void {
  const { layout, memory, module, params } = payload;
  const side = layout[payload.side];
  const other = layout[payload.side === 'users' ? 'items' : 'users'];
  const own = layout.threads[payload.thread ?? 0]!;
  const kernels = instantiate(module, memory);
  const { width } = layout;
  kernels.gramReduce(other.gramParts.at, other.gramChunks, params.unobservedWeight, width, own.gram.at, 0, width);
  const shift = payload.shift ?? mean(f32(memory, side.regularisers));
  kernels.invertGram(own.gram.at, shift, width, own.work.at, own.inverse.at);
  const weights = side.weights.length > 0 ? side.weights.at : 0;
  const finished = i32(memory, side.finished);
  takeChunks(memory, layout.counter, side.count, SOLVE_CHUNK_ROWS, (from, to) => {
    kernels.solveRows(
      side.factors.at,
      other.factors.at,
      own.gram.at,
      own.inverse.at,
      width,
      side.indptr.at,
      side.indices.at,
      weights,
      side.regularisers.at,
      from,
      to,
      params.steps,
      own.scratch.at,
    );
    const chunk = Math.floor(from / side.gramChunkRows);
    const behind = Math.min(side.count, (chunk + 1) * side.gramChunkRows);
    const solverChunks = Math.ceil((behind - chunk * side.gramChunkRows) / SOLVE_CHUNK_ROWS);
    if (Atomics.add(finished, chunk, 1) + 1 === solverChunks) sumChunk(kernels, side, width, chunk);
  });
}

export function mean(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

/** Interactions whose part of the objective is summed; of more, every n-th stands for its neighbours. */
const LOSS_INTERACTIONS_MAX = 200_000;

/** The objective per interaction. The part of all pairs follows from the Gram matrices: sum (u.v)^2 = <U'U, V'V>. One thread. */
export function loss({ layout, memory, params }: IalsShared & { readonly params: ResolvedIalsParams }): number {
  const { items, users, width } = layout;
  const interactions = users.indices.length;
  const all =
    params.unobservedWeight * innerProduct(sumOfChunks(memory, users, width), sumOfChunks(memory, items, width), width);
  return (
    (observedLoss(memory, layout) + all + penalty(memory, users, width) + penalty(memory, items, width)) / interactions
  );
}

function observedLoss(memory: WebAssembly.Memory, { items, users, width }: IalsLayout): number {
  const [u, v] = [f32(memory, users.factors), f32(memory, items.factors)];
  const [indptr, indices] = [i32(memory, users.indptr), i32(memory, users.indices)];
  const weights = users.weights.length > 0 ? f32(memory, users.weights) : undefined;
  const stride = Math.ceil(indices.length / LOSS_INTERACTIONS_MAX);
  let [sum, seen, user] = [0, 0, 0];
  for (let at = 0; at < indices.length; at += stride, seen++) {
    while (indptr[user + 1]! <= at) user++;
    let score = 0;
    for (let d = 0; d < width; d++) score += u[user * width + d]! * v[indices[at]! * width + d]!;
    const weight = weights === undefined ? 1 : weights[at]!;
    sum += Math.abs(weight) * (Number(weight > 0) - score) ** 2;
  }
  return (sum / seen) * indices.length;
}

function penalty(memory: WebAssembly.Memory, side: IalsSide, width: number): number {
  const [factors, regularisers] = [f32(memory, side.factors), f32(memory, side.regularisers)];
  let sum = 0;
  for (let row = 0; row < side.count; row++) {
    let square = 0;
    for (let at = row * width; at < (row + 1) * width; at++) square += factors[at]! ** 2;
    sum += regularisers[row]! * square;
  }
  return sum;
}

function sumOfChunks(memory: WebAssembly.Memory, side: IalsSide, width: number): Float64Array {
  const parts = f32(memory, side.gramParts);
  const sum = new Float64Array(width * width);
  for (let at = 0; at < parts.length; at++) sum[at % sum.length]! += parts[at]!;
  return sum;
}

/** Of two Gram matrices as the kernel leaves them: row i holds what begins at column i & ~7. */
function innerProduct(first: Float64Array, second: Float64Array, width: number): number {
  let sum = 0;
  for (let i = 0; i < width; i++) {
    const tile = i & ~7;
    for (let j = tile; j < width; j++) sum += (j < tile + 8 ? 1 : 2) * first[i * width + j]! * second[i * width + j]!;
  }
  return sum;
}

/** Copies one side's factors out, without the padding. Returns whether all are finite. */
export function copyFactors(payload: IalsShared & { readonly side: SideName; readonly into: Float32Array }): boolean {
  const { into, layout, memory } = payload;
  const { count, factors } = layout[payload.side];
  const source = f32(memory, factors);
  const width = into.length / count;
  if (width === layout.width) into.set(source);
  else
    for (let row = 0; row < count; row++)
      into.set(source.subarray(row * layout.width, row * layout.width + width), row * width);
  return into.every((value) => Number.isFinite(value));
}
