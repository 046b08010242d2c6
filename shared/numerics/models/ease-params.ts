/** Owns the parameters of EASE and their defaults, tuned on validation splits only. */
import { z } from 'zod';
import { evidenceParams } from '../interactions/evidence.ts';

export const easeParams = z
  .strictObject({
    /** Regularisation, added to the diagonal of X'X; > 0. `auto`: from the data, see resolveEaseParams. */
    lambda: z.union([z.literal('auto'), z.number().positive().max(1e9)]).default('auto'),
    /** Multiplies lambda where that is `auto`. */
    strength: z.number().positive().max(1e3).default(1),
    /** What an interaction's value does: `none` (1, or -1 for a dislike), `linear` (the value), `log` (sign * ln(1 + size)). */
    weighting: z.enum(['none', 'linear', 'log']).default('none'),
    /** Numbers of the inverse. Sums of X'X and pivots are float64 either way; `single` halves memory and time. */
    precision: z.enum(['single', 'double']).default('single'),
    ...evidenceParams,
  })
  .readonly();

export type EaseParams = z.output<typeof easeParams>;
/** With a number for what was `auto`. */
export type ResolvedEaseParams = EaseParams & { readonly lambda: number };

export interface EaseDataSummary {
  readonly users: number;
  readonly items: number;
  readonly interactions: number;
  /** Mean of the squared weights. */
  readonly meanSquare: number;
}

/** Lambda over the largest singular value that chance alone gives X. */
const NOISE_SHARE = 15;

/**
 * Fills in what is `auto`. Chance alone gives a binary X of these degrees singular values up to about sqrt(mean degree of users) +
 * sqrt(mean degree of items) (Marchenko and Pastur 1967). What regularisation is best grows far more slowly than their square: lambda =
 * 15 of them lies on the flat top on validation splits of a film and a music data set, whole and thinned, at random and by time,
 * and near published choices for data a hundred times as large.
 */
export function resolveEaseParams(params: EaseParams, data: EaseDataSummary): ResolvedEaseParams {
  if (params.lambda !== 'auto') return { ...params, lambda: params.lambda };
  const edge = Math.sqrt(data.interactions / data.users) + Math.sqrt(data.interactions / data.items);
  return { ...params, lambda: params.strength * NOISE_SHARE * edge * data.meanSquare };
}

/** What `--tune` tries. */
export const EASE_CANDIDATES: readonly z.input<typeof easeParams>[] = [0.5, 2, 0.25, 4, 0.7, 1.4].map((strength) => ({
  strength,
}));
