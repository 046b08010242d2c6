/** Owns what the threads of a skip-gram fit do, one exported function a phase. Everything lies in the kernel's shared memory. */
import { AppError } from '../../errors.ts';
import { randomStream } from '../../random.ts';
import { instantiate } from '../engine/load.ts';
import { f32, f64, i32 } from '../engine/memory.ts';
import { takeChunks } from '../engine/work-sharing.ts';
import { entityKey } from '../entity-key.ts';
import { entityHashes } from '../tie-hash.ts';
import type { DenseRows } from '../types.ts';
import type { Sequences, SgnsParams } from './sgns.ts';
import { ROUND_CHUNKS, type SgnsLayout, writeSgnsEpoch, writeSgnsRate, writeSgnsState } from './sgns-layout.ts';
import { buildAliases, dealColumns } from './strata.ts';

export interface SgnsShared {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly layout: SgnsLayout;
  readonly params: SgnsParams;
}

const CHUNK_ROWS = 256;

/** @throws AppError NUMERICS_INPUT_INVALID or DATASET_EMPTY. One thread. */
export function inspect({ words, sequences }: { readonly words: number; readonly sequences: Sequences }): void {
  const { chances, indptr, tokens } = sequences;
  const refuse = (message: string, details: object): never => {
    throw new AppError('NUMERICS_INPUT_INVALID', { message, details: { ...details } });
  };
  if (indptr.length === 0 || indptr[0] !== 0 || indptr.at(-1) !== tokens.length) {
    refuse('sequences: indptr does not span the tokens.', { array: 'sequences' });
  }
  for (let n = 1; n < indptr.length; n++) {
    if (indptr[n]! < indptr[n - 1]!) refuse('sequences: indptr decreases.', { array: 'sequences', row: n - 1 });
  }
  tokens.forEach((token, at) => {
    if (wordOf(token) >= words) refuse('sequences: a token is out of range.', { array: 'sequences', at, token });
  });
  if ((chances?.length ?? tokens.length) !== tokens.length) {
    refuse('sequences: there must be a chance for each token.', { array: 'chances' });
  }
  if (tokens.length === 0) throw new AppError('DATASET_EMPTY');
}

/** The word of a token; ~word is one too. */
export function wordOf(token: number): number {
  return token < 0 ? ~token : token;
}

/** Writes sequences, hashes, counts and the kernel's record into the memory. One thread. */
export function prepare(
  payload: SgnsShared & {
    readonly sequences: Sequences;
    readonly wordKeys?: Uint8Array | undefined;
    readonly sequenceKeys?: Uint8Array | undefined;
  },
): void {
  const { layout, memory, params, sequences } = payload;
  i32(memory, layout.sequencePtr).set(sequences.indptr);
  i32(memory, layout.source).set(sequences.tokens);
  i32(memory, layout.ordered).set(sequences.tokens);
  i32(memory, layout.sequenceHashes).set(entityHashes(0, layout.sequences, payload.sequenceKeys, 'user'));
  i32(memory, layout.wordHashes).set(entityHashes(0, layout.words, payload.wordKeys, 'item'));
  const counts = i32(memory, layout.counts);
  for (const token of sequences.tokens) if (token >= 0) counts[token]!++;
  if (sequences.chances !== undefined) {
    for (const { at } of [layout.sourceChances, layout.chances]) {
      new Uint32Array(memory.buffer, at, layout.tokens).set(sequences.chances);
    }
  }
  if (layout.subsampled) {
    const keep = new Uint32Array(memory.buffer, layout.keep.at, layout.words);
    for (let word = 0; word < layout.words; word++) {
      const ratio = (params.subsample * layout.tokens) / Math.max(1, counts[word]!);
      keep[word] = Math.min(0xffff_ffff, Math.floor((Math.sqrt(ratio) + ratio) * 2 ** 32));
    }
  }
  writeSgnsState(memory, layout);
}

/** Centres start uniform within +- 1 / dimensions; contexts at 0. Threads share the words. */
export function initialise(
  payload: SgnsShared & { readonly wordKeys?: Uint8Array | undefined; readonly seed: number },
): void {
  const { layout, memory, seed, wordKeys } = payload;
  const draw = startOf(layout.dimensions, seed, wordKeys);
  const inputs = f32(memory, layout.inputs);
  takeChunks(memory, layout.counter, layout.words, CHUNK_ROWS, (from, to) => {
    for (let word = from; word < to; word++) inputs.set(draw(word), word * layout.width);
  });
}

/** Draws where words begin as centres, each from a stream of its own key. */
export function startOf(
  dimensions: number,
  seed: number,
  wordKeys: Uint8Array | undefined,
): (word: number) => Float32Array {
  const root = randomStream(seed, 'sgns-word');
  return (word) => {
    const stream = root.derive(...entityKey(wordKeys, word));
    return Float32Array.from({ length: dimensions }, () => (2 * stream.uniform() - 1) / dimensions);
  };
}

