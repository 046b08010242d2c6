/**
 * Owns the canonical view of events: rows of several blocks, without what is masked, ordered by
 * (subject, item, time, event id). The same events give the same bytes, whatever the order in which they came in.
 */
import type { EventColumns } from '../ports.ts';
import {
  COLUMN_NAMES,
  decodeEvents,
  emptyColumns,
  type MutableColumns,
  OPTIONAL_COLUMNS,
  plainMemory,
  sharedMemory,
  widthOf,
} from './event-block.ts';
import { KeyTable } from './key-table.ts';

/** One block to merge: its plain bytes and what to leave out of it. */
export interface MergeInput {
  readonly plain: Uint8Array;
  /** Rows that another block brought first. */
  readonly masked?: Uint32Array;
  /** Leave out what was recorded later, ms since 1970. */
  readonly recordedUntil?: number;
}

function keptRows(events: EventColumns, input: MergeInput): Uint32Array {
  const masked = new Set(input.masked);
  const until = input.recordedUntil ?? Number.POSITIVE_INFINITY;
  const kept = new Uint32Array(events.rows);
  let count = 0;
  for (let row = 0; row < events.rows; row++)
    if (!masked.has(row) && events.recordedAt[row]! <= until) kept[count++] = row;
  return kept.subarray(0, count);
}

/** Merges blocks into one set of columns in canonical order on shared memory. O(n log n) in rows. */
export function mergeEvents(inputs: readonly MergeInput[]): EventColumns {
  const parts = inputs.map((input) => {
    const events = decodeEvents(input.plain);
    return { events, kept: keptRows(events, input) };
  });
  const gathered = gather(parts);
  const order = canonicalOrder(gathered);
  const sorted = emptyColumns(gathered.rows, gathered.sources, sharedMemory, optionalOf([gathered]));
  copyRows(gathered, order, sorted, 0);
  renumberSources(sorted);
  // A column that only left-out rows needed is not there, as if they had never been.
  for (const name of OPTIONAL_COLUMNS) if (sorted[name]?.every((byte) => byte === 0)) delete sorted[name];
  return sorted;
}

const optionalOf = (all: readonly EventColumns[]) =>
  OPTIONAL_COLUMNS.filter((name) => all.some((events) => events[name] !== undefined));

function gather(parts: readonly { readonly events: EventColumns; readonly kept: Uint32Array }[]): EventColumns {
  const rows = parts.reduce((sum, { kept }) => sum + kept.length, 0);
  const sources = new Map<string, number>();
  const optional = optionalOf(parts.map(({ events }) => events));
  const gathered = emptyColumns(rows, [], plainMemory, optional);
  let at = 0;
  for (const { events, kept } of parts) {
    copyRows(events, kept, gathered, at);
    const codes = events.sources.map((name) => {
      if (!sources.has(name)) sources.set(name, sources.size);
      return sources.get(name)!;
    });
    for (let row = at; row < at + kept.length; row++) gathered.source[row] = codes[gathered.source[row]!]!;
    at += kept.length;
  }
  gathered.sources = [...sources.keys()];
  return gathered;
}

/** target[at + i] = source[rows[i]] for every column. */
function copyRows(source: EventColumns, rows: Uint32Array, target: MutableColumns, at: number): void {
  for (const name of COLUMN_NAMES) {
    const [from, to, width] = [source[name], target[name], widthOf(name)];
    if (from === undefined || to === undefined) continue;
    if (width === 1) {
      for (let i = 0; i < rows.length; i++) to[at + i] = from[rows[i]!]!;
      continue;
    }
    for (let i = 0; i < rows.length; i++) {
      const [origin, place] = [rows[i]! * width, (at + i) * width];
      for (let b = 0; b < width; b++) to[place + b] = from[origin + b]!;
    }
  }
}

/** Names of sources in the order of the alphabet and only those in use: nothing of the way of arrival is left. */
function renumberSources(events: MutableColumns): void {
  const used = new Set<string>();
  for (const code of events.source) used.add(events.sources[code]!);
  const names = [...used].sort();
  const codes = events.sources.map((name) => names.indexOf(name));
  for (let row = 0; row < events.rows; row++) events.source[row] = codes[events.source[row]!]!;
  events.sources = names;
}

function rankRows(keys: Uint8Array, rows: number): { readonly ranks: Uint32Array; readonly distinct: number } {
  const table = new KeyTable();
  const numbers = new Uint32Array(rows);
  for (let row = 0; row < rows; row++) numbers[row] = table.add(keys, row * 16);
  const ranks = table.ranks();
  for (let row = 0; row < rows; row++) numbers[row] = ranks[numbers[row]!]!;
  return { ranks: numbers, distinct: table.size };
}

/** Row numbers in canonical order: a counting sort by subject, then a comparison sort within each. */
export function canonicalOrder(events: EventColumns): Uint32Array {
  const subjects = rankRows(events.subject, events.rows);
  const items = rankRows(events.item, events.rows).ranks;
  const starts = new Uint32Array(subjects.distinct + 1);
  for (const rank of subjects.ranks) starts[rank + 1]!++;
  for (let rank = 0; rank < subjects.distinct; rank++) starts[rank + 1]! += starts[rank]!;
  const next = starts.slice();
  const order = new Uint32Array(events.rows);
  for (let row = 0; row < events.rows; row++) order[next[subjects.ranks[row]!]!++] = row;
  const { occurredAt, eventId } = events;
  const compare = (a: number, b: number): number =>
    items[a]! - items[b]! || occurredAt[a]! - occurredAt[b]! || compareKeys(eventId, a * 16, b * 16);
  for (let rank = 0; rank < subjects.distinct; rank++) order.subarray(starts[rank], starts[rank + 1]).sort(compare);
  return order;
}

function compareKeys(keys: Uint8Array, a: number, b: number): number {
  for (let at = 0; at < 16; at++) {
    const difference = keys[a + at]! - keys[b + at]!;
    if (difference !== 0) return difference;
  }
  return 0;
}
