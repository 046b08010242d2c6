/** Owns the shape of the simulated log while it is made: entries with their hidden labels, kept in order of time. */
import type { CanonicalEvent } from '../../contract-kit/event.ts';
import { DAY_MS } from './options.ts';

/** One event and what only the simulator knows about it. */
export interface LoggedEvent {
  readonly event: CanonicalEvent;
  /** Impressions of people: the exact probability of this video at this place, given those above it. */
  readonly propensity?: number;
  /** Which policy drew the list. */
  readonly policy?: 'feed' | 'search';
  /** Impressions of people: whether the person looked at this place at all. */
  readonly examined?: boolean;
}

/** What a person did, before it is given an id and clipped to the log. */
export type Act = Omit<CanonicalEvent, 'id' | 'user' | 'recordedAt'>;

/** Collects entries by day, so that a day is given out in order once it is over; bounded by what reaches ahead. */
export class DayBuckets {
  readonly #startMs: number;
  readonly #days: number;
  readonly #buckets = new Map<number, LoggedEvent[]>();

  constructor(startMs: number, days: number) {
    this.#startMs = startMs;
    this.#days = days;
  }

  /** Keeps an entry; one after the end of the log is dropped (a conversion may be censored). Returns whether it was kept. */
  add(entry: LoggedEvent): boolean {
    const day = Math.floor((entry.event.occurredAt - this.#startMs) / DAY_MS);
    if (day < 0 || day >= this.#days) return false;
    const bucket = this.#buckets.get(day);
    if (bucket === undefined) this.#buckets.set(day, [entry]);
    else bucket.push(entry);
    return true;
  }

  /** Removes and returns a day's entries, ordered by time, then in the order they were made. */
  take(day: number): LoggedEvent[] {
    const bucket = this.#buckets.get(day) ?? [];
    this.#buckets.delete(day);
    return bucket.sort((a, b) => a.event.occurredAt - b.event.occurredAt);
  }
}
