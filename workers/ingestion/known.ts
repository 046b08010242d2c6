/**
 * Owns which people this process has lately seen to have an envelope, so that a batch about known people needs no waiting part. A cache
 * only: an absent entry costs one idempotent question, and every entry is asked about again after a while, so that who was erased and
 * came back is noticed.
 */

/** Entries of one store; the oldest goes. About 100 bytes each. */
const ENTRIES_MAX = 200_000;
/** How long an entry is believed. */
const BELIEVED_MS = 10 * 60_000;

export class KnownPeople {
  readonly #until = new Map<string, number>();

  has(tenant: string, externalId: string, nowMs: number): boolean {
    const until = this.#until.get(`${tenant} ${externalId}`);
    return until !== undefined && until > nowMs;
  }

  add(tenant: string, externalIds: readonly string[], nowMs: number): void {
    for (const externalId of externalIds) {
      const name = `${tenant} ${externalId}`;
      this.#until.delete(name);
      this.#until.set(name, nowMs + BELIEVED_MS);
    }
    for (const name of this.#until.keys()) {
      if (this.#until.size <= ENTRIES_MAX) return;
      this.#until.delete(name);
    }
  }
}

const caches = new WeakMap<object, KnownPeople>();

/** The cache that belongs to a store; it goes with it. */
export function knownPeople(store: object): KnownPeople {
  let known = caches.get(store);
  if (known === undefined) {
    known = new KnownPeople();
    caches.set(store, known);
  }
  return known;
}
