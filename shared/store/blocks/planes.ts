/**
 * Owns the second way to pack an event block: the same plain bytes, arranged so that they compress. Times lie near each other, so each is kept as its
 * distance from the smallest (and `recordedAt` from `occurredAt`), byte plane by byte plane; event ids are random and stay outside compression.
 *
 * Layout, little-endian: u32 length of the header, header (JSON), u32 length of what is not compressed, that, and the rest under zstd.
 * Measured on blocks of 64,000 rows: 33 bytes a row where zstd alone takes 36 (at level 1, as the first way has it, 42).
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { z } from 'zod';
import { bytesOf, type Column, packColumns, typeNameOf, unpackColumns, viewOf } from './columns.ts';

const LEVEL = 3;
const COLUMN_TYPES = ['u8', 'u16', 'u32', 'i32', 'f32', 'f64'] as const;
const columnSchema = z.object({
  name: z.string(),
  type: z.enum(COLUMN_TYPES),
  length: z.int().min(0),
  /** `raw`: not compressed. `planes`: distances from `from`, and from the column `of` if there is one. */
  how: z.enum(['raw', 'same', 'planes']),
  width: z.int().min(0).max(6).optional(),
  from: z.number().optional(),
  of: z.string().optional(),
});
type PackedColumn = z.output<typeof columnSchema>;
const headerSchema = z.object({
  format: z.string(),
  rows: z.int().min(0),
  extra: z.unknown(),
  columns: columnSchema.array(),
});

const RAW = new Set(['eventId']);
const BASE_OF: Readonly<Record<string, string>> = { recordedAt: 'occurredAt' };

/** The packed bytes; undefined where these would not give the same plain bytes back. */
export function packPlanes(plain: Uint8Array): Uint8Array | undefined {
  const block = unpackColumns(plain);
  const columns: PackedColumn[] = [];
  const [raw, squeezed]: [Uint8Array[], Uint8Array[]] = [[], []];
  for (const [name, column] of block.columns) {
    const { about, bytes } = packColumn(name, column, block.columns);
    columns.push(about);
    (about.how === 'raw' ? raw : squeezed).push(bytes);
  }
  const { format, rows, extra } = block;
  const header = Buffer.from(JSON.stringify({ format, rows, extra, columns }));
  const body = zstdCompressSync(Buffer.concat(squeezed), { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } });
  const rawBytes = raw.reduce((sum, { length }) => sum + length, 0);
  const packed = Buffer.concat([lengthOf(header.length), header, lengthOf(rawBytes), ...raw, body]);
  const again = unpackPlanes(packed, plain.length);
  return Buffer.compare(again, plain) === 0 ? packed : undefined;
}

function packColumn(
  name: string,
  column: Column,
  columns: ReadonlyMap<string, Column>,
): { readonly about: PackedColumn; readonly bytes: Uint8Array } {
  const about = { name, type: typeNameOf(column), length: column.length };
  if (RAW.has(name)) return { about: { ...about, how: 'raw' }, bytes: copyOf(column) };
  if (column instanceof Float64Array) {
    const of = BASE_OF[name];
    const base = of === undefined ? undefined : columns.get(of);
    const isBased = base instanceof Float64Array && base.length === column.length;
    const planes = planesOf(isBased ? column.map((value, row) => value - base[row]!) : column);
    if (planes !== undefined) {
      const { from, width, bytes } = planes;
      return { about: { ...about, how: 'planes', from, width, ...(isBased && { of: of! }) }, bytes };
    }
  }
  return { about: { ...about, how: 'same' }, bytes: copyOf(column) };
}

const PLANES_MAX = 6;

/** Undefined where not every value is an integer within 2^48 of the smallest. */
function planesOf(
  values: Float64Array,
): { readonly from: number; readonly width: number; readonly bytes: Uint8Array } | undefined {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (!Number.isSafeInteger(value)) return undefined;
    if (value < from) from = value;
    if (value > to) to = value;
  }
  if (values.length === 0) return { from: 0, width: 0, bytes: new Uint8Array(0) };
  let width = 0;
  while (to - from >= 256 ** width) width++;
  if (width > PLANES_MAX) return undefined;
  const rows = values.length;
  const bytes = new Uint8Array(rows * width);
  for (let row = 0; row < rows; row++) {
    let left = values[row]! - from;
    for (let plane = 0; plane < width; plane++) {
      bytes[plane * rows + row] = left % 256;
      left = Math.floor(left / 256);
    }
  }
  return { from, width, bytes };
}

/** Throws where the bytes are not laid out so. */
export function unpackPlanes(packed: Uint8Array, plainBytes: number): Uint8Array {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const headerBytes = view.getUint32(0, true);
  const text = Buffer.from(packed.slice(4, 4 + headerBytes)).toString();
  const { format, rows, extra, columns } = headerSchema.parse(JSON.parse(text));
  const rawAt = 8 + headerBytes;
  const rawBytes = view.getUint32(rawAt - 4, true);
  const body = Uint8Array.from(packed.subarray(rawAt + rawBytes));
  const rest = zstdDecompressSync(body, { maxOutputLength: Math.max(1, plainBytes) });
  const cursors = { raw: rawAt, rest: 0 };
  const made = new Map<string, Column>();
  for (const column of columns) {
    if (column.how === 'raw') {
      made.set(column.name, take(column, packed, cursors.raw));
      cursors.raw += made.get(column.name)!.byteLength;
    } else if (column.how === 'same') {
      made.set(column.name, take(column, rest, cursors.rest));
      cursors.rest += made.get(column.name)!.byteLength;
    } else {
      const { length, width = 0 } = column;
      made.set(column.name, fromPlanes(column, rest.subarray(cursors.rest, cursors.rest + length * width), made));
      cursors.rest += length * width;
    }
  }
  return packColumns({ format, rows, extra, columns: made });
}

function fromPlanes(
  { length, width = 0, from = 0, of }: PackedColumn,
  bytes: Uint8Array,
  made: ReadonlyMap<string, Column>,
): Float64Array {
  const base = of === undefined ? undefined : made.get(of);
  const values = new Float64Array(length);
  for (let row = 0; row < length; row++) {
    let value = from + (base?.[row] ?? 0);
    for (let plane = 0; plane < width; plane++) value += bytes[plane * length + row]! * 256 ** plane;
    values[row] = value;
  }
  return values;
}

/** A column at an address of its own, so that it is aligned. */
function take({ type, length }: PackedColumn, bytes: Uint8Array, at: number): Column {
  const size = viewOf(type, new ArrayBuffer(8), 0, 1).byteLength * length;
  const copy = Uint8Array.from(bytes.subarray(at, at + size));
  return viewOf(type, copy.buffer, 0, length);
}

/** Of its own: zlib refuses shared memory. */
const copyOf = (column: Column): Uint8Array => Uint8Array.from(bytesOf(column));

function lengthOf(bytes: number): Uint8Array {
  const made = new Uint8Array(4);
  new DataView(made.buffer).setUint32(0, bytes, true);
  return made;
}
