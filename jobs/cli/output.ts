/**
 * Owns what the command says: results on standard output (text for people, one JSON document with `--json`),
 * progress and notes on standard error, errors with their code, and the exit codes.
 */
import { type AppError, toAppError } from '../../shared/errors.ts';

/** Documented in docs/cli.md. */
export const EXIT = { ok: 0, unexpected: 1, usage: 2, refused: 3, unavailable: 4, failed: 5, cancelled: 130 } as const;

const USAGE_CODES = new Set(['USAGE', 'CONFIG_INVALID']);
const UNAVAILABLE_CODES = new Set(['SERVICE_UNAVAILABLE', 'PORT_BUSY']);
const FAILED_CODES = new Set(['STEP_FAILED', 'DEADLINE_EXCEEDED', 'RUN_POISONOUS', 'OUTPUT_INVALID']);

export function exitCodeOf(error: AppError): number {
  if (error.code === 'CANCELLED') return EXIT.cancelled;
  if (USAGE_CODES.has(error.code)) return EXIT.usage;
  if (UNAVAILABLE_CODES.has(error.code)) return EXIT.unavailable;
  if (FAILED_CODES.has(error.code)) return EXIT.failed;
  return error.status < 500 ? EXIT.refused : EXIT.unexpected;
}

export interface Output {
  readonly json: boolean;
  /** The result: `people` prints lines, `value` is what a program reads. */
  result(value: unknown, people: () => string | readonly string[]): void;
  /** Something to know, not the result. */
  note(text: string): void;
  error(thrown: unknown): number;
}

export function openOutput(json: boolean): Output {
  return {
    json,
    result(value, people) {
      if (json) {
        process.stdout.write(`${JSON.stringify(value)}\n`);
        return;
      }
      const text = people();
      process.stdout.write(`${typeof text === 'string' ? text : text.join('\n')}\n`);
    },
    note(text) {
      if (!json) process.stderr.write(`${text}\n`);
    },
    error(thrown) {
      const error = toAppError(thrown);
      if (json) process.stdout.write(`${JSON.stringify({ error: error.toJSON() })}\n`);
      else process.stderr.write(`${error.message}\n${detailLines(error)}`);
      if (error.code === 'INTERNAL' && process.env.MILLRACE_LOG === 'debug') console.error(error.cause ?? error);
      return exitCodeOf(error);
    },
  };
}

/** The details a person can act on: issues, problems, known names, places in files. */
function detailLines({ details }: AppError): string {
  const lines: string[] = [];
  for (const [name, value] of Object.entries(details)) {
    if (name === 'issues' && Array.isArray(value))
      for (const issue of value as { path?: PropertyKey[]; message?: string }[])
        lines.push(`  ${(issue.path ?? []).map(String).join('.') || '(input)'}: ${issue.message}`);
    else if (name === 'known' && Array.isArray(value)) lines.push(`  known: ${value.join(', ')}`);
    else if (['line', 'column', 'field', 'run', 'step', 'code', 'runKey', 'file', 'reason'].includes(name))
      lines.push(`  ${name}: ${String(value)}`);
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

const numberFormat = new Intl.NumberFormat('en');
export const count = (value: number): string => numberFormat.format(value);

/** `1.2 s`, `3 min 05 s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${String(Math.round((ms % 60_000) / 1000)).padStart(2, '0')} s`;
}

/** Left-aligned columns, two spaces apart. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows.map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!))).join('  '));
}
