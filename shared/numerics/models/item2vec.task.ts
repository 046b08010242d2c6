/** Owns what the threads do for item2vec beside skip-gram itself: histories and walks as sequences, people as means. */
import { checkTrainInput } from '../check-input.ts';
import type { Sequences } from '../sgd/sgns.ts';
import { fromTriples, sharedFloat32, sharedInt32, sharedUint32 } from '../sparse.ts';
import type { DenseRows, SparseRows, TrainInput } from '../types.ts';
import type { Item2vecParams } from './item2vec.ts';
import { weightsOf } from './value-weight.ts';

export interface Histories {
  readonly sequences: Sequences;
  /** What each person likes, and how much it counts. */
  readonly likes: SparseRows;
}

type Read = Pick<Item2vecParams, 'order' | 'weighting' | 'halfLifeDays' | 'sourceWeights'>;

/** Each person's items, dislikes as explicit negatives; in ascending order, or by time and then item. One thread. */
export function readHistories({ input, params }: { readonly input: TrainInput; readonly params: Read }): Histories {
  checkTrainInput(input, { signed: true });
  const { times } = input;
  const { columns, indices, indptr, rows } = input.interactions;
  const weights = weightsOf(input, params);
  const most = weights.reduce((max, weight) => Math.max(max, Math.abs(weight)), 0);
  const tokens = sharedInt32(indices.length);
  const chances = sharedUint32(indices.length);
  let next = 0;
  for (let row = 0; row < rows; row++) {
    const places = Array.from({ length: indptr[row + 1]! - indptr[row]! }, (_, n) => indptr[row]! + n);
    if (params.order === 'time' && times !== undefined) places.sort((a, b) => times[a]! - times[b]! || a - b);
    for (const at of places) {
      chances[next] = Math.min(0xffff_ffff, Math.floor((Math.abs(weights[at]!) / most) * 2 ** 32));
      tokens[next++] = weights[at]! < 0 ? ~indices[at]! : indices[at]!;
    }
  }
  const isEven = chances.every((chance) => chance === 0xffff_ffff);
  const sequences = { indptr: sharedInt32(rows + 1, indptr), tokens, ...(!isEven && { chances }) };
  return { sequences, likes: positives({ rows, columns, indptr, indices, values: weights }) };
}

function positives({ columns, indices, indptr, rows, values }: SparseRows): SparseRows {
  const count = values.reduce((sum, value) => sum + Number(value > 0), 0);
  const [items, weights, ptr] = [sharedInt32(count), sharedFloat32(count), sharedInt32(rows + 1)];
  let next = 0;
  for (let row = 0; row < rows; row++) {
    for (let at = indptr[row]!; at < indptr[row + 1]!; at++) {
      if (values[at]! <= 0) continue;
      items[next] = indices[at]!;
      weights[next++] = values[at]!;
    }
    ptr[row + 1] = next;
  }
  return { rows, columns, indptr: ptr, indices: items, values: weights };
}

/** Items and then people as nodes of one graph, tied by what people like. One thread. */
export function graphOf({ likes }: { readonly likes: SparseRows }): SparseRows {
  const { columns: items, indices, indptr, rows: people, values } = likes;
  const nodes = items + people;
  const [from, to, weights]: [number[], number[], number[]] = [[], [], []];
  for (let person = 0; person < people; person++) {
    for (let at = indptr[person]!; at < indptr[person + 1]!; at++) {
      from.push(indices[at]!, items + person);
      to.push(items + person, indices[at]!);
      weights.push(values[at]!, values[at]!);
    }
  }
  return fromTriples(nodes, nodes, from, to, weights);
}

/** Walks without the people on them. One thread. */
export function itemsOf({ items, walks }: { readonly walks: Sequences; readonly items: number }): Sequences {
  const { indptr, tokens } = walks;
  const ptr = sharedInt32(indptr.length);
  const kept = new Int32Array(tokens.length);
  let next = 0;
  for (let n = 0; n + 1 < indptr.length; n++) {
    for (let at = indptr[n]!; at < indptr[n + 1]!; at++) if (tokens[at]! < items) kept[next++] = tokens[at]!;
    ptr[n + 1] = next;
  }
  return { indptr: ptr, tokens: sharedInt32(next, kept.subarray(0, next)) };
}

/**
 * Users get the weighted mean of the centre vectors of what they like (0 without any) and 1; items their context vector and
 * popularityWeight * ln(1 + count). One thread.
 */
export function composeFactors(payload: {
  readonly inputs: DenseRows;
  readonly outputs: DenseRows;
  readonly users: DenseRows;
  readonly items: DenseRows;
  readonly likes: SparseRows;
  readonly popularityWeight: number;
}): void {
  const { inputs, items, outputs, popularityWeight, users } = payload;
  const { indices, indptr, values } = payload.likes;
  const { width } = inputs;
  const counts = new Float64Array(items.rows);
  for (let user = 0; user < users.rows; user++) {
    const mean = new Float64Array(width);
    let weight = 0;
    for (let at = indptr[user]!; at < indptr[user + 1]!; at++) {
      const item = indices[at]!;
      counts[item]!++;
      weight += values[at]!;
      for (let d = 0; d < width; d++) mean[d]! += values[at]! * inputs.data[item * width + d]!;
    }
    for (let d = 0; d < width; d++) users.data[user * users.width + d] = weight === 0 ? 0 : mean[d]! / weight;
    users.data[user * users.width + width] = 1;
  }
  for (let item = 0; item < items.rows; item++) {
    items.data.set(outputs.data.subarray(item * width, (item + 1) * width), item * items.width);
    items.data[item * items.width + width] = popularityWeight * Math.log1p(counts[item]!);
  }
}
