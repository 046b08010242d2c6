/** Owns the port of outboxes: entries that lie in the documents of callers, in collections of theirs. */

/** Where an entry lies. */
export interface OutboxPlace {
  /** database.collection */
  readonly collection: string;
  /** The caller's own id of the document, whatever its type. */
  readonly document: unknown;
  /** Of the entry, as its maker named it; absent where it has no readable one. */
  readonly id?: string;
}

export interface OutboxFound extends OutboxPlace {
  /** The subdocument as it was read. */
  readonly entry: unknown;
}

export interface JournalEntry {
  readonly runKey: string;
  readonly entry: { readonly id: string };
}

/** An outbox of the deployment's own: enqueues that must outlive Redis. A relay clears it as it does those of callers. */
export interface Journal {
  /** Writes entries by their run keys; one that is there already stays as it is. */
  write(entries: readonly JournalEntry[]): Promise<void>;
  /** Takes back those of the entries that `write` wrote: their jobs were refused. */
  forget(entries: readonly JournalEntry[]): Promise<void>;
}

export interface Outbox extends AsyncDisposable {
  /** Entries whose next look has come, the oldest first. */
  due(nowMs: number, limit: number): Promise<OutboxFound[]>;
  /** Looks again at that moment. False: the entry is no longer there. */
  postpone(place: OutboxPlace, nextAt: number): Promise<boolean>;
  /** Takes the entry out of its document. */
  clear(place: OutboxPlace): Promise<void>;
  /** Leaves the entry in its document with the reason why it cannot be relayed, and looks at it no more. */
  park(place: OutboxPlace, error: { readonly code: string; readonly message: string }): Promise<void>;
}
