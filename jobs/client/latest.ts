/**
 * Owns a stream of values of which only the newest matters: a slow reader skips what it missed, so that nothing piles
 * up (the buffer holds one value). Ends when told, or when the reader stops.
 */

export interface Latest<T> {
  push(value: T): void;
  end(): void;
  fail(error: unknown): void;
}

/** `start` subscribes and returns what unsubscribes; it runs when the reader asks for the first value. */
export async function* latestOf<T>(start: (latest: Latest<T>) => () => void): AsyncGenerator<T, void, undefined> {
  let held: { value: T } | undefined;
  let ended = false;
  let failure: { error: unknown } | undefined;
  let wake = () => {};
  const stop = start({
    push(value) {
      if (ended) return;
      held = { value };
      wake();
    },
    end() {
      ended = true;
      wake();
    },
    fail(error) {
      failure = { error };
      ended = true;
      wake();
    },
  });
  try {
    for (;;) {
      if (held !== undefined) {
        const { value } = held;
        held = undefined;
        yield value;
      } else if (failure !== undefined) throw failure.error;
      else if (ended) return;
      else {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await promise;
      }
    }
  } finally {
    stop();
  }
}
