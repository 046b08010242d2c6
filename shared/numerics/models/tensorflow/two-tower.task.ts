/**
 * Owns what a two-tower fit does in threads: one task a phase, all state in shared memory, so that any thread
 * can run the next. The phases of a fit follow each other; they do not run beside each other.
 *
 * Native training runs in these threads too, not in a child process: a thread can be ended at once on
 * cancellation, shares the parameters without copying, and what libtensorflow keeps for the life of the
 * process (some 0.4 GB) is paid once by a worker that trains again and again.
 */
import type { Tensor2D } from '@tensorflow/tfjs';
import { checkTrainInput } from '../../check-input.ts';
import { sharedFloat32, sharedInt32 } from '../../sparse.ts';
import type { TrainInput } from '../../types.ts';
import { type EngineName, type EngineOptions, loadTensorFlow, type TensorFlow } from './engine.ts';
import {
  BatchMaker,
  type EntityKeys,
  logShares,
  orderEpoch,
  type Pairs,
  splitInternally,
  toPairs,
} from './two-tower-batches.ts';
import { itemTower, lossAndGradients, normaliseRows, product } from './two-tower-loss.ts';
import { type Facts, factsStep, openFacts, towerRows } from './two-tower-facts.ts';
import { adamStep, everyRow, gatherRows, newMemory, type Table, type TwoTowerMemory } from './two-tower-memory.ts';
import type { TwoTowerParams } from './two-tower-params.ts';
import { meanNdcg } from './validation.ts';

export { copyTables } from './course.ts';
export { nameEngine } from './engine.ts';

/** Pairs to learn from and all that is derived from them alone. */
export interface TrainingSet {
  readonly pairs: Pairs;
  readonly logShare: Float32Array;
  readonly order: Int32Array;
}

export interface TwoTowerState {
  readonly memory: TwoTowerMemory;
  /** Without the internal validation part. */
  readonly train: TrainingSet;
  /** All positive pairs. */
  readonly all: TrainingSet;
  /** The internal validation part. */
  readonly held: Pairs;
}

/**
 * Runs once: checks, splits, draws the parameters.
 * @throws AppError NUMERICS_INPUT_INVALID, DATASET_EMPTY.
 */
export function begin(payload: {
  readonly input: TrainInput;
  readonly keys: EntityKeys;
  readonly params: TwoTowerParams;
  readonly seed: number;
}): TwoTowerState {
  const { input, keys, params, seed } = payload;
  checkTrainInput(input, { signed: true });
  const { interactions } = input;
  const positive = Uint8Array.from(interactions.values, (value) => (value > 0 ? 1 : 0));
  const trains = splitInternally(interactions, params.validationShare, seed, keys);
  const all = trainingSet(toPairs(interactions, positive));
  const train = trainingSet(
    toPairs(
      interactions,
      positive.map((yes, at) => yes & trains[at]!),
    ),
  );
  const { columns: items, rows: users } = interactions;
  const facts = params.sideFeatures ? input.facts : undefined;
  return {
    memory: {
      ...newMemory({ users, items, ...params, ...keys, seed }),
      userFacts: openFacts(facts?.users, 'users', users, params.dimensions),
      itemFacts: openFacts(facts?.items, 'items', items, params.dimensions),
    },
    train,
    all,
    held: toPairs(
      interactions,
      positive.map((yes, at) => yes & (1 - trains[at]!)),
    ),
  };
}

function trainingSet(pairs: Pairs): TrainingSet {
  return { pairs, logShare: logShares(pairs), order: sharedInt32(pairs.item.length) };
}

/** Orders one epoch. */
export function shuffleEpoch(payload: {
  readonly set: TrainingSet;
  readonly keys: EntityKeys;
  readonly seed: number;
  readonly epoch: number;
}): void {
  const { set, seed, epoch, keys } = payload;
  orderEpoch(set.pairs, set.order, seed, epoch, keys);
}

export interface TrainedSteps {
  /** Sum of the batches' mean losses, in nats. */
  readonly lossSum: number;
  readonly engine: EngineName;
  readonly version: string;
  /** Tensors that the phase left behind; must be 0. */
  readonly leaked: number;
}

/** Steps `from` .. `to` (exclusive) of an epoch whose order is laid out; `stepsBefore` counts all earlier steps of the fit. */
export async function trainSteps(payload: {
  readonly memory: TwoTowerMemory;
  readonly set: TrainingSet;
  readonly params: TwoTowerParams;
  readonly from: number;
  readonly to: number;
  readonly stepsBefore: number;
  readonly tensorflow: EngineOptions;
}): Promise<TrainedSteps> {
  const { memory, set, params, from, to } = payload;
  const { tf, engine, version } = await loadTensorFlow(payload.tensorflow);
  const before = tf.memory().numTensors;
  const batches = new BatchMaker(set.pairs, set.logShare);
  let lossSum = 0;
  for (let step = from; step < to; step++) {
    const positions = set.order.subarray(step * params.batchSize, (step + 1) * params.batchSize);
    lossSum += trainOnce(tf, memory, batches, positions, params, payload.stepsBefore + step - from);
  }
  return { lossSum, engine, version, leaked: tf.memory().numTensors - before };
}

