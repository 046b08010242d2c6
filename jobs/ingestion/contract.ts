/** Owns what may be asked of ingestion: take in one batch of records, or compact what came in into a data set version. */
import { z } from 'zod';
import { defineJob } from '../../shared/contract-kit/define-job.ts';
import {
  consentSchema,
  eventSchema,
  itemSchema,
  personSchema,
  rejectionSchema,
} from '../../shared/contract-kit/event.ts';
import { sourceNameSchema } from '../../shared/contract-kit/names.ts';

/** Most records of one call; the client cuts them into jobs of at most 64 KiB. */
export const BATCH_RECORDS_MAX = 100_000;

/** Version of a source's own records, as its declaration or an added mapping names it. */
export const schemaNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$/, 'letters, digits, dot, dash, underscore; at most 40');

/**
 * A batch as it travels: records are checked one by one (`checkEvent`, `checkRecord`), so their schema here is loose.
 * `indices[i]` is the place of record i in the caller's array; absent: i.
 */
const batch = {
  source: sourceNameSchema,
  indices: z.array(z.int().min(0)).max(BATCH_RECORDS_MAX).optional(),
};
const records = z.array(z.unknown()).min(1).max(BATCH_RECORDS_MAX);

export const ingestion = defineJob({
  kind: 'ingestion',
  version: 2,
  title: 'Takes in events, items, people and consents; compacts events into a data set version.',
  input: z.union([
    z.strictObject({
      ...batch,
      events: records,
      /** The events are the source's own records of this version, to be mapped; absent: canonical. An unknown version is quarantined. */
      schema: schemaNameSchema.optional(),
      /** Accept events about items that are not in the catalogue (yet). */
      allowUnknownItems: z.boolean().optional(),
    }),
    z.strictObject({ ...batch, items: records }),
    z.strictObject({ ...batch, people: records }),
    z.strictObject({ ...batch, consents: records }),
    z.strictObject({
      /** Freeze everything recorded so far into a data set version. */
      compact: z.strictObject({ asOf: z.int().optional() }),
    }),
  ]),
  output: z.object({
    /** Records that are in the store now because of this batch. */
    accepted: z.int().min(0),
    /** Records that were there already (same event id). */
    duplicates: z.int().min(0),
    rejected: z.array(rejectionSchema),
    /** Records that wait, encrypted, until somebody says what their schema version means. */
    quarantined: z.int().min(0).optional(),
    /** Compaction only: the data set version and its rows. */
    dataset: z.object({ version: z.string(), rows: z.int(), blocks: z.int() }).optional(),
  }),
  personal: true,
  effect: 'dataset',
  purposes: [],
  // Consents had no end.
  upcasters: { 1: { input: (old) => old } },
  limits: { concurrency: 4, durationMsMax: 10 * 60_000 },
});

/** What a service hands over, typed record by record. */
export type IngestionBatch =
  | { source: string; events: readonly z.input<typeof eventSchema>[]; allowUnknownItems?: boolean }
  | { source: string; schema: string; events: readonly unknown[]; allowUnknownItems?: boolean }
  | { source: string; items: readonly z.input<typeof itemSchema>[] }
  | { source: string; people: readonly z.input<typeof personSchema>[] }
  | { source: string; consents: readonly z.input<typeof consentSchema>[] };
