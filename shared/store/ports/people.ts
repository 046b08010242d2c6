/** Owns the ports of people, items and consents. */
import type { CatalogueItem, ConsentRecord, Person } from '../../contract-kit/event.ts';
import type { ConsentBasis, Purpose } from '../../contract-kit/purposes.ts';
import type { ItemKey, SubjectKey } from './keys.ts';
import type { RunDocument } from './runs.ts';

/**
 * Where what a run says stands among what other runs say of the same person or item: a text, later ones greater. A record takes
 * the place of one of a lower or the same order, so that a run that is followed late, or again, never undoes a newer one.
 */
export type RecordOrder = string & { readonly recordOrder?: never };

const ORDER_DIGITS = 15;
const moment = (ms: number): string => String(Math.max(0, ms)).padStart(ORDER_DIGITS, '0');

/**
 * By the moment the run speaks of (no later than its first claim: a producer's fast clock must not shut out the others), then by that
 * claim, then by its key. All three never change once the run is there, so every follow of it has the same place.
 */
export function recordOrderOf(run: Pick<RunDocument, 'asOf' | 'createdAt' | 'runKey'>): RecordOrder {
  return `${moment(Math.min(run.asOf, run.createdAt))}.${moment(run.createdAt)}.${run.runKey}`;
}

/** Attributes of a profile that features are made of: what they were earlier is kept, so that a moment of the past is read as it was known. */
export const PROFILE_FACTS = ['timeZone', 'utcOffsetMinutes', 'place'] as const;
export type ProfileFacts = Readonly<Record<string, string | number | boolean>>;

export interface People {
  /** HMACs, order kept. */
  keys(tenant: string, externalIds: readonly string[]): SubjectKey[];
  /** Creates envelopes (own data key per person), or updates those that hold nothing newer. */
  upsert(tenant: string, people: readonly Person[], order: RecordOrder): Promise<void>;
  /** Makes sure that an envelope exists for each external id (with nothing but the id). */
  ensure(tenant: string, externalIds: readonly string[]): Promise<void>;
  /**
   * Opened envelopes; who is unknown or shredded is left out of the map (keyed by hex of the subject key). `asOf`: with the facts of
   * the profile (`PROFILE_FACTS`) that were known then; the rest is of today.
   */
  open(tenant: string, keys: readonly SubjectKey[], asOf?: number): Promise<Map<string, Person>>;
  /** Free text of events, sealed under the person's data key; idempotent by event id. */
  keepTexts(
    tenant: string,
    texts: readonly { readonly subject: SubjectKey; readonly eventId: Uint8Array; readonly text: string }[],
  ): Promise<void>;
  /** Free texts of one person; empty when unknown or shredded. */
  texts(tenant: string, subject: SubjectKey): Promise<{ readonly eventId: Uint8Array; readonly text: string }[]>;
  count(tenant: string): Promise<number>;
  all(tenant: string): AsyncIterable<Person>;
}

export interface StoredItem extends CatalogueItem {
  readonly key: ItemKey;
}
export interface Items {
  keys(tenant: string, externalIds: readonly string[]): ItemKey[];
  /** Creates items, or replaces those that are not newer. */
  upsert(tenant: string, items: readonly CatalogueItem[], order: RecordOrder): Promise<void>;
  /** Which of these keys are in the catalogue; result parallel to the argument. */
  known(tenant: string, keys: readonly ItemKey[]): Promise<boolean[]>;
  /** `asOf`: items that were known then, with the creator, topics and publication that were; the rest is of today. */
  read(tenant: string, keys: readonly ItemKey[], asOf?: number): Promise<Map<string, StoredItem>>;
  count(tenant: string): Promise<number>;
  all(tenant: string): AsyncIterable<StoredItem>;
}

/** A view of consents at one epoch. */
export interface ConsentSnapshot {
  readonly epoch: number;
  /**
   * True when the person gave consent for the purpose for this source (or for every source, `*`) and did not withdraw it.
   * Of what was said about the source and about `*`, the later `at` decides; at the same moment a withdrawal does. A consent that has
   * ended by the store's clock at the moment of the call is none.
   */
  allows(subject: SubjectKey, purpose: Purpose, source: string): boolean;
  /** True when it would be allowed, had the consent not ended. */
  hasEnded(subject: SubjectKey, purpose: Purpose, source: string): boolean;
  /** Sources about which the person, or a licence, has said something, `*` among them; empty: of them nothing was ever heard. */
  sourcesOf(subject: SubjectKey): readonly string[];
  /** True when the person was erased and has not come back: nothing about them may go in. */
  isErased(subject: SubjectKey): boolean;
}
/** One thing that a person, or a licence, said. */
export interface ConsentWord {
  readonly purposes: readonly Purpose[];
  readonly source: string;
  readonly state: 'given' | 'withdrawn';
  readonly basis: ConsentBasis;
  readonly at: number;
  /** When it ends; absent: when it is withdrawn. */
  readonly until?: number;
  /** The id of the receipt, where there is one and it is not shredded. */
  readonly receipt?: string;
}

export interface Consents {
  /** Appends to the tenant's consent log and updates the states; idempotent by runKey. What is said for people who are erased is left out. Returns the new epoch. */
  record(tenant: string, runKey: string, records: readonly ConsentRecord[]): Promise<number>;
  epoch(tenant: string): Promise<number>;
  /**
   * Puts a person on the list of the erased: from the epoch that is returned on nothing is allowed for them and nothing about them goes in.
   * What is kept is a keyed hash of their pseudonym. Idempotent by runKey.
   */
  erase(
    tenant: string,
    runKey: string,
    subject: SubjectKey,
  ): Promise<{ readonly epoch: number /** When the mark was set, ms since 1970. */; readonly at: number }>;
  /** Takes a person off that list; they are asked for every purpose anew. Idempotent by runKey. */
  readmit(tenant: string, runKey: string, subject: SubjectKey): ReturnType<Consents['erase']>;
  /** Takes everything that a person said out of the log, whose numbers stay. Returns the number of entries that were written anew. */
  forget(tenant: string, subject: SubjectKey): Promise<number>;
  /** Keyed hashes of everybody on the list of the erased. */
  erasedMarks(tenant: string): Promise<ReadonlySet<string>>;
  /** Everything that was said about one person, in order of recording. Reads the whole log. */
  history(tenant: string, subject: SubjectKey): Promise<ConsentWord[]>;
  /** Snapshot for some people; cached between calls, brought up to date from the log. */
  snapshot(tenant: string, subjects?: readonly SubjectKey[]): Promise<ConsentSnapshot>;
  /** What was recorded under a run key; what of it was forgotten since is left out. */
  saidBy(tenant: string, runKey: string): Promise<readonly (ConsentWord & { readonly subject: SubjectKey })[]>;
  /** People who lost consent for one of the purposes after the epoch, or whose consent ended after `sinceMs`; absent: ends are not looked at. */
  withdrawnSince(
    tenant: string,
    epoch: number,
    purposes: readonly Purpose[],
    sinceMs?: number,
  ): Promise<{ readonly epoch: number; readonly subjects: SubjectKey[] }>;
}