/** Deals centres and contexts to blocks and builds each block's alias tables of count^exponent. One thread. */
export function beginEpoch(payload: SgnsShared & { readonly key: number; readonly centreKey: number }): void {
  const { key, layout, memory, params } = payload;
  writeSgnsEpoch(memory, layout, key);
  const hashes = new Uint32Array(memory.buffer, layout.wordHashes.at, layout.words);
  const [members, starts] = [i32(memory, layout.members), i32(memory, layout.memberStarts)];
  const blockOf = (region: { readonly at: number }) => new Uint8Array(memory.buffer, region.at, layout.words);
  // Only the blocks of the centres are asked for; members and starts are then those of the contexts.
  dealColumns(hashes, payload.centreKey, { blockOf: blockOf(layout.centreBlocks), members, starts });
  dealColumns(hashes, key, { blockOf: blockOf(layout.contextBlocks), members, starts });
  const counts = i32(memory, layout.counts);
  const thresholds = new Uint32Array(memory.buffer, layout.thresholds.at, layout.words);
  const aliases = i32(memory, layout.aliases);
  const weight = (place: number) => counts[members[place]!]! ** params.negativeExponent;
  for (let q = 0; q < layout.blocks; q++) buildAliases(starts[q]!, starts[q + 1]!, weight, thresholds, aliases);
}

/** Puts each sequence in a drawn order. Threads share the sequences. */
export function shuffleOrder({ layout, memory, module }: SgnsShared): void {
  const kernels = instantiate(module, memory);
  takeChunks(memory, layout.counter, layout.sequences, CHUNK_ROWS, (from, to) =>
    kernels.shuffleSequences(layout.state.at, from, to),
  );
}

type Round = SgnsShared & { readonly from: number; readonly to: number };

function eachChunk(
  { from, layout, memory, to }: Round,
  work: (from: number, to: number, strata: number) => void,
): void {
  const size = Math.ceil((to - from) / ROUND_CHUNKS);
  takeChunks(memory, layout.counter, ROUND_CHUNKS, 1, (chunk) => {
    const strata = layout.chunkStrata.at + chunk * layout.blocks ** 2 * 4;
    work(Math.min(to, from + chunk * size), Math.min(to, from + (chunk + 1) * size), strata);
  });
}

/** Counts the pairs of each chunk of positions by stratum. Threads share the chunks. */
export function countRound(payload: Round): void {
  const kernels = instantiate(payload.module, payload.memory);
  eachChunk(payload, (from, to, strata) => kernels.countPairs(payload.layout.state.at, from, to, strata));
}

/** Turns counts into places, stratum by stratum and within it chunk by chunk, and writes the round's rate. One thread. */
export function assignPlaces({ layout, memory, rate }: SgnsShared & { readonly rate: number }): void {
  writeSgnsRate(memory, layout, rate);
  const [counts, strata] = [i32(memory, layout.chunkStrata), i32(memory, layout.strata)];
  const size = layout.blocks ** 2;
  let next = 0;
  for (let stratum = 0; stratum < size; stratum++) {
    strata[stratum] = next;
    for (let chunk = 0; chunk < ROUND_CHUNKS; chunk++) {
      const count = counts[chunk * size + stratum]!;
      counts[chunk * size + stratum] = next;
      next += count;
    }
  }
  strata[size] = next;
}

/** Lays the pairs out. Threads share the chunks. */
export function placeRound(payload: Round): void {
  const kernels = instantiate(payload.module, payload.memory);
  eachChunk(payload, (from, to, strata) => kernels.placePairs(payload.layout.state.at, from, to, strata));
}

/** Learns strata (p, (p + shift) mod B), which have no row in common. Threads share them. */
export function sweep(payload: SgnsShared & { readonly shift: number; readonly thread?: number }): void {
  const { layout, memory, module, shift } = payload;
  const kernels = instantiate(module, memory);
  const strata = i32(memory, layout.strata);
  const scratch = layout.scratch[payload.thread ?? 0]!.at;
  takeChunks(memory, layout.counter, layout.blocks, 1, (p) => {
    const q = (p + shift) % layout.blocks;
    const stratum = p * layout.blocks + q;
    kernels.sgnsSweep(layout.state.at, p, q, strata[stratum]!, strata[stratum + 1]!, scratch);
  });
}

/** Mean distance of sigma from what pairs are said to be, over the last round. */
export function meanResidual(memory: WebAssembly.Memory, layout: SgnsLayout): number {
  const total = f64(memory, layout.residuals).reduce((sum, value) => sum + value, 0);
  return total / Math.max(1, i32(memory, layout.strata).at(-1)!);
}

/** Copies one side's vectors out, without the padding. Returns whether all are finite. */
export function copyVectors(
  payload: SgnsShared & { readonly side: 'inputs' | 'outputs'; readonly into: DenseRows },
): boolean {
  const { into, layout, memory, side } = payload;
  const source = f32(memory, layout[side]);
  for (let row = 0; row < into.rows; row++) {
    into.data.set(source.subarray(row * layout.width, row * layout.width + into.width), row * into.width);
  }
  return into.data.every((value) => Number.isFinite(value));
}
