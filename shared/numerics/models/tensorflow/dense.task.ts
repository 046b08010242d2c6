/** Owns what the threads do to train a model on whole rows of users: one task a phase, all state in shared memory. */
import type { Scalar, Tensor2D } from '@tensorflow/tfjs';
import { randomStream, shuffle } from '../../../random.ts';
import { checkTrainInput } from '../../check-input.ts';
import { sharedFloat32 } from '../../sparse.ts';
import type { SparseRows, TrainInput } from '../../types.ts';
import { makeBatch } from './dense-batches.ts';
import type {
  DenseBatch,
  DenseData,
  DenseModel,
  DenseModelName,
  DenseTables,
  DenseTensors,
} from './dense-definition.ts';
import { tableDrawer } from './dense-definition.ts';
import { denseModel } from './dense-models.ts';
import type { DenseTraining } from './dense-params.ts';
import { type EngineName, type EngineOptions, loadTensorFlow, type TensorFlow } from './engine.ts';
import { type EntityKeys, type Pairs, splitInternally, toPairs } from './two-tower-batches.ts';
import { product, shareEntropy } from './two-tower-loss.ts';
import { adamStep, everyRow, gatherRows } from './two-tower-memory.ts';
import { meanNdcg } from './validation.ts';

export { copyTables } from './course.ts';
export { nameEngine } from './engine.ts';

export interface DenseState {
  readonly tables: DenseTables;
  /** Without the internal validation part, and everything. */
  readonly train: DenseData;
  readonly all: DenseData;
  readonly held: Pairs;
}

interface Fit {
  readonly model: DenseModelName;
  readonly params: DenseTraining;
  readonly seed: number;
  readonly tensorflow: EngineOptions;
}

/**
 * Checks, splits, draws the parameters.
 * @throws AppError NUMERICS_INPUT_INVALID, DATASET_EMPTY.
 */
export function begin({ input, model, params, seed }: Fit & { readonly input: TrainInput }): DenseState {
  checkTrainInput(input, { signed: true });
  const keys: EntityKeys = { userKeys: input.userKeys, itemKeys: input.itemKeys };
  const { interactions, times } = input;
  const trains = splitInternally(interactions, params.validationShare, seed, keys);
  const liked = Uint8Array.from(interactions.values, (value) => Number(value > 0));
  const data = (keep: Uint8Array): DenseData => {
    const rows = keepPairs(interactions, keep);
    return { interactions: rows, keys, ...(times === undefined ? {} : { times: keepTimes(times, keep) }) };
  };
  const sizes = { users: interactions.rows, items: interactions.columns };
  return {
    tables: denseModel(model).tables(sizes, params, tableDrawer(model, seed, keys)),
    train: data(liked.map((yes, at) => yes & trains[at]!)),
    all: data(liked),
    held: toPairs(
      interactions,
      liked.map((yes, at) => yes & (1 - trains[at]!)),
    ),
  };
}

function keepPairs(rows: SparseRows, keep: Uint8Array): SparseRows {
  const { indptr, item } = toPairs(rows, keep);
  return {
    ...rows,
    indptr,
    indices: item,
    values: sharedFloat32(
      item.length,
      rows.values.filter((_, at) => keep[at]),
    ),
  };
}

function keepTimes(times: Float64Array, keep: Uint8Array): Float64Array {
  const kept = times.filter((_, at) => keep[at]);
  const shared = new Float64Array(new SharedArrayBuffer(kept.length * 8));
  shared.set(kept);
  return shared;
}

export interface TrainedEpoch {
  /** Mean loss of a user, in nats. */
  readonly loss: number;
  readonly steps: number;
  readonly engine: EngineName;
  readonly version: string;
  /** Tensors that the phase left behind; must be 0. */
  readonly leaked: number;
}

/** One pass over the users who have anything. */
export async function trainEpoch(
  payload: Fit & {
    readonly tables: DenseTables;
    readonly data: DenseData;
    readonly epoch: number;
    readonly stepsBefore: number;
  },
): Promise<TrainedEpoch> {
  const { data, epoch, params, seed, tables } = payload;
  const { engine, tf, version } = await loadTensorFlow(payload.tensorflow);
  const before = tf.memory().numTensors;
  const model = denseModel(payload.model);
  const { indptr, rows } = data.interactions;
  const people = Array.from({ length: rows }, (_, user) => user).filter((user) => indptr[user + 1]! > indptr[user]!);
  const order = Int32Array.from(shuffle(people, randomStream(seed, `${payload.model}.order`, epoch)));
  let [sum, steps] = [0, 0];
  for (let from = 0; from < order.length; from += params.batchSize, steps++) {
    const users = order.slice(from, from + params.batchSize);
    const request = { users, training: true, step: payload.stepsBefore + steps, epoch, seed, model: payload.model };
    sum += users.length * trainStep(tf, model, tables, params, () => makeBatch(tf, data, model.shape(params), request));
  }
  if (params.averaging > 0) average(tables, params.averaging, Math.round(payload.stepsBefore / steps));
  return { loss: sum / order.length, steps, engine, version, leaked: tf.memory().numTensors - before };
}

/** The first epochs, where the mean has little behind it, weigh more: the draws that training starts from must not stay in it. */
function average(tables: DenseTables, keep: number, epochsBefore: number): void {
  const share = Math.max(1 - keep, 2 / (epochsBefore + 2));
  for (const { mean, values } of Object.values(tables))
    for (let n = 0; n < mean.length; n++) mean[n]! += (values[n]! - mean[n]!) * share;
}

