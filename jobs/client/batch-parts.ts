/**
 * Owns cutting a batch of records into jobs: every record is checked on its own, the bad ones are reported with their place,
 * and the good ones are cut so that each part, sealed, fits into an envelope.
 *
 * Sealed records are deflated, so how many fit is only known afterwards. The first part is cut by a cautious guess, the
 * next by the ratio just measured; a part that came out too large is cut again. The cut depends on the records alone:
 * the same batch under the same key makes the same parts.
 */
import type { z } from 'zod';
import { checkConsent } from '../../shared/contract-kit/check-consent.ts';
import {
  type Checked,
  checkEvent,
  checkRecord,
  itemSchema,
  personSchema,
  type Rejection,
} from '../../shared/contract-kit/event.ts';
import { AppError } from '../../shared/errors.ts';
import { BATCH_RECORDS_MAX, ingestion } from '../ingestion/contract.ts';
import { INLINE_BYTES_MAX, type Made, parseInput } from './make-job.ts';

export const RECORD_LISTS = ['events', 'items', 'people', 'consents'] as const;
export type RecordList = (typeof RECORD_LISTS)[number];

/** A batch whose outer shape has been checked. */
export interface OpenBatch {
  readonly source: string;
  readonly list: RecordList;
  readonly records: readonly unknown[];
  readonly allowUnknownItems: boolean | undefined;
  /** Version of the source's own records; only a worker knows what they mean. */
  readonly schema: string | undefined;
}

export interface CheckedBatch {
  /** The good records, serialised. */
  readonly texts: readonly string[];
  /** Place of each good record in the caller's array, ascending. */
  readonly indices: readonly number[];
  readonly rejected: readonly Rejection[];
}

const FIRST_PART_CHARS = 160 * 1024;
/** Keeps a part's work, and what one retry repeats, small even where records deflate to almost nothing. */
const PART_CHARS_MAX = 512 * 1024;
/** Share of the room that the guess aims at, so that recutting stays rare. */
const FILL = 0.9;

const RECORD_SCHEMAS = { items: itemSchema, people: personSchema } as const;

/** Checks what surrounds the records; throws INPUT_INVALID. */
export function openBatch(input: unknown): OpenBatch {
  const batch = (typeof input === 'object' && input !== null ? input : {}) as Readonly<Record<string, unknown>>;
  const list = RECORD_LISTS.find((name) => Object.hasOwn(batch, name));
  const records = list === undefined ? undefined : batch[list];
  if (list === undefined || !Array.isArray(records) || 'indices' in batch || records.length > BATCH_RECORDS_MAX)
    throw notABatch(records);
  // One record stands for all of them: the contract then judges the frame at no cost.
  parseInput(ingestion, { ...batch, [list]: records.slice(0, 1) });
  return {
    source: batch.source as string,
    list,
    records,
    allowUnknownItems: batch.allowUnknownItems as boolean | undefined,
    schema: batch.schema as string | undefined,
  };
}

function notABatch(records: unknown): AppError {
  const message =
    Array.isArray(records) && records.length > BATCH_RECORDS_MAX
      ? `at most ${BATCH_RECORDS_MAX} records a batch, not ${records.length}`
      : 'a batch is { source, events | items | people | consents: [...] }, or { compact: {} }';
  return new AppError('INPUT_INVALID', {
    message: `The input of ingestion does not fit its contract: ${message}.`,
    details: { kind: 'ingestion', issues: [{ path: [], message }] },
  });
}

export function checkBatch(batch: OpenBatch, nowMs: number): CheckedBatch {
  const texts: string[] = [];
  const indices: number[] = [];
  const rejected: Rejection[] = [];
  const { records, list, schema } = batch;
  for (let index = 0; index < records.length; index++) {
    const checked =
      schema === undefined ? checkOne(list, records[index], index, nowMs) : checkForm(records[index], index);
    if (checked.ok) {
      texts.push(JSON.stringify(checked.value));
      indices.push(index);
    } else rejected.push(checked.rejection);
  }
  return { texts, indices, rejected };
}

/** Of records that are not canonical yet only the form is known. */
function checkForm(candidate: unknown, index: number): Checked<unknown> {
  if (typeof candidate === 'object' && candidate !== null && !Array.isArray(candidate))
    return { ok: true, value: candidate };
  return { ok: false, rejection: { index, code: 'EVENT_INVALID', reason: 'must be an object' } };
}

function checkOne(list: RecordList, candidate: unknown, index: number, nowMs: number): Checked<unknown> {
  if (list === 'events') return checkEvent(candidate, index, nowMs);
  if (list === 'consents') return checkConsent(candidate, index, nowMs);
  const schema: z.ZodType = RECORD_SCHEMAS[list];
  return checkRecord(schema, candidate, index);
}

/** The serialised input of a part: what JSON.stringify gives for the contract's parse of it. */
export function partText(batch: OpenBatch, checked: CheckedBatch, from: number, to: number): string {
  const { indices, texts } = checked;
  // Ascending and starting at 0 with no gap: place = index, nothing to say.
  const identity = from === 0 && indices[to - 1] === to - 1;
  const where = identity ? '' : `"indices":[${indices.slice(from, to).join(',')}],`;
  const unknown = batch.allowUnknownItems === undefined ? '' : `,"allowUnknownItems":${batch.allowUnknownItems}`;
  const version = batch.schema === undefined ? '' : `,"schema":${JSON.stringify(batch.schema)}`;
  const records = texts.slice(from, to).join(',');
  return `{"source":${JSON.stringify(batch.source)},${where}"${batch.list}":[${records}]${version}${unknown}}`;
}

export interface Part {
  readonly made: Made;
  readonly records: number;
}

/** Cuts the good records into parts; `make(text, n)` makes the job of part n. */
export function cutParts(batch: OpenBatch, checked: CheckedBatch, make: (text: string, part: number) => Made): Part[] {
  const { texts } = checked;
  const parts: Part[] = [];
  let target = FIRST_PART_CHARS;
  for (let from = 0; from < texts.length; ) {
    let to = reach(texts, from, target);
    for (;;) {
      const text = partText(batch, checked, from, to);
      const made = make(text, parts.length);
      const bytes = made.fits ? (made.job.data.sealed?.box.length ?? text.length) : made.body.length;
      target = Math.min(PART_CHARS_MAX, Math.floor((text.length * INLINE_BYTES_MAX * FILL) / bytes));
      // A single record that does not fit travels as a payload claim, like any large input.
      if (made.fits || to - from === 1) {
        parts.push({ made, records: to - from });
        break;
      }
      to = Math.min(to - 1, reach(texts, from, target));
    }
    from = to;
  }
  return parts;
}

/** The end of a part that starts at `from` and has about `chars` characters, at least one record. */
function reach(texts: readonly string[], from: number, chars: number): number {
  let to = from + 1;
  let sum = texts[from]?.length ?? 0;
  while (to < texts.length) {
    sum += (texts[to]?.length ?? 0) + 1;
    if (sum > chars) break;
    to++;
  }
  return to;
}
