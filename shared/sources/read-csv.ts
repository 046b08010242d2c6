/**
 * Owns reading CSV (RFC 4180, UTF-8) as numbered records. A bad record is handed out with its problem and the next
 * ones go on: after a quote that never closes, reading resumes on the very next line, so that one stray quote does
 * not swallow the rest of the file (stream parsers resynchronise later, or not at all).
 */
import { LINE_BYTES_MAX, type Line, type ReadOptions, readLines } from './read-file.ts';

/** One record; `problem` says why `fields` is empty. */
export interface CsvRow {
  /** 1-based line on which the record begins (a record may span lines inside quotes). */
  readonly line: number;
  readonly fields: readonly string[];
  readonly problem?: string;
  /** 1-based number of the field with the problem. */
  readonly column?: number;
}

/** Most lines that one record may span. */
const RECORD_LINES_MAX = 64;
const NEVER_CLOSED = 'a quote is opened and never closed';

type Split =
  | { readonly fields: string[] }
  | { readonly problem: string; readonly column: number; readonly open: boolean };

/** Reads the quoted field whose opening quote is at `start`; returns where its closing quote is, or -1. */
function closingQuote(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end !== -1 && text[end + 1] === '"') end = text.indexOf('"', end + 2);
  return end;
}

/** Splits one record into its fields. */
export function splitRecord(text: string, delimiter: string): Split {
  if (!text.includes('"')) return { fields: text.split(delimiter) };
  const fields: string[] = [];
  for (let at = 0; ; ) {
    const column = fields.length + 1;
    const quoted = text[at] === '"';
    const close = quoted ? closingQuote(text, at) : -1;
    if (quoted && close === -1) return { problem: NEVER_CLOSED, column, open: true };
    const next = text.indexOf(delimiter, quoted ? close : at);
    const end = next === -1 ? text.length : next;
    if (quoted && end !== close + 1) return { problem: 'text follows a closing quote', column, open: false };
    const field = quoted ? text.slice(at + 1, close).replaceAll('""', '"') : text.slice(at, end);
    if (!quoted && field.includes('"'))
      return { problem: 'a quote stands inside a field that does not begin with one', column, open: false };
    fields.push(field);
    if (next === -1) return { fields };
    at = next + 1;
  }
}

/** Lines that wait to become records. */
class Records {
  readonly #delimiter: string;
  #lines: Line[] = [];
  /** How many of the waiting lines have been tried together. */
  #tried = 0;
  /** Field in which the quote that never closed was opened. */
  #openColumn = 1;

  constructor(delimiter: string) {
    this.#delimiter = delimiter;
  }

  /** Adds a line and returns the records that are complete now. */
  *add(line: Line): Generator<CsvRow, undefined> {
    this.#lines.push(line);
    yield* this.#drain(false);
  }

  *end(): Generator<CsvRow, undefined> {
    yield* this.#drain(true);
  }

  *#drain(atEnd: boolean): Generator<CsvRow, undefined> {
    for (let row = this.#next(atEnd); row !== undefined; row = this.#next(atEnd))
      if (row.problem !== undefined || row.fields.length > 1 || row.fields[0] !== '') yield row;
  }

  #next(atEnd: boolean): CsvRow | undefined {
    const first = this.#lines[0];
    if (first === undefined) return undefined;
    while (this.#tried < this.#lines.length) {
      const lines = this.#lines.slice(0, this.#tried + 1);
      const broken = lines.at(-1)?.problem;
      const text = lines.map((line) => line.text).join('\n');
      const tooLong = text.length > LINE_BYTES_MAX || lines.length > RECORD_LINES_MAX;
      if (broken !== undefined && lines.length === 1) return this.#use(1, { problem: broken, column: 1 });
      if (broken !== undefined) break;
      const split = splitRecord(text, this.#delimiter);
      if ('fields' in split) return this.#use(lines.length, split);
      if (!split.open || tooLong) return this.#use(1, split);
      if (this.#tried++ === 0) this.#openColumn = split.column;
    }
    const stuck = this.#tried < this.#lines.length;
    return atEnd || stuck ? this.#use(1, { problem: NEVER_CLOSED, column: this.#openColumn }) : undefined;
  }

  #use(count: number, found: { fields: string[] } | { problem: string; column: number }): CsvRow {
    const line = this.#lines[0]!.number;
    this.#lines = this.#lines.slice(count);
    this.#tried = 0;
    if ('fields' in found) return { line, fields: found.fields };
    return { line, fields: [], problem: found.problem, column: found.column };
  }
}

/** The records of a CSV file, a chunk's worth at a time; empty lines are passed over. Errors as readChunks. */
export async function* readCsv(
  path: string,
  options: ReadOptions & { readonly delimiter?: string } = {},
): AsyncGenerator<CsvRow[], undefined> {
  const records = new Records(options.delimiter ?? ',');
  for await (const lines of readLines(path, { ...options, encoding: 'utf8' })) {
    const rows: CsvRow[] = [];
    for (const line of lines) rows.push(...records.add(line));
    yield rows;
  }
  yield [...records.end()];
}
