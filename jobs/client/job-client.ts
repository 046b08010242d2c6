/** Owns enqueueing: from a typed input to a job in its queue, once per key. */
import type { ClaimRef } from '../../shared/contract-kit/envelope.ts';
import type { SealRing } from '../../shared/contract-kit/seal.ts';
import { AppError } from '../../shared/errors.ts';
import { CONTRACTS, type InputOf, type JobKind } from '../registry.ts';
import type { ConsentsClient } from './consents.ts';
import type { DeadLetterDesk } from './dead-letters.ts';
import { JobHandle } from './job-handle.ts';
import { type JobPlace, type Made, type MadeJob, makeJob } from './make-job.ts';
import type {
  EffectsResponse,
  PromptNote,
  PromptResponse,
  RecommendationsResponse,
  ReleasePointer,
  ReleasesResponse,
  SegmentsResponse,
} from './responses.ts';
import type { Transport } from './transport.ts';

/** Most inputs of one `enqueueMany`. */
export const ENQUEUE_MANY_MAX = 10_000;
/** Stored jobs that are read at once to compare their inputs. */
const COMPARE_JOBS_MAX = 200;

/** What the client asks of the gateway. */
export interface Gateway {
  /** Stores a payload for the run that will use it. */
  putClaim(body: string, runKey: string, signal?: AbortSignal): Promise<ClaimRef>;
  recommendations(user: string, k?: number, signal?: AbortSignal): Promise<RecommendationsResponse>;
  segments(user: string, signal?: AbortSignal): Promise<SegmentsResponse>;
  prompt(user: string, signal?: AbortSignal): Promise<PromptResponse>;
  notePrompt(user: string, did: PromptNote, signal?: AbortSignal): Promise<PromptResponse>;
  effects(user: string, signal?: AbortSignal): Promise<EffectsResponse>;
  readonly deadLetters: DeadLetterDesk;
  readonly consents: ConsentsClient;
  releases(limit: number, signal?: AbortSignal): Promise<ReleasesResponse>;
  changeRelease(change: ReleaseChange, signal?: AbortSignal): Promise<ReleasePointer>;
}

export type ReleaseChange =
  | { readonly did: 'rollback' | 'promote'; readonly version: string; readonly reason?: string }
  | { readonly did: 'hold'; readonly reason?: string }
  | { readonly did: 'unhold' };

/** What all parts of one client share. */
export interface ClientCore {
  readonly transport: Transport;
  readonly tenant: string;
  readonly ring: SealRing | undefined;
  readonly gateway: Gateway | undefined;
  readonly nowMs: () => number;
  /** W3C traceparent of what the caller is doing. */
  readonly trace?: (() => string | undefined) | undefined;
  /** Told of the jobs that were handed over. */
  readonly enqueued?: (jobs: readonly MadeJob[]) => void;
}

interface CommonOptions {
  /** Urgency class, 0 (first) to 6 (last); absent: 3. Within a class, tenants with fewer unfinished jobs go first. */
  readonly priority?: number;
  /** Earliest start, ms from now. */
  readonly delayMs?: number;
  /** Moment the run speaks of, ms since 1970; absent: now. */
  readonly asOf?: number;
  /** W3C traceparent of the caller. */
  readonly trace?: string;
  /** Gives up handing over; what is handed over already stays (see `cancel`). */
  readonly signal?: AbortSignal;
}

export interface EnqueueOptions extends CommonOptions {
  /** Idempotency key: the same key is the same run, once. With a different input it is KEY_REUSED. */
  readonly key?: string;
}

export interface EnqueueManyOptions<I = unknown> extends CommonOptions {
  /** A text makes the keys `text.0`, `text.1`, ...; a function gives each input its own. */
  readonly key?: string | ((input: I, index: number) => string);
}

export class KindClient<K extends JobKind> {
  readonly kind: K;
  readonly #core: ClientCore;

  constructor(core: ClientCore, kind: K) {
    this.#core = core;
    this.kind = kind;
  }

