/** Owns the parameters of the graph filter, their defaults (tuned on validation splits only), and the filter that they stand for. */
import { z } from 'zod';
import { evidenceParams } from '../interactions/evidence.ts';

export const graphFilterParams = z
  .strictObject({
    /** Singular vectors kept, 1..512; fewer where the data have fewer. */
    rank: z.int().min(1).max(512).default(32),
    /** `sharpened`: the exponential filter of BSPM; `linear`: the closed form of GF-CF. */
    filter: z.enum(['linear', 'sharpened']).default('sharpened'),
    /** Weight of the low-rank part beside the products with the graph. */
    lowRank: z.number().min(0).max(1e3).default(0.2),
    /** `sharpened`: how long the exponential acts. Its series of five terms fits up to 2, and rises again beyond. */
    time: z.number().min(0).max(4).default(2),
    /** What enters the graph: the user's own weights (`raw`), or scaled by the degrees of both sides (`normalised`). */
    left: z.enum(['raw', 'normalised']).default('raw'),
    /** What an interaction's value does: `none` (1), `linear` (the value), `log` (ln(1 + value)). */
    weighting: z.enum(['none', 'linear', 'log']).default('none'),
    /** Passes of the randomised SVD, and directions followed beyond `rank`. */
    iterations: z.int().min(1).max(100).default(6),
    oversample: z.int().min(0).max(256).default(32),
    ...evidenceParams,
  })
  .readonly();

export type GraphFilterParams = z.output<typeof graphFilterParams>;

const LOW_RANKS = [
  { lowRank: 0.1 },
  { lowRank: 0.2 },
  { lowRank: 0.3 },
  { lowRank: 0.2, time: 1 },
  { lowRank: 0.1, filter: 'linear' },
  { lowRank: 0.2, filter: 'linear' },
  { lowRank: 0.4, filter: 'linear' },
] as const satisfies readonly z.input<typeof graphFilterParams>[];

/** What `--tune` tries. */
export const GRAPH_FILTER_CANDIDATES: readonly z.input<typeof graphFilterParams>[] = [32, 64, 128].flatMap((rank) =>
  LOW_RANKS.map((candidate) => Object.assign({ rank }, candidate)),
);

/** p(l) = sum over j <= 4 of (-time l)^j / j!: the start of the series of exp(-time l). */
export function exponentialSeries(value: number, time: number): number {
  const t = -time * value;
  return 1 + t * (1 + (t / 2) * (1 + (t / 3) * (1 + t / 4)));
}

/** Where the eigenvalue stands at which the sharpened filter takes the weight of what is beyond the rank. */
export const TAIL_SHARE = 0.4;
