/**
 * Owns turning what a file says into a candidate for the canonical check: text of CSV cells into numbers and times,
 * names of JSON members into fields. A problem is a value, not an exception: one bad row stops nothing.
 */
import { type ColumnMapping, type EventField, fieldOfColumn, unknownColumn } from './columns.ts';

export type TimeUnit = 'ms' | 's';

/** What is wrong with one row. */
export interface RowProblem {
  readonly code: 'EVENT_INVALID' | 'EVENT_IN_FUTURE' | 'FILE_MALFORMED';
  readonly reason: string;
  /** Field or column at fault, where one is. */
  readonly field?: string;
  /** 1-based: the number of the CSV field, or the character of a JSON line. */
  readonly column?: number;
}

export type Candidate = { readonly fields: Readonly<Record<string, unknown>> } | { readonly problem: RowProblem };

export interface Rules {
  readonly mapping: ColumnMapping;
  readonly defaults: Readonly<Partial<Record<EventField, string | number>>>;
  readonly timeUnit: TimeUnit | undefined;
}

/** Whole numbers below this as milliseconds lie before March 1973: far likelier seconds. */
const LIKELY_SECONDS_BELOW = 100_000_000_000;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

const invalid = (field: string, reason: string, column?: number): { problem: RowProblem } => ({
  problem: { code: 'EVENT_INVALID', reason, field, ...(column === undefined ? {} : { column }) },
});

/** A number as a time in ms, or the reason why it is none. */
function timeOf(value: number, unit: TimeUnit | undefined): number | string {
  if (unit === 's') return Math.round(value * 1000);
  if (unit === undefined && value >= 0 && value < LIKELY_SECONDS_BELOW)
    return 'looks like seconds; say whether times are in seconds (s) or milliseconds (ms)';
  return value;
}

/** One CSV cell as the value its field wants, or the reason why it is none. */
function cell(field: EventField, text: string, unit: TimeUnit | undefined): { value: unknown } | { reason: string } {
  if (field === 'value' || field === 'position')
    return NUMBER.test(text) ? { value: Number(text) } : { reason: `must be a number, found ${shown(text)}` };
  if (field !== 'occurredAt' && field !== 'recordedAt') return { value: text };
  if (!NUMBER.test(text)) return { value: text };
  const time = timeOf(Number(text), unit);
  return typeof time === 'string' ? { reason: time } : { value: time };
}

const shown = (text: string): string => JSON.stringify(text.slice(0, 40));

/** A CSV record; empty cells are absent fields. */
export function candidateOfRecord(
  columns: readonly (EventField | '')[],
  record: readonly string[],
  rules: Rules,
): Candidate {
  if (record.length !== columns.length) {
    const reason = `expected ${columns.length} fields, found ${record.length}`;
    return { problem: { code: 'FILE_MALFORMED', reason, column: Math.min(record.length, columns.length) } };
  }
  const fields: Record<string, unknown> = { ...rules.defaults };
  for (const [index, field] of columns.entries()) {
    const text = record[index]!;
    if (field === '' || text === '') continue;
    const read = cell(field, text, rules.timeUnit);
    if ('reason' in read) return invalid(field, read.reason, index + 1);
    fields[field] = read.value;
  }
  return { fields };
}

/** Where in the text V8's parser stopped, 1-based; undefined where it does not say. */
function jsonColumn(error: unknown): number | undefined {
  const at = error instanceof Error ? /at position (\d+)/.exec(error.message)?.[1] : undefined;
  return at === undefined ? undefined : Number(at) + 1;
}

function parseJson(text: string): { value: unknown } | { problem: RowProblem } {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    const column = jsonColumn(error) ?? text.length + 1;
    return { problem: { code: 'FILE_MALFORMED', reason: 'the line is not valid JSON', column } };
  }
}

/** A line of JSONL. Values keep their JSON types; nulls are absent fields. */
export function candidateOfJson(text: string, rules: Rules): Candidate {
  const parsed = parseJson(text);
  if ('problem' in parsed) return parsed;
  const { value } = parsed;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { problem: { code: 'FILE_MALFORMED', reason: 'the line is not a JSON object', column: 1 } };
  const fields: Record<string, unknown> = { ...rules.defaults };
  const seen = new Set<string>();
  for (const [name, member] of Object.entries(value as Record<string, unknown>)) {
    const field = fieldOfColumn(name, rules.mapping);
    if (field === undefined) return invalid(name.slice(0, 60), unknownColumn(name).reason);
    if (field === '' || member === null) continue;
    if (seen.has(field)) return invalid(field, 'two members for one field');
    seen.add(field);
    const isTime = (field === 'occurredAt' || field === 'recordedAt') && typeof member === 'number';
    // JSON times are milliseconds unless the caller says otherwise: that is the canonical form.
    fields[field] = isTime ? timeOf(member, rules.timeUnit ?? 'ms') : member;
  }
  return { fields };
}