function trainOnce(
  tf: TensorFlow,
  memory: TwoTowerMemory,
  batches: BatchMaker,
  positions: Int32Array,
  params: TwoTowerParams,
  step: number,
): number {
  const batch = batches.make(positions);
  const { hidden, itemFacts, items, userFacts, users } = memory;
  const rows = {
    dimensions: params.dimensions,
    users: towerRows(users, userFacts, batch.userIds),
    items: towerRows(items, itemFacts, batch.itemIds),
    hidden: hidden && { up: copy(hidden.up), bias: copy(hidden.bias), down: copy(hidden.down) },
  };
  const { loss, gradients } = lossAndGradients(tf, rows, batch, params.temperature);
  const adam = { learningRate: params.learningRate, weightDecay: params.weightDecay, step };
  adamStep(users, batch.userIds, gradients.users, adam);
  adamStep(items, batch.itemIds, gradients.items, adam);
  factsStep(userFacts, batch.userIds, gradients.users, adam);
  factsStep(itemFacts, batch.itemIds, gradients.items, adam);
  if (hidden !== undefined && gradients.hidden !== undefined) {
    for (const part of ['up', 'bias', 'down'] as const) {
      adamStep(hidden[part], everyRow(hidden[part]), gradients.hidden[part], adam);
    }
  }
  return loss;
}

/** TensorFlow keeps what it is given by reference on some engines; the tables change under it. */
function copy(table: Table): Float32Array {
  return table.values.slice();
}

/** Rows a matrix product takes at a time: bounds the tensors' memory. */
const ROWS_PER_PRODUCT = 4096;

export interface EmbeddedFactors {
  readonly users: Float32Array;
  readonly items: Float32Array;
  /** False when a parameter ran off to infinity. */
  readonly finite: boolean;
}

/** Both towers' outputs for everybody, of unit length, on shared buffers. */
export async function embed(payload: {
  readonly memory: TwoTowerMemory;
  readonly tensorflow: EngineOptions;
}): Promise<EmbeddedFactors> {
  const { tf } = await loadTensorFlow(payload.tensorflow);
  const users = embedUsers(tf, payload.memory);
  const items = embedItems(tf, payload.memory);
  return { users, items, finite: users.every(Number.isFinite) && items.every(Number.isFinite) };
}

function inChunks(
  tf: TensorFlow,
  from: Table,
  facts: Facts | undefined,
  tower: (rows: Tensor2D) => Tensor2D,
): Float32Array {
  const { width } = from;
  const out = sharedFloat32(from.values.length);
  for (let start = 0; start < out.length; start += ROWS_PER_PRODUCT * width) {
    const first = start / width;
    const count = Math.min(ROWS_PER_PRODUCT, out.length / width - first);
    const rows = towerRows(
      from,
      facts,
      Int32Array.from({ length: count }, (_, n) => first + n),
    );
    const embedded = tf.tidy(() => tower(tf.tensor2d(rows, [rows.length / width, width])));
    out.set(embedded.dataSync(), start);
    embedded.dispose();
  }
  return out;
}

function embedUsers(tf: TensorFlow, memory: TwoTowerMemory): Float32Array {
  return inChunks(tf, memory.users, memory.userFacts, (rows) => normaliseRows(rows));
}

function embedItems(tf: TensorFlow, { hidden, itemFacts, items }: TwoTowerMemory): Float32Array {
  return inChunks(tf, items, itemFacts, (rows) => {
    if (hidden === undefined) return itemTower(rows, []);
    const weights = [hidden.up, hidden.bias, hidden.down].map((part) =>
      tf.tensor2d(copy(part), [part.values.length / part.width, part.width]),
    );
    return itemTower(rows, weights);
  });
}

/** NDCG@10 over the internal validation part; null when it is empty. */
export async function validate(payload: {
  readonly memory: TwoTowerMemory;
  readonly train: Pairs;
  readonly held: Pairs;
  readonly tensorflow: EngineOptions;
}): Promise<number | null> {
  const { memory, train, held } = payload;
  const { tf } = await loadTensorFlow(payload.tensorflow);
  const width = memory.users.width;
  const users = embedUsers(tf, memory);
  const items = embedItems(tf, memory);
  const item = tf.tensor2d(items.slice(), [train.items, width]);
  const scoresOf = (people: Int32Array): Float32Array => {
    const rows = gatherRows({ ...memory.users, values: users }, people);
    const scores = tf.tidy(() => product(tf, tf.tensor2d(rows, [people.length, width]), item));
    const numbers = scores.dataSync() as Float32Array;
    scores.dispose();
    return numbers;
  };
  try {
    return meanNdcg({ train, held, scoresOf });
  } finally {
    item.dispose();
  }
}
