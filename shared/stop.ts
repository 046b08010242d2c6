/**
 * Owns the end of a process that was asked to stop: in order if it can, within the limit in any case, at once when it is asked again.
 * What was left undone is found by whoever comes next: nothing here has to succeed.
 */

export interface StopOptions {
  /** The process has ended by then, whatever still hangs. */
  readonly limitMs: number;
  /** Takes no new work, ends what is at work, closes what is open. Called once. */
  readonly stop: () => Promise<void>;
  /** Told when the limit ends the process instead. */
  readonly late?: () => void;
}

/** Left for the last words once the limit is near. */
const LAST_WORDS_SHARE = 0.05;
/** By custom, 128 and the number of the signal. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Ends the process on SIGTERM or SIGINT, or when the process that started it is gone: with 0, also when the limit cut it short.
 * The same signal once more ends it at once. Not another one: Ctrl-C reaches a whole group of processes, and then each
 * is asked by its parent as well.
 */
export function stopOnSignal({ limitMs, stop, late }: StopOptions): void {
  let first: string | undefined;
  const begin = (name: string): void => {
    first = name;
    setTimeout(
      () => {
        late?.();
        process.exit(0);
      },
      limitMs * (1 - LAST_WORDS_SHARE),
    );
    stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  for (const name of ['SIGTERM', 'SIGINT'] as const)
    process.on(name, () => {
      if (first === undefined) begin(name);
      else if (first === name) process.exit(EXIT_CODES[name]);
    });
  process.once('disconnect', () => {
    if (first === undefined) begin('disconnect');
  });
}