  /** Enqueues one job. Throws INPUT_INVALID before anything is sent. */
  async enqueue(input: InputOf<K>, options: EnqueueOptions = {}): Promise<JobHandle<K>> {
    const made = makeJob(CONTRACTS[this.kind], input, placeOf(this.#core, options, options.key));
    const [handle] = await submit(this.#core, this.kind, [made], options.key !== undefined, options.signal);
    return handle as JobHandle<K>;
  }

  /** Enqueues many jobs in few round trips; all inputs are checked before the first is sent. Handles in the order of the inputs. */
  async enqueueMany(
    inputs: readonly InputOf<K>[],
    options: EnqueueManyOptions<InputOf<K>> = {},
  ): Promise<JobHandle<K>[]> {
    boundMany(inputs.length);
    const contract = CONTRACTS[this.kind];
    const { key } = options;
    const asOf = options.asOf ?? this.#core.nowMs();
    const place = placeOf(this.#core, { ...options, asOf }, undefined);
    const made = inputs.map((input, index) =>
      makeJob(contract, input, key === undefined ? place : { ...place, key: keyAt(key, input, index) }),
    );
    return submit(this.#core, this.kind, made, key !== undefined, options.signal);
  }

  /** The job of that id, if it is this tenant's and still known to the queue. */
  async get(id: string): Promise<JobHandle<K> | undefined> {
    const stored = await this.#core.transport.read(this.kind, id);
    if (stored === undefined || stored.envelope.tenant !== this.#core.tenant) return undefined;
    return new JobHandle(this.#core.transport, this.kind, id, stored.envelope.runKey);
  }
}

export function boundMany(count: number): void {
  if (count <= ENQUEUE_MANY_MAX) return;
  throw new AppError('INPUT_INVALID', {
    message: `One call takes at most ${ENQUEUE_MANY_MAX} inputs, not ${count}.`,
    details: { issues: [{ path: [], message: `at most ${ENQUEUE_MANY_MAX} inputs` }] },
  });
}

export const keyAt = <I>(key: string | ((input: I, index: number) => string), input: I, index: number): string =>
  typeof key === 'string' ? `${key}.${index}` : key(input, index);

const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** What is traced badly is enqueued all the same. */
function traceOf({ trace }: ClientCore): string | undefined {
  try {
    const current = trace?.();
    return current !== undefined && TRACEPARENT.test(current) ? current : undefined;
  } catch {
    return undefined;
  }
}

export function placeOf(core: ClientCore, options: CommonOptions, key: string | undefined): JobPlace {
  return {
    tenant: core.tenant,
    key,
    ring: core.ring,
    asOf: options.asOf ?? core.nowMs(),
    trace: options.trace ?? traceOf(core),
    priority: options.priority,
    delayMs: options.delayMs,
  };
}

/** Stores what does not fit, adds the jobs, and for keyed ones makes sure that what is stored under the key is this input. */
export async function submit<K extends JobKind>(
  core: ClientCore,
  kind: K,
  made: readonly Made[],
  keyed: boolean,
  signal?: AbortSignal,
): Promise<JobHandle<K>[]> {
  signal?.throwIfAborted();
  const jobs: MadeJob[] = [];
  for (const one of made) jobs.push(one.fits ? one.job : one.withClaim(await putClaim(core, one, signal)));
  signal?.throwIfAborted();
  await core.transport.add(kind, jobs, signal);
  core.enqueued?.(jobs);
  if (keyed)
    for (let from = 0; from < jobs.length; from += COMPARE_JOBS_MAX)
      await refuseReusedKeys(core.transport, kind, jobs.slice(from, from + COMPARE_JOBS_MAX));
  return jobs.map((job) => new JobHandle(core.transport, kind, job.opts.jobId, job.data.runKey));
}

/** Throws KEY_REUSED when a stored job has the id of one of these and another input. */
export async function refuseReusedKeys(transport: Transport, kind: JobKind, jobs: readonly MadeJob[]): Promise<void> {
  const stored = await transport.storedHashes(
    kind,
    jobs.map((job) => job.opts.jobId),
  );
  jobs.forEach((job, index) => {
    const inputHash = stored[index];
    if (inputHash === undefined || inputHash === job.data.inputHash) return;
    throw new AppError('KEY_REUSED', { details: { kind, id: job.opts.jobId, runKey: job.data.runKey } });
  });
}

async function putClaim(
  core: ClientCore,
  { body, unclaimed }: Made & { fits: false },
  signal?: AbortSignal,
): Promise<ClaimRef> {
  const { kind, runKey } = unclaimed.data;
  if (core.gateway === undefined)
    throw new AppError('CLAIM_NEEDS_GATEWAY', {
      message: `The input of ${kind} has ${Buffer.byteLength(body)} bytes as it would travel, more than a job may carry in Redis.`,
      details: { kind, bytes: Buffer.byteLength(body) },
    });
  return core.gateway.putClaim(body, runKey, signal);
}
