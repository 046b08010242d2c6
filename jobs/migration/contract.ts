/** Owns what may be asked of migration: blocks of events in the newest format of the store, and data keys wrapped by the current master key. */
import { z } from 'zod';
import { defineJob } from '../../shared/contract-kit/define-job.ts';

export const migration = defineJob({
  kind: 'migration',
  version: 2,
  title:
    'Brings what is stored up to date: blocks of events to the newest format, or wrapped keys under the current master key. What they hold stays the same.',
  input: z.union([
    z.strictObject({
      /** The format to reach; the first one is 1. */
      format: z.int().min(2).max(1_000),
    }),
    z.strictObject({
      /** Id of the master key under which everything shall lie, of every tenant. */
      masterKey: z.string().regex(/^[0-9a-f]{8}$/),
    }),
  ]),
  output: z.union([
    z.object({
      format: z.int(),
      /** Blocks and data sets that this attempt brought up to date. */
      blocks: z.int(),
      versions: z.int(),
      bytesBefore: z.int(),
      bytesAfter: z.int(),
    }),
    z.object({
      masterKey: z.string(),
      /** Keys that this attempt wrapped anew. */
      rewrapped: z.int(),
      /** Keys under another master key that are left, and how many of them do not open. */
      left: z.int(),
      unreadable: z.int(),
    }),
  ]),
  personal: false,
  effect: 'dataset',
  purposes: [],
  limits: { durationMsMax: 6 * 3600_000, attemptsMax: 10, memoryMbMax: 1_024 },
  // Version 1 knew formats alone.
  upcasters: { 1: { input: (old) => old } },
});
