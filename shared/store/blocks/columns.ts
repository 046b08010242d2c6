/**
 * Owns the plain format of a block: a JSON header and 8-byte aligned columns, read back as views without copying.
 *
 * Layout, little-endian: u32 magic 'MLRB', u32 length of the header, header (UTF-8), padding to 8, columns each padded to 8.
 * Header: { f: format and version, n: rows, x: extra, c: [[name, type, offset from the body, elements]] }.
 */
import { z } from 'zod';
import { AppError } from '../../errors.ts';

const MAGIC = 0x42524c4d;
const PREFIX_BYTES = 8;
const TYPES = {
  u8: Uint8Array,
  u16: Uint16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  f64: Float64Array,
} as const;
type TypeName = keyof typeof TYPES;
export type Column = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float32Array | Float64Array;

const headerSchema = z.object({
  f: z.string(),
  n: z.int().min(0),
  x: z.unknown(),
  c: z.array(z.tuple([z.string(), z.enum(['u8', 'u16', 'u32', 'i32', 'f32', 'f64']), z.int().min(0), z.int().min(0)])),
});

export interface ColumnBlock {
  readonly format: string;
  readonly rows: number;
  readonly extra: unknown;
  readonly columns: ReadonlyMap<string, Column>;
}

const align8 = (bytes: number): number => (bytes + 7) & ~7;

export function typeNameOf(column: Column): TypeName {
  const found = (Object.keys(TYPES) as TypeName[]).find((name) => column instanceof TYPES[name]);
  if (found === undefined) throw new TypeError('a column is a typed array of a known type');
  return found;
}

/** A typed array of this type over bytes that are aligned for it. */
export function viewOf(type: TypeName, buffer: ArrayBufferLike, byteOffset: number, length: number): Column {
  // The constructors' types ask for an ArrayBuffer; shared memory serves as well.
  return new TYPES[type](buffer as ArrayBuffer, byteOffset, length);
}

export function bytesOf(column: Column): Uint8Array {
  return new Uint8Array(column.buffer, column.byteOffset, column.byteLength);
}

export function packColumns(block: ColumnBlock): Uint8Array {
  let bodyBytes = 0;
  const entries = [...block.columns].map(([name, column]) => {
    const offset = bodyBytes;
    bodyBytes += align8(column.byteLength);
    return [name, typeNameOf(column), offset, column.length] as const;
  });
  const header = Buffer.from(JSON.stringify({ f: block.format, n: block.rows, x: block.extra, c: entries }));
  const bodyAt = align8(PREFIX_BYTES + header.length);
  const packed = new Uint8Array(bodyAt + bodyBytes);
  const view = new DataView(packed.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, header.length, true);
  packed.set(header, PREFIX_BYTES);
  let index = 0;
  for (const column of block.columns.values()) packed.set(bytesOf(column), bodyAt + entries[index++]![2]);
  return packed;
}

/** Views into `packed`, whose first byte must lie on an address divisible by 8. Throws BLOCK_CORRUPT. */
export function unpackColumns(packed: Uint8Array): ColumnBlock {
  try {
    const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
    if (view.getUint32(0, true) !== MAGIC) throw new RangeError('the mark of a block is missing');
    const headerBytes = view.getUint32(4, true);
    const text = Buffer.from(packed.slice(PREFIX_BYTES, PREFIX_BYTES + headerBytes)).toString();
    const header = headerSchema.parse(JSON.parse(text));
    const bodyAt = packed.byteOffset + align8(PREFIX_BYTES + headerBytes);
    const columns = new Map(
      header.c.map(([name, type, offset, length]) => [name, viewOf(type, packed.buffer, bodyAt + offset, length)]),
    );
    return { format: header.f, rows: header.n, extra: header.x, columns };
  } catch (cause) {
    throw new AppError('BLOCK_CORRUPT', { cause, message: 'The plain bytes of a block are not laid out as a block.' });
  }
}
