/** Owns what a thread does to learn one stratum of a skip-gram fit with the vectors of its own words alone, and to put strata together. */
import { instantiate } from '../engine/load.ts';
import { f32, i32, paddedWidth, type Region } from '../engine/memory.ts';
import { sharedFloat32 } from '../sparse.ts';
import { entityHashes } from '../tie-hash.ts';
import type { DenseRows } from '../types.ts';
import { epochKeys, rateOf, sgnsSizes } from './sgns.ts';
import { prepare, shuffleOrder, startOf, wordOf } from './sgns.task.ts';
import { layOutSgns, writeSgnsEpoch, writeSgnsRate, writeSgnsState } from './sgns-layout.ts';
import {
  epochOf,
  type JoinRequest,
  scheduleOf,
  type StrataParams,
  type StratumRequest,
  type StratumVectors,
} from './sgns-strata.ts';
import { buildAliases, dealColumns } from './strata.ts';

/** Words of one side, dealt to blocks. */
interface Dealt {
  readonly blockOf: Uint8Array;
  /** Place of each word among those of its block, ascending. */
  readonly slots: Int32Array;
  readonly members: (block: number) => Int32Array;
}

function deal(hashes: Uint32Array, key: number, blocks: number): Dealt {
  const [blockOf, members] = [new Uint8Array(hashes.length), new Int32Array(hashes.length)];
  const starts = new Int32Array(blocks + 1);
  dealColumns(hashes, key, { blockOf, members, starts });
  const slots = new Int32Array(hashes.length);
  for (const [place, word] of members.entries()) slots[word] = place - starts[blockOf[word]!]!;
  return { blockOf, slots, members: (block) => members.subarray(starts[block], starts[block + 1]) };
}

interface Sides {
  readonly centres: Dealt;
  readonly contexts: Dealt;
}

function sidesOf(hashes: Uint32Array, seed: number, epoch: number, blocks: number): Sides {
  const { centreKey, key } = epochKeys(seed, epoch);
  return { centres: deal(hashes, centreKey, blocks), contexts: deal(hashes, key, blocks) };
}

/** Where a word's vectors are after the last sweep of an epoch. */
function after(
  { centres, contexts }: Sides,
  blocks: number,
  width: number,
  strata: ReadonlyMap<number, StratumVectors>,
) {
  const row = (vectors: Float32Array, slot: number) => vectors.subarray(slot * width, (slot + 1) * width);
  return {
    // In the last sweep, block p has the contexts of block p - 1.
    inputs: (word: number) => row(strata.get(centres.blockOf[word]!)!.inputs, centres.slots[word]!),
    outputs: (word: number) => row(strata.get((contexts.blockOf[word]! + 1) % blocks)!.outputs, contexts.slots[word]!),
  };
}

type Request = StratumRequest & {
  readonly module: WebAssembly.Module;
  readonly seed: number;
  readonly memoryBytesMax?: number | undefined;
};

