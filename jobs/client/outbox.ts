/**
 * Owns `@millrace/client/outbox`: an enqueue that a service writes into its own document, in the same write as its own change. Either
 * both are there or neither is. It needs no connection and no driver; a relay of the workers does the rest.
 */
import { randomUUID } from 'node:crypto';
import { DEFAULT_TENANT, PRIORITY_CLASS_SPAN } from '../../shared/contract-kit/names.ts';
import {
  OUTBOX_BYTES_MAX,
  OUTBOX_FIELD,
  OUTBOX_JOBS_MAX,
  OUTBOX_VERSION,
  type OutboxEntry,
  type OutboxJob,
} from '../../shared/contract-kit/outbox.ts';
import { sealRing } from '../../shared/contract-kit/seal.ts';
import { AppError } from '../../shared/errors.ts';
import type { IngestionBatch } from '../ingestion/contract.ts';
import { contractOf, type InputOf, type JobKind } from '../registry.ts';
import { checkBatch, cutParts, openBatch } from './batch-parts.ts';
import { type JobPlace, type Made, type MadeJob, makeJob, makeSerialisedJob } from './make-job.ts';

export { OUTBOX_FIELD };
export type { OutboxEntry };

const FIRST_LOOK_MS = 5_000;

export interface OutboxOptions {
  /** Default: `main`. */
  readonly tenant?: string | undefined;
  /** 64 hex digits (several, comma-separated: the first one seals); needed for kinds with personal input, like ingestion. */
  readonly seal?: string | undefined;
  /** Idempotency key; absent: this entry is like no other, however often it is relayed. */
  readonly key?: string | undefined;
  /** Urgency class, 0 (first) to 6 (last); absent: 3. */
  readonly priority?: number | undefined;
  /** Earliest start, ms from now. */
  readonly delayMs?: number | undefined;
  /** Moment the run speaks of, ms since 1970; absent: now. */
  readonly asOf?: number | undefined;
  /** W3C traceparent of the caller. */
  readonly trace?: string | undefined;
}

/** What may be asked through an outbox: a batch of records for ingestion, the contract's input for every other kind. */
export type OutboxInput<K extends JobKind> = K extends 'ingestion'
  ? IngestionBatch | { readonly compact: { readonly asOf?: number } }
  : InputOf<K>;

/**
 * The subdocument to write under `OUTBOX_FIELD`. Throws INPUT_INVALID, also when one record of a batch is not valid (nobody would
 * hear of it later), INPUT_TOO_LARGE, and CONFIG_INVALID when personal input comes without a seal key.
 */
export function outboxEntry<K extends JobKind>(
  kind: K,
  input: OutboxInput<K>,
  options: OutboxOptions = {},
): OutboxEntry {
  const nowMs = Date.now();
  const { tenant = DEFAULT_TENANT, seal, key, priority, delayMs, asOf = nowMs, trace } = options;
  const ring = seal === undefined || seal === '' ? undefined : sealRing(seal);
  const place: JobPlace = { tenant, key, ring, asOf, trace, priority };
  const isBatch = kind === 'ingestion' && !(typeof input === 'object' && input !== null && 'compact' in input);
  const made = isBatch ? partsOf(input, place, nowMs) : [makeJob(contractOf(kind), input, place)];
  const jobs = made.map((one) => entryJob(one, { priority, delayMs, nowMs }));
  const entry: OutboxEntry = { v: OUTBOX_VERSION, id: randomUUID(), due: true, at: nowMs, nextAt: nowMs, jobs };
  return bounded(kind, entry);
}

function partsOf(input: unknown, place: JobPlace, nowMs: number): Made[] {
  const batch = openBatch(input);
  const checked = checkBatch(batch, nowMs);
  if (checked.rejected.length > 0)
    throw new AppError('INPUT_INVALID', {
      message: `${checked.rejected.length} of the batch's records are not valid; the first is record ${checked.rejected[0]?.index}.`,
      details: { kind: 'ingestion', rejected: checked.rejected.slice(0, OUTBOX_JOBS_MAX) },
    });
  const ingestion = contractOf('ingestion');
  const { key } = place;
  const parts = cutParts(batch, checked, (text, part) =>
    makeSerialisedJob(ingestion, text, {
      ...place,
      source: batch.source,
      ...(key === undefined ? {} : { key: `${key}.${part}` }),
    }),
  );
  return parts.map((part) => part.made);
}

interface When {
  readonly priority: number | undefined;
  readonly delayMs: number | undefined;
  readonly nowMs: number;
}

type EntryJob = Pick<MadeJob, 'data' | 'source'>;

function entryJob(
  made: { fits: true; job: EntryJob } | { fits: false; unclaimed: EntryJob; body: string },
  { priority, delayMs, nowMs }: When,
): OutboxJob {
  const { data, source } = made.fits ? made.job : made.unclaimed;
  return {
    envelope: data,
    ...(made.fits ? {} : { body: made.body }),
    ...(priority === undefined ? {} : { priority }),
    ...(delayMs === undefined ? {} : { notBefore: nowMs + delayMs }),
    ...(source === undefined ? {} : { source }),
  };
}

/** The entry of one job that is made already and fits. */
export function entryOfJob({ data, opts, source }: MadeJob, nowMs: number): OutboxEntry {
  const { priority: first, delay: delayMs } = opts;
  const priority = first === undefined ? undefined : Math.floor(first / PRIORITY_CLASS_SPAN);
  const jobs = [entryJob({ fits: true, job: { data, source } }, { priority, delayMs, nowMs })];
  // Its job is on its way to the queue: a relay need not look at once.
  const nextAt = nowMs + FIRST_LOOK_MS;
  return { v: OUTBOX_VERSION, id: randomUUID(), due: true, at: nowMs, nextAt, jobs };
}

/** As it will be stored: no undefined fields, which some drivers turn into null. */
function bounded(kind: JobKind, entry: OutboxEntry): OutboxEntry {
  const text = JSON.stringify(entry);
  const bytes = Buffer.byteLength(text);
  if (bytes > OUTBOX_BYTES_MAX || entry.jobs.length > OUTBOX_JOBS_MAX)
    throw new AppError('INPUT_TOO_LARGE', {
      message: `An outbox entry holds at most ${OUTBOX_BYTES_MAX} bytes and ${OUTBOX_JOBS_MAX} jobs.`,
      details: { kind, bytes, bytesMax: OUTBOX_BYTES_MAX, jobs: entry.jobs.length },
    });
  return JSON.parse(text) as OutboxEntry;
}
