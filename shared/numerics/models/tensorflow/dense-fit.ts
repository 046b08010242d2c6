/**
 * Owns the fit of a model that is trained on whole rows of users: a coordinator of phases, all maths in threads. With an internal validation
 * part it stops when that no longer improves, and begins anew over all pairs for as many epochs as served best.
 * Complexity per epoch: about 3 * users * items * width multiply-adds.
 */
import { cancellation } from '../../../compute/cancellation.ts';
import { AppError } from '../../../errors.ts';
import { checkMemory } from '../../engine/memory.ts';
import { rankByFactors } from '../../ranking/rank-factors.ts';
import type { DenseRows, FitContext, FittedModel, HistoryOptions, RankedLists, TrainInput } from '../../types.ts';
import { type Pass, runCourse, type Trainee } from './course.ts';
import type { DenseFactors, DenseState, TrainedEpoch } from './dense.task.ts';
import type { DenseData, DenseModel, DenseModelName, DenseTables } from './dense-definition.ts';
import type { DenseTraining } from './dense-params.ts';
import type { EngineName, EngineOptions } from './engine.ts';
import type { TrainingRecord } from './two-tower.ts';

export interface FittedDense extends FittedModel {
  readonly factors: { readonly users: DenseRows; readonly items: DenseRows };
  readonly training: TrainingRecord;
  /** What was learned, by name. */
  readonly tables: DenseTables;
}

const TASKS = new URL('./dense.task.ts', import.meta.url).href;
/** Matrices of users * items that a step holds at once: logits, their gradient, softmax, input, target. */
const MATRICES_PER_STEP = 8;
/** A parameter with Adam's two moments and its mean; the same again is kept of the best epoch. */
const BYTES_PER_PARAMETER = 4 * 4;
/** Item, value and time, in the set with and the set without the validation part. */
const BYTES_PER_PAIR = 24;

/**
 * @throws AppError NUMERICS_MEMORY_LIMIT (before any work), NUMERICS_INPUT_INVALID, DATASET_EMPTY, MODEL_PARAMS_INVALID (diverged), CANCELLED.
 */
export async function fitDense<Params extends DenseTraining>(
  model: DenseModel<Params>,
  input: TrainInput,
  params: Params,
  context: FitContext,
): Promise<FittedDense> {
  const { itemKeys, userKeys } = input;
  checkMemory(denseBytes(model, input, params), context.memoryBytesMax);
  const fit = new DenseFit(model.name, params, context);
  const { training, state } = await fit.run(input);
  const { factors } = await fit.factors(state.tables, state.all);
  return {
    name: model.name,
    engine: fit.engine,
    threads: 1,
    params: params as unknown as FittedModel['params'],
    factors,
    training,
    tables: state.tables,
    rank: (options) => rankByFactors({ ...factors, userKeys, itemKeys }, options, context),
    ...(Object.values(state.tables).some(({ perUser }) => perUser)
      ? {}
      : { rankHistories: (options) => fit.rankHistories(state.tables, input, options) }),
  };
}

/** Memory of a fit, in bytes. */
export function denseBytes<Params extends DenseTraining>(
  model: DenseModel<Params>,
  { interactions }: TrainInput,
  params: Params,
): number {
  const { columns: items, indices, rows: users } = interactions;
  const step = Math.min(params.batchSize, users) * items * 4 * MATRICES_PER_STEP;
  const copies = params.validationShare > 0 ? 2 : 1;
  return (
    step + indices.length * BYTES_PER_PAIR + copies * BYTES_PER_PARAMETER * parameterCount(model, users, items, params)
  );
}

/** Numbers in all tables; none is made. */
function parameterCount<Params extends DenseTraining>(
  model: DenseModel<Params>,
  users: number,
  items: number,
  params: Params,
): number {
  let count = 0;
  const none = new Float32Array(0);
  model.tables({ users, items }, params, (_name, rows, width, _scale, of) => {
    count += rows * width;
    const table = { rows, width, values: none, first: none, second: none, mean: none };
    return { ...table, perUser: of === 'users', decays: of !== 'layer' };
  });
  return count;
}

