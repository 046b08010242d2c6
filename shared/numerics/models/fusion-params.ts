/** Owns the parameters of the multi-branch model; defaults chosen on validation splits. */
import { z } from 'zod';
import { easeParams } from './ease-params.ts';

export const fusionParams = z
  .strictObject({
    /** Of the on-site branch, whose item weights serve every branch. */
    strength: easeParams.unwrap().shape.strength,
    weighting: z.enum(['none', 'linear', 'log']).default('none'),
    /**
     * How branches are put together: `late`: one weight a branch; `attention`: weights of a person, each branch looked at on its own;
     * `early`: weights of a person from all branches' vectors concatenated, through a hidden layer.
     */
    fusion: z.enum(['early', 'late', 'attention']).default('attention'),
    /** Chance that a branch of a person is hidden in a step of the head's training: none may become indispensable. */
    modalityDropout: z.number().min(0).max(0.9).default(0.2),
    /** Weight of people two ties away, and of people with the same features, beside direct ties. */
    reach: z.number().min(0).max(10).default(0.5),
    /** People a profile is made of, the nearest ones. */
    neighbours: z.int().min(1).max(1000).default(100),
    /** Length of the branches' lists. Beyond it an item has no score of that branch. */
    depth: z.int().min(10).max(2000).default(300),
    /** Share of the interactions that the head learns from; the branches are then fitted to everything. */
    holdout: z.number().min(0.02).max(0.5).default(0.1),
    epochs: z.int().min(1).max(500).default(40),
    learningRate: z.number().positive().max(1).default(0.03),
    engine: z.enum(['tfjs-node', 'tfjs-wasm', 'tfjs-cpu']).default('tfjs-node'),
  })
  .readonly();

/**
 * Gates are set apart for people with up to so many interactions: of whom little is known gains most by a source, and would drown among
 * those of whom much is known.
 */
export const HISTORY_BOUNDS = [3, 10] as const;
export const HISTORY_SEGMENTS = HISTORY_BOUNDS.length + 1;

export type FusionParams = z.output<typeof fusionParams>;

/** What `--tune` tries. */
export const FUSION_CANDIDATES: readonly z.input<typeof fusionParams>[] = [
  { fusion: 'late' },
  { fusion: 'early' },
  { reach: 2 },
  { strength: 0.5 },
  { strength: 2 },
];
