/**
 * Owns the making of a job: parse by the contract, serialise, hash, seal, measure. The client, the gateway and the
 * workers' relay all make their jobs here, so that the same input under the same key is the same job whoever asks.
 *
 * On the hot path of `enqueue`: per job one parse, one or two hashes and nothing that can be computed once per kind.
 */
import { hash } from 'node:crypto';
import type { JobsOptions } from 'bullmq';
import { z } from 'zod';
import type { Contract } from '../../shared/contract-kit/define-job.ts';
import {
  type ClaimRef,
  ENVELOPE_BYTES_MAX,
  ENVELOPE_VERSION,
  type Envelope,
  type StepRef,
} from '../../shared/contract-kit/envelope.ts';
import { freshRunKey, jobIdOf, PRIORITY_CLASS_SPAN, runKeyOf } from '../../shared/contract-kit/names.ts';
import { openSeal, type SealedPayload, type SealRing, seal, sealedHash } from '../../shared/contract-kit/seal.ts';
import { AppError } from '../../shared/errors.ts';

/** Room for everything in an envelope except the input itself. */
const ENVELOPE_OVERHEAD_BYTES = 2 * 1024;
/** Most bytes of a serialised input (sealed: of its base64 box) that travel inside the envelope. */
export const INLINE_BYTES_MAX = ENVELOPE_BYTES_MAX - ENVELOPE_OVERHEAD_BYTES;

export const PRIORITY_CLASS_MAX = 6;
/** Of jobs that name none. */
const PRIORITY_CLASS_DEFAULT = 3;

const BACKOFF_JITTER = 0.2;

export interface JobPlace {
  readonly tenant: string;
  /** The caller's idempotency key; absent, and no `runKey` either: the job is like no other. */
  readonly key?: string | undefined;
  /** A run key made elsewhere (relay, redrive); wins over `key`. */
  readonly runKey?: string | undefined;
  /** Seals personal input; needed for personal kinds only. */
  readonly ring?: SealRing | undefined;
  /** Moment the run speaks of, ms since 1970. */
  readonly asOf: number;
  readonly step?: StepRef | undefined;
  /** W3C traceparent. */
  readonly trace?: string | undefined;
  /** Urgency class 0 (first) to 6 (last); absent: 3. */
  readonly priority?: number | undefined;
  /** Earliest start, ms from now. */
  readonly delayMs?: number | undefined;
  /** Where the input comes from, for rate limits of sources. */
  readonly source?: string | undefined;
}

export interface MadeJob {
  readonly name: string;
  readonly data: Envelope;
  /** `priority` is the first of its class: adding it puts the tenant's backlog on top. */
  readonly opts: JobsOptions & { readonly jobId: string };
  /** Most unfinished jobs of the tenant with which it is still taken; 0: it always is. */
  readonly backlogMax: number;
  readonly source?: string | undefined;
}

export type Made =
  | { readonly fits: true; readonly job: MadeJob }
  | {
      readonly fits: false;
      /** To be stored first (POST /v1/claims); `readClaim` reads it back. */
      readonly body: string;
      /** The job as it would be if it fitted. */
      readonly unclaimed: MadeJob;
      /** The job, once the payload is stored. */
      readonly withClaim: (claim: ClaimRef) => MadeJob;
    };

/** What zod found, as plain data for `details.issues`. */
export const issuesOf = (error: z.ZodError): { path: PropertyKey[]; message: string }[] =>
  error.issues.map(({ path, message }) => ({ path, message }));

/** Parses an input by its contract; throws INPUT_INVALID with every issue. */
export function parseInput<C extends Contract>(contract: C, input: unknown): z.output<C['input']> {
  const parsed = contract.input.safeParse(input);
  if (parsed.success) return parsed.data as z.output<C['input']>;
  const issues = issuesOf(parsed.error);
  const first = issues[0];
  const where = first === undefined || first.path.length === 0 ? '' : ` at "${first.path.join('.')}"`;
  throw new AppError('INPUT_INVALID', {
    message: `The input of ${contract.kind} does not fit its contract${where}: ${first?.message ?? 'invalid'}.`,
    details: { kind: contract.kind, issues },
  });
}

/**
 * Makes one job from an input. Throws INPUT_INVALID, INPUT_TOO_LARGE, and CONFIG_INVALID when the kind is personal and no
 * seal key is given.
 */
export function makeJob(contract: Contract, input: unknown, place: JobPlace): Made {
  const parsed: unknown = parseInput(contract, input);
  return makeSerialisedJob(contract, JSON.stringify(parsed), place, parsed);
}

/**
 * As `makeJob`, for an input that is checked and serialised already. `text` must be what JSON.stringify gives for the
 * parsed input; `parsed` spares parsing it again.
 */
