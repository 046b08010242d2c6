/** Owns where everything of one pairwise fit (BPR, WARP) lies in the kernel's memory, and the record by which the kernel finds it. */
import { f32, i32, MemoryPlan, paddedWidth, type Region } from '../engine/memory.ts';

export interface PairwiseSizes {
  readonly users: number;
  readonly items: number;
  readonly interactions: number;
  readonly factors: number;
  readonly blocks: number;
  /** Whether interactions carry weights or signs. */
  readonly weighted: boolean;
  readonly biased: boolean;
  /** Whether negatives are drawn by weight: alias tables are needed. */
  readonly byWeight: boolean;
}

export interface PairwiseLayout extends PairwiseSizes {
  readonly width: number;
  readonly state: Region;
  readonly counter: Region;
  readonly userFactors: Region;
  readonly itemFactors: Region;
  readonly biases: Region;
  readonly userSquares: Region;
  readonly itemSquares: Region;
  readonly biasSquares: Region;
  readonly indptr: Region;
  readonly indices: Region;
  readonly weights: Region;
  readonly userStarts: Region;
  readonly entries: Region;
  readonly starts: Region;
  readonly userHashes: Region;
  readonly itemHashes: Region;
  readonly itemBlocks: Region;
  readonly members: Region;
  readonly memberStarts: Region;
  readonly thresholds: Region;
  readonly aliases: Region;
  readonly counts: Region;
}

/** Fields of the kernel's record Pairwise. */
const STATE_FIELDS = 32;
const RATE_FIELD = 26;
const KEY_FIELD = 25;

export function layOutPairwise(sizes: PairwiseSizes): { readonly plan: MemoryPlan; readonly layout: PairwiseLayout } {
  const plan = new MemoryPlan();
  const { biased, blocks, byWeight, interactions, items, users, weighted } = sizes;
  const width = paddedWidth(sizes.factors);
  const layout = {
    ...sizes,
    width,
    state: plan.reserve(STATE_FIELDS),
    counter: plan.reserve(1),
    userFactors: plan.reserve(users * width),
    itemFactors: plan.reserve(items * width),
    biases: plan.reserve(biased ? items : 0),
    userSquares: plan.reserve(users),
    itemSquares: plan.reserve(items),
    biasSquares: plan.reserve(biased ? items : 0),
    indptr: plan.reserve(users + 1),
    indices: plan.reserve(interactions),
    weights: plan.reserve(weighted ? interactions : 0),
    userStarts: plan.reserve(blocks + 1),
    entries: plan.reserve(interactions * 3),
    starts: plan.reserve(blocks * (blocks + 1)),
    userHashes: plan.reserve(users),
    itemHashes: plan.reserve(items),
    itemBlocks: plan.reserve(items, 1),
    members: plan.reserve(items),
    memberStarts: plan.reserve(blocks + 1),
    thresholds: plan.reserve(byWeight ? items : 0),
    aliases: plan.reserve(byWeight ? items : 0),
    counts: plan.reserve(blocks * blocks * 2),
  };
  return { plan, layout };
}

/** What stays the same in all epochs. */
export interface PairwiseSettings {
  readonly drawsMax: number;
  readonly skipSeen: boolean;
  readonly userDecay: number;
  readonly itemDecay: number;
  readonly biasDecay: number;
  readonly weightMax: number;
}

/** Writes the record, in the order of the kernel's fields; rate and key come with each epoch. */
export function writePairwiseState(
  memory: WebAssembly.Memory,
  layout: PairwiseLayout,
  settings: PairwiseSettings,
): void {
  const at = (region: Region): number => (region.length === 0 ? 0 : region.at);
  i32(memory, layout.state).set([
    layout.userFactors.at,
    layout.itemFactors.at,
    at(layout.biases),
    layout.userSquares.at,
    layout.itemSquares.at,
    at(layout.biasSquares),
    layout.width,
    layout.blocks,
    layout.indptr.at,
    layout.indices.at,
    at(layout.weights),
    layout.userStarts.at,
    layout.entries.at,
    layout.starts.at,
    layout.userHashes.at,
    layout.itemHashes.at,
    layout.itemBlocks.at,
    layout.members.at,
    layout.memberStarts.at,
    at(layout.thresholds),
    at(layout.aliases),
    layout.counts.at,
    settings.drawsMax,
    settings.skipSeen ? 1 : 0,
    layout.items,
  ]);
  const { biasDecay, itemDecay, userDecay, weightMax } = settings;
  f32(memory, layout.state).set([userDecay, itemDecay, biasDecay, weightMax, 1 / layout.factors], RATE_FIELD + 1);
}

/** `key` keys the draws of the epoch, `rate` is its learning rate. */
export function writePairwiseEpoch(
  memory: WebAssembly.Memory,
  { state }: PairwiseLayout,
  key: number,
  rate: number,
): void {
  i32(memory, state)[KEY_FIELD] = key | 0;
  f32(memory, state)[RATE_FIELD] = rate;
}
