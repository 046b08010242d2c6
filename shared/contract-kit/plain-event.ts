/**
 * Owns the quick check of an ordinary event. It accepts a part of what `eventSchema` accepts, with the same result to the byte, and leaves the
 * rest to it; a property test holds the two together.
 */
import type { CanonicalEvent } from './event.ts';
import {
  EVENT_FIELDS,
  DEVICES,
  EVENT_TYPES,
  ID_CHARS_MAX,
  MS_MAX,
  MS_MIN,
  POSITION_MAX,
  TEXT_CHARS_MAX,
  VALUE_MAX,
} from './event-fields.ts';

/** What `plainEvent` knows. An object with any other field goes to the schema. */
const FIELDS: ReadonlySet<string> = new Set(EVENT_FIELDS satisfies readonly (keyof CanonicalEvent)[]);
const TYPE_NAMES: ReadonlySet<unknown> = new Set(EVENT_TYPES);
const DEVICE_NAMES: ReadonlySet<unknown> = new Set(DEVICES);

const isId = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= ID_CHARS_MAX;
const isWhole = (value: unknown, min: number, max: number): value is number =>
  Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
const isMs = (value: unknown): value is number => isWhole(value, MS_MIN, MS_MAX);

/**
 * What the schema makes of an ordinary event, field by field in the schema's order, at a tenth of its cost (every event is checked twice on its
 * way in). Undefined: unusual in whatever way, also when it is wrong; then the schema decides, which alone words refusals.
 */
export function plainEvent(candidate: unknown): CanonicalEvent | undefined {
  if (typeof candidate !== 'object' || candidate === null) return undefined;
  if (Object.getPrototypeOf(candidate) !== Object.prototype) return undefined;
  const given = candidate as Readonly<Record<string, unknown>>;
  for (const field in given) if (!FIELDS.has(field) || given[field] === undefined) return undefined;
  const { id, type, user, item, target, value, occurredAt, recordedAt, position, session, device, requestId, text } =
    given;
  if (!TYPE_NAMES.has(type) || !isId(user) || !isMs(occurredAt)) return undefined;
  // Built in the order of the schema: the serialised event, and with it the hash of a batch, is the same either way.
  const event = (id === undefined ? { type, user } : { id, type, user }) as CanonicalEvent;
  if (id !== undefined && !isId(id)) return undefined;
  if (item !== undefined) {
    if (!isId(item)) return undefined;
    event.item = item;
  }
  if (target !== undefined) {
    if (!isId(target)) return undefined;
    event.target = target;
  }
  if (value !== undefined) {
    if (typeof value !== 'number' || !(value >= -VALUE_MAX && value <= VALUE_MAX)) return undefined;
    event.value = value;
  }
  event.occurredAt = occurredAt;
  if (recordedAt !== undefined) {
    if (!isMs(recordedAt)) return undefined;
    event.recordedAt = recordedAt;
  }
  return withOptions(event, position, session, device, requestId, text);
}

/** The last fields of an event, in the schema's order. */
function withOptions(
  event: CanonicalEvent,
  position: unknown,
  session: unknown,
  device: unknown,
  requestId: unknown,
  text: unknown,
): CanonicalEvent | undefined {
  if (position !== undefined) {
    if (!isWhole(position, 1, POSITION_MAX)) return undefined;
    event.position = position;
  }
  if (session !== undefined) {
    if (!isId(session)) return undefined;
    event.session = session;
  }
  if (device !== undefined) {
    if (!DEVICE_NAMES.has(device)) return undefined;
    event.device = device as NonNullable<CanonicalEvent['device']>;
  }
  if (requestId !== undefined) {
    if (!isId(requestId)) return undefined;
    event.requestId = requestId;
  }
  if (text !== undefined) {
    if (typeof text !== 'string' || text.length === 0 || text.length > TEXT_CHARS_MAX) return undefined;
    event.text = text;
  }
  return event;
}
