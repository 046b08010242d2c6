/**
 * Owns the one table of error codes and the one error class.
 *
 * A code is a promise to callers: it never changes its meaning. `retry` tells the executor (and any
 * client) whether trying again can help: `never` (the input is wrong), `backoff` (a passing fault), or
 * `later` (this process cannot, another or a newer one can).
 */
import { DATA_CODES } from './error-codes/data.ts';
import type { ErrorCode, Retry } from './error-codes/error-code.ts';
import { JOB_CODES } from './error-codes/jobs.ts';
import { PRIVACY_CODES } from './error-codes/privacy.ts';
import { SERVICE_CODES } from './error-codes/services.ts';

export const ERROR_CODES = { ...DATA_CODES, ...JOB_CODES, ...PRIVACY_CODES, ...SERVICE_CODES } as const;

export type ErrorCodeName = keyof typeof ERROR_CODES;

export interface AppErrorOptions {
  /** Facts for programs and people; never secrets or personal data in the clear. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
  /** Replaces the table's general sentence with one that names the case at hand. */
  readonly message?: string;
}

/** An expected failure with a stable code. `message` ends with what to do. */
export class AppError extends Error {
  readonly code: ErrorCodeName;
  readonly retry: Retry;
  readonly status: number;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCodeName, options: AppErrorOptions = {}) {
    const entry: ErrorCode = ERROR_CODES[code];
    super(
      `${code}: ${options.message ?? entry.what} ${entry.todo}`,
      options.cause === undefined ? {} : { cause: options.cause },
    );
    this.name = 'AppError';
    this.code = code;
    this.retry = entry.retry;
    this.status = entry.status;
    this.details = options.details ?? {};
  }

  /** What may leave the process: no stack, no cause. */
  toJSON(): { code: ErrorCodeName; message: string; retry: Retry; details: Readonly<Record<string, unknown>> } {
    return { code: this.code, message: this.message, retry: this.retry, details: this.details };
  }
}

/** Gives any thrown value a code; what is not an AppError becomes INTERNAL with the value as its cause. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new AppError('INTERNAL', { message: message.replace(/\.?$/, '.'), cause: thrown });
}
