/** Owns the schemas that several routes answer with, and the options that several routes take. */
import { z } from 'zod';
import { rejectionSchema } from '../../../shared/contract-kit/event.ts';
import { errorResponseSchema } from '../../client/responses.ts';
import { JOB_STATES } from '../../client/transport.ts';

/** Longest that a request may wait for its job. */
export const WAIT_MS_MAX = 30_000;

export const idSchema = z
  .string()
  .min(1)
  .max(300)
  .regex(/^[A-Za-z0-9_.-]+$/, 'letters, digits, dot, dash, underscore');
export const keySchema = z
  .string()
  .min(1)
  .max(200)
  .describe('Idempotency key: the same key with the same content has its effect once.');
export const waitQuerySchema = z.object({
  wait: z.coerce
    .number()
    .int()
    .min(0)
    .max(WAIT_MS_MAX)
    .default(0)
    .describe(`Milliseconds to wait for the end, at most ${WAIT_MS_MAX}.`),
});

/** Answers that every route may give. */
export const errorAnswers = { '4xx': errorResponseSchema, '5xx': errorResponseSchema } as const;

export const enqueuedSchema = z.object({ id: z.string(), runKey: z.string() });

export const batchAnswerSchema = z.object({
  /** Jobs of the batch, to ask for with GET /v1/jobs/ingestion/:id. */
  ids: z.array(z.string()),
  runKeys: z.array(z.string()),
  /** `done`: the counts below are final. */
  state: z.enum(['enqueued', 'done']),
  /** Records handed over; once done, records that are in the store because of this batch. */
  accepted: z.int(),
  /** Once done: records that were there already. */
  duplicates: z.int().optional(),
  rejected: z.array(rejectionSchema),
  /** Once done: records that wait until their schema version is known. */
  quarantined: z.int().optional(),
});

export const progressSchema = z.object({ done: z.number(), total: z.number(), label: z.string() }).loose();

export const jobAnswer = <O extends z.ZodType>(output: O) =>
  z.object({
    id: z.string(),
    runKey: z.string(),
    kind: z.string(),
    state: z.enum(JOB_STATES),
    progress: progressSchema.optional(),
    output: output.optional(),
    error: errorResponseSchema.optional(),
  });