class DenseFit {
  engine: EngineName = 'tfjs-cpu';
  #version = '';
  readonly #model: DenseModelName;
  readonly #params: DenseTraining;
  readonly #context: FitContext;
  readonly #tensorflow: EngineOptions;

  constructor(model: DenseModelName, params: DenseTraining, context: FitContext) {
    this.#model = model;
    this.#params = params;
    this.#context = context;
    // libtensorflow sums in an order of its own; the WASM engine's arithmetic is the same on every machine.
    const prefer = context.tensorflow?.prefer ?? params.engine;
    const first = context.deterministic === true && prefer === 'tfjs-node' ? 'tfjs-wasm' : prefer;
    this.#tensorflow = { ...context.tensorflow, prefer: first };
  }

  async run(input: TrainInput): Promise<{ readonly training: TrainingRecord; readonly state: DenseState }> {
    const state = await this.#once<DenseState>('begin', { input });
    if (state.all.interactions.indices.length === 0) throw new AppError('DATASET_EMPTY');
    const split = state.held.item.length > 0 && state.train.interactions.indices.length > 0;
    const record = await runCourse(this.#trainee(state, split), this.#context);
    return { state, training: { ...record, version: this.#version } };
  }

  #trainee({ all, held, tables, train }: DenseState, isSplit: boolean): Trainee {
    const { epochs, patience, refit } = this.#params;
    return {
      tables,
      epochs,
      patience,
      isSplit,
      engine: () => this.#nameEngine(),
      epoch: (pass) => this.#epoch(tables, pass.over === 'all' ? all : train, pass),
      validate: async () => (await this.#once<number | null>('validate', { tables, data: train, held })) ?? 0,
      ...(refit ? { restart: () => this.#once<void>('redraw', { tables, data: all }) } : {}),
      copy: (from, to) => this.#once('copyTables', { from, to }),
    };
  }

  async #epoch(tables: DenseTables, data: DenseData, { epoch, metrics, stepsBefore }: Pass): Promise<TrainedEpoch> {
    const { onProgress, signal } = this.#context;
    if (signal?.aborted) throw cancellation(signal);
    const done = await this.#once<TrainedEpoch>('trainEpoch', { tables, data, epoch, stepsBefore });
    this.engine = done.engine;
    this.#version = done.version;
    const { epochs, refit } = this.#params;
    const total = Math.max(refit ? 2 * epochs : epochs, epoch + 1);
    onProgress?.({ done: epoch + 1, total, label: 'epochs', metrics: { ...metrics, epoch, loss: done.loss } });
    return done;
  }

  async factors(tables: DenseTables, data: DenseData): Promise<Pick<FittedDense, 'factors'>> {
    const { finite, items, users, width } = await this.#once<DenseFactors>('embed', { tables, data });
    if (!finite) {
      throw new AppError('MODEL_PARAMS_INVALID', {
        message: 'The training diverged.',
        details: { issues: [{ path: ['learningRate'], message: 'lower learningRate' }] },
      });
    }
    const rows = (data: Float32Array): DenseRows => ({ rows: data.length / width, width, data });
    return { factors: { users: rows(users), items: rows(items) } };
  }

  /** Lists of people from what they did alone: nothing is learned. */
  async rankHistories(
    tables: DenseTables,
    { itemKeys }: TrainInput,
    { histories, userKeys, ...options }: HistoryOptions,
  ): Promise<RankedLists> {
    const { factors } = await this.factors(tables, { interactions: histories, keys: { userKeys, itemKeys } });
    return rankByFactors({ ...factors, userKeys, itemKeys }, options, this.#context);
  }

  async #nameEngine(): Promise<string> {
    const { engine, version } = await this.#once<{ engine: EngineName; version: string }>('nameEngine', {});
    this.engine = engine;
    this.#version = version;
    return `${engine} ${version}`;
  }

  async #once<T>(name: string, more: object): Promise<T> {
    const { pool, seed, signal } = this.#context;
    const payload = { model: this.#model, params: this.#params, seed, tensorflow: this.#tensorflow, ...more };
    const [result] = await pool.runPhase<T>([{ module: TASKS, name, payload }], signal);
    return result as T;
  }
}
