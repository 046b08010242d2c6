/**
 * Owns reading canonical events from a file, JSONL or CSV, plain or gzip: every row comes out as an event or as the
 * reason why it is none, with its line; bad rows stop nothing, a bad header stops everything before the first row.
 */
import { basename } from 'node:path';
import { type CanonicalEvent, checkEvent, derivedEventId } from '../../contract-kit/event.ts';
import { AppError } from '../../errors.ts';
import { readCsv } from '../read-csv.ts';
import { fileSizeBytes, malformed, type ReadOptions, readLines } from '../read-file.ts';
import {
  type Candidate,
  candidateOfJson,
  candidateOfRecord,
  type RowProblem,
  type Rules,
  type TimeUnit,
} from './candidates.ts';
import { checkMapping, type ColumnMapping, type EventField, NEEDED_FIELDS, readHeader } from './columns.ts';

export const EVENTS_FILE_FORMATS = ['jsonl', 'csv', 'tsv'] as const;
export type EventsFileFormat = (typeof EVENTS_FILE_FORMATS)[number];

export interface EventsFileOptions {
  /** Source name; goes into the ids of events that have none. */
  readonly source: string;
  /** Our clock in ms; events may lie at most five minutes ahead of it. */
  readonly nowMs: number;
  /** Absent: by the file's name (.jsonl, .ndjson, .csv, .tsv, each also with .gz). */
  readonly format?: EventsFileFormat;
  /** Column (or JSON member) -> field; '' leaves it out. */
  readonly mapping?: ColumnMapping;
  /** Values of fields that a row does not give, such as `{ type: 'rating' }`. */
  readonly defaults?: Readonly<Partial<Record<EventField, string | number>>>;
  /**
   * Unit of times written as numbers. Absent: JSON is milliseconds; a CSV time that could be seconds is refused
   * rather than guessed.
   */
  readonly timeUnit?: TimeUnit;
  readonly signal?: AbortSignal;
  /** Called as the file is read: bytes done (as stored, so compressed ones for .gz) of all bytes. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** One row of the file: `line` is 1-based. */
export type EventRow =
  | { readonly line: number; readonly event: CanonicalEvent }
  | { readonly line: number; readonly error: RowProblem };

export interface EventsFile {
  readonly format: EventsFileFormat | 'log';
  readonly sizeBytes: number;
  /** Rows in order; may be read again. Throws FILE_MALFORMED (header, broken gzip), FILE_NOT_FOUND, CANCELLED. */
  rows(): AsyncIterable<EventRow>;
}

const FORMAT_BY_ENDING: readonly (readonly [RegExp, EventsFileFormat])[] = [
  [/\.(jsonl|ndjson)(\.gz)?$/i, 'jsonl'],
  [/\.csv(\.gz)?$/i, 'csv'],
  [/\.tsv(\.gz)?$/i, 'tsv'],
];

function formatOf(path: string): EventsFileFormat {
  const found = FORMAT_BY_ENDING.find(([ending]) => ending.test(path));
  if (found !== undefined) return found[1];
  throw new AppError('INPUT_INVALID', {
    message: `"${basename(path)}" does not end in .jsonl, .ndjson, .csv or .tsv (or one of them and .gz): name its format.`,
    details: { path, known: EVENTS_FILE_FORMATS },
  });
}

function checked(line: number, candidate: Candidate, options: EventsFileOptions, columnOf: ColumnOf): EventRow {
  if ('problem' in candidate) return { line, error: candidate.problem };
  const result = checkEvent(candidate.fields, line, options.nowMs);
  if (result.ok) {
    const event = result.value;
    return { line, event: event.id === undefined ? { id: derivedEventId(options.source, event), ...event } : event };
  }
  const { code, field, reason } = result.rejection;
  const column = field === undefined ? undefined : columnOf(field);
  return {
    line,
    error: {
      code: code === 'EVENT_IN_FUTURE' ? code : 'EVENT_INVALID',
      reason,
      ...(field === undefined ? {} : { field }),
      ...(column === undefined ? {} : { column }),
    },
  };
}

type ColumnOf = (field: string) => number | undefined;

async function* jsonRows(path: string, read: ReadOptions, rules: Rules, options: EventsFileOptions) {
  for await (const lines of readLines(path, { ...read, encoding: 'utf8' }))
    for (const { number, text, problem } of lines) {
      if (problem !== undefined)
        yield { line: number, error: { code: 'FILE_MALFORMED', reason: problem, column: 1 } } as const;
      else if (text.trim() !== '') yield checked(number, candidateOfJson(text, rules), options, () => undefined);
    }
}

async function* csvRows(path: string, delimiter: string, read: ReadOptions, rules: Rules, options: EventsFileOptions) {
  const file = basename(path);
  const given = Object.keys(rules.defaults);
  let columns: (EventField | '')[] | undefined;
  const columnOf: ColumnOf = (field) => {
    const index = columns?.findIndex((column) => column === field) ?? -1;
    return index === -1 ? undefined : index + 1;
  };
  for await (const batch of readCsv(path, { ...read, delimiter }))
    for (const { line, fields, problem, column = 1 } of batch) {
      if (columns === undefined) {
        if (problem !== undefined) throw malformed({ file, line, column, reason: problem });
        columns = readHeader(file, line, fields, rules.mapping, given);
      } else if (problem !== undefined) {
        yield { line, error: { code: 'FILE_MALFORMED', reason: problem, column } } as const;
      } else yield checked(line, candidateOfRecord(columns, fields, rules), options, columnOf);
    }
  if (columns === undefined)
    throw malformed({
      file,
      line: 1,
      column: 1,
      reason: `the file is empty; a header with ${NEEDED_FIELDS.join(', ')} is needed`,
    });
}

/**
 * Opens a file of events. Throws FILE_NOT_FOUND, and INPUT_INVALID for an unknown format or mapping.
 * Time: about 11 microseconds of one core a row of JSONL, most of it the check against the schema.
 */
export async function openEventsFile(path: string, options: EventsFileOptions): Promise<EventsFile> {
  const format = options.format ?? formatOf(path);
  const rules: Rules = {
    mapping: options.mapping ?? {},
    defaults: options.defaults ?? {},
    timeUnit: options.timeUnit,
  };
  checkMapping(rules.mapping);
  const sizeBytes = await fileSizeBytes(path);
  const rows = (): AsyncIterable<EventRow> => {
    let done = 0;
    const onBytes = (bytes: number): void => options.onProgress?.((done += bytes), sizeBytes);
    const read: ReadOptions = { signal: options.signal, onBytes };
    if (format === 'jsonl') return jsonRows(path, read, rules, options);
    return csvRows(path, format === 'tsv' ? '\t' : ',', read, rules, options);
  };
  return { format, sizeBytes, rows };
}
