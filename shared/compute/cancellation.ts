/** Owns what an aborted signal becomes: one coded error, whoever notices first. */
import { AppError } from '../errors.ts';

/** The signal's reason if that is an AppError (a deadline, a lost lease), else CANCELLED. */
export function cancellation(signal: AbortSignal): AppError {
  if (signal.reason instanceof AppError) return signal.reason;
  return new AppError('CANCELLED', signal.reason === undefined ? {} : { cause: signal.reason });
}
