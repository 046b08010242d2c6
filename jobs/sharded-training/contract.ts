/**
 * Owns what may be asked of sharded-training: models too big for one process, as steps over blocks that any worker may take. `cut` makes the blocks; of iALS, `solve` solves
 * one of them against the other side as it is; of item2vec, `learn` learns one stratum, of the words of two blocks; `join` makes embeddings of the last ones: byte by
 * byte those that one process makes on plain SIMD.
 */
import { z } from 'zod';
import { defineJob } from '../../shared/contract-kit/define-job.ts';

const versions = z.array(z.string()).max(256);
const cutOf = { cut: z.string() };

/** Models whose training is cut into blocks. */
export const SHARDED_MODELS = ['ials', 'item2vec'] as const;

export const shardedTraining = defineJob({
  kind: 'sharded-training',
  version: 2,
  // What was asked in version 1 is asked the same way.
  upcasters: { 1: { input: (input) => input } },
  title: 'Trains iALS and item2vec in blocks, on as many workers as there are.',
  input: z.union([
    z.strictObject({
      cut: z.strictObject({
        dataset: z.string(),
        model: z.enum(SHARDED_MODELS).default('ials'),
        /** Parameters of the model. */
        params: z.record(z.string(), z.unknown()).default({}),
        /** Blocks of each side; fewer where a side is small. Of item2vec at most 16. */
        blocks: z.int().min(1).max(256).default(4),
        seed: z.int().default(1),
      }),
    }),
    z.strictObject({
      solve: z.strictObject({
        ...cutOf,
        side: z.enum(['users', 'items']),
        block: z.int().min(0).max(255),
        /** Blocks of the other side, in order; none: where the items begin. */
        others: versions,
        /** What the block was before; null: where it begins. */
        warm: z.string().nullable(),
      }),
    }),
    z.strictObject({
      learn: z.strictObject({
        ...cutOf,
        /** Of all epochs. */
        round: z.int().min(0),
        /** 0 to blocks - 1: centres of block p meet contexts of block p + sweep. */
        sweep: z.int().min(0).max(15),
        block: z.int().min(0).max(15),
        /** Strata of the sweep before, by block; none: where the words begin. */
        before: versions,
      }),
    }),
    z.strictObject({
      join: z.union([
        z.strictObject({ ...cutOf, users: versions.min(1), items: versions.min(1) }),
        /** Strata of the last sweep, by block. */
        z.strictObject({ ...cutOf, strata: versions.min(1) }),
      ]),
    }),
  ]),
  output: z.object({
    version: z.string(),
    /** Of `cut` for iALS: how many blocks each side has, and how often they are solved. */
    blocks: z.object({ users: z.int(), items: z.int() }).optional(),
    epochs: z.int().optional(),
    /** Of `cut` for item2vec: blocks of words, and rounds in which each block meets each. */
    strata: z.object({ blocks: z.int(), rounds: z.int() }).optional(),
    /** Of `join`. */
    users: z.int().optional(),
    items: z.int().optional(),
    factors: z.int().optional(),
    seconds: z.number(),
  }),
  personal: false,
  effect: 'dataset',
  purposes: ['recommendation'],
  limits: { memoryMbMax: 8_192, durationMsMax: 6 * 3600_000 },
});