export function learnStratum(request: Request): StratumVectors {
  const { input, memoryBytesMax, module, params, seed, stratum } = request;
  const schedule = scheduleOf(input, params);
  const epoch = epochOf(stratum, schedule);
  const q = (stratum.block + stratum.sweep) % schedule.blocks;
  const hashes = entityHashes(0, input.words, input.wordKeys, 'item');
  const sides = sidesOf(hashes, seed, epoch, schedule.blocks);
  const [own, other] = [sides.centres.members(stratum.block), sides.contexts.members(q)];
  const { plan, layout } = layOutSgns({
    ...sgnsSizes(input, params),
    threads: 1,
    rows: { inputs: own.length, outputs: other.length },
  });
  const local = {
    state: plan.reserve(layout.state.length),
    centres: plan.reserve(own.length),
    contexts: plan.reserve(other.length),
    members: plan.reserve(other.length),
    memberStarts: plan.reserve(2),
    thresholds: plan.reserve(other.length),
    aliases: plan.reserve(other.length),
    residuals: plan.reserve(1, 8),
  };
  const memory = plan.allocate(memoryBytesMax);
  const shared = { module, memory, layout, params };
  const kernels = instantiate(module, memory);
  prepare({ ...shared, ...input });
  const { key } = epochKeys(seed, epoch);
  writeSgnsEpoch(memory, layout, key);
  new Uint8Array(memory.buffer, layout.centreBlocks.at, input.words).set(sides.centres.blockOf);
  new Uint8Array(memory.buffer, layout.contextBlocks.at, input.words).set(sides.contexts.blockOf);
  if (params.shuffled) shuffleOrder(shared);
  const from = (stratum.round % schedule.roundsPerEpoch) * layout.roundTokens;
  const to = Math.min(layout.tokens, from + layout.roundTokens);
  const count = kernels.placeStratum(layout.state.at, from, to, layout.chunkStrata.at, stratum.block, q);
  relabel(i32(memory, layout.pairs).subarray(0, 2 * count), sides);
  bringVectors(
    request,
    { own, other, epoch, isDealt: from === 0 && stratum.sweep === 0 },
    {
      inputs: f32(memory, layout.inputs),
      outputs: f32(memory, layout.outputs),
    },
  );

  // The words of the stratum are all there is now, numbered from 0 on each side.
  const counts = i32(memory, layout.counts);
  const weight = (place: number) => counts[other[place]!]! ** params.negativeExponent;
  const thresholds = new Uint32Array(memory.buffer, local.thresholds.at, other.length);
  buildAliases(0, other.length, weight, thresholds, i32(memory, local.aliases));
  i32(memory, local.centres).set(own.map((word) => hashes[word]!));
  i32(memory, local.contexts).set(other.map((word) => hashes[word]!));
  i32(memory, local.members).set(other.map((_, slot) => slot));
  i32(memory, local.memberStarts).set([0, other.length]);
  const alone = { ...layout, ...local, blocks: 1 };
  writeSgnsState(memory, alone, local);
  writeSgnsEpoch(memory, alone, key);
  writeSgnsRate(memory, alone, rateOf(params, epoch, from, layout.tokens));
  kernels.sgnsSweep(local.state.at, 0, 0, 0, count, layout.scratch[0]!.at);
  const copy = (region: Region) => sharedFloat32(region.length, f32(memory, region));
  return { inputs: copy(layout.inputs), outputs: copy(layout.outputs) };
}

/** Pairs of words become pairs of their slots. */
function relabel(pairs: Int32Array, { centres, contexts }: Sides): void {
  for (let at = 0; at < pairs.length; at += 2) {
    const context = pairs[at + 1]!;
    const slot = contexts.slots[wordOf(context)]!;
    pairs[at] = centres.slots[pairs[at]!]!;
    pairs[at + 1] = context < 0 ? ~slot : slot;
  }
}

/** Puts the vectors of a stratum's words where the sweep before left them; zeros where nothing was learned yet, and centres where they begin. */
function bringVectors(
  { before, input, params, seed, stratum }: Request,
  of: { readonly own: Int32Array; readonly other: Int32Array; readonly epoch: number; readonly isDealt: boolean },
  into: StratumVectors,
): void {
  const { blocks, dimensions } = params;
  const width = paddedWidth(dimensions);
  if (!of.isDealt) {
    into.inputs.set(before.get(stratum.block)!.inputs);
    into.outputs.set(before.get((stratum.block + 1) % blocks)!.outputs);
    return;
  }
  if (of.epoch === 0) {
    const draw = startOf(dimensions, seed, input.wordKeys);
    for (const [slot, word] of of.own.entries()) into.inputs.set(draw(word), slot * width);
    return;
  }
  const hashes = entityHashes(0, input.words, input.wordKeys, 'item');
  const last = after(sidesOf(hashes, seed, of.epoch - 1, blocks), blocks, width, before);
  for (const [slot, word] of of.own.entries()) into.inputs.set(last.inputs(word), slot * width);
  for (const [slot, word] of of.other.entries()) into.outputs.set(last.outputs(word), slot * width);
}

/** Returns whether all are finite. */
export function joinVectors({
  into,
  last,
  params,
  seed,
  wordKeys,
  words,
}: JoinRequest & {
  readonly params: StrataParams;
  readonly seed: number;
  readonly into: { readonly inputs: DenseRows; readonly outputs: DenseRows };
}): boolean {
  const { blocks, dimensions, epochs } = params;
  const sides = sidesOf(entityHashes(0, words, wordKeys, 'item'), seed, epochs - 1, blocks);
  const rows = after(sides, blocks, paddedWidth(dimensions), last);
  for (const side of ['inputs', 'outputs'] as const) {
    for (let word = 0; word < words; word++) {
      into[side].data.set(rows[side](word).subarray(0, dimensions), word * dimensions);
    }
  }
  return [into.inputs, into.outputs].every(({ data }) => data.every((value) => Number.isFinite(value)));
}
