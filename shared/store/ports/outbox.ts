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
