/** Owns what the threads do for item2vec beside skip-gram itself: histories as sequences, people as means. */
import { checkTrainInput } from '../check-input.ts';
import type { Sequences } from '../sgd/sgns.ts';
import { sharedInt32 } from '../sparse.ts';
import type { DenseRows, TrainInput } from '../types.ts';

/** Each person's items, dislikes left out; in ascending order, or by time and then item. One thread. */
export function readHistories({ input, order }: { input: TrainInput; order: 'shuffled' | 'time' }): Sequences {
  checkTrainInput(input, { signed: true });
  const { times } = input;
  const { indices, indptr, rows, values } = input.interactions;
  const sequencePtr = sharedInt32(rows + 1);
  const tokens: Int32Array = new Int32Array(indices.length);
  let count = 0;
  for (let row = 0; row < rows; row++) {
    const places: number[] = [];
    for (let at = indptr[row]!; at < indptr[row + 1]!; at++) if (values[at]! > 0) places.push(at);
    if (order === 'time' && times !== undefined) places.sort((a, b) => times[a]! - times[b]! || a - b);
    for (const at of places) tokens[count++] = indices[at]!;
    sequencePtr[row + 1] = count;
  }
  return { indptr: sequencePtr, tokens: sharedInt32(count, tokens.subarray(0, count)) };
}

/**
 * Users get the mean of the centre vectors of their items (0 without any) and 1; items their context vector and
 * popularityWeight * ln(1 + count). One thread.
 */
export function composeFactors(payload: {
  readonly inputs: DenseRows;
  readonly outputs: DenseRows;
  readonly users: DenseRows;
  readonly items: DenseRows;
  readonly input: TrainInput;
  readonly popularityWeight: number;
}): void {
  const { inputs, items, outputs, popularityWeight, users } = payload;
  const { indices, indptr, values } = payload.input.interactions;
  const { width } = inputs;
  const counts = new Float64Array(items.rows);
  for (let user = 0; user < users.rows; user++) {
    const mean = new Float64Array(width);
    let size = 0;
    for (let at = indptr[user]!; at < indptr[user + 1]!; at++) {
      if (values[at]! < 0) continue;
      const item = indices[at]!;
      counts[item]!++;
      size++;
      for (let d = 0; d < width; d++) mean[d]! += inputs.data[item * width + d]!;
    }
    for (let d = 0; d < width; d++) users.data[user * users.width + d] = size === 0 ? 0 : mean[d]! / size;
    users.data[user * users.width + width] = 1;
  }
  for (let item = 0; item < items.rows; item++) {
    items.data.set(outputs.data.subarray(item * width, (item + 1) * width), item * items.width);
    items.data[item * items.width + width] = popularityWeight * Math.log1p(counts[item]!);
  }
}
