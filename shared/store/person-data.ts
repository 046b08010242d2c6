/** Owns the access of a person to what is held about them: everything, readable, in one piece (GDPR art. 15 and 20). Shows data in the clear. */
import type { Person } from '../contract-kit/event.ts';
import { hexOf } from '../governance/keys.ts';
import type { ConsentWord, Exposure, PersonEvent, Store, SubjectKey, VerdictReason } from './ports.ts';

/** The latest, where there are more. */
const EXPOSURES_MAX = 1_000;

export interface HeldEvent {
  readonly type: string;
  readonly source: string;
  readonly item?: string;
  readonly value?: number;
  readonly device?: string;
  readonly text?: string;
  readonly occurredAt: number;
  readonly recordedAt: number;
}

export interface PersonData {
  readonly user: string;
  /** Erased: nothing goes in, and there is nothing here. */
  readonly isErased: boolean;
  readonly person?: Person;
  readonly consents: readonly ConsentWord[];
  /** In order of time. */
  readonly events: readonly HeldEvent[];
  /** In the live release. */
  readonly recommendations?: readonly { readonly item: string; readonly score: number }[];
  readonly segment?: number;
  /** Why the account is not taken for a person, where it is not. */
  readonly notTakenForAPerson?: readonly VerdictReason[];
  /** What devices said to questions under randomised response: not the truth by a stated chance. */
  readonly answers: readonly { readonly question: string; readonly choice: number; readonly at: number }[];
  /** What was shown, the latest first. */
  readonly shown: readonly { readonly at: number; readonly release: string; readonly items: readonly string[] }[];
}

type Names = (keys: readonly Uint8Array[]) => Promise<ReadonlyMap<string, string>>;

/** External ids of items, by hex of their keys; what the catalogue does not hold is left out. */
function namesOf(store: Store, tenant: string): Names {
  return async (keys) => {
    const items = await store.items.read(tenant, keys);
    return new Map([...items].map(([key, { id }]) => [key, id]));
  };
}

const nameOf = (names: ReadonlyMap<string, string>, key: Uint8Array): string => names.get(hexOf(key)) ?? hexOf(key);

export async function personData(store: Store, tenant: string, user: string): Promise<PersonData> {
  const subject = store.people.keys(tenant, [user])[0]!;
  const names = namesOf(store, tenant);
  const [snapshot, envelopes, consents, exposures] = await Promise.all([
    store.consents.snapshot(tenant),
    store.people.open(tenant, [subject]),
    store.consents.history(tenant, subject),
    store.exposures.of(tenant, subject, EXPOSURES_MAX),
  ]);
  const person = envelopes.get(hexOf(subject));
  const verdict = await store.verdicts.of(tenant, subject);
  return {
    user,
    isErased: snapshot.isErased(subject),
    ...(person === undefined ? {} : { person }),
    consents,
    events: await eventsOf(store, tenant, subject, names),
    ...(await servedTo(store, tenant, subject, names)),
    ...(verdict === undefined ? {} : { notTakenForAPerson: verdict.reasons }),
    answers: (await store.answers.given(tenant, subject)).map(({ question, choice, at }) => ({ question, choice, at })),
    shown: await shownTo(exposures, names),
  };
}

async function eventsOf(store: Store, tenant: string, subject: SubjectKey, names: Names): Promise<HeldEvent[]> {
  const own: PersonEvent[] = [];
  for await (const event of store.events.of(tenant, subject)) own.push(event);
  const texts = new Map((await store.people.texts(tenant, subject)).map(({ eventId, text }) => [hexOf(eventId), text]));
  const known = await names(own.flatMap(({ item }) => (item === undefined ? [] : [item])));
  const events = own.map(({ eventId, item, ...rest }): HeldEvent => {
    const text = texts.get(hexOf(eventId));
    const named = item === undefined ? {} : { item: nameOf(known, item) };
    return { ...rest, ...named, ...(text === undefined ? {} : { text }) };
  });
  return events.sort((a, b) => a.occurredAt - b.occurredAt);
}

async function servedTo(
  store: Store,
  tenant: string,
  subject: SubjectKey,
  names: Names,
): Promise<Pick<PersonData, 'recommendations' | 'segment'>> {
  const live = await store.releases.live(tenant);
  const list = live?.candidates && (await store.served.candidates(tenant, live.candidates, subject));
  const segment = live?.segments === undefined ? undefined : await store.served.segment(tenant, live.segments, subject);
  if (!list) return segment === undefined ? {} : { segment };
  const known = await names(list.items);
  const recommendations = list.items.map((key, at) => ({ item: nameOf(known, key), score: list.scores[at]! }));
  return { recommendations, ...(segment === undefined ? {} : { segment }) };
}

async function shownTo(exposures: readonly Exposure[], names: Names): Promise<PersonData['shown']> {
  const known = await names(exposures.flatMap(({ items }) => items.map(({ item }) => item)));
  return exposures.map(({ at, release, items }) => ({
    at,
    release,
    items: items.map(({ item }) => nameOf(known, item)),
  }));
}
