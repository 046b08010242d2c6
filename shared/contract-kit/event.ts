/**
 * Owns the canonical records that enter Millrace: events, catalogue items, people and consents,
 * with the rules that zod alone cannot say (which type needs which fields, in which range).
 *
 * Records are validated one by one: a bad one is reported with its index, field and code, the good ones go in.
 */
import { hash } from 'node:crypto';
import { z } from 'zod';
import {
  DEVICES,
  EVENT_TYPES,
  type EventType,
  ID_CHARS_MAX,
  MS_MAX,
  MS_MIN,
  POSITION_MAX,
  TEXT_CHARS_MAX,
  VALUE_MAX,
} from './event-fields.ts';
import { plainEvent } from './plain-event.ts';
import { CONSENT_BASES, purposeSchema } from './purposes.ts';

export { DEVICES, EVENT_TYPES, type EventType };

export const externalId = z.string().min(1).max(ID_CHARS_MAX);

/** Milliseconds since 1970 UTC; accepts an integer or an ISO 8601 date-time with offset. */
export const timestampSchema = z.union([
  z.int().min(MS_MIN).max(MS_MAX),
  z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
]);

export const eventSchema = z.strictObject({
  /** Given by the source; absent: derived from (source, user, item, type, time). */
  id: externalId.optional(),
  type: z.enum(EVENT_TYPES),
  user: externalId,
  item: externalId.optional(),
  /** For `follow`: the person followed. */
  target: externalId.optional(),
  value: z.number().min(-VALUE_MAX).max(VALUE_MAX).optional(),
  /** When it happened. */
  occurredAt: timestampSchema,
  /** When the source recorded it; absent: when Millrace received it. */
  recordedAt: timestampSchema.optional(),
  /** 1 = top of the list. */
  position: z.int().min(1).max(POSITION_MAX).optional(),
  session: externalId.optional(),
  device: z.enum(DEVICES).optional(),
  /** The recommendation response that caused the event. */
  requestId: externalId.optional(),
  /** Free text (query, comment, reason). Kept in the person's envelope, never in blocks. */
  text: z.string().min(1).max(TEXT_CHARS_MAX).optional(),
});
export type CanonicalEventInput = z.input<typeof eventSchema>;
export type CanonicalEvent = z.output<typeof eventSchema>;

const label = z.string().min(1).max(200);

export const itemSchema = z.strictObject({
  id: externalId,
  title: z.string().min(1).max(500),
  creator: externalId.optional(),
  topics: z.array(label).max(50).optional(),
  publishedAt: timestampSchema.optional(),
  durationMs: z.int().min(0).max(1e10).optional(),
  attributes: z.record(label, z.union([z.string().max(500), z.number(), z.boolean()])).optional(),
});
export type CatalogueItemInput = z.input<typeof itemSchema>;
export type CatalogueItem = z.output<typeof itemSchema>;

export const AGE_GROUPS = ['<18', '18-24', '25-34', '35-44', '45-49', '50-55', '56+'] as const;

export const personSchema = z.strictObject({
  id: externalId,
  name: z.string().min(1).max(200).optional(),
  gender: z.string().min(1).max(50).optional(),
  ageGroup: z.enum(AGE_GROUPS).optional(),
  /** Further attributes (occupation, culture, coarse place); all of it lies in the per-person envelope. */
  attributes: z.record(label, z.union([z.string().max(500), z.number(), z.boolean()])).optional(),
});
export type PersonInput = z.input<typeof personSchema>;
export type Person = z.output<typeof personSchema>;

export const consentSchema = z.strictObject({
  user: externalId,
  purposes: z.array(purposeSchema).min(1).max(10),
  /** Source the consent covers; `*` covers every source. */
  source: z.string().min(1).max(100).default('*'),
  state: z.enum(['given', 'withdrawn']).default('given'),
  basis: z.enum(CONSENT_BASES).default('consent'),
  /** When the person said so. */
  at: timestampSchema,
  /** When a consent that is given for a time ends; absent: it holds until it is withdrawn. */
  until: timestampSchema.optional(),
  /** Id of the receipt that the person holds. */
  receipt: z.string().min(1).max(200).optional(),
});
export type ConsentRecordInput = z.input<typeof consentSchema>;
export type ConsentRecord = z.output<typeof consentSchema>;

/** Why one record of a batch was refused. `index` refers to the caller's array. */
export const rejectionSchema = z.object({
  index: z.int().min(0),
  code: z.string(),
  field: z.string().optional(),
  reason: z.string(),
});
export type Rejection = z.output<typeof rejectionSchema>;

interface TypeRule {
  readonly item: 'needed' | 'optional' | 'none';
  /** Range of `value`; absent: the type carries no value. */
  readonly value?: readonly [min: number, max: number];
  readonly valueNeeded?: boolean;
  readonly textNeeded?: boolean;
}

