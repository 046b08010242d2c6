/** Owns what the threads of a BPR or WARP fit do, one exported function a phase. Everything lies in the kernel's shared memory. */
import { randomStream } from '../../random.ts';
import { checkTrainInput } from '../check-input.ts';
import { instantiate } from '../engine/load.ts';
import { f32, i32 } from '../engine/memory.ts';
import { takeChunks } from '../engine/work-sharing.ts';
import { entityKey } from '../entity-key.ts';
import {
  type PairwiseLayout,
  type PairwiseSettings,
  writePairwiseEpoch,
  writePairwiseState,
} from '../sgd/pairwise-layout.ts';
import { balancedStarts, buildAliases, dealColumns } from '../sgd/strata.ts';
import { entityHashes } from '../tie-hash.ts';
import type { DenseRows, TrainInput } from '../types.ts';
import { confidences } from './ials.task.ts';
import type { PairwiseParams } from './pairwise-params.ts';

export interface PairwiseShared {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly layout: PairwiseLayout;
  readonly params: PairwiseParams;
}

export type PairwiseSweep = 'bprSweep' | 'warpSweep';

const INITIAL_CHUNK_ROWS = 256;

/** Checks the input; returns whether there are dislikes. One thread. */
export function inspect({ input }: { readonly input: TrainInput }): boolean {
  checkTrainInput(input, { signed: true });
  return input.interactions.values.some((value) => value < 0);
}

/** Writes rows, weights, hashes and the kernel's record into the memory. One thread. */
export function prepare(
  payload: PairwiseShared & { readonly input: TrainInput; readonly settings: PairwiseSettings },
): void {
  const { layout, memory, params } = payload;
  const { interactions, itemKeys, userKeys } = payload.input;
  i32(memory, layout.indptr).set(interactions.indptr);
  i32(memory, layout.indices).set(interactions.indices);
  if (layout.weighted) f32(memory, layout.weights).set(confidences(payload.input, params));
  i32(memory, layout.userStarts).set(balancedStarts(interactions.indptr, layout.blocks));
  i32(memory, layout.userHashes).set(entityHashes(0, layout.users, userKeys, 'user'));
  i32(memory, layout.itemHashes).set(entityHashes(0, layout.items, itemKeys, 'item'));
  writePairwiseState(memory, layout, payload.settings);
}

/** Factors start at N(0, sigma / sqrt(factors)), each row drawn from a stream of its own key. Threads share the rows. */
export function initialise(
  payload: PairwiseShared & { readonly input: TrainInput; readonly seed: number; readonly purpose: string },
): void {
  const { layout, memory, params, purpose, seed } = payload;
  const scale = params.sigma / Math.sqrt(params.factors);
  const sides = [
    [layout.users, f32(memory, layout.userFactors), payload.input.userKeys, randomStream(seed, purpose, 'user')],
    [layout.items, f32(memory, layout.itemFactors), payload.input.itemKeys, randomStream(seed, purpose, 'item')],
  ] as const;
  takeChunks(memory, layout.counter, layout.users + layout.items, INITIAL_CHUNK_ROWS, (from, to) => {
    for (let n = from; n < to; n++) {
      const [side, row] = n < layout.users ? [0 as const, n] : [1 as const, n - layout.users];
      const [, factors, keys, root] = sides[side];
      const stream = root.derive(...entityKey(keys, row));
      for (let d = 0; d < params.factors; d++) factors[row * layout.width + d] = scale * stream.normal();
    }
  });
}

/** Deals the items to blocks and, where negatives are drawn by weight, builds each block's alias tables. One thread. */
export function beginEpoch(
  payload: PairwiseShared & { readonly input: TrainInput; readonly key: number; readonly rate: number },
): void {
  const { input, key, layout, memory, params, rate } = payload;
  writePairwiseEpoch(memory, layout, key, rate);
  const members = i32(memory, layout.members);
  const starts = i32(memory, layout.memberStarts);
  const blockOf = new Uint8Array(memory.buffer, layout.itemBlocks.at, layout.items);
  const hashes = new Uint32Array(memory.buffer, layout.itemHashes.at, layout.items);
  dealColumns(hashes, key, { blockOf, members, starts });
  if (!layout.byWeight) return;
  const degrees = new Float64Array(layout.items);
  for (const item of input.interactions.indices) degrees[item]!++;
  const thresholds = new Uint32Array(memory.buffer, layout.thresholds.at, layout.items);
  const aliases = i32(memory, layout.aliases);
  const weight = (place: number) => degrees[members[place]!]! ** params.popularityExponent;
  for (let q = 0; q < layout.blocks; q++) buildAliases(starts[q]!, starts[q + 1]!, weight, thresholds, aliases);
}

/** Lays the entries out by stratum. Threads share the blocks of users. */
export function deal({ layout, memory, module }: PairwiseShared): void {
  const kernels = instantiate(module, memory);
  takeChunks(memory, layout.counter, layout.blocks, 1, (p) => kernels.dealEntries(layout.state.at, p));
}

/** Round r: strata (p, (p + r) mod B), which have no user and no item in common. Threads share them. */
export function sweep(payload: PairwiseShared & { readonly kernel: PairwiseSweep; readonly round: number }): void {
  const { kernel, layout, memory, module, round } = payload;
  const kernels = instantiate(module, memory);
  takeChunks(memory, layout.counter, layout.blocks, 1, (p) =>
    kernels[kernel](layout.state.at, p, (p + round) % layout.blocks),
  );
}

/**
 * Copies factors out without the padding; with biases, items get one more column that holds theirs and users one that holds 1. Returns
 * whether all are finite. One thread.
 */
export function copyFactors(
  payload: PairwiseShared & { readonly users: DenseRows; readonly items: DenseRows },
): boolean {
  const { items, layout, memory, params, users } = payload;
  const biases = f32(memory, layout.biases);
  const copy = (to: DenseRows, from: Float32Array, last: (row: number) => number) => {
    for (let row = 0; row < to.rows; row++) {
      to.data.set(from.subarray(row * layout.width, row * layout.width + params.factors), row * to.width);
      if (layout.biased) to.data[row * to.width + params.factors] = last(row);
    }
    return to.data.every((value) => Number.isFinite(value));
  };
  const usersFinite = copy(users, f32(memory, layout.userFactors), () => 1);
  return copy(items, f32(memory, layout.itemFactors), (item) => biases[item]!) && usersFinite;
}
