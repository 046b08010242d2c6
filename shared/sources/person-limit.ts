/** Owns how many events a source may bring of one person, and in which window an event counts. What is more waits until an operator lets it in. */

export interface PersonLimit {
  readonly events: number;
  readonly minutes: number;
}

/** What the liveliest people do in an hour, many times over: some 200 acts, each seen ten times on the way. */
export const PERSON_LIMIT: PersonLimit = { events: 2_000, minutes: 60 };
/** One name may be many people: a proxy, a shared login. */
export const CROWD_LIMIT: PersonLimit = { events: 10_000, minutes: 60 };

const MINUTE_MS = 60_000;

/** The window that an event counts in, by when it occurred: sending it late, or often, changes nothing. */
export const windowOf = ({ minutes }: PersonLimit, occurredAt: number): number =>
  Math.floor(occurredAt / (minutes * MINUTE_MS));
