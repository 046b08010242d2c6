/**
 * Owns events as columns: rows to columns, columns to the plain bytes of a block and back.
 * Columns that hold only zeros (no session, no position, ...) are left out of the bytes.
 */
import { z } from 'zod';
import { DEVICES, EVENT_TYPES } from '../../contract-kit/event.ts';
import { AppError } from '../../errors.ts';
import type { EventColumns, EventRow } from '../ports.ts';
import { type Column, packColumns, unpackColumns } from './columns.ts';

const FORMAT = 'events/1';
const extraSchema = z.object({ sources: z.array(z.string()) });

/** Elements a row of each column; `optional` columns exist only where a row needs them. */
const WIDTHS = {
  eventId: 16,
  subject: 16,
  item: 16,
  type: 1,
  value: 1,
  occurredAt: 1,
  recordedAt: 1,
  source: 1,
  position: 1,
  device: 1,
  session: 8,
  target: 16,
  request: 16,
} as const;
export type ColumnName = keyof typeof WIDTHS;
export const COLUMN_NAMES = Object.keys(WIDTHS) as ColumnName[];
export const widthOf = (name: ColumnName): number => WIDTHS[name];
export const OPTIONAL_COLUMNS = ['target', 'request'] as const;

export type MutableColumns = { -readonly [K in keyof EventColumns]: EventColumns[K] };

type Allocate = (bytes: number) => ArrayBufferLike;
export const plainMemory: Allocate = (bytes) => new ArrayBuffer(bytes);
export const sharedMemory: Allocate = (bytes) => new SharedArrayBuffer(bytes);

/** Zeroed columns for so many rows. */
export function emptyColumns(
  rows: number,
  sources: readonly string[],
  allocate: Allocate,
  optional: readonly ColumnName[],
): MutableColumns {
  return {
    rows,
    eventId: new Uint8Array(allocate(rows * 16)),
    subject: new Uint8Array(allocate(rows * 16)),
    item: new Uint8Array(allocate(rows * 16)),
    type: new Uint8Array(allocate(rows)),
    value: new Float32Array(allocate(rows * 4)),
    occurredAt: new Float64Array(allocate(rows * 8)),
    recordedAt: new Float64Array(allocate(rows * 8)),
    source: new Uint16Array(allocate(rows * 2)),
    sources,
    position: new Uint16Array(allocate(rows * 2)),
    device: new Uint8Array(allocate(rows)),
    session: new Uint8Array(allocate(rows * 8)),
    ...(optional.includes('target') && { target: new Uint8Array(allocate(rows * 16)) }),
    ...(optional.includes('request') && { request: new Uint8Array(allocate(rows * 16)) }),
  };
}

/** How names inside an event become keys. */
export interface RowKeys {
  target(externalId: string): Uint8Array;
  session(session: string): Uint8Array;
  request(requestId: string): Uint8Array;
}

const TYPE_CODES = new Map<string, number>(EVENT_TYPES.map((type, code) => [type, code]));
const DEVICE_CODES = new Map<string, number>(DEVICES.map((device, code) => [device, code]));
const SOURCES_MAX = 65_536;

export function columnsOfRows(rows: readonly EventRow[], keys: RowKeys): EventColumns {
  const sources = new Map<string, number>();
  const optional: (typeof OPTIONAL_COLUMNS)[number][] = [];
  if (rows.some(({ event }) => event.target !== undefined)) optional.push('target');
  if (rows.some(({ event }) => event.requestId !== undefined)) optional.push('request');
  const columns = emptyColumns(rows.length, [], plainMemory, optional);
  let at = 0;
  for (const { eventId, subject, item, event, source, recordedAt } of rows) {
    columns.eventId.set(eventId, at * 16);
    columns.subject.set(subject, at * 16);
    if (item !== undefined) columns.item.set(item, at * 16);
    columns.type[at] = TYPE_CODES.get(event.type)!;
    // + 0: a column that is all zeros is left out and comes back as 0, so -0 must be 0 from the start.
    columns.value[at] = (event.value ?? Number.NaN) + 0;
    columns.occurredAt[at] = event.occurredAt + 0;
    columns.recordedAt[at] = recordedAt;
    let code = sources.get(source);
    if (code === undefined) sources.set(source, (code = sources.size));
    columns.source[at] = code;
    columns.position[at] = event.position ?? 0;
    columns.device[at] = event.device === undefined ? 0 : DEVICE_CODES.get(event.device)!;
    if (event.session !== undefined) columns.session.set(keys.session(event.session), at * 8);
    if (event.target !== undefined) columns.target!.set(keys.target(event.target), at * 16);
    if (event.requestId !== undefined) columns.request!.set(keys.request(event.requestId), at * 16);
    at++;
  }
  if (sources.size > SOURCES_MAX) throw new RangeError(`a block names at most ${SOURCES_MAX} sources`);
  columns.sources = [...sources.keys()];
  return columns;
}

const isZero = (column: Column): boolean => column.every((value) => value === 0);

export function encodeEvents(events: EventColumns): Uint8Array {
  const columns = new Map<string, Column>();
  for (const name of COLUMN_NAMES) {
    const column = events[name];
    if (column !== undefined && !isZero(column)) columns.set(name, column);
  }
  return packColumns({ format: FORMAT, rows: events.rows, extra: { sources: events.sources }, columns });
}

/** Views into the plain bytes of a block (see unpackColumns for their alignment). Throws BLOCK_CORRUPT. */
export function decodeEvents(plain: Uint8Array): EventColumns {
  const block = unpackColumns(plain);
  const extra = extraSchema.safeParse(block.extra);
  if (block.format !== FORMAT || !extra.success)
    throw new AppError('BLOCK_CORRUPT', {
      message: 'A block does not hold events.',
      details: { format: block.format },
    });
  const optional = OPTIONAL_COLUMNS.filter((name) => block.columns.has(name));
  const events = emptyColumns(0, extra.data.sources, plainMemory, optional);
  events.rows = block.rows;
  for (const name of COLUMN_NAMES) {
    const absent = events[name];
    if (absent === undefined) continue;
    const length = block.rows * widthOf(name);
    const stored = block.columns.get(name);
    if (stored !== undefined && (stored.length !== length || stored.constructor !== absent.constructor))
      throw new AppError('BLOCK_CORRUPT', {
        message: 'A column of a block has the wrong size.',
        details: { column: name },
      });
    // The names' types are those of emptyColumns, checked by constructor above.
    Object.assign(events, { [name]: stored ?? new (absent.constructor as new (n: number) => Column)(length) });
  }
  return events;
}
