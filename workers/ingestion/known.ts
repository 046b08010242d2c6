/**
 * Owns which people this process has lately seen to have an envelope, so that a batch about known people needs no waiting part. A cache
 * only: an absent entry costs one idempotent question, and every entry is asked about again after a while, so that who was erased and
 * came back is noticed.
 *
 * People go by the key objects that a store hands out for them, again and again the same ones while its own bounded cache holds them:
 * an entry goes with its key, and looking one up costs no name.
 */
import type { Store, SubjectKey } from '../../shared/store/ports.ts';

/** How long an entry is believed. */
const BELIEVED_MS = 10 * 60_000;

export class KnownPeople {
  readonly #until = new WeakMap<SubjectKey, number>();

  has(person: SubjectKey, nowMs: number): boolean {
    const until = this.#until.get(person);
    return until !== undefined && until > nowMs;
  }

  add(people: readonly SubjectKey[], nowMs: number): void {
    for (const person of people) this.#until.set(person, nowMs + BELIEVED_MS);
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

/** What is not about people who were erased since it was checked. */
export async function withoutErased<T>(
  store: Store,
  tenant: string,
  records: readonly T[],
  userOf: (record: T) => string,
): Promise<T[]> {
  const snapshot = await store.consents.snapshot(tenant);
  const keys = store.people.keys(tenant, records.map(userOf));
  return records.filter((_, n) => !snapshot.isErased(keys[n]!));
}
