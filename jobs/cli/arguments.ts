/** Owns how options are read: refused with USAGE that names the option, never half-understood. */
import { readFile } from 'node:fs/promises';
import { InvalidArgumentError } from 'commander';
import { AppError } from '../../shared/errors.ts';
import { timestampSchema } from '../../shared/contract-kit/event.ts';
import { PURPOSES, type Purpose } from '../../shared/contract-kit/purposes.ts';

/** A whole number within bounds. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max || text.trim() === '')
      throw new InvalidArgumentError(`must be a whole number from ${min} to ${max}.`);
    return value;
  };
}

/** A number above 0. */
export function aboveZero(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0 || text.trim() === '')
    throw new InvalidArgumentError('must be a number above 0.');
  return value;
}

/** A moment: ISO 8601 with an offset, or ms since 1970. */
export function moment(text: string): number {
  const parsed = timestampSchema.safeParse(/^\d+$/.test(text) ? Number(text) : text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError('must be a time like 2026-01-02T03:04:05Z.');
}

/** A JSON object. Throws USAGE that says where it stops making sense. */
export function jsonObject(text: string, option: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError('USAGE', {
      message: `${option} is not JSON: ${cause instanceof Error ? cause.message : ''}.`,
      cause,
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new AppError('USAGE', { message: `${option} must be a JSON object, like '{"k": 20}'.` });
  return value as Record<string, unknown>;
}

/** Comma-separated purposes. */
export function purposeList(text: string): Purpose[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const unknown = names.filter((name) => !(PURPOSES as readonly string[]).includes(name));
  if (unknown.length > 0 || names.length === 0)
    throw new AppError('USAGE', {
      message: `${unknown.length === 0 ? 'No purpose is named' : `Unknown purposes: ${unknown.join(', ')}`}.`,
      details: { known: [...PURPOSES] },
    });
  return names as Purpose[];
}

/** The text of a file that was named. Throws FILE_NOT_FOUND. */
export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new AppError('FILE_NOT_FOUND', { message: `There is no such file: "${path}".`, details: { path }, cause });
  }
}
