/** Owns numbers of the command line: refused with the option's name. */
import { AppError } from '../../shared/errors.ts';

export function finiteNumber(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new AppError('USAGE', {
    message: `--${name} must be a number, not ${text}.`,
    details: { option: name, value: text },
  });
}

export function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^[0-9]+$/.test(text) && value >= least && value <= most) return value;
  throw new AppError('USAGE', {
    message: `--${name} must be a whole number from ${least} to ${most}, not ${text}.`,
    details: { option: name, value: text },
  });
}
