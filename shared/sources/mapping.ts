/**
 * Owns mapping tables as data: how the members of a source's own records become the fields of the canonical event. A table can be
 * declared with the source or added by an operator when records of an unknown version have come in.
 */
import { z } from 'zod';
import { EVENT_FIELDS, EVENT_TYPES } from '../contract-kit/event-fields.ts';

export const SCHEMA_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$/;

const MEMBERS_MAX = 100;
const member = z.string().min(1).max(200);
const field = z.enum(EVENT_FIELDS);

export const eventMappingSchema = z.strictObject({
  /** Member of the record (`payload.video`: a member of a member) -> field of the event; '' leaves it out knowingly. */
  fields: z
    .record(member, z.union([field, z.literal('')]))
    .refine((fields) => Object.keys(fields).length <= MEMBERS_MAX, `at most ${MEMBERS_MAX} members`)
    .refine((fields) => {
      const named = Object.values(fields).filter((name) => name !== '');
      return new Set(named).size === named.length;
    }, 'two members for one field'),
  /** The source's word for what happened -> event type. Words that are event types need no entry. */
  types: z.record(member, z.enum(EVENT_TYPES)).optional(),
  /** Fields that every record of this version has. */
  constants: z.partialRecord(field, z.union([z.string().min(1).max(200), z.number()])).optional(),
  /** value = given * times + plus: stars of 5 become 0..10 with `times: 2`. */
  value: z.strictObject({ times: z.number(), plus: z.number().optional() }).optional(),
  /** Unit of times that are numbers. Default ms. */
  timeUnit: z.enum(['ms', 's']).optional(),
});
export type EventMapping = z.output<typeof eventMappingSchema>;

type Members = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function memberOf(record: Members, path: string): unknown {
  if (Object.hasOwn(record, path)) return record[path];
  let at: unknown = record;
  for (const name of path.split('.')) {
    if (!isObject(at) || !Object.hasOwn(at, name)) return undefined;
    at = at[name];
  }
  return at;
}

function converted(name: string, value: unknown, mapping: EventMapping): unknown {
  if (
    name === 'type' &&
    typeof value === 'string' &&
    mapping.types !== undefined &&
    Object.hasOwn(mapping.types, value)
  )
    return mapping.types[value];
  if (typeof value !== 'number') return value;
  if (name === 'value' && mapping.value !== undefined) return value * mapping.value.times + (mapping.value.plus ?? 0);
  const isTime = name === 'occurredAt' || name === 'recordedAt';
  return isTime && mapping.timeUnit === 's' ? Math.round(value * 1000) : value;
}

/**
 * A record as the table has it, still to be checked. Members that the table does not name stay under their own names, so that the
 * check refuses what is neither mapped nor canonical: nothing is dropped in silence.
 */
export function mappedEvent(record: unknown, mapping: EventMapping): unknown {
  if (!isObject(record)) return record;
  const paths = Object.keys(mapping.fields);
  const named = new Set(paths.flatMap((path) => [path, path.split('.')[0]!]));
  const fields: Record<string, unknown> = { ...mapping.constants };
  for (const [name, value] of Object.entries(record)) if (!named.has(name)) fields[name] = value;
  for (const path of paths) {
    const name = mapping.fields[path]!;
    const value = name === '' ? undefined : memberOf(record, path);
    if (value !== undefined && value !== null) fields[name] = converted(name, value, mapping);
  }
  return fields;
}
