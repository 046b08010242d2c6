/**
 * Owns which column of a file is which field of the canonical event: the field's own name, a usual other spelling,
 * or what the caller's mapping says. An unknown column is an error that names the nearest known one, never ignored:
 * silently dropped columns are how signals get lost.
 */
import { EVENT_FIELDS } from '../../contract-kit/event-fields.ts';
import { AppError } from '../../errors.ts';
import { nearestName } from '../nearest-name.ts';

export { EVENT_FIELDS };
export type EventField = (typeof EVENT_FIELDS)[number];

/** Fields that every event must have, from the file or from the defaults. */
export const NEEDED_FIELDS = ['type', 'user', 'occurredAt'] as const satisfies readonly EventField[];

/** Column -> field. '' leaves the column out. */
export type ColumnMapping = Readonly<Record<string, EventField | ''>>;

/** Other spellings that need no mapping; compared without case, dashes, underscores and spaces. */
const SPELLINGS: Readonly<Record<string, EventField>> = {
  eventid: 'id',
  event: 'type',
  eventtype: 'type',
  action: 'type',
  userid: 'user',
  person: 'user',
  itemid: 'item',
  videoid: 'item',
  movieid: 'item',
  rating: 'value',
  timestamp: 'occurredAt',
  time: 'occurredAt',
  sessionid: 'session',
  rank: 'position',
  query: 'text',
  comment: 'text',
};

const plain = (name: string): string => name.toLowerCase().replaceAll(/[-_ ]/g, '');

const FIELD_BY_SPELLING: ReadonlyMap<string, EventField> = new Map([
  ...Object.entries(SPELLINGS),
  ...EVENT_FIELDS.map((field) => [plain(field), field] as const),
]);

/** What a column means: a field, '' (left out), or undefined (unknown). */
export function fieldOfColumn(column: string, mapping: ColumnMapping): EventField | '' | undefined {
  if (Object.hasOwn(mapping, column)) return mapping[column];
  return FIELD_BY_SPELLING.get(plain(column));
}

/** The sentence about an unknown column. */
export function unknownColumn(column: string): { reason: string; nearest: EventField } {
  const nearest = nearestName(column, EVENT_FIELDS);
  const shown = JSON.stringify(column.slice(0, 60));
  return { reason: `unknown column ${shown}, did you mean "${nearest}"`, nearest };
}

/** Checks the caller's mapping. Throws INPUT_INVALID that names the nearest known field. */
export function checkMapping(mapping: ColumnMapping): void {
  for (const [column, field] of Object.entries<string>(mapping)) {
    if (field === '' || EVENT_FIELDS.some((known) => known === field)) continue;
    const nearest = nearestName(field, EVENT_FIELDS);
    throw new AppError('INPUT_INVALID', {
      message: `Column "${column}" is mapped to "${field}", which is no field of an event; did you mean "${nearest}"?`,
      details: { column, field, nearest, known: EVENT_FIELDS },
    });
  }
}

/** Fields by column number. Throws FILE_MALFORMED naming the column: unknown, twice the same field, or needed and absent. */
export function readHeader(
  file: string,
  line: number,
  header: readonly string[],
  mapping: ColumnMapping,
  given: readonly string[],
): (EventField | '')[] {
  const complaint = (column: number, reason: string, more: Record<string, unknown> = {}): AppError =>
    new AppError('FILE_MALFORMED', {
      message: `${file}, line ${line}, column ${column}: ${reason}.`,
      details: { file, line, column, reason, ...more },
    });
  const fields: (EventField | '')[] = [];
  for (const [index, name] of header.entries()) {
    const column = name.trim();
    const field = fieldOfColumn(column, mapping);
    if (field === undefined) {
      const { reason, nearest } = unknownColumn(column);
      throw complaint(index + 1, reason, { field: column, nearest, known: EVENT_FIELDS });
    }
    if (field !== '' && fields.includes(field)) throw complaint(index + 1, `a second column for "${field}"`, { field });
    fields.push(field);
  }
  const missing = NEEDED_FIELDS.filter((field) => !fields.includes(field) && !given.includes(field));
  if (missing.length > 0) throw complaint(1, `the header has no column for ${missing.join(', ')}`, { missing });
  return fields;
}
