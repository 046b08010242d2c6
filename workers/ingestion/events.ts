/**
 * Owns the way of a batch of events into the store: checked one by one, consent looked up, identified, sealed into blocks that nobody sees,
 * and named by the manifests once the run has committed.
 */
import { hash } from 'node:crypto';
import { type CanonicalEvent, checkEvent, derivedEventId, type Rejection } from '../../shared/contract-kit/event.ts';
import { type SourceDeclaration, sourceOf } from '../../shared/sources/registry.ts';
import type {
  BatchQuality,
  EventRow,
  ItemKey,
  PreparedEvents,
  Store,
  SubjectKey,
  VersionDraft,
} from '../../shared/store/ports.ts';
import type { Ports, RunContext } from '../runtime/processor.ts';
import { batchQuality } from './batch-quality.ts';
import { checkEach, inOrder, type Placed, sourceSet } from './batch.ts';
import { knownPeople, withoutErased } from './known.ts';
import { beyondLimit, type HeldBack, holdBack, keepBack } from './person-limits.ts';
import { keepPending, readPending, shredPending } from '../runtime/pending-payload.ts';

export interface EventBatch {
  readonly source: string;
  readonly events: readonly unknown[];
  readonly indices?: readonly number[] | undefined;
  readonly allowUnknownItems?: boolean | undefined;
  /** Version of the source's own records that the events were made from. */
  readonly schema?: string | undefined;
}

/** A batch that was checked: what goes in, and what the envelopes of its people need. */
export interface EventWork {
  readonly what: 'events';
  readonly source: string;
  readonly schema?: string;
  readonly rows: readonly EventRow[];
  /** Ids of the rows, 16 bytes each. */
  readonly eventIds: Uint8Array;
  /** External ids of people who may have no envelope yet. */
  readonly people: readonly string[];
  readonly texts: readonly KeptText[];
  /** Same event id twice in the batch. */
  readonly repeated: number;
  readonly rejected: readonly Rejection[];
  /** What is beyond the limit of its person. */
  readonly held?: HeldBack;
  readonly quality: BatchQuality;
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
  /** Id of what is held of the batch, and how much it is. */
  readonly held?: { readonly id: string; readonly events: number };
}

const EVENT_ID_BYTES = 16;

/**
 * 128 bits, one character a byte: a given id is unique within its source; without one, equal events are one event. A string, because
 * that is also the quickest exact name of sixteen bytes, and hashing to a buffer costs twice as much (Node 24).
 */
function eventIdOf(source: string, event: CanonicalEvent): string {
  if (event.id === undefined) return Buffer.from(derivedEventId(source, event), 'base64url').toString('latin1');
  return hash('sha256', `${source}\0${event.id}`, 'binary').slice(0, EVENT_ID_BYTES);
}

/** Somebody named in a batch. */
interface Party {
  readonly key: SubjectKey;
  consenting: boolean;
  /** They had consented, for a time that is over. */
  lapsed: boolean;
  /** Nothing about them goes in. */
  erased: boolean;
}

/** Something named in a batch. */
interface Thing {
  readonly key: ItemKey;
  known: boolean;
}

/** What a batch names, by external id, in order of first mention. */
interface Named {
  readonly people: ReadonlyMap<string, Party>;
  readonly items: ReadonlyMap<string, Thing>;
}

interface PlacedEvent extends Placed<CanonicalEvent> {
  readonly eventId: string;
}

export async function loadEvents(batch: EventBatch, context: RunContext): Promise<EventWork> {
  const { store, tenant, clock } = context;
  const now = clock.now();
  const source = sourceOf(batch.source);
  const { good, rejected } = checkEach(batch.events, batch.indices, (event, index) => checkEvent(event, index, now));
  const named = namedIn(good, context);
  const placed = good.map(({ index, value }) => ({ index, value, eventId: eventIdOf(batch.source, value) }));
  const [snapshot] = await Promise.all([
    context.consents ?? store.consents.snapshot(tenant),
    batch.allowUnknownItems === true || markUnknown(named.items, context),
  ]);
  for (const party of named.people.values()) {
    party.consenting = source.purposes.some((purpose) => snapshot.allows(party.key, purpose, batch.source));
    party.erased = snapshot.isErased(party.key);
    if (!party.consenting)
      party.lapsed = source.purposes.some((purpose) => snapshot.hasEnded(party.key, purpose, batch.source));
  }
  const admitted = placed.filter((event) => {
    const refusal = refusalOf(event, named, source);
    if (refusal !== undefined) rejected.push(refusal);
    return refusal === undefined;
  });
  const version = batch.schema === undefined ? {} : { schema: batch.schema };
  const beyond = await beyondLimitOf(admitted, named, source, batch.source, context);
  const made = rowsOf(
    beyond.size === 0 ? admitted : admitted.filter((event) => !beyond.has(event)),
    named,
    batch.source,
    context,
  );
  const quality = batchQuality(batch.events.length, made.rows, made.repeated, [...rejected, ...overLimit(beyond)]);
  const held = beyond.size === 0 ? {} : { held: heldBack(beyond, batch) };
  return { what: 'events', source: batch.source, ...version, ...made, rejected: inOrder(rejected), ...held, quality };
}

