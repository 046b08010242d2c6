/** Owns what may be asked of migration: blocks of events in the newest format of the store. */
import { z } from 'zod';
import { defineJob } from '../../shared/contract-kit/define-job.ts';

export const migration = defineJob({
  kind: 'migration',
  version: 1,
  title: 'Brings stored blocks of events up to the newest format; what they hold stays the same.',
  input: z.strictObject({
    /** The format to reach; the first one is 1. */
    format: z.int().min(2).max(1_000),
  }),
  output: z.object({
    format: z.int(),
    /** Blocks and data sets that this attempt brought up to date. */
    blocks: z.int(),
    versions: z.int(),
    bytesBefore: z.int(),
    bytesAfter: z.int(),
  }),
  personal: false,
  effect: 'dataset',
  purposes: [],
  limits: { durationMsMax: 6 * 3600_000, attemptsMax: 10, memoryMbMax: 1_024 },
});
