/** Owns the parameters of BPR and WARP and their defaults, tuned on validation splits only. */
import { z } from 'zod';

const SHARED = {
  /** Width of the factors, 1..1024. An item's bias comes on top. */
  factors: z.int().min(1).max(1024).default(64),
  /** Passes over the interactions, 1..10000. */
  epochs: z.int().min(1).max(10_000),
  /** Size of the first steps, > 0. It falls in a straight line to `rateEnd` times itself. */
  learningRate: z.number().positive().max(10),
  rateEnd: z.number().min(0).max(1).default(0.1),
  /** Pull of users, items and item biases towards 0 in each step that moves them; >= 0. */
  userDecay: z.number().min(0).max(10),
  itemDecay: z.number().min(0).max(10),
  biasDecay: z.number().min(0).max(10),
  /** Whether items have a bias beside their factors. */
  itemBias: z.boolean().default(true),
  /** How negatives are drawn: `uniform` over the catalogue, or `popularity`, in proportion to (number of interactions)^popularityExponent. */
  negatives: z.enum(['uniform', 'popularity']).default('uniform'),
  popularityExponent: z.number().min(0).max(2).default(1),
  /** Whether what a person has met is never drawn as a negative for them. */
  skipSeen: z.boolean().default(true),
  /** Start of the factors: N(0, sigma / sqrt(factors)). */
  sigma: z.number().positive().max(100).default(0.1),
  /** What an interaction's value does: `none` (its sign alone), `linear` (alpha * value), `log` (1 + alpha * ln(1 + value)). */
  weighting: z.enum(['none', 'linear', 'log']).default('none'),
  alpha: z.number().positive().max(1e6).default(1),
  /** Blocks of the fixed schedule (../sgd/strata.ts), also the most threads that can be at work at once. `auto`: from the size of the data. */
  blocks: z.union([z.literal('auto'), z.int().min(1).max(16)]).default('auto'),
};

export const bprParams = z
  .strictObject({
    ...SHARED,
    epochs: SHARED.epochs.default(60),
    learningRate: SHARED.learningRate.default(0.05),
    userDecay: SHARED.userDecay.default(0.01),
    itemDecay: SHARED.itemDecay.default(0.01),
    biasDecay: SHARED.biasDecay.default(0.01),
  })
  .readonly();

export const warpParams = z
  .strictObject({
    ...SHARED,
    epochs: SHARED.epochs.default(30),
    learningRate: SHARED.learningRate.default(0.02),
    userDecay: SHARED.userDecay.default(0.02),
    itemDecay: SHARED.itemDecay.default(0.02),
    biasDecay: SHARED.biasDecay.default(0.02),
    /** Items drawn at most to find one that violates the margin, 1..10000. */
    triesMax: z.int().min(1).max(10_000).default(100),
    /** Bound on the weight ln(max(1, floor((n - 1) / tries))) of a step. */
    weightMax: z.number().positive().max(100).default(10),
  })
  .readonly();

export type BprParams = z.output<typeof bprParams>;
export type WarpParams = z.output<typeof warpParams>;
/** What the two have in common, and what is WARP's own if it is WARP. */
export type PairwiseParams = BprParams & Partial<Pick<WarpParams, 'triesMax' | 'weightMax'>>;

/** What `--tune` tries. */
export const BPR_CANDIDATES: readonly z.input<typeof bprParams>[] = [];
export const WARP_CANDIDATES: readonly z.input<typeof warpParams>[] = [];