const NONE: ReadonlySet<PlacedEvent> = new Set();

async function beyondLimitOf(
  events: readonly PlacedEvent[],
  { people }: Named,
  { perPerson: limit }: SourceDeclaration,
  source: string,
  context: RunContext,
): Promise<ReadonlySet<PlacedEvent>> {
  if (limit === null) return NONE;
  return beyondLimit(events, { keyOf: (user) => people.get(user)!.key, limit, source }, context);
}

/** As the reports of sources count them. */
const overLimit = (beyond: ReadonlySet<PlacedEvent>): Rejection[] =>
  [...beyond].map(({ index }) => ({
    index,
    code: 'EVENT_OVER_LIMIT',
    field: 'user',
    reason: 'has more events than the source may bring of a person',
  }));

function heldBack(beyond: ReadonlySet<PlacedEvent>, { allowUnknownItems }: EventBatch): HeldBack {
  const events = [...beyond].map(({ value }) => value);
  return allowUnknownItems === undefined ? { events } : { events, allowUnknownItems };
}

function namedIn(events: readonly Placed<CanonicalEvent>[], { store, tenant }: RunContext): Named {
  const users = new Set<string>();
  const items = new Set<string>();
  for (const { value } of events) {
    users.add(value.user);
    if (value.target !== undefined) users.add(value.target);
    if (value.item !== undefined) items.add(value.item);
  }
  const [userIds, itemIds] = [[...users], [...items]];
  const people = store.people
    .keys(tenant, userIds)
    .map((key, n) => [userIds[n]!, { key, consenting: false, lapsed: false, erased: false }] as const);
  const things = store.items.keys(tenant, itemIds).map((key, n) => [itemIds[n]!, { key, known: true }] as const);
  return { people: new Map(people), items: new Map(things) };
}

/** Notes which items are not in the catalogue. The store remembers which are. */
async function markUnknown(items: ReadonlyMap<string, Thing>, { store, tenant }: RunContext): Promise<void> {
  const things = [...items.values()];
  const known = await store.items.known(
    tenant,
    things.map(({ key }) => key),
  );
  for (const [n, thing] of things.entries()) thing.known = known[n] === true;
}

/** The source must give such events, people must allow at least one purpose for the source, and items be in the catalogue. */
function refusalOf(
  { index, value }: PlacedEvent,
  { people, items }: Named,
  source: SourceDeclaration,
): Rejection | undefined {
  if (!source.eventTypes.includes(value.type))
    return { index, code: 'EVENT_NOT_OF_SOURCE', field: 'type', reason: `the source gives no ${value.type}` };
  for (const field of ['user', 'target'] as const)
    if (value[field] !== undefined && people.get(value[field])?.erased === true)
      return { index, code: 'PERSON_ERASED', field, reason: 'was erased' };
  if (people.get(value.user)?.lapsed === true)
    return { index, code: 'CONSENT_EXPIRED', field: 'user', reason: 'the consent has ended: ask the person anew' };
  if (people.get(value.user)?.consenting !== true)
    return { index, code: 'EVENT_NO_CONSENT', field: 'user', reason: 'no consent to any purpose of the source' };
  if (value.item !== undefined && items.get(value.item)?.known !== true)
    return { index, code: 'EVENT_UNKNOWN_ITEM', field: 'item', reason: 'is not in the catalogue' };
  return undefined;
}

