/** Owns the parameters of implicit ALS and their defaults, tuned on validation splits only. */
import { z } from 'zod';

export const ialsParams = z
  .strictObject({
    /** Width of the factors, 1..1024. */
    factors: z.int().min(1).max(1024).default(64),
    /** Passes over users and items, 1..1000. */
    epochs: z.int().min(1).max(1000).default(16),
    /** Regularisation, multiplied by the row's frequency term; > 0. */
    lambda: z.number().positive().max(1e6).default(0.003),
    /** Weight a0 of every pair, observed or not; > 0. */
    unobservedWeight: z.number().positive().max(1e6).default(0.1),
    /** Exponent of the frequency term (own interactions + a0 * size of the other side): 0 is a plain ridge, 1 scales fully. */
    nu: z.number().min(0).max(2).default(1),
    /** Start of the item factors: N(0, sigma / sqrt(factors)). */
    sigma: z.number().positive().max(100).default(0.1),
    /** Steps of conjugate gradients per row and pass. */
    steps: z.int().min(1).max(64).default(4),
    /** What an interaction's value does: `none` (all 1), `linear` (alpha * value), `log` (1 + alpha * ln(1 + value)). */
    weighting: z.enum(['none', 'linear', 'log']).default('none'),
    alpha: z.number().positive().max(1e6).default(1),
  })
  .readonly();

export type IalsParams = z.output<typeof ialsParams>;
