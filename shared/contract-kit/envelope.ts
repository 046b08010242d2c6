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

/** What a tick of a schedule starts. */
export const tickSchema = z.object({
  schedule: z.string(),
  tenant: tenantSchema,
  pipeline: z.string(),
  params: z.unknown(),
});
export type Tick = z.output<typeof tickSchema>;

/** What becomes of ticks that nobody took at their time: none is run, the latest is, or all are, up to a bound. */
export const CATCH_UPS = ['skip', 'latest', 'all'] as const;
/** Most missed ticks that `all` runs unless the schedule says otherwise. */
export const CATCH_UP_DEFAULT = 24;

/** A schedule as Redis keeps it, in the hash `schedulesKey`. */
export const scheduleRecordSchema = z.object({
  cron: z.string(),
  timeZone: z.string(),
  catchUp: z.enum(CATCH_UPS),
  catchUpMax: z.int().min(1),
  /** ms since 1970; earlier ticks are not owed. */
  declaredAt: z.int(),
  tick: tickSchema,
});
export type ScheduleRecord = z.output<typeof scheduleRecordSchema>;

/** What was decided of a tick: run at its time, run late, or left out. */
export const tickDecisionSchema = z.object({
  tick: z.int(),
  did: z.enum(['on-time', 'caught-up', 'skipped']),
  /** The pipeline run, where there is one. */
  run: z.string().optional(),
});
export type TickDecision = z.output<typeof tickDecisionSchema>;

/** The last ticks that were missed together. */
export const missedTicksSchema = z.object({
  count: z.int(),
  from: z.int(),
  to: z.int(),
  caughtUp: z.int(),
  seenAt: z.int(),
});
export type MissedTicks = z.output<typeof missedTicksSchema>;

/** How far a schedule has got, as Redis mirrors it in the hash `tickMirrorKey`; the store is the authority. */
export const tickMirrorSchema = z.object({
  /** The last tick that was decided, or when the schedule was first seen. */
  cursor: z.int(),
  /** Oldest first. */
  recent: z.array(tickDecisionSchema),
  missed: missedTicksSchema.optional(),
});
export type TickMirror = z.output<typeof tickMirrorSchema>;
