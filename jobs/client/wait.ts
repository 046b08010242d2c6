/** Owns waiting for an end with a time limit and a signal; whichever comes first undoes the subscription and the others. */
import { AppError } from '../../shared/errors.ts';

export interface WaitOptions {
  /** Longest wait; then WAIT_TIMEOUT, while the job goes on. Absent: as long as it takes. */
  readonly timeoutMs?: number;
  /** Ends the wait (with the signal's reason), never the job: that is `cancel()`. */
  readonly signal?: AbortSignal;
}

export interface Settle<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** Resolves as `start` settles it; rejects with WAIT_TIMEOUT after `timeoutMs`, or with the signal's reason. */
export function waitFor<T>(what: string, options: WaitOptions, start: (settle: Settle<T>) => () => void): Promise<T> {
  const { timeoutMs, signal } = options;
  return new Promise<T>((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(reasonOf(signal));
      return;
    }
    let over = false;
    let stop = () => {};
    let timer: NodeJS.Timeout | undefined;
    const onAbort = () => signal !== undefined && finish(() => reject(reasonOf(signal)));
    const finish = (settle: () => void) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      stop();
      settle();
    };
    if (timeoutMs !== undefined)
      timer = setTimeout(
        () =>
          finish(() =>
            reject(
              new AppError('WAIT_TIMEOUT', {
                message: `${what} did not end within ${timeoutMs} ms; it goes on.`,
                details: { timeoutMs },
              }),
            ),
          ),
        timeoutMs,
      );
    signal?.addEventListener('abort', onAbort, { once: true });
    const unsubscribe = start({
      resolve: (value) => finish(() => resolve(value)),
      reject: (error) => finish(() => reject(error)),
    });
    if (over) unsubscribe();
    else stop = unsubscribe;
  });
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new AppError('CANCELLED', { cause: signal.reason });
}
