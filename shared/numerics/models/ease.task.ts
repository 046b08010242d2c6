/** Owns what the threads of an EASE fit do, one exported function a phase. */
import { checkTrainInput } from '../check-input.ts';
import { instantiate } from '../engine/load.ts';
import { takeChunks } from '../engine/work-sharing.ts';
import { transpose } from '../sparse.ts';
import type { TrainInput } from '../types.ts';
import type { EaseLayout } from './ease-layout.ts';
import type { EaseDataSummary, EaseParams } from './ease-params.ts';
import { writeRows } from './item-knn.task.ts';
import { weightsOf } from './value-weight.ts';

export interface EaseShared {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly layout: EaseLayout;
  readonly elementBytes: 4 | 8;
  readonly items: number;
}

type Threaded<More> = EaseShared & More & { readonly thread?: number };

/** Checks the input and measures it. One thread. */
export function summarise(payload: { readonly input: TrainInput; readonly params: EaseParams }): EaseDataSummary {
  checkTrainInput(payload.input, { signed: true });
  const { columns, indices, rows } = payload.input.interactions;
  const values = weightsOf(payload.input, payload.params);
  let sum = 0;
  for (const value of values) sum += value ** 2;
  return { users: rows, items: columns, interactions: indices.length, meanSquare: sum / values.length };
}

/** Writes the rows of both sides, and leaves the users' weights in `weights`. One thread. */
export function prepare(
  payload: EaseShared & { readonly input: TrainInput; readonly params: EaseParams; readonly weights: Float32Array },
): void {
  const { layout, memory, params, weights } = payload;
  const { interactions } = payload.input;
  weights.set(weightsOf(payload.input, params));
  const byUser = { ...interactions, values: weights };
  writeRows(memory, layout.users, byUser);
  writeRows(memory, layout.items, transpose(byUser));
}

/** X'X + lambda I. Threads share the block rows, the longest first. */
export function gram(payload: Threaded<{ readonly lambda: number }>): void {
  const { elementBytes, items, lambda, layout, memory } = payload;
  const kernels = instantiate(payload.module, memory);
  const sums = layout.sums[payload.thread ?? 0]!.at;
  takeChunks(memory, layout.counter, layout.blocks, 1, (chunk) => {
    kernels.gramBlockRow(
      elementBytes,
      layout.users.indptr.at,
      layout.users.indices.at,
      layout.users.values.at,
      layout.items.indptr.at,
      layout.items.indices.at,
      layout.items.values.at,
      items,
      lambda,
      layout.blocks - 1 - chunk,
      layout.matrix.at,
      sums,
    );
  });
}

/** Inverts the diagonal block k. One thread. Returns 0, or 1 + the place where it is not positive definite. */
export function pivot(payload: EaseShared & { readonly k: number }): number {
  const { elementBytes, k, layout, memory } = payload;
  const kernels = instantiate(payload.module, memory);
  return kernels.sweepPivot(elementBytes, layout.matrix.at, k, layout.pivot.at, layout.pivotWork.at);
}

/** Multiplies the blocks of column k by the pivot. Threads share the blocks. */
export function panel(payload: Threaded<{ readonly k: number }>): void {
  const { elementBytes, k, layout, memory } = payload;
  const kernels = instantiate(payload.module, memory);
  const copy = layout.copies[payload.thread ?? 0]!.at;
  const [matrix, pivotAt, weighted, packed] = [layout.matrix.at, layout.pivot.at, layout.weighted.at, layout.packed.at];
  takeChunks(memory, layout.counter, layout.blocks, 1, (i) => {
    if (i !== k) kernels.sweepPanel(elementBytes, matrix, k, i, pivotAt, weighted, packed, copy);
  });
}

/** Subtracts the products with column k from all other blocks. Threads share the block rows, the longest first. */
export function update(payload: Threaded<{ readonly k: number }>): void {
  const { elementBytes, k, layout, memory } = payload;
  const kernels = instantiate(payload.module, memory);
  takeChunks(memory, layout.counter, layout.blocks, 1, (chunk) => {
    const i = layout.blocks - 1 - chunk;
    kernels.sweepUpdate(elementBytes, layout.matrix.at, k, i, layout.weighted.at, layout.packed.at);
  });
}
