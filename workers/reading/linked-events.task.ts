/**
 * Owns reading the events of linked names as those of one person, in a thread: rows get the key of the person, all rows are again in canonical order, and
 * sessions that the person had on several devices at a time are one. What is not linked is as it was, to the byte.
 */
import { compareKeys, KeyIndex } from '../../shared/numerics/interactions/key-index.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import { SESSION_GAP_MS } from '../../shared/sources/sessions.ts';
import type { EventColumns } from '../../shared/store/ports.ts';

const SESSION_BYTES = 8;

export interface LinkedRequest {
  readonly columns: EventColumns;
  /** 16 bytes a linked name, distinct. */
  readonly aliases: Uint8Array;
  /** Parallel: the person. */
  readonly mains: Uint8Array;
  /** `applies[a * sources + source]`: 1 where rows of that source are read as the person's. */
  readonly applies: Uint8Array;
}

/** Rows whose subject becomes another, and that other's place among the mains. */
function movedRows({ columns, aliases, applies }: LinkedRequest): Map<number, number> {
  const index = KeyIndex.of(aliases);
  const sources = columns.sources.length;
  const moved = new Map<number, number>();
  for (let row = 0; row < columns.rows; row++) {
    const alias = index.find(columns.subject, row);
    if (alias >= 0 && applies[alias * sources + columns.source[row]!] === 1) moved.set(row, alias);
  }
  return moved;
}

type Keys = Pick<EventColumns, 'subject' | 'item' | 'occurredAt' | 'eventId'>;

const compareRows = ({ subject, item, occurredAt, eventId }: Keys, a: number, b: number): number =>
  compareKeys(subject, a, subject, b) ||
  compareKeys(item, a, item, b) ||
  occurredAt[a]! - occurredAt[b]! ||
  compareKeys(eventId, a, eventId, b);

/** Rows in canonical order again: those that stayed are in order, the others are sorted and merged in. O(n + m log m). */
function orderOf(keys: Keys, rows: number, moved: ReadonlyMap<number, number>): Uint32Array {
  const others = Uint32Array.from(moved.keys()).sort((a, b) => compareRows(keys, a, b));
  const order = new Uint32Array(rows);
  let [at, other] = [0, 0];
  for (let row = 0; row < rows; row++) {
    if (moved.has(row)) continue;
    while (other < others.length && compareRows(keys, others[other]!, row) < 0) order[at++] = others[other++]!;
    order[at++] = row;
  }
  while (other < others.length) order[at++] = others[other++]!;
  return order;
}

type Column = Uint8Array | Uint16Array | Float32Array | Float64Array;

/** A column in another order, on shared memory. */
function reordered<T extends Column>(column: T, rows: number, order: Uint32Array): T {
  const width = rows === 0 ? 0 : column.length / rows;
  const memory = new SharedArrayBuffer(column.byteLength);
  const target = new (column.constructor as new (buffer: SharedArrayBuffer) => T)(memory);
  for (let n = 0; n < rows; n++)
    for (let part = 0; part < width; part++) target[n * width + part] = column[order[n]! * width + part]!;
  return target;
}

export function linkEvents(request: LinkedRequest): EventColumns {
  const { columns, mains } = request;
  const moved = movedRows(request);
  if (moved.size === 0) return columns;
  const subject = Uint8Array.from(columns.subject);
  for (const [row, alias] of moved)
    subject.set(mains.subarray(alias * KEY_BYTES, (alias + 1) * KEY_BYTES), row * KEY_BYTES);
  const { rows } = columns;
  const order = orderOf({ ...columns, subject }, rows, moved);
  const relabelled = { ...columns, subject };
  const linked = Object.fromEntries(
    Object.entries(relabelled).map(([name, column]) => [
      name,
      ArrayBuffer.isView(column) ? reordered(column, rows, order) : column,
    ]),
  ) as unknown as EventColumns;
  const people = new KeyIndex();
  for (const alias of moved.values()) people.add(mains, alias);
  fuseSessions(linked, people);
  return linked;
}

/** Sessions of each of these people that overlap, or follow each other without a gap of half an hour, become the one that began first. */
function fuseSessions(columns: EventColumns, people: KeyIndex): void {
  const { subject, rows } = columns;
  for (let from = 0; from < rows; ) {
    let to = from + 1;
    while (to < rows && compareKeys(subject, to, subject, from) === 0) to++;
    if (people.find(subject, from) >= 0) fuseRows(columns, from, to);
    from = to;
  }
}

function fuseRows({ session, occurredAt }: EventColumns, from: number, to: number): void {
  const keyOf = (row: number): Uint8Array => session.subarray(row * SESSION_BYTES, (row + 1) * SESSION_BYTES);
  const spans = new Map<string, { readonly name: string; first: number; last: number; readonly rows: number[] }>();
  for (let row = from; row < to; row++) {
    const name = Buffer.from(keyOf(row)).toString('hex');
    if (/^0*$/.test(name)) continue;
    const at = occurredAt[row]!;
    const span = spans.get(name) ?? { name, first: at, last: at, rows: [] };
    span.first = Math.min(span.first, at);
    span.last = Math.max(span.last, at);
    span.rows.push(row);
    spans.set(name, span);
  }
  const sorted = [...spans.values()].sort((a, b) => a.first - b.first || (a.name < b.name ? -1 : 1));
  let key: Uint8Array | undefined;
  let last = Number.NEGATIVE_INFINITY;
  for (const span of sorted) {
    if (key === undefined || span.first > last + SESSION_GAP_MS) key = Uint8Array.from(keyOf(span.rows[0]!));
    for (const row of span.rows) session.set(key, row * SESSION_BYTES);
    last = Math.max(last, span.last);
  }
}
