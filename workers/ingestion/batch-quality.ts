/** Owns what is counted of a batch for the reports of its source: nothing that names anybody. */
import { EVENT_FIELDS } from '../../shared/contract-kit/event-fields.ts';
import { EVENT_TYPES, type Rejection, valueRange } from '../../shared/contract-kit/event.ts';
import type { BatchQuality, EventRow } from '../../shared/store/ports.ts';

/** Recorded so long after it occurred, an event is late. */
const LATE_MS = 86_400_000;
const VALUE_BINS = 10;

const CODES = new Map(EVENT_TYPES.map((type, code) => [type, code]));
const RANGES = EVENT_TYPES.map((type) => valueRange(type));
const FIELDS: ReadonlySet<string> = new Set(EVENT_FIELDS);

/** A member's name is the sender's own word: only those that events have are counted by name. */
const nameOf = ({ code, field }: Rejection): string =>
  field === undefined ? code : `${code} ${FIELDS.has(field) ? field : 'other'}`;

export function batchQuality(
  received: number,
  rows: readonly EventRow[],
  repeated: number,
  rejected: readonly Rejection[],
): BatchQuality {
  const types = Array.from(EVENT_TYPES, () => 0);
  const values = Array.from({ length: VALUE_BINS }, () => 0);
  const filled = { item: 0, value: 0, session: 0, device: 0 };
  let late = 0;
  for (const { event, recordedAt } of rows) {
    const code = CODES.get(event.type)!;
    types[code]!++;
    if (event.item !== undefined) filled.item++;
    if (event.session !== undefined) filled.session++;
    if (event.device !== undefined && event.device !== 'unknown') filled.device++;
    if (recordedAt - event.occurredAt > LATE_MS) late++;
    if (event.value === undefined) continue;
    filled.value++;
    const [least, most] = RANGES[code] ?? [0, 1];
    const tenth = Math.floor((VALUE_BINS * (event.value - least)) / (most - least));
    values[Math.min(VALUE_BINS - 1, Math.max(0, tenth))]!++;
  }
  const refused: Record<string, number> = {};
  for (const rejection of rejected) {
    const name = nameOf(rejection);
    refused[name] = (refused[name] ?? 0) + 1;
  }
  return { received, passed: rows.length + repeated, duplicates: repeated, late, filled, refused, types, values };
}
