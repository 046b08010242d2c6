/** Owns the parameters of implicit ALS and their defaults, tuned on validation splits only. */
import { z } from 'zod';
import { evidenceParams } from '../interactions/evidence.ts';

const AUTO_OR_POSITIVE = z.union([z.literal('auto'), z.number().positive().max(1e6)]).default('auto');

export const ialsParams = z
  .strictObject({
    /** Width of the factors, 1..1024. */
    factors: z.int().min(1).max(1024).default(128),
    /** Passes over users and items, 1..1000. */
    epochs: z.int().min(1).max(1000).default(12),
    /** Regularisation, multiplied by the row's frequency term; > 0. `auto`: from the data, see resolveIalsParams. */
    lambda: AUTO_OR_POSITIVE,
    /** Multiplies lambda where that is `auto`. */
    strength: z.number().positive().max(1e3).default(1),
    /** Weight a0 of every pair, observed or not; > 0. `auto`: all pairs together weigh 16 times the observed ones. */
    unobservedWeight: AUTO_OR_POSITIVE,
    /** Exponent of the frequency term (own interactions + a0 * size of the other side): 0 is a plain ridge, 1 scales fully. */
    nu: z.number().min(0).max(2).default(1),
    /** Start of the item factors: N(0, sigma / sqrt(factors)). */
    sigma: z.number().positive().max(100).default(1),
    /** Steps of preconditioned conjugate gradients per row and pass. More bring no accuracy on the data that defaults were chosen by. */
    steps: z.int().min(1).max(64).default(1),
    /** What an interaction's value does: `none` (all 1), `linear` (alpha * value), `log` (1 + alpha * ln(1 + value)). */
    weighting: z.enum(['none', 'linear', 'log']).default('none'),
    alpha: z.number().positive().max(1e6).default(1),
    ...evidenceParams,
  })
  .readonly();

export type IalsParams = z.output<typeof ialsParams>;
/** With numbers for what was `auto`. */
export type ResolvedIalsParams = IalsParams & { readonly lambda: number; readonly unobservedWeight: number };

/** What all pairs together weigh against the observed ones. Published choices lie between 14 (MSD) and 27 (ML-20M). */
const UNOBSERVED_RATIO = 16;
/** Shrinkage as a share of the noise edge, and its bound. See resolveIalsParams. */
const NOISE_SHARE = 0.6;
const SHRINKAGE_MAX = 0.25;

export interface IalsDataSummary {
  readonly users: number;
  readonly items: number;
  readonly interactions: number;
  /** Mean absolute confidence of an interaction. */
  readonly meanConfidence: number;
  readonly dislikes: boolean;
}

/**
 * Fills in what is `auto`. In the interaction matrix scaled by its mean degrees, pure chance has singular values up to about
 * 1 / sqrt(mean degree of users) + 1 / sqrt(mean degree of items) (the edge of a random matrix: Marchenko and Pastur 1967), and the
 * regulariser shrinks every component by s = lambda (1 + ratio) for nu = 1. So s follows the edge: the denser the data,
 * the finer the components worth keeping. The share was chosen on validation splits of a film and a music data set, whole
 * and thinned; the bound on the sparser of them. For other nu, lambda keeps the mean strength over the users.
 */
export function resolveIalsParams(params: IalsParams, data: IalsDataSummary): ResolvedIalsParams {
  const { interactions, items, meanConfidence, users } = data;
  const unobservedWeight =
    params.unobservedWeight === 'auto'
      ? (UNOBSERVED_RATIO * meanConfidence * interactions) / (users * items)
      : params.unobservedWeight;
  if (params.lambda !== 'auto') return { ...params, lambda: params.lambda, unobservedWeight };
  const degree = interactions / users;
  const edge = Math.sqrt(1 / degree) + Math.sqrt(items / interactions);
  const shrinkage = params.strength * Math.min(NOISE_SHARE * edge, SHRINKAGE_MAX) * meanConfidence;
  const lambda = (shrinkage * degree) / (degree + unobservedWeight * items) ** params.nu;
  return { ...params, lambda, unobservedWeight };
}

/** What `--tune` tries: the strength of the regulariser decides most, then the width. */
export const IALS_CANDIDATES: readonly z.input<typeof ialsParams>[] = [128, 64, 256].flatMap((factors) =>
  [1, 0.7, 1.4, 0.5, 2].map((strength) => ({ factors, strength })),
);