/** The parameters that a fit starts from, again. */
export function redraw({
  data: { interactions, keys },
  model,
  params,
  seed,
  tables,
}: Fit & { readonly tables: DenseTables; readonly data: DenseData }): void {
  const sizes = { users: interactions.rows, items: interactions.columns };
  for (const [name, fresh] of Object.entries(denseModel(model).tables(sizes, params, tableDrawer(model, seed, keys)))) {
    const table = tables[name]!;
    table.values.set(fresh.values);
    for (const part of [table.first, table.second, table.mean]) part.fill(0);
  }
}

function trainStep(
  tf: TensorFlow,
  model: DenseModel,
  tables: DenseTables,
  params: DenseTraining,
  batchOf: () => DenseBatch,
): number {
  return tf.tidy(() => {
    const batch = batchOf();
    const names = Object.keys(tables);
    const given = names.map((name) => tensorOf(tf, tables[name]!, batch.users));
    const loss = (...tensors: Tensor2D[]): Scalar => {
      const named = Object.fromEntries(names.map((name, n) => [name, tensors[n]!]));
      return lossOf(tf, model, named, batch, params);
    };
    const { grads, value } = tf.valueAndGrads(loss as Parameters<typeof tf.valueAndGrads>[0])(given);
    const { learningRate, weightDecay } = params;
    for (const [n, name] of names.entries()) {
      const table = tables[name]!;
      const ids = table.perUser ? batch.users : everyRow(table);
      const gradient = grads[n]!.dataSync() as Float32Array;
      adamStep(table, ids, gradient, { learningRate, weightDecay: table.decays ? weightDecay : 0, step: batch.step });
    }
    return value.dataSync()[0]!;
  });
}

const served = (table: DenseTables[string], { averaging }: DenseTraining) =>
  averaging > 0 ? { ...table, values: table.mean } : table;

/** The tables change under what TensorFlow is given, so it gets a copy. */
function tensorOf(tf: TensorFlow, table: DenseTables[string], users: Int32Array): Tensor2D {
  if (table.perUser) return tf.tensor2d(gatherRows(table, users), [users.length, table.width]);
  return tf.tensor2d(table.values.slice(), [table.rows, table.width]);
}

function lossOf(
  tf: TensorFlow,
  model: DenseModel,
  tensors: DenseTensors,
  batch: DenseBatch,
  params: DenseTraining,
): Scalar {
  const logits = product(tf, model.users(tf, tensors, batch, params), model.items(tf, tensors, params));
  const entropy = shareEntropy(tf, logits, batch.target!);
  const penalty = model.penalty?.(tf, tensors, batch, params);
  return penalty === undefined ? entropy : entropy.add(penalty);
}

export interface DenseFactors {
  readonly users: Float32Array;
  readonly items: Float32Array;
  readonly width: number;
  /** False when a parameter ran off to infinity. */
  readonly finite: boolean;
}

/** Users a forward pass takes at a time. */
const USERS_PER_PASS = 256;

/** Everybody's vectors, on shared buffers. */
export async function embed(
  payload: Fit & { readonly tables: DenseTables; readonly data: DenseData },
): Promise<DenseFactors> {
  const { tf } = await loadTensorFlow(payload.tensorflow);
  const { data, params } = payload;
  const people = Int32Array.from({ length: data.interactions.rows }, (_, user) => user);
  const made = vectorsOf(tf, payload, people);
  const counts = new Int32Array(data.interactions.columns);
  for (const item of data.interactions.indices) counts[item]!++;
  denseModel(payload.model).serve?.({ rows: counts.length, width: made.width, data: made.items }, counts, params);
  return made;
}

function vectorsOf(
  tf: TensorFlow,
  payload: Fit & { readonly tables: DenseTables; readonly data: DenseData },
  people: Int32Array,
): DenseFactors {
  const { data, params, seed, tables } = payload;
  const model = denseModel(payload.model);
  const named = (users: Int32Array): DenseTensors =>
    Object.fromEntries(
      Object.entries(tables).map(([name, table]) => [name, tensorOf(tf, served(table, params), users)]),
    );
  const made = tf.tidy(() => model.items(tf, named(new Int32Array(0)), params));
  const items = { values: made.dataSync() as Float32Array, width: made.shape[1] };
  made.dispose();
  const users = sharedFloat32(people.length * items.width);
  for (let from = 0; from < people.length; from += USERS_PER_PASS) {
    const chunk = people.slice(from, from + USERS_PER_PASS);
    tf.tidy(() => {
      const request = { users: chunk, training: false, step: 0, epoch: 0, seed, model: payload.model };
      const batch = makeBatch(tf, data, model.shape(params), request);
      users.set(model.users(tf, named(chunk), batch, params).dataSync(), from * items.width);
    });
  }
  const finite = users.every(Number.isFinite) && items.values.every(Number.isFinite);
  return { users, items: sharedFloat32(items.values.length, items.values), width: items.width, finite };
}

/** NDCG@10 over the internal validation part; null when it is empty. */
export async function validate(
  payload: Fit & { readonly tables: DenseTables; readonly data: DenseData; readonly held: Pairs },
): Promise<number | null> {
  const { tf } = await loadTensorFlow(payload.tensorflow);
  const { data, held } = payload;
  const everybody = Int32Array.from({ length: data.interactions.rows }, (_, user) => user);
  const { items, users, width } = vectorsOf(tf, payload, everybody);
  const item = tf.tensor2d(items.slice(), [items.length / width, width]);
  const scoresOf = (people: Int32Array): Float32Array => {
    const rows = gatherRows({ width, values: users }, people);
    const scores = tf.tidy(() => product(tf, tf.tensor2d(rows, [people.length, width]), item));
    const numbers = scores.dataSync() as Float32Array;
    scores.dispose();
    return numbers;
  };
  try {
    return meanNdcg({ train: toPairs(data.interactions), held, scoresOf });
  } finally {
    item.dispose();
  }
}
