/**
 * Owns reading the events of linked names as those of one person, in a thread: rows get the key of the person, all rows are again in canonical order, and
 * what was a session on one device is one with what the person did on the others at the time. What is not linked is as it was, to the byte.
 */
import { compareKeys, KeyIndex } from '../../shared/numerics/interactions/key-index.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';
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
  forgetSessions(linked, people);
  return linked;
}

/** Names of sessions hold for one name: what a person did under several is cut by gaps alone, so that no act that comes later changes what was one. */
function forgetSessions({ rows, session, subject }: EventColumns, people: KeyIndex): void {
  for (let row = 0; row < rows; row++)
    if (people.find(subject, row) >= 0) session.fill(0, row * SESSION_BYTES, (row + 1) * SESSION_BYTES);
}