const RULES: Readonly<Record<EventType, TypeRule>> = {
  impression: { item: 'needed' },
  view: { item: 'needed', value: [0, 100], valueNeeded: true },
  click: { item: 'needed' },
  search: { item: 'none', textNeeded: true },
  share: { item: 'needed' },
  like: { item: 'needed' },
  follow: { item: 'optional' },
  comment: { item: 'needed', textNeeded: true },
  rating: { item: 'needed', value: [0, 10], valueNeeded: true },
  thumb: { item: 'needed', value: [-1, 1], valueNeeded: true },
  'not-interested': { item: 'needed' },
  purchase: { item: 'needed', value: [0, 1e9] },
  convert: { item: 'needed', value: [0, 1e9] },
  save: { item: 'needed' },
  skip: { item: 'needed' },
  survey: { item: 'optional', value: [0, 10] },
};

/** Least and most that `value` of a type may be; undefined: the type carries none. */
export const valueRange = (type: EventType): readonly [min: number, max: number] | undefined => RULES[type].value;

/** Most that `occurredAt` may lie ahead of our clock. */
export const FUTURE_TOLERANCE_MS = 5 * 60_000;

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly rejection: Rejection };

export const refuse = (
  index: number,
  code: string,
  field: string | undefined,
  reason: string,
): { ok: false; rejection: Rejection } => ({
  ok: false,
  rejection: field === undefined ? { index, code, reason } : { index, code, field, reason },
});

function checkTypeRule(event: CanonicalEvent): { field: string; reason: string } | undefined {
  const rule = RULES[event.type];
  if (rule.item === 'needed' && event.item === undefined)
    return { field: 'item', reason: `a ${event.type} needs an item` };
  if (rule.item === 'none' && event.item !== undefined) return { field: 'item', reason: `a ${event.type} has no item` };
  if (event.type === 'follow' && event.item === undefined && event.target === undefined)
    return { field: 'target', reason: 'a follow needs an item (its creator) or a target' };
  if (rule.textNeeded && event.text === undefined) return { field: 'text', reason: `a ${event.type} needs a text` };
  if (event.value === undefined)
    return rule.valueNeeded ? { field: 'value', reason: `a ${event.type} needs a value` } : undefined;
  if (rule.value === undefined) return { field: 'value', reason: `a ${event.type} has no value` };
  const [min, max] = rule.value;
  if (event.value < min || event.value > max) return { field: 'value', reason: `must be ${min}..${max}` };
  if (event.type === 'thumb' && event.value === 0) return { field: 'value', reason: 'must be 1 or -1' };
  return undefined;
}

/** Names of fields as programs write them. Anything else in their place may be what somebody said, and is not repeated. */
const FIELD_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,39}$/;

/** The first problem of a zod error as (field, reason). Refusals are stored and logged: keys that the sender chose freely are left out. */
export function firstIssue(error: z.ZodError): { field: string; reason: string } {
  const issue = error.issues[0];
  if (issue === undefined) return { field: '', reason: error.message };
  if (issue.code === 'unrecognized_keys')
    return { field: issue.keys.find((key) => FIELD_NAME.test(key)) ?? '', reason: 'unknown field' };
  const named = issue.path[0] === 'attributes' ? issue.path.slice(0, 1) : issue.path;
  return { field: named.join('.'), reason: issue.message };
}

/** Checks one event; `nowMs` bounds the future. */
export function checkEvent(candidate: unknown, index: number, nowMs: number): Checked<CanonicalEvent> {
  const plain = plainEvent(candidate);
  return plain === undefined ? checkEventBySchema(candidate, index, nowMs) : judged(plain, index, nowMs);
}

/** What `checkEvent` says, by the schema alone. */
export function checkEventBySchema(candidate: unknown, index: number, nowMs: number): Checked<CanonicalEvent> {
  const parsed = eventSchema.safeParse(candidate);
  if (parsed.success) return judged(parsed.data, index, nowMs);
  const { field, reason } = firstIssue(parsed.error);
  return refuse(index, 'EVENT_INVALID', field, reason);
}

/** The rules beyond the schema. */
function judged(event: CanonicalEvent, index: number, nowMs: number): Checked<CanonicalEvent> {
  const broken = checkTypeRule(event);
  if (broken !== undefined) return refuse(index, 'EVENT_INVALID', broken.field, broken.reason);
  if (event.occurredAt > nowMs + FUTURE_TOLERANCE_MS)
    return refuse(index, 'EVENT_IN_FUTURE', 'occurredAt', 'lies in the future');
  return { ok: true, value: event };
}

/** Checks one item, person or consent against its schema. */
export function checkRecord<T>(schema: z.ZodType<T>, candidate: unknown, index: number): Checked<T> {
  const parsed = schema.safeParse(candidate);
  if (parsed.success) return { ok: true, value: parsed.data };
  const { field, reason } = firstIssue(parsed.error);
  return refuse(index, 'INPUT_INVALID', field, reason);
}

/** The id of an event whose source gave none: a hash of (source, user, item, type, time, target if any), base64url, 128 bits. */
export function derivedEventId(
  source: string,
  event: Pick<CanonicalEvent, 'user' | 'item' | 'target' | 'type' | 'occurredAt'>,
): string {
  const parts = [source, event.user, event.item ?? null, event.type, event.occurredAt];
  // Who follows two people at one moment has done two things.
  if (event.target !== undefined) parts.push(event.target);
  const text = JSON.stringify(parts);
  return hash('sha256', text, 'buffer').subarray(0, 16).toString('base64url');
}
