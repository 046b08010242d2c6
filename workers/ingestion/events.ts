/**
 * Owns the way of a batch of events into the store: checked one by one, consent looked up, identified, sealed into blocks that nobody sees,
 * and named by the manifests once the run has committed.
 */
import { hash } from 'node:crypto';
import { type CanonicalEvent, checkEvent, derivedEventId, type Rejection } from '../../shared/contract-kit/event.ts';
import { PURPOSES } from '../../shared/contract-kit/purposes.ts';
import type { EventRow, ItemKey, PreparedEvents, Store, SubjectKey, VersionDraft } from '../../shared/store/ports.ts';
import type { Ports, RunContext } from '../runtime/processor.ts';
import { checkEach, inOrder, type Placed } from './batch.ts';
import { knownPeople } from './known.ts';
import { keepPending, readPending, shredPending } from './pending.ts';

export interface EventBatch {
  readonly source: string;
  readonly events: readonly unknown[];
  readonly indices?: readonly number[] | undefined;
  readonly allowUnknownItems?: boolean | undefined;
}

/** A batch that was checked: what goes in, and what the envelopes of its people need. */
export interface EventWork {
  readonly what: 'events';
  readonly rows: readonly EventRow[];
  /** External ids of people who may have no envelope yet. */
  readonly people: readonly string[];
  readonly texts: readonly KeptText[];
  /** Same event id twice in the batch. */
  readonly repeated: number;
  readonly rejected: readonly Rejection[];
}

interface KeptText {
  readonly user: string;
  /** Event id, hex. */
  readonly event: string;
  readonly text: string;
}

interface PendingPeople {
  readonly people: readonly string[];
  readonly texts: readonly KeptText[];
}

/** What follow needs; nothing of it is personal in the clear. */
export interface EventPlan {
  readonly what: 'events';
  readonly prepared: PreparedEvents;
  readonly pending?: VersionDraft;
}

const EVENT_ID_BYTES = 16;

/** 128 bits: a given id is unique within its source; without one, equal events are one event. */
function eventIdOf(source: string, event: CanonicalEvent): Uint8Array {
  if (event.id === undefined) return Buffer.from(derivedEventId(source, event), 'base64url');
  return hash('sha256', `${source}\0${event.id}`, 'buffer').subarray(0, EVENT_ID_BYTES);
}

export async function loadEvents(batch: EventBatch, context: RunContext): Promise<EventWork> {
  const now = context.clock.now();
  const { good, rejected } = checkEach(batch.events, batch.indices, (event, index) => checkEvent(event, index, now));
  const users = [...new Set(good.map(({ value }) => value.user))];
  const keys = context.store.people.keys(context.tenant, users);
  const subjects = new Map(users.map((user, n) => [user, keys[n]!]));
  const items = itemKeysOf(good, context);
  const [consenting, unknownItems] = await Promise.all([
    consentingPeople(subjects, batch.source, context),
    batch.allowUnknownItems === true ? new Set<string>() : findUnknownItems(items, context),
  ]);
  const admitted: Placed<CanonicalEvent>[] = [];
  for (const placed of good) {
    const { index, value: event } = placed;
    if (!consenting.has(event.user))
      rejected.push({
        index,
        code: 'EVENT_NO_CONSENT',
        field: 'user',
        reason: 'no consent to any purpose of the source',
      });
    else if (event.item !== undefined && unknownItems.has(event.item))
      rejected.push({ index, code: 'EVENT_UNKNOWN_ITEM', field: 'item', reason: 'is not in the catalogue' });
    else admitted.push(placed);
  }
  return {
    what: 'events',
    ...rowsOf(admitted, { subjects, items }, batch.source, context),
    rejected: inOrder(rejected),
  };
}

/** People who allow at least one purpose for the source. */
async function consentingPeople(
  subjects: ReadonlyMap<string, SubjectKey>,
  source: string,
  { store, tenant }: RunContext,
): Promise<Set<string>> {
  const snapshot = await store.consents.snapshot(tenant, [...subjects.values()]);
  const consenting = new Set<string>();
  for (const [user, key] of subjects)
    if (PURPOSES.some((purpose) => snapshot.allows(key, purpose, source))) consenting.add(user);
  return consenting;
}

function itemKeysOf(events: readonly Placed<CanonicalEvent>[], { store, tenant }: RunContext): Map<string, ItemKey> {
  const distinct = new Set<string>();
  for (const { value } of events) if (value.item !== undefined) distinct.add(value.item);
  const ids = [...distinct];
  const keys = store.items.keys(tenant, ids);
  return new Map(ids.map((id, n) => [id, keys[n]!]));
}

