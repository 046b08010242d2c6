/**
 * Owns what may be asked of sharded-training: iALS too big for one process, as steps over blocks of rows that any worker may take. `cut` makes the blocks, `solve` solves
 * one of them against the other side as it is, `join` makes embeddings of the last ones: byte by byte those that one process makes on plain SIMD.
 */
import { z } from 'zod';
import { defineJob } from '../../shared/contract-kit/define-job.ts';

const versions = z.array(z.string()).max(256);

export const shardedTraining = defineJob({
  kind: 'sharded-training',
  version: 1,
  title: 'Trains iALS in blocks of people and items, on as many workers as there are.',
  input: z.union([
    z.strictObject({
      cut: z.strictObject({
        dataset: z.string(),
        /** Parameters of `ials`. */
        params: z.record(z.string(), z.unknown()).default({}),
        /** Blocks of each side; fewer where a side is small. */
        blocks: z.int().min(1).max(256).default(4),
        seed: z.int().default(1),
      }),
    }),
    z.strictObject({
      solve: z.strictObject({
        cut: z.string(),
        side: z.enum(['users', 'items']),
        block: z.int().min(0).max(255),
        /** Blocks of the other side, in order; none: where the items begin. */
        others: versions,
        /** What the block was before; null: where it begins. */
        warm: z.string().nullable(),
      }),
    }),
    z.strictObject({ join: z.strictObject({ cut: z.string(), users: versions.min(1), items: versions.min(1) }) }),
  ]),
  output: z.object({
    version: z.string(),
    /** Of `cut`: how many blocks each side has, and how often they are solved. */
    blocks: z.object({ users: z.int(), items: z.int() }).optional(),
    epochs: z.int().optional(),
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
