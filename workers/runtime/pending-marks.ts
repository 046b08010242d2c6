/**
 * Owns marks on their way to the ledger that nobody waits for: that a run has been followed. One that is lost costs nothing but a sweep,
 * since to follow again changes nothing.
 */
import { toAppError } from '../../shared/errors.ts';
import type { Log } from '../../shared/telemetry/log.ts';

/** A group of the ledger's writes. More than these wait for room: a store that is slow slows its runs. */
const PENDING_MAX = 128;

export class PendingMarks {
  readonly #pending = new Set<Promise<void>>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Resolves at once while there is room. Never rejects. */
  async add(runKey: string, mark: Promise<void>): Promise<void> {
    const settled = mark
      .catch((thrown: unknown) => {
        const error = toAppError(thrown).toJSON();
        this.#log.warn(
          { runKey, error },
          'a run was followed, but the ledger could not be told; the sweeper follows it again',
        );
      })
      .finally(() => this.#pending.delete(settled));
    this.#pending.add(settled);
    if (this.#pending.size > PENDING_MAX) await Promise.race(this.#pending);
  }

  /** Resolves once everything added before has arrived or failed. */
  async arrived(): Promise<void> {
    await Promise.all(this.#pending);
  }
}
