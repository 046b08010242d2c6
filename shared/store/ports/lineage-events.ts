/** Owns the port of what was told of runs in the form of OpenLineage: kept once, read in order, sent by whoever delivers it. */

/** Where an event of a run stands: its start is 0, its end 1. */
export interface LineageEvent {
  readonly runId: string;
  readonly order: 0 | 1;
  /** When it happened, ms since 1970. */
  readonly at: number;
  /** When it was kept. */
  readonly recordedAt: number;
  /** The event as JSON. */
  readonly text: string;
  /** Run key of the delivery that was made for it alone, where there is one; it is otherwise sent with the end. */
  readonly sentBy?: string;
}

export interface LineageQuery {
  /** Kept from that moment on, ms since 1970. */
  readonly sinceMs?: number;
  /** Behind this one: as an answer before named it. */
  readonly after?: string;
}

export interface LineagePage {
  readonly events: readonly LineageEvent[];
  /** What to ask behind; absent: there are no more by now. */
  readonly next?: string;
}

export interface LineageEvents {
  /** Keeps each of them unless the run has one there already. True for those that were new. */
  add(tenant: string, events: readonly Omit<LineageEvent, 'recordedAt'>[]): Promise<boolean[]>;
  /** The events of a run, the start first. */
  of(tenant: string, runId: string): Promise<LineageEvent[]>;
  /** In the order in which they were kept. Throws INPUT_INVALID for an `after` that is none. */
  list(tenant: string, query: LineageQuery, limit: number): Promise<LineagePage>;
}
