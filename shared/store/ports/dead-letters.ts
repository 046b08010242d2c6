/** Owns the port of dead letters: runs that ended without an effect, and the one way back to work. */
import type { RunDocument } from './runs.ts';

/** What lists of dead letters are cut by. */
export interface DeadLetterQuery {
  readonly kind?: string;
  readonly code?: string;
  /** Ended at that moment or later, ms since 1970. */
  readonly sinceMs?: number;
  /** Only what comes after that one in the list. */
  readonly after?: { readonly endedAt: number; readonly runKey: string };
}

export interface DeadLetters {
  /** Runs that are dead-lettered or expired, the latest end first. */
  list(tenant: string, query: DeadLetterQuery, limit: number): Promise<RunDocument[]>;
  /**
   * Gives an ended run back to work: the one way out of a terminal state. It is guarded by the end that was read, so that of many who ask one
   * succeeds, and raises the fence; earlier ends stay in the document. Undefined: it is not as it was read any more.
   */
  redrive(run: RunDocument, nowMs: number): Promise<RunDocument | undefined>;
}