export function makeSerialisedJob(contract: Contract, text: string, place: JobPlace, parsed?: unknown): Made {
  const bytes = Buffer.byteLength(text);
  if (bytes > contract.limits.inputBytesMax)
    throw new AppError('INPUT_TOO_LARGE', {
      message: `The input of ${contract.kind} has ${bytes} bytes; ${contract.limits.inputBytesMax} are allowed.`,
      details: { kind: contract.kind, bytes, bytesMax: contract.limits.inputBytesMax },
    });
  const runKey = place.runKey ?? runKeyFor(contract.kind, place);
  const made = (data: Envelope): MadeJob => jobOfEnvelope(contract, data, place);
  if (contract.personal) {
    const ring = ringFor(contract, place.ring);
    const envelope = envelopeOf(contract, runKey, sealedHash(ring, text), place);
    const sealed = seal(ring, text, runKey);
    if (sealed.box.length <= INLINE_BYTES_MAX) {
      envelope.sealed = { kid: sealed.kid, box: sealed.box };
      return { fits: true, job: made(envelope) };
    }
    return claimed(envelope, made, JSON.stringify(sealed));
  }
  const envelope = envelopeOf(contract, runKey, hash('sha256', text), place);
  if (bytes > INLINE_BYTES_MAX) return claimed(envelope, made, text);
  envelope.input = parsed ?? JSON.parse(text);
  return { fits: true, job: made(envelope) };
}

/** The job around an envelope that was made before. */
export function jobOfEnvelope(
  contract: Contract,
  data: Envelope,
  place: Pick<JobPlace, 'priority' | 'delayMs' | 'source'>,
): MadeJob {
  const opts = optionsOf(contract, data.runKey, place);
  return { name: contract.kind, data, opts, backlogMax: contract.limits.backlogMax, source: place.source };
}

const sealedSchema = z.object({ kid: z.string(), box: z.string() });

/**
 * The serialised input of a job, as the worker reads it: `claimBody` is the stored payload of `envelope.claim`, already
 * compared with its hash. Throws PAYLOAD_UNREADABLE.
 */
export function readInputText(
  contract: Contract,
  envelope: Envelope,
  ring: SealRing | undefined,
  claimBody?: string,
): string {
  const open = (sealed: SealedPayload) =>
    openSeal(ringFor(contract, ring), sealed, envelope.runKey, contract.limits.inputBytesMax);
  if (envelope.sealed !== undefined) return open(envelope.sealed);
  if (claimBody === undefined) return JSON.stringify(envelope.input);
  if (!contract.personal) return claimBody;
  try {
    return open(sealedSchema.parse(JSON.parse(claimBody)));
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('PAYLOAD_UNREADABLE', { cause });
  }
}

function claimed(envelope: Envelope, made: (data: Envelope) => MadeJob, body: string): Made {
  return { fits: false, body, unclaimed: made(envelope), withClaim: (claim) => made({ ...envelope, claim }) };
}

function runKeyFor(kind: string, place: JobPlace): string {
  return place.key === undefined ? freshRunKey(place.tenant, kind) : runKeyOf(place.tenant, kind, place.key);
}

function envelopeOf(contract: Contract, runKey: string, inputHash: string, place: JobPlace): Envelope {
  const envelope: Envelope = {
    v: ENVELOPE_VERSION,
    kind: contract.kind,
    version: contract.version,
    tenant: place.tenant,
    runKey,
    inputHash,
    asOf: place.asOf,
  };
  if (place.step !== undefined) envelope.step = place.step;
  if (place.trace !== undefined) envelope.trace = place.trace;
  return envelope;
}

function ringFor(contract: Contract, ring: SealRing | undefined): SealRing {
  if (ring !== undefined) return ring;
  throw new AppError('CONFIG_INVALID', {
    message: `Input of ${contract.kind} is personal and must be sealed, but no seal key is given: connect({ seal: process.env.MILLRACE_SEAL_KEY }).`,
    details: { problems: ['seal'] },
  });
}

const baseOptions = new WeakMap<Contract, JobsOptions>();

/** Options that depend on the kind alone, made once; BullMQ copies them and never writes into them. */
export function kindOptions(contract: Contract): JobsOptions {
  let base = baseOptions.get(contract);
  if (base === undefined) {
    base = Object.freeze({
      attempts: contract.limits.attemptsMax,
      backoff: Object.freeze({ type: 'exponential', delay: contract.limits.backoffMs, jitter: BACKOFF_JITTER }),
      // Workers prune finished jobs out-of-band: removed as others finish, many at once would hold Redis up.
      removeOnComplete: false,
      removeOnFail: false,
    });
    baseOptions.set(contract, base);
  }
  return base;
}

function optionsOf(contract: Contract, runKey: string, place: Pick<JobPlace, 'priority' | 'delayMs'>): MadeJob['opts'] {
  const opts: MadeJob['opts'] = { ...kindOptions(contract), jobId: jobIdOf(runKey) };
  opts.priority = priorityOf(place.priority ?? PRIORITY_CLASS_DEFAULT);
  if (place.delayMs !== undefined && place.delayMs > 0) opts.delay = Math.ceil(place.delayMs);
  return opts;
}

function priorityOf(urgencyClass: number): number {
  if (!Number.isInteger(urgencyClass) || urgencyClass < 0 || urgencyClass > PRIORITY_CLASS_MAX)
    throw new AppError('INPUT_INVALID', {
      message: `Priority ${urgencyClass} is not a class from 0 to ${PRIORITY_CLASS_MAX}.`,
      details: { issues: [{ path: ['priority'], message: `must be 0..${PRIORITY_CLASS_MAX}` }] },
    });
  return urgencyClass * PRIORITY_CLASS_SPAN + 1;
}
