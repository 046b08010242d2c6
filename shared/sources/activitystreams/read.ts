/**
 * Owns reading ActivityStreams documents from a file or a folder of files: one document a file (`.json`, `.jsonld`) or one a line (`.jsonl`,
 * `.ndjson`), each also gzipped. Documents that say nothing of use are told with their place; they stop nothing.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AppError } from '../../errors.ts';
import { fileSizeBytes, readChunks, readLines, type ReadOptions } from '../read-file.ts';
import { recordsOf, type SocialRecord } from './records.ts';
import { fault } from './vocabulary.ts';

/** Most files of a folder. */
const FILES_MAX = 100_000;
/** Most bytes of one document. Larger collections go as one document a line. */
const DOCUMENT_BYTES_MAX = 64 * 1024 * 1024;
const LINES = /\.(?:jsonl|ndjson)(?:\.gz)?$/i;
const DOCUMENTS = /\.(?:json|jsonld)(?:\.gz)?$/i;

export interface PlacedRecord {
  readonly file: string;
  /** 1-based; 1 for a file that is one document. */
  readonly line: number;
  readonly record: SocialRecord;
}

export interface ActivityStreamFiles {
  readonly sizeBytes: number;
  /** Everything in order; may be read again. Throws FILE_NOT_FOUND, FILE_MALFORMED (broken gzip), CANCELLED. */
  records(onBytes?: (bytes: number) => void): AsyncIterable<PlacedRecord>;
}

async function filesOf(path: string): Promise<string[]> {
  const facts = await stat(path).catch((cause: unknown) => {
    throw new AppError('FILE_NOT_FOUND', {
      message: `There is no such file or folder: "${path}".`,
      details: { path },
      cause,
    });
  });
  if (!facts.isDirectory()) return [path];
  const names = (await readdir(path)).filter((name) => LINES.test(name) || DOCUMENTS.test(name)).sort();
  if (names.length === 0 || names.length > FILES_MAX)
    throw new AppError('FILE_NOT_FOUND', {
      message: `The folder "${path}" holds ${names.length} files that end in .json, .jsonld, .jsonl or .ndjson; 1 to ${FILES_MAX} can be read.`,
      details: { path },
    });
  return names.map((name) => join(path, name));
}

function* parsed(text: string, nowMs: number): Generator<SocialRecord> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    yield { refused: { code: 'EVENT_INVALID', ...fault('', 'is not valid JSON') } };
    return;
  }
  yield* recordsOf(document, nowMs);
}

async function* recordsOfLines(path: string, nowMs: number, read: ReadOptions): AsyncGenerator<PlacedRecord> {
  const file = basename(path);
  for await (const lines of readLines(path, { ...read, encoding: 'utf8' }))
    for (const { number: line, text, problem } of lines)
      if (problem !== undefined)
        yield { file, line, record: { refused: { code: 'EVENT_INVALID', ...fault('', problem) } } };
      else if (text.trim() !== '') for (const record of parsed(text, nowMs)) yield { file, line, record };
}

async function* recordsOfDocument(path: string, nowMs: number, read: ReadOptions): AsyncGenerator<PlacedRecord> {
  const file = basename(path);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of readChunks(path, read)) {
    bytes += chunk.length;
    if (bytes <= DOCUMENT_BYTES_MAX) chunks.push(chunk);
  }
  if (bytes > DOCUMENT_BYTES_MAX) {
    const reason = `is larger than ${DOCUMENT_BYTES_MAX} bytes: write one document a line (.jsonl)`;
    yield { file, line: 1, record: { refused: { code: 'EVENT_INVALID', ...fault('', reason) } } };
    return;
  }
  for (const record of parsed(Buffer.concat(chunks).toString('utf8'), nowMs)) yield { file, line: 1, record };
}

export async function openActivityStreams(
  path: string,
  { nowMs, signal }: { readonly nowMs: number; readonly signal?: AbortSignal },
): Promise<ActivityStreamFiles> {
  const files = await filesOf(path);
  let sizeBytes = 0;
  for (const file of files) sizeBytes += await fileSizeBytes(file);
  return {
    sizeBytes,
    async *records(onBytes) {
      const read: ReadOptions = { signal, onBytes };
      for (const file of files)
        yield* LINES.test(file) ? recordsOfLines(file, nowMs, read) : recordsOfDocument(file, nowMs, read);
    },
  };
}
