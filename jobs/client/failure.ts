/**
 * Owns how a failure crosses Redis: the executor writes `JSON.stringify(appError.toJSON())` as BullMQ's failed reason,
 * and the client makes the same AppError of it.
 */
import { z } from 'zod';
import { AppError, type AppErrorOptions, ERROR_CODES, type ErrorCodeName } from '../../shared/errors.ts';

const failureSchema = z.object({
  code: z.string(),
  message: z.string().default(''),
  details: z.record(z.string(), z.unknown()).default({}),
});
export type Failure = z.output<typeof failureSchema>;

const isCode = (code: string): code is ErrorCodeName => Object.hasOwn(ERROR_CODES, code);

/** The AppError that a failure describes; a code that only a newer release knows becomes INTERNAL, with the code in `details`. */
export function errorOfFailure(failure: {
  code: string;
  message?: string;
  details?: Record<string, unknown>;
}): AppError {
  const { code, message = '', details = {} } = failure;
  if (!isCode(code))
    return new AppError('INTERNAL', { message: message || `Failed as ${code}.`, details: { ...details, code } });
  // `message` of an AppError is `CODE: what happened. what to do`; the constructor adds both ends again.
  const { todo } = ERROR_CODES[code];
  const inner = message.replace(`${code}: `, '').replace(todo, '').trim();
  const options: AppErrorOptions = inner === '' ? { details } : { details, message: inner };
  return new AppError(code, options);
}

/** The AppError behind a failed reason; plain text (BullMQ's own failures) becomes INTERNAL. */
export function errorOfReason(failedReason: string): AppError {
  const failure = parseFailure(failedReason);
  if (failure !== undefined) return errorOfFailure(failure);
  return new AppError('INTERNAL', { message: failedReason.replace(/\.?$/, '.') });
}

export const isCancelled = (failedReason: string | undefined): boolean =>
  failedReason !== undefined && parseFailure(failedReason)?.code === 'CANCELLED';

/** Reads `{code, message, details}` from JSON text or a value; undefined when it is neither. */
export function parseFailure(candidate: unknown): Failure | undefined {
  let value = candidate;
  if (typeof candidate === 'string') {
    try {
      value = JSON.parse(candidate);
    } catch {
      return undefined;
    }
  }
  const parsed = failureSchema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}
