/** Owns where everything of one skip-gram fit lies in the kernel's memory, and the record by which the kernel finds it. */
import { f32, i32, MemoryPlan, paddedWidth, type Region } from '../engine/memory.ts';

/**
 * Bound on the pairs laid out at a time unless told otherwise (2 MB of records); an epoch is as many rounds as it takes. Small, because strata are learned
 * one after another: the more pairs a word meets of one block before it meets another block's, the slower vectors find their way at first. Planted
 * clusters after 3 epochs over a million noisy tokens: .34 in one block as in four or eight with this bound, .13 in sixteen with 8 million.
 */
export const ROUND_PAIRS = 250_000;
/** Runs of positions that threads share when pairs are laid out; fixed, so that the order of pairs is. */
export const ROUND_CHUNKS = 16;

export interface SgnsSizes {
  readonly words: number;
  readonly sequences: number;
  readonly tokens: number;
  readonly dimensions: number;
  readonly window: number;
  readonly negatives: number;
  readonly blocks: number;
  readonly threads: number;
  /** Bound on the pairs laid out at a time. */
  readonly roundPairs: number;
  /** Whether frequent words are thinned out. */
  readonly subsampled: boolean;
  /** Whether tokens have chances of their own. */
  readonly chanced: boolean;
  /** Rows of vectors that lie here, where they are not those of all words. */
  readonly rows?: { readonly inputs: number; readonly outputs: number };
}

export interface SgnsLayout extends SgnsSizes {
  readonly width: number;
  /** Positions per round. */
  readonly roundTokens: number;
  readonly state: Region;
  readonly counter: Region;
  readonly inputs: Region;
  readonly outputs: Region;
  readonly sequencePtr: Region;
  readonly source: Region;
  readonly ordered: Region;
  readonly sourceChances: Region;
  readonly chances: Region;
  readonly sequenceHashes: Region;
  readonly wordHashes: Region;
  readonly counts: Region;
  readonly centreBlocks: Region;
  readonly contextBlocks: Region;
  readonly members: Region;
  readonly memberStarts: Region;
  readonly thresholds: Region;
  readonly aliases: Region;
  readonly keep: Region;
  readonly pairs: Region;
  /** Per chunk and stratum: number of pairs, then the next place. */
  readonly chunkStrata: Region;
  /** First pair of each stratum of the round, and the end. */
  readonly strata: Region;
  readonly residuals: Region;
  readonly scratch: readonly Region[];
}

/** Fields of the kernel's record Sgns. */
const STATE_FIELDS = 32;
const KEY_FIELD = 24;
const RATE_FIELD = 25;

/** Scratch of sgnsSweep (sgnsScratchBytes in the kernel; a test compares). */
export function sgnsScratchFloats(width: number, negatives: number): number {
  return width + 2 * (negatives + 4);
}

/** Positions per round. A centre has at most 2 * window contexts. */
export function roundTokensOf(tokens: number, window: number, roundPairs: number): number {
  return Math.min(tokens, Math.max(ROUND_CHUNKS, Math.floor(roundPairs / (2 * window))));
}

export function layOutSgns(sizes: SgnsSizes): { readonly plan: MemoryPlan; readonly layout: SgnsLayout } {
  const plan = new MemoryPlan();
  const { blocks, chanced, dimensions, negatives, sequences, subsampled, tokens, window, words } = sizes;
  const rows = sizes.rows ?? { inputs: words, outputs: words };
  const width = paddedWidth(dimensions);
  const roundTokens = roundTokensOf(tokens, window, sizes.roundPairs);
  const strata = blocks * blocks;
  const layout = {
    ...sizes,
    width,
    roundTokens,
    state: plan.reserve(STATE_FIELDS),
    counter: plan.reserve(1),
    inputs: plan.reserve(rows.inputs * width),
    outputs: plan.reserve(rows.outputs * width),
    sequencePtr: plan.reserve(sequences + 1),
    source: plan.reserve(tokens),
    ordered: plan.reserve(tokens),
    sourceChances: plan.reserve(chanced ? tokens : 0),
    chances: plan.reserve(chanced ? tokens : 0),
    sequenceHashes: plan.reserve(sequences),
    wordHashes: plan.reserve(words),
    counts: plan.reserve(words),
    centreBlocks: plan.reserve(words, 1),
    contextBlocks: plan.reserve(words, 1),
    members: plan.reserve(words),
    memberStarts: plan.reserve(blocks + 1),
    thresholds: plan.reserve(words),
    aliases: plan.reserve(words),
    keep: plan.reserve(subsampled ? words : 0),
    pairs: plan.reserve(roundTokens * 2 * window * 2),
    chunkStrata: plan.reserve(ROUND_CHUNKS * strata),
    strata: plan.reserve(strata + 1),
    residuals: plan.reserve(strata, 8),
    scratch: Array.from({ length: sizes.threads }, () => plan.reserve(sgnsScratchFloats(width, negatives))),
  };
  return { plan, layout };
}

/** Writes the record, in the order of the kernel's fields; key and rate come later. */
export function writeSgnsState(
  memory: WebAssembly.Memory,
  layout: SgnsLayout,
  hashes: { readonly centres: Region; readonly contexts: Region } = {
    centres: layout.wordHashes,
    contexts: layout.wordHashes,
  },
): void {
  const ifAny = (region: Region): number => (region.length === 0 ? 0 : region.at);
  i32(memory, layout.state).set([
    layout.inputs.at,
    layout.outputs.at,
    layout.width,
    layout.blocks,
    layout.sequencePtr.at,
    layout.sequences,
    layout.source.at,
    layout.ordered.at,
    layout.sequenceHashes.at,
    hashes.centres.at,
    hashes.contexts.at,
    layout.centreBlocks.at,
    layout.contextBlocks.at,
    layout.members.at,
    layout.memberStarts.at,
    layout.thresholds.at,
    layout.aliases.at,
    ifAny(layout.keep),
    ifAny(layout.sourceChances),
    ifAny(layout.chances),
    layout.pairs.at,
    layout.residuals.at,
    layout.window,
    layout.negatives,
  ]);
}

export function writeSgnsEpoch(memory: WebAssembly.Memory, { state }: SgnsLayout, key: number): void {
  i32(memory, state)[KEY_FIELD] = key | 0;
}

export function writeSgnsRate(memory: WebAssembly.Memory, { state }: SgnsLayout, rate: number): void {
  f32(memory, state)[RATE_FIELD] = rate;
}
