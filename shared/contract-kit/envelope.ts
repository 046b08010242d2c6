/**
 * Owns the format of a job's data in Redis. One of `input` (plain), `sealed` or `claim` carries the input.
 * Nothing personal is ever in the clear here.
 */
import { z } from 'zod';
import { tenantSchema } from './names.ts';

export const ENVELOPE_VERSION = 1;
/** Largest serialised job data; what is larger becomes a payload claim. */
export const ENVELOPE_BYTES_MAX = 64 * 1024;

/** A payload that lies in the store; `sha256` is of the stored (sealed or plain) bytes. */
export const claimRefSchema = z.object({
  id: z.string().min(1).max(100),
  sha256: z.string().length(64),
  bytes: z.int().min(0),
});
export type ClaimRef = z.output<typeof claimRefSchema>;

/** The place of a job in a pipeline run. */
export const stepRefSchema = z.object({ run: z.string(), step: z.string(), partition: z.string().optional() });
export type StepRef = z.output<typeof stepRefSchema>;

export const envelopeSchema = z.object({
  v: z.literal(ENVELOPE_VERSION),
  kind: z.string(),
  /** Version of the contract that the input was made for. */
  version: z.int().min(1),
  tenant: tenantSchema,
  runKey: z.string(),
  /** sha256 of the serialised input; keyed when personal. */
  inputHash: z.string(),
  /** Moment that the run speaks of, ms since 1970; orders publications. */
  asOf: z.int(),
  input: z.unknown().optional(),
  sealed: z.object({ kid: z.string(), box: z.string() }).optional(),
  claim: claimRefSchema.optional(),
  step: stepRefSchema.optional(),
  /** W3C traceparent of the caller. */
  trace: z.string().max(200).optional(),
});
export type Envelope = z.output<typeof envelopeSchema>;

/** Data of a job that a schedule produced: the tick is in the job's id. */
export const tickSchema = z.object({
  schedule: z.string(),
  tenant: tenantSchema,
  pipeline: z.string(),
  params: z.unknown(),
});
export type Tick = z.output<typeof tickSchema>;