function rowsOf(
  events: readonly PlacedEvent[],
  { people, items }: Named,
  source: string,
  { store, clock }: RunContext,
): Omit<EventWork, 'what' | 'source' | 'schema' | 'rejected' | 'quality'> {
  const now = clock.now();
  const rows: EventRow[] = [];
  const ids = new Set<string>();
  const users = new Set<string>();
  const texts: KeptText[] = [];
  const eventIds = Buffer.alloc(events.length * EVENT_ID_BYTES);
  for (const { value, eventId: name } of events) {
    if (ids.has(name)) continue;
    const at = ids.size * EVENT_ID_BYTES;
    ids.add(name);
    eventIds.write(name, at, 'latin1');
    const eventId = eventIds.subarray(at, at + EVENT_ID_BYTES);
    users.add(value.user);
    const { text, user } = value;
    if (text !== undefined) texts.push({ user, event: eventId.toString('hex'), text });
    // Nothing is recorded after it was received, whatever the source's clock says.
    const recordedAt = Math.min(value.recordedAt ?? now, now);
    const subject = people.get(user)!.key;
    const event = text === undefined ? value : withoutText(value);
    if (value.item === undefined) rows.push({ eventId, subject, event, source, recordedAt });
    else rows.push({ eventId, subject, item: items.get(value.item)!.key, event, source, recordedAt });
  }
  const enveloped = knownPeople(store);
  const newcomers = [...users].filter((user) => !enveloped.has(people.get(user)!.key, now));
  const kept = eventIds.subarray(0, rows.length * EVENT_ID_BYTES);
  return { rows, eventIds: kept, people: newcomers, texts, repeated: events.length - rows.length };
}

/** Texts go into envelopes, never into rows. */
function withoutText({ text: _text, ...event }: CanonicalEvent): CanonicalEvent {
  return event;
}

/** Where the batch comes from and what was counted of it, beside its blocks: of effect once the run commits, like them. */
async function noteLineage(work: EventWork, context: RunContext): Promise<void> {
  const { source, schema, rows, eventIds, quality } = work;
  if (quality.received === 0) return;
  const { store, tenant, runKey: run, consentEpoch, clock } = context;
  let [from, until] = rows.length === 0 ? [clock.now(), clock.now()] : [Number.POSITIVE_INFINITY, 0];
  for (const { recordedAt } of rows) {
    from = Math.min(from, recordedAt);
    until = Math.max(until, recordedAt);
  }
  const licence = sourceOf(source).licence.name;
  const version = schema === undefined ? {} : { schema };
  const batch = { run, source, ...version, licence, receivedAt: clock.now(), consentEpoch, events: rows.length };
  await store.lineage.record(tenant, { ...batch, recordedAt: [from, until], quality }, eventIds);
}

export async function writeEvents(work: EventWork, context: RunContext) {
  const { store, tenant, runKey, fence } = context;
  const { people, texts, rejected, held } = work;
  const [prepared, pending, heldId] = await Promise.all([
    store.events.prepare(tenant, runKey, fence, work.rows),
    people.length + texts.length === 0
      ? undefined
      : keepPending({ people, texts } satisfies PendingPeople, people.length, context),
    held === undefined ? undefined : keepBack(work.source, held, context),
    noteLineage(work, context),
  ]);
  const accepted = prepared.parts.reduce((sum, part) => sum + part.rows, 0);
  const plan: EventPlan = {
    what: 'events',
    prepared,
    ...(pending === undefined ? {} : { pending }),
    ...(held === undefined ? {} : { held: { id: heldId!, events: held.events.length } }),
  };
  const lineage = {
    reads: [sourceSet(work.source, work.quality.received, work.schema)],
    writes: [{ name: 'event-log', rows: accepted }],
  };
  const output = { accepted, duplicates: prepared.duplicates + work.repeated, rejected: [...rejected] };
  return { output: { ...output, ...quarantinedOf(plan) }, plan, lineage };
}

const quarantinedOf = ({ held }: EventPlan) => (held === undefined ? {} : { quarantined: held.events });

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
  if (plan.held !== undefined) await holdBack(plan.held.id, { tenant }, ports);
  if (plan.pending !== undefined) await shredPending(tenant, plan.pending, store);
  const repeated = provisional.duplicates - plan.prepared.duplicates;
  // Most batches bring nothing that was there: those cost nothing more.
  if (duplicates > 0) await store.lineage.settle(tenant, plan.prepared.runKey, duplicates + repeated);
  return { accepted, duplicates: duplicates + repeated, rejected: provisional.rejected, ...quarantinedOf(plan) };
}

async function settlePeople(pending: VersionDraft, tenant: string, { store, clock }: Ports): Promise<void> {
  const waiting = await readPending<PendingPeople>(tenant, pending, store);
  if (waiting === undefined) return;
  const people = await withoutErased(store, tenant, waiting.people, (user) => user);
  await store.people.ensure(tenant, people);
  await keepTexts(await withoutErased(store, tenant, waiting.texts, ({ user }) => user), tenant, store);
  knownPeople(store).add(store.people.keys(tenant, people), clock.now());
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
