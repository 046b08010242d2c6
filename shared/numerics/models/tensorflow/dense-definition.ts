/**
 * Owns what a model must say to be trained on whole rows of users (dense.task.ts trains, dense-fit.ts coordinates): its parameters, how a
 * batch of users and all items become vectors, and what it adds to the loss. The score is their product; the loss is the cross-entropy
 * between the softmax over the whole catalogue and the users' items, each interaction counted alike (the multinomial likelihood of Liang et al.,
 * WWW 2018): with each user counted alike, those of whom much is known would teach little of what goes with what.
 */
import type { Scalar, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import type { RandomStream } from '../../../random.ts';
import { randomStream } from '../../../random.ts';
import { sharedFloat32 } from '../../sparse.ts';
import type { DenseRows, SparseRows } from '../../types.ts';
import type { DenseTraining } from './dense-params.ts';
import type { TensorFlow } from './engine.ts';
import type { EntityKeys } from './two-tower-batches.ts';
import { entityWords, fillRow, newTable, type Table } from './two-tower-memory.ts';

export interface DenseSizes {
  readonly users: number;
  readonly items: number;
}

export interface DenseTable extends Table {
  readonly rows: number;
  readonly mean: Float32Array;
  /** A row a user: a step sees only the rows of its batch. */
  readonly perUser: boolean;
  /** Whether weight decay shrinks it: not what all rows pass through. */
  readonly decays: boolean;
}
export type DenseTables = Readonly<Record<string, DenseTable>>;
export type DenseTensors = Readonly<Record<string, Tensor2D>>;

/** What is known of the users of one step. */
export interface DenseBatch {
  readonly users: Int32Array;
  /** Users * items: what the model may see of them; scaled to unit length. */
  readonly input?: Tensor2D;
  /** Users * items: what is to be found; a row sums to the user's share of the batch's interactions times its users, the whole to their number. */
  readonly target?: Tensor2D;
  /** Users * width standard normal draws, in training only. */
  readonly noise?: Tensor2D;
  /** Tokens of the users' activity, earliest first, aligned at the end. */
  readonly sequence?: DenseSequence;
  readonly training: boolean;
  /** Steps taken. */
  readonly step: number;
}

export interface DenseSequence {
  /** Users * length item ids; 0 where there is none (see `present`). */
  readonly items: Int32Array;
  /** Users * length: buckets of the value, and of the time since the activity before. */
  readonly values: Int32Array;
  readonly gaps: Int32Array;
  /** Users * length: 1 where there is an activity. */
  readonly present: Tensor2D;
  readonly length: number;
}

/** How a step's rows of users are made. */
export interface BatchShape {
  /** Share of a user's items that the model does not see in training, drawn anew each epoch. */
  readonly dropout: number;
  /** Whether `input` is needed, and whether what is seen is also to be found. */
  readonly input: boolean;
  readonly findSeen: boolean;
  readonly noise: number;
  readonly sequence?: { readonly length: number; readonly future: boolean };
}

export type DenseModelName = 'autoencoder' | 'proto-mf' | 'sequence';

export interface DenseModel<Params extends DenseTraining = DenseTraining> {
  readonly name: DenseModelName;
  tables(sizes: DenseSizes, params: Params, draw: DrawTable): DenseTables;
  shape(params: Params): BatchShape;
  /** Users * width. */
  users(tf: TensorFlow, tensors: DenseTensors, batch: DenseBatch, params: Params): Tensor2D;
  /** Items * width. */
  items(tf: TensorFlow, tensors: DenseTensors, params: Params): Tensor2D;
  /** What is done to the vectors of items for serving, in place; `counts`: people an item. */
  serve?(items: DenseRows, counts: Int32Array, params: Params): void;
  /** Added to the mean loss of a user, in nats. */
  penalty?(tf: TensorFlow, tensors: DenseTensors, batch: DenseBatch, params: Params): Scalar | undefined;
}

/** A table of normal draws; rows of users and of items draw under their keys. What is of a `layer` does not decay. */
export type DrawTable = (
  name: string,
  rows: number,
  width: number,
  scale: number,
  of?: 'users' | 'items' | 'layer',
) => DenseTable;

export function tableDrawer(model: string, seed: number, keys: EntityKeys): DrawTable {
  return (name, rows, width, scale, of) => {
    const mean = sharedFloat32(rows * width);
    const table = { ...newTable(rows, width), mean, rows, perUser: of === 'users', decays: of !== 'layer' };
    if (scale === 0) return table;
    const root = randomStream(seed, `${model}.init.${name}`);
    const own = { users: keys.userKeys, items: keys.itemKeys };
    for (let row = 0; row < rows; row++) {
      const words = of === undefined || of === 'layer' ? [row] : entityWords(own[of], row);
      fillRow(table, row, scale, root.derive(...words));
    }
    return table;
  };
}

/** What training learns from; times and values decide the order of sequences and their tokens. */
export interface DenseData {
  readonly interactions: SparseRows;
  readonly times?: Float64Array;
  readonly keys: EntityKeys;
}

/** Draws of one user in one epoch. */
export function userDraws(model: string, seed: number, epoch: number, keys: EntityKeys, user: number): RandomStream {
  return randomStream(seed, `${model}.batch`, epoch, ...entityWords(keys.userKeys, user));
}

/** Rows of unit length; a row of zeros stays one. */
export function unitRows<T extends Tensor2D | Tensor3D>(rows: T): T {
  return rows.div(rows.square().sum(-1, true).add(1e-12).sqrt());
}
