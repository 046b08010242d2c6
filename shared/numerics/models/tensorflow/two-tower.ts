/**
 * Owns the fit of the two-tower model: a coordinator of phases, all maths in threads.
 *
 * User tower: an embedding per user. Item tower: an embedding per item, through a residual MLP if asked for. To each comes the mean of
 * the embeddings of what is known of it (./two-tower-facts.ts), where the input has facts. Both are
 * scaled to unit length; the score is their dot product. Loss: batch softmax over s / temperature - log q, the
 * logQ correction in training only (Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
 * Recommendations", RecSys 2019). q is exact, an item's share of the training pairs: the whole data set is at
 * hand, so nothing has to be estimated from a stream. Accidental hits and the user's other training items
 * are masked. Values count as present (> 0) or not: an explicit dislike is not learned from.
 *
 * Complexity per epoch: 3 * pairs * min(batch, items) * dimensions multiply-adds.
 */
import { cancellation } from '../../../compute/cancellation.ts';
import { AppError } from '../../../errors.ts';
import { checkMemory } from '../../engine/memory.ts';
import { rankByFactors } from '../../ranking/rank-factors.ts';
import { sharedFloat32, sharedInt32 } from '../../sparse.ts';
import type { DenseRows, FitContext, FittedModel, SparseRows, TrainInput } from '../../types.ts';
import { type Pass, runCourse, type Tables, type Trainee } from './course.ts';
import type { EngineName, EngineOptions } from './engine.ts';
import type { EmbeddedFactors, TrainedSteps, TrainingSet, TwoTowerState } from './two-tower.task.ts';
import type { EntityKeys } from './two-tower-batches.ts';
import type { TwoTowerMemory } from './two-tower-memory.ts';
import type { TwoTowerParams } from './two-tower-params.ts';

export { type TwoTowerParams, twoTowerParams } from './two-tower-params.ts';

export interface FittedTwoTower extends FittedModel {
  readonly factors: { readonly users: DenseRows; readonly items: DenseRows };
  /** How the training went. */
  readonly training: TrainingRecord;
}

export interface TrainingRecord {
  /** Mean batch loss of each epoch, in nats. */
  readonly losses: readonly number[];
  /** NDCG@10 on the internal validation part after each epoch; empty without one. */
  readonly validation: readonly number[];
  /** Epochs whose parameters were kept, counted from 1. */
  readonly bestEpoch: number;
  /** Version of the engine that trained. */
  readonly version: string;
}

const TASKS = new URL('./two-tower.task.ts', import.meta.url).href;
/** Steps a phase: cancellation is at once anyway, this is how often progress is told. */
const STEPS_PER_PHASE = 64;

/**
 * Fits both towers. With an internal validation part it stops when that no longer improves, goes back to the best
 * epoch, and makes one last pass over all pairs, so that no pair is left unlearned.
 * `context.tensorflow.nativePath` says where the native engine lies; without it the fit runs on WASM.
 * @throws AppError NUMERICS_MEMORY_LIMIT (before any work), NUMERICS_INPUT_INVALID, DATASET_EMPTY, MODEL_PARAMS_INVALID (diverged), CANCELLED.
 */
export async function fitTwoTower(
  train: TrainInput,
  params: TwoTowerParams,
  context: FitContext,
): Promise<FittedTwoTower> {
  checkMemory(twoTowerBytes(train, params), context.memoryBytesMax);
  const fit = new TwoTowerFit(train, params, context);
  const training = await fit.run();
  const factors = await fit.factors();
  const { userKeys, itemKeys } = train;
  return {
    name: 'two-tower',
    engine: fit.engine,
    threads: 1,
    params,
    factors,
    training,
    rank: (options) => rankByFactors({ ...factors, userKeys, itemKeys }, options, context),
  };
}

/** A parameter with Adam's two moments, and the same again for the best epoch. */
const BYTES_PER_PARAMETER = 3 * 4;
/** Item, user and place in the epoch's order, in the set with and the set without the validation part. */
const BYTES_PER_PAIR = 2 * 3 * 4;

/** Shared memory of a fit, the returned factors included. TensorFlow's own buffers are bounded by the batch. */
export function twoTowerBytes(
  { facts, interactions }: TrainInput,
  { dimensions, itemHidden, sideFeatures, validationShare }: TwoTowerParams,
): number {
  const { rows, columns, indices } = interactions;
  const factors = (rows + columns) * dimensions;
  const features = sideFeatures ? (facts?.users?.columns ?? 0) + (facts?.items?.columns ?? 0) : 0;
  const parameters = factors + features * dimensions + itemHidden * (2 * dimensions + 1);
  const copies = validationShare > 0 ? 2 : 1;
  return copies * parameters * BYTES_PER_PARAMETER + factors * 4 + indices.length * BYTES_PER_PAIR;
}

class TwoTowerFit {
  engine: EngineName = 'tfjs-cpu';
  #version = '';
  #state: TwoTowerState | undefined;
  readonly #input: TrainInput;
  readonly #params: TwoTowerParams;
  readonly #context: FitContext;
  readonly #tensorflow: EngineOptions;
  readonly #keys: EntityKeys;

