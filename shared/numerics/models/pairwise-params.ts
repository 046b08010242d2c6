/** Owns the parameters of BPR and WARP and their defaults, tuned on validation splits only. */
import { z } from 'zod';
import { evidenceParams } from '../interactions/evidence.ts';

const SHARED = {
  /** Width of the factors, 1..1024. An item's bias comes on top. */
  factors: z.int().min(1).max(1024).default(64),
  /** Passes over the interactions, 1..10000. */
  epochs: z.int().min(1).max(10_000),
  /** Size of the first steps, > 0. It falls in a straight line to `rateEnd` times itself. */
  learningRate: z.number().positive().max(10),
  rateEnd: z.number().min(0).max(1).default(0.3),
  /** Pull of item biases towards 0 in each step that moves them; >= 0. */
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
  ...evidenceParams,
  /** Blocks of the fixed schedule (../sgd/strata.ts), also the most threads that can be at work at once. `auto`: from the size of the data. */
  blocks: z.union([z.literal('auto'), z.int().min(1).max(16)]).default('auto'),
};

const DECAY = z.number().min(0).max(10);

export const bprParams = z
  .strictObject({
    ...SHARED,
    epochs: SHARED.epochs.default(120),
    learningRate: SHARED.learningRate.default(0.1),
    /** Pull of users and items towards 0 in each step that moves them; >= 0. */
    userDecay: DECAY.default(0.02),
    itemDecay: DECAY.default(0.02),
    biasDecay: SHARED.biasDecay.default(0.01),
  })
  .readonly();

export const warpParams = z
  .strictObject({
    ...SHARED,
    epochs: SHARED.epochs.default(60),
    learningRate: SHARED.learningRate.default(0.05),
    /** Pull of users and items towards 0 in each step that moves them; >= 0. `auto`: from the data, see resolveWarpDecays. */
    userDecay: z.union([z.literal('auto'), DECAY]).default('auto'),
    itemDecay: z.union([z.literal('auto'), DECAY]).default('auto'),
    /** Multiplies the decays where they are `auto`. */
    strength: z.number().positive().max(1e3).default(1),
    biasDecay: SHARED.biasDecay.default(0.1),
    /** Items drawn at most to find one that violates the margin, 1..10000. */
    triesMax: z.int().min(1).max(10_000).default(100),
    /** Bound on the weight ln(max(1, floor((n - 1) / tries))) of a step. */
    weightMax: z.number().positive().max(100).default(3),
  })
  .readonly();

export type BprParams = z.output<typeof bprParams>;
export type WarpParams = z.output<typeof warpParams>;
/** What the two have in common, decays as numbers, and what is WARP's own if it is WARP. */
export type PairwiseParams = BprParams & Partial<Pick<WarpParams, 'triesMax' | 'weightMax' | 'strength'>>;

/** WARP's decay as a share of the noise edge, chosen on validation splits of a film and a music data set. */
const WARP_DECAY_SHARE = 1.1;

/**
 * Fills in `auto` decays: a share of the edge 1 / sqrt(mean degree of users) + 1 / sqrt(mean degree of items), up to which the singular
 * values of pure chance reach (see resolveIalsParams): the denser the data, the finer the components worth keeping.
 */
export function resolveWarpDecays(
  params: WarpParams,
  data: { readonly users: number; readonly items: number; readonly interactions: number },
): PairwiseParams {
  const edge = Math.sqrt(data.users / data.interactions) + Math.sqrt(data.items / data.interactions);
  const auto = WARP_DECAY_SHARE * params.strength * edge;
  const { itemDecay, userDecay } = params;
  return {
    ...params,
    userDecay: userDecay === 'auto' ? auto : userDecay,
    itemDecay: itemDecay === 'auto' ? auto : itemDecay,
  };
}

/** What `--tune` tries. */
export const BPR_CANDIDATES: readonly z.input<typeof bprParams>[] = [64, 128].flatMap((factors) =>
  [0.02, 0.01, 0.04].map((decay) => ({ factors, userDecay: decay, itemDecay: decay })),
);
export const WARP_CANDIDATES: readonly z.input<typeof warpParams>[] = [64, 128].flatMap((factors) =>
  [1, 0.7, 1.4, 0.5].map((strength) => ({ factors, strength })),
);
