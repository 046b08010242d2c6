/**
 * Owns the format of an outbox entry: jobs that lie in a caller's own document, written with it in one write, until a relay has seen
 * their runs end. Personal input is sealed in it, as in Redis.
 */
import { z } from 'zod';
import { envelopeSchema } from './envelope.ts';

export const OUTBOX_VERSION = 1;
/** Field of the caller's document that holds the entry. */
export const OUTBOX_FIELD = 'millrace';
/** Most jobs of one entry. */
export const OUTBOX_JOBS_MAX = 100;
/** Largest serialised entry: a document of the store holds 16 MiB, and the caller's own content is in there too. */
export const OUTBOX_BYTES_MAX = 8 * 1024 * 1024;

const jobSchema = z.object({
  envelope: envelopeSchema,
  /** Input that is too large for an envelope; the relay makes a payload claim of it. */
  body: z.string().optional(),
  priority: z.int().optional(),
  /** Earliest start, ms since 1970. */
  notBefore: z.number().optional(),
  source: z.string().optional(),
});
export type OutboxJob = z.output<typeof jobSchema>;

export const outboxEntrySchema = z.object({
  v: z.literal(OUTBOX_VERSION),
  /** Of this entry alone: a document that got another one meanwhile is not cleared. */
  id: z.string().min(1).max(100),
  /** True until the relay has finished with it; the partial index holds no other entries. */
  due: z.boolean(),
  /** When it was made, ms since 1970. */
  at: z.number(),
  /** Next look of a relay, ms since 1970. */
  nextAt: z.number(),
  jobs: z.array(jobSchema).min(1).max(OUTBOX_JOBS_MAX),
});
export type OutboxEntry = z.output<typeof outboxEntrySchema>;
