/**
 * Owns reading one MovieLens file as rows of named fields, whatever separates them, with the place of every field
 * so that a complaint can name line and column.
 */
import { basename } from 'node:path';
import { readCsv } from '../read-csv.ts';
import { WHITESPACE } from './layouts.ts';
import { malformed, type ReadOptions, readLines } from '../read-file.ts';

export interface TableOptions extends ReadOptions {
  readonly separator: string;
  readonly encoding: 'latin1' | 'utf8';
  /** Names of the fields in order; a CSV file must begin with these as its header. */
  readonly fields: readonly string[];
}

/** One row; `fail` throws FILE_MALFORMED at the place of a field. */
export class Row {
  readonly #file: string;
  readonly #line: number;
  readonly #values: readonly string[];
  readonly #text: string;
  readonly #options: TableOptions;

  constructor(file: string, line: number, values: readonly string[], text: string, options: TableOptions) {
    this.#file = file;
    this.#line = line;
    this.#values = values;
    this.#text = text;
    this.#options = options;
  }

  /** The text of field number `index` (0-based). */
  text(index: number): string {
    return this.#values[index]!;
  }

  /** A field that names something: 1 to 200 characters without space at its ends. */
  id(index: number): string {
    const value = this.text(index);
    if (value === '' || value.length > 200 || value.trim() !== value) this.fail(index, 'must be an id');
    return value;
  }

  /** A whole number within bounds. */
  integer(index: number, min: number, max: number): number {
    const value = this.text(index);
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= min && number <= max)) this.fail(index, `must be a whole number ${min}..${max}`);
    return number;
  }

  /** 1-based place in the line where a field begins. */
  #characterOf(index: number): number {
    let at = 0;
    for (let i = 0; i <= index; i++) {
      at = this.#text.indexOf(this.#values[i]!, at);
      if (i < index) at += this.#values[i]!.length + this.#options.separator.length;
    }
    return at + 1;
  }

  fail(index: number, reason: string): never {
    const { separator, fields } = this.#options;
    const name = fields[index] ?? `field ${index + 1}`;
    const shown = this.#values[index] ?? '';
    throw malformed({
      file: this.#file,
      line: this.#line,
      column: separator === ',' ? index + 1 : this.#characterOf(index),
      field: name,
      reason: `${name} ${reason}, found ${JSON.stringify(shown.slice(0, 40))}`,
    });
  }
}

function splitText(text: string, separator: string): string[] {
  return separator === WHITESPACE ? (text.match(/[^ \t]+/g) ?? []) : text.split(separator);
}

function checkedRow(file: string, line: number, values: readonly string[], text: string, options: TableOptions): Row {
  const { fields } = options;
  if (values.length === fields.length) return new Row(file, line, values, text, options);
  throw malformed({
    file,
    line,
    column: 1,
    reason: `expected ${fields.length} fields (${fields.join(', ')}), found ${values.length}`,
  });
}

async function* csvRows(path: string, options: TableOptions): AsyncGenerator<Row[], undefined> {
  const file = basename(path);
  let headed = false;
  for await (const batch of readCsv(path, options)) {
    const rows: Row[] = [];
    for (const { line, fields, problem, column } of batch) {
      if (problem !== undefined) throw malformed({ file, line, column: column ?? 1, reason: problem });
      if (headed) rows.push(checkedRow(file, line, fields, '', options));
      else if (fields.join(',') !== options.fields.join(','))
        throw malformed({ file, line, column: 1, reason: `expected the header ${options.fields.join(',')}` });
      headed = true;
    }
    yield rows;
  }
  if (!headed) throw malformed({ file, line: 1, column: 1, reason: 'the file is empty' });
}

async function* separatedRows(path: string, options: TableOptions): AsyncGenerator<Row[], undefined> {
  const file = basename(path);
  for await (const lines of readLines(path, options)) {
    const rows: Row[] = [];
    for (const { number, text, problem } of lines) {
      if (problem !== undefined) throw malformed({ file, line: number, column: 1, reason: problem });
      if (text.trim() === '') continue;
      rows.push(checkedRow(file, number, splitText(text, options.separator), text, options));
    }
    yield rows;
  }
}

/** The rows of a file, a chunk's worth at a time. Throws FILE_MALFORMED, FILE_NOT_FOUND, CANCELLED. */
export function readTable(path: string, options: TableOptions): AsyncGenerator<Row[], undefined> {
  return options.separator === ',' ? csvRows(path, options) : separatedRows(path, options);
}
