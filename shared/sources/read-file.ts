/**
 * Owns reading files of any content as chunks of bytes and as numbered lines, with bounds and coded errors.
 * A source never sees a raw errno, an endless line or a broken character.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { AppError } from '../errors.ts';

/** Longest line or CSV record that is read; what is longer is reported, not kept in memory. */
export const LINE_BYTES_MAX = 1024 * 1024;

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told how many bytes of the file (compressed ones where it is gzip) have been read since the last call. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** One line without its ending; `problem` says why `text` is not the whole line. */
export interface Line {
  /** 1-based. */
  readonly number: number;
  readonly text: string;
  readonly problem?: string;
}

/** What is wrong at one place of a file. */
export interface Malformation {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based: the character, or in CSV the field. */
  readonly column: number;
  readonly reason: string;
  readonly field?: string;
}

/** FILE_MALFORMED whose details are the place and the reason. */
export function malformed(place: Malformation): AppError {
  const { file, line, column, reason } = place;
  return new AppError('FILE_MALFORMED', {
    message: `${file}, line ${line}, column ${column}: ${reason}.`,
    details: { ...place },
  });
}

function notFound(path: string, reason: string, cause?: unknown): AppError {
  return new AppError('FILE_NOT_FOUND', { message: `${reason}: "${path}".`, details: { path }, cause });
}

function hasCode(thrown: unknown): thrown is Error & { code: string } {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string';
}

/** Size of a plain file in bytes. Throws FILE_NOT_FOUND where there is none. */
export async function fileSizeBytes(path: string): Promise<number> {
  try {
    const facts = await stat(path);
    if (!facts.isFile()) throw notFound(path, 'This is not a file');
    return facts.size;
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw notFound(path, 'There is no such file', cause);
  }
}

function codedReadError(path: string, thrown: unknown): unknown {
  if (!hasCode(thrown)) return thrown;
  if (thrown.code === 'ABORT_ERR') return new AppError('CANCELLED', { cause: thrown });
  if (thrown.code.startsWith('Z_') || thrown.code.startsWith('ERR_'))
    return new AppError('FILE_MALFORMED', {
      message: `${path} does not unpack: ${thrown.message}.`,
      details: { file: path, reason: thrown.message },
      cause: thrown,
    });
  return notFound(path, 'This file cannot be read', thrown);
}

/**
 * The bytes of a file in order; a name ending in .gz is unpacked.
 * Throws FILE_NOT_FOUND, FILE_MALFORMED (broken gzip) or CANCELLED.
 */
export async function* readChunks(path: string, options: ReadOptions = {}): AsyncGenerator<Buffer, undefined> {
  const raw = createReadStream(path, { highWaterMark: 256 * 1024, signal: options.signal });
  raw.on('data', (chunk) => options.onBytes?.(chunk.length));
  // The pipeline's own error reaches us through the iterator.
  const bytes = path.endsWith('.gz') ? pipeline(raw, createGunzip(), () => undefined) : raw;
  try {
    for await (const chunk of bytes) yield chunk as Buffer;
  } catch (thrown) {
    throw codedReadError(path, thrown);
  } finally {
    raw.destroy();
  }
}

const BOM = '\u{FEFF}';

/** Cuts bytes into lines; keeps at most LINE_BYTES_MAX of an unfinished one. */
class LineCutter {
  readonly #decode: (bytes: Buffer) => string | undefined;
  #rest: Buffer[] = [];
  #restBytes = 0;
  #tooLong = false;
  #number = 0;

  constructor(encoding: 'utf8' | 'latin1') {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    this.#decode = (bytes) => {
      if (encoding === 'latin1') return bytes.toString('latin1');
      try {
        return strict.decode(bytes);
      } catch {
        return undefined;
      }
    };
  }

  *cut(chunk: Buffer): Generator<Line, undefined> {
    let from = 0;
    for (let end = chunk.indexOf(10, from); end !== -1; end = chunk.indexOf(10, from)) {
      yield this.#finish(chunk.subarray(from, end));
      from = end + 1;
    }
    this.#keep(chunk.subarray(from));
  }

  *end(): Generator<Line, undefined> {
    if (this.#restBytes > 0 || this.#tooLong) yield this.#finish(Buffer.alloc(0));
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (this.#restBytes + bytes.length > LINE_BYTES_MAX) {
      this.#tooLong = true;
      this.#rest = [];
      this.#restBytes = 0;
    }
    if (this.#tooLong) return;
    this.#rest.push(bytes);
    this.#restBytes += bytes.length;
  }

  #finish(last: Buffer): Line {
    this.#keep(last);
    const bytes = this.#rest.length === 1 ? this.#rest[0]! : Buffer.concat(this.#rest);
    const tooLong = this.#tooLong;
    this.#rest = [];
    this.#restBytes = 0;
    this.#tooLong = false;
    const number = ++this.#number;
    if (tooLong) return { number, text: '', problem: `the line is longer than ${LINE_BYTES_MAX} bytes` };
    let text = this.#decode(bytes);
    if (text === undefined) return { number, text: '', problem: 'the line is not valid UTF-8' };
    if (number === 1 && text.startsWith(BOM)) text = text.slice(1);
    return { number, text: text.endsWith('\r') ? text.slice(0, -1) : text };
  }
}

/** The lines of a file, a chunk's worth at a time. Errors as readChunks; bad lines carry a `problem`. */
export async function* readLines(
  path: string,
  options: ReadOptions & { readonly encoding: 'utf8' | 'latin1' },
): AsyncGenerator<Line[], undefined> {
  const cutter = new LineCutter(options.encoding);
  for await (const chunk of readChunks(path, options)) yield [...cutter.cut(chunk)];
  yield [...cutter.end()];
}
