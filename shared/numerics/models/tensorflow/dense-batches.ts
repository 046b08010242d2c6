/**
 * Owns making the rows of one step: what a model sees of its users, and what it is to find. Draws are keyed by (seed, user, epoch), so
 * that a person's absence moves nobody else's.
 */
import type { RandomStream } from '../../../random.ts';
import type { SparseRows } from '../../types.ts';
import { type BatchShape, type DenseBatch, type DenseData, type DenseSequence, userDraws } from './dense-definition.ts';
import type { TensorFlow } from './engine.ts';

/** Buckets of values and of times since the activity before; 0 is `unknown`. */
export const VALUE_BUCKETS = 8;
export const GAP_BUCKETS = 12;
const GAP_UNIT_MS = 60_000;

export interface BatchRequest {
  readonly users: Int32Array;
  readonly training: boolean;
  readonly step: number;
  readonly epoch: number;
  readonly seed: number;
  readonly model: string;
}

/** Tensors of one step; the caller disposes them, in a tidy. */
export function makeBatch(tf: TensorFlow, data: DenseData, shape: BatchShape, request: BatchRequest): DenseBatch {
  const { training, users } = request;
  const { columns } = data.interactions;
  const input = shape.input ? new Float32Array(users.length * columns) : undefined;
  const target = training ? new Float32Array(users.length * columns) : undefined;
  const noise = training && shape.noise > 0 ? new Float32Array(users.length * shape.noise) : undefined;
  const sequences =
    shape.sequence === undefined ? undefined : new SequenceRows(users.length, shape.sequence.length, data);
  const each = users.length / users.reduce((sum, user) => sum + ownCount(data.interactions, user), 0);
  for (const [row, user] of users.entries()) {
    const draws = userDraws(request.model, request.seed, request.epoch, data.keys, user);
    const { seen, found } = partActivity(data, user, shape, training ? draws : undefined);
    if (input !== undefined) fill(input, row, data.interactions, seen, (count) => 1 / Math.sqrt(count));
    if (target !== undefined)
      fill(target, row, data.interactions, found, (count) => (ownCount(data.interactions, user) * each) / count);
    sequences?.write(row, seen);
    if (noise !== undefined) for (let d = 0; d < shape.noise; d++) noise[row * shape.noise + d] = draws.normal();
  }
  const matrix = (values: Float32Array, width: number) => tf.tensor2d(values, [users.length, width]);
  return {
    users,
    training,
    step: request.step,
    ...(input === undefined ? {} : { input: matrix(input, columns) }),
    ...(target === undefined ? {} : { target: matrix(target, columns) }),
    ...(noise === undefined ? {} : { noise: matrix(noise, shape.noise) }),
    ...(sequences === undefined ? {} : { sequence: sequences.tensors(tf) }),
  };
}

function ownCount({ indptr }: SparseRows, user: number): number {
  return indptr[user + 1]! - indptr[user]!;
}

/** Places in `interactions` that the model sees, in order of time where it matters, and those it is to find. */
function partActivity(
  { interactions: { indptr }, times }: DenseData,
  user: number,
  { dropout, findSeen, sequence }: BatchShape,
  draws: RandomStream | undefined,
): { readonly seen: readonly number[]; readonly found: readonly number[] } {
  const all = Array.from({ length: indptr[user + 1]! - indptr[user]! }, (_, n) => indptr[user]! + n);
  if (sequence !== undefined && times !== undefined) all.sort((a, b) => times[a]! - times[b]! || a - b);
  if (draws === undefined) return { seen: all, found: [] };
  if (sequence?.future && all.length > 1 && times !== undefined) {
    const cut = 1 + draws.below(all.length - 1);
    return { seen: all.slice(0, cut), found: all.slice(cut) };
  }
  if (dropout === 0) return { seen: all, found: all };
  const kept = all.map(() => draws.uniform() >= dropout);
  const seen = all.filter((_, n) => kept[n]);
  if (findSeen) return { seen, found: all };
  const hidden = all.filter((_, n) => !kept[n]);
  return { seen, found: hidden.length === 0 ? all : hidden };
}

function fill(
  into: Float32Array,
  row: number,
  { columns, indices }: SparseRows,
  places: readonly number[],
  weight: (count: number) => number,
): void {
  const each = weight(places.length);
  for (const at of places) into[row * columns + indices[at]!] = each;
}

/** The last activities of each user, aligned at the end. */
class SequenceRows {
  readonly #length: number;
  readonly #data: DenseData;
  readonly #items: Int32Array;
  readonly #values: Int32Array;
  readonly #gaps: Int32Array;
  readonly #present: Float32Array;

  constructor(users: number, length: number, data: DenseData) {
    this.#length = length;
    this.#data = data;
    const size = users * length;
    this.#items = new Int32Array(size);
    this.#values = new Int32Array(size);
    this.#gaps = new Int32Array(size);
    this.#present = new Float32Array(size);
  }

  write(row: number, places: readonly number[]): void {
    const { interactions, times } = this.#data;
    const last = places.slice(-this.#length);
    const start = (row + 1) * this.#length - last.length;
    for (const [n, place] of last.entries()) {
      const at = start + n;
      this.#items[at] = interactions.indices[place]!;
      this.#values[at] = valueBucket(interactions.values[place]!);
      const before = last[n - 1];
      this.#gaps[at] = times === undefined || before === undefined ? 0 : gapBucket(times[place]! - times[before]!);
      this.#present[at] = 1;
    }
  }

  tensors(tf: TensorFlow): DenseSequence {
    const shape: [number, number] = [this.#present.length / this.#length, this.#length];
    return {
      items: this.#items,
      values: this.#values,
      gaps: this.#gaps,
      present: tf.tensor2d(this.#present, shape),
      length: this.#length,
    };
  }
}

/** By the logarithm: what an activity's weight says, whatever its unit. */
function valueBucket(value: number): number {
  return 1 + Math.min(VALUE_BUCKETS - 2, Math.max(0, Math.round(2 * Math.log2(1 + Math.abs(value)))));
}

function gapBucket(ms: number): number {
  return 1 + Math.min(GAP_BUCKETS - 2, Math.floor(Math.log2(1 + ms / GAP_UNIT_MS)));
}