  constructor(input: TrainInput, params: TwoTowerParams, context: FitContext) {
    this.#input = input;
    this.#params = params;
    this.#context = context;
    this.#keys = { userKeys: input.userKeys, itemKeys: input.itemKeys };
    // libtensorflow sums in an order of its own; the WASM engine's arithmetic is the same on every machine.
    const prefer = context.tensorflow?.prefer ?? params.engine;
    const first = context.deterministic === true && prefer === 'tfjs-node' ? 'tfjs-wasm' : prefer;
    this.#tensorflow = { ...context.tensorflow, prefer: first };
  }

  async run(): Promise<TrainingRecord> {
    const { seed } = this.#context;
    const input = { ...this.#input, interactions: sharedRows(this.#input.interactions) };
    const state = await this.#once<TwoTowerState>('begin', { input, seed });
    this.#state = state;
    if (state.all.pairs.item.length === 0) throw new AppError('DATASET_EMPTY');
    const split = state.held.item.length > 0 && state.train.pairs.item.length > 0;
    const record = await runCourse(this.#trainee(state, split), this.#context);
    return { ...record, version: this.#version };
  }

  #trainee(state: TwoTowerState, isSplit: boolean): Trainee {
    const { epochs, patience } = this.#params;
    const { memory, held, train } = state;
    return {
      tables: tablesOf(memory),
      epochs,
      patience,
      isSplit,
      engine: () => this.#nameEngine(),
      epoch: (pass) => this.#epoch(pass.over === 'all' ? state.all : train, pass),
      validate: async () => (await this.#once<number | null>('validate', { memory, train: train.pairs, held })) ?? 0,
      copy: (from, to) => this.#once('copyTables', { from, to }),
    };
  }

  /** One pass over a set. Epochs have different orders by their number. */
  async #epoch(
    set: TrainingSet,
    { epoch, metrics, stepsBefore }: Pass,
  ): Promise<{ readonly loss: number; readonly steps: number }> {
    const { seed, signal, onProgress } = this.#context;
    const { batchSize, epochs } = this.#params;
    const { memory } = this.#state!;
    if (signal?.aborted) throw cancellation(signal);
    await this.#once('shuffleEpoch', { set, seed, epoch });
    const steps = Math.ceil(set.order.length / batchSize);
    let lossSum = 0;
    for (let from = 0; from < steps; from += STEPS_PER_PHASE) {
      const to = Math.min(steps, from + STEPS_PER_PHASE);
      const phase = { memory, set, from, to, stepsBefore: stepsBefore + from };
      const done = await this.#once<TrainedSteps>('trainSteps', phase);
      this.engine = done.engine;
      this.#version = done.version;
      lossSum += done.lossSum;
      const loss = lossSum / to;
      const total = Math.max(epochs, epoch + 1) * steps;
      onProgress?.({ done: epoch * steps + to, total, label: 'steps', metrics: { ...metrics, epoch, loss } });
    }
    return { loss: lossSum / steps, steps };
  }

  async factors(): Promise<FittedTwoTower['factors']> {
    const { memory } = this.#state!;
    const { users, items, finite } = await this.#once<EmbeddedFactors>('embed', { memory });
    if (!finite) {
      throw new AppError('MODEL_PARAMS_INVALID', {
        message: 'The training diverged.',
        details: { issues: [{ path: ['learningRate'], message: 'lower learningRate or raise temperature' }] },
      });
    }
    const width = this.#params.dimensions;
    return {
      users: { rows: users.length / width, width, data: users },
      items: { rows: items.length / width, width, data: items },
    };
  }

  async #nameEngine(): Promise<string> {
    const { engine, version } = await this.#once<{ engine: EngineName; version: string }>('nameEngine', {});
    this.engine = engine;
    this.#version = version;
    return `${engine} ${version}`;
  }

  async #once<T>(name: string, more: object): Promise<T> {
    const payload = { params: this.#params, keys: this.#keys, tensorflow: this.#tensorflow, ...more };
    const [result] = await this.#context.pool.runPhase<T>([{ module: TASKS, name, payload }], this.#context.signal);
    return result as T;
  }
}

/** Shared, so that the phase does not clone the data. */
function sharedRows(rows: SparseRows): SparseRows {
  if (rows.indices.buffer instanceof SharedArrayBuffer) return rows;
  return {
    ...rows,
    indptr: sharedInt32(rows.indptr.length, rows.indptr),
    indices: sharedInt32(rows.indices.length, rows.indices),
    values: sharedFloat32(rows.values.length, rows.values),
  };
}

function tablesOf({ hidden, itemFacts, items, userFacts, users }: TwoTowerMemory): Tables {
  return {
    users,
    items,
    ...(hidden && { up: hidden.up, bias: hidden.bias, down: hidden.down }),
    ...(userFacts && { userFacts: userFacts.table }),
    ...(itemFacts && { itemFacts: itemFacts.table }),
  };
}