/** External ids of items that are not in the catalogue. The store remembers which are. */
async function findUnknownItems(
  items: ReadonlyMap<string, ItemKey>,
  { store, tenant }: RunContext,
): Promise<Set<string>> {
  const known = await store.items.known(tenant, [...items.values()]);
  return new Set([...items.keys()].filter((_, n) => known[n] !== true));
}

interface Keys {
  readonly subjects: ReadonlyMap<string, SubjectKey>;
  readonly items: ReadonlyMap<string, ItemKey>;
}

function rowsOf(
  events: readonly Placed<CanonicalEvent>[],
  { subjects, items }: Keys,
  source: string,
  { store, tenant, clock }: RunContext,
): Omit<EventWork, 'what' | 'rejected'> {
  const now = clock.now();
  const rows: EventRow[] = [];
  const ids = new Set<string>();
  const users = new Set<string>();
  const texts: KeptText[] = [];
  for (const { value } of events) {
    const eventId = eventIdOf(source, value);
    // One character a byte: the quickest exact name of sixteen bytes.
    const name = Buffer.from(eventId.buffer, eventId.byteOffset, EVENT_ID_BYTES).toString('latin1');
    if (ids.has(name)) continue;
    ids.add(name);
    users.add(value.user);
    const { text, user } = value;
    if (text !== undefined) texts.push({ user, event: Buffer.from(eventId).toString('hex'), text });
    // Nothing is recorded after it was received, whatever the source's clock says.
    const recordedAt = Math.min(value.recordedAt ?? now, now);
    const subject = subjects.get(user)!;
    const event = text === undefined ? value : withoutText(value);
    if (value.item === undefined) rows.push({ eventId, subject, event, source, recordedAt });
    else rows.push({ eventId, subject, item: items.get(value.item)!, event, source, recordedAt });
  }
  const enveloped = knownPeople(store);
  const people = [...users].filter((user) => !enveloped.has(tenant, user, now));
  return { rows, people, texts, repeated: events.length - rows.length };
}

/** Texts go into envelopes, never into rows. */
function withoutText({ text: _text, ...event }: CanonicalEvent): CanonicalEvent {
  return event;
}

export async function writeEvents(work: EventWork, context: RunContext) {
  const { store, tenant, runKey, fence } = context;
  const { people, texts, rejected } = work;
  const [prepared, pending] = await Promise.all([
    store.events.prepare(tenant, runKey, fence, work.rows),
    people.length + texts.length === 0
      ? undefined
      : keepPending({ people, texts } satisfies PendingPeople, people.length, context),
  ]);
  const accepted = prepared.parts.reduce((sum, part) => sum + part.rows, 0);
  const plan: EventPlan = { what: 'events', prepared, ...(pending === undefined ? {} : { pending }) };
  return { output: { accepted, duplicates: prepared.duplicates + work.repeated, rejected: [...rejected] }, plan };
}

/** Envelopes first, so that no event is there without its person; then the manifests; then the waiting part is shredded. */
export async function followEvents(
  plan: EventPlan,
  provisional: { readonly accepted: number; readonly duplicates: number; readonly rejected: Rejection[] },
  tenant: string,
  ports: Ports,
) {
  const { store } = ports;
  if (plan.pending !== undefined) await settlePeople(plan.pending, tenant, ports);
  const { accepted, duplicates } = await store.events.follow(tenant, plan.prepared);
  if (plan.pending !== undefined) await shredPending(tenant, plan.pending, store);
  const repeated = provisional.duplicates - plan.prepared.duplicates;
  return { accepted, duplicates: duplicates + repeated, rejected: provisional.rejected };
}

async function settlePeople(pending: VersionDraft, tenant: string, { store, clock }: Ports): Promise<void> {
  const waiting = await readPending<PendingPeople>(tenant, pending, store);
  if (waiting === undefined) return;
  await store.people.ensure(tenant, waiting.people);
  await keepTexts(waiting.texts, tenant, store);
  knownPeople(store).add(tenant, waiting.people, clock.now());
}

async function keepTexts(texts: readonly KeptText[], tenant: string, store: Store): Promise<void> {
  if (texts.length === 0) return;
  const subjects = store.people.keys(
    tenant,
    texts.map(({ user }) => user),
  );
  const kept = texts.map(({ event, text }, n) => ({ subject: subjects[n]!, eventId: Buffer.from(event, 'hex'), text }));
  await store.people.keepTexts(tenant, kept);
}
