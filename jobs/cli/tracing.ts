/**
 * Owns the way of signals: forwards, from what a person did to what is served; and back, from an item of the person's list to the signals, batches, terms
 * and receipts that it rests on. Reads the person's own shard and what is named, nothing else.
 */
import { AppError } from '../../shared/errors.ts';
import { hexOf } from '../../shared/governance/keys.ts';
import { sourceOf } from '../../shared/sources/registry.ts';
import {
  type BatchLineage,
  type ConsentWord,
  type DatasetVersion,
  type ItemKey,
  type PersonEvent,
  type Release,
  type Store,
  type SubjectKey,
  VERSION_KINDS,
} from '../../shared/store/ports.ts';
import { listReader } from '../gateway/recommend.ts';

/** Versions and releases that are looked through. */
const VERSIONS_MAX = 200;
const RELEASES_MAX = 100;
/** Places of a list, and steps from what is served back to the events. */
const PLACES_MAX = 500;
const STEPS_MAX = 8;

/** One signal, and where it came from. */
export interface TracedSignal {
  readonly event: string;
  readonly type: string;
  readonly item?: string;
  readonly occurredAt: string;
  readonly source: {
    readonly name: string;
    readonly licence: string;
    readonly terms: string;
    readonly reliability: string;
  };
  readonly collectedAt: string;
  readonly consents: readonly string[];
  readonly batches: readonly BatchLineage[];
}

/** What was made, and of what. */
export interface TracedVersion {
  readonly version: string;
  readonly kind: string;
  readonly run: string;
  readonly from: readonly string[];
}

export interface Traced extends TracedSignal {
  /** What was made from it, in order: each names what it was made from. */
  readonly versions: readonly TracedVersion[];
  readonly releases: readonly { readonly version: string; readonly live: boolean }[];
}

export interface TracedCandidate {
  readonly user: string;
  readonly item: string;
  readonly title: string;
  readonly position: number;
  readonly score: number;
  readonly origin: 'model' | 'popularity';
  readonly because?: string;
  readonly release: string;
  /** From the list back to the events, in order. */
  readonly versions: readonly TracedVersion[];
  /** What the person had done by then: about the item that it resembles first, then the latest. None where it is what newcomers get. */
  readonly signals: readonly TracedSignal[];
}

const when = (ms: number): string => new Date(ms).toISOString();

const subjectOf = (store: Store, tenant: string, user: string): SubjectKey => store.people.keys(tenant, [user])[0]!;

async function eventsOf(store: Store, tenant: string, subject: SubjectKey): Promise<PersonEvent[]> {
  const found: PersonEvent[] = [];
  for await (const event of store.events.of(tenant, subject)) found.push(event);
  return found.sort((a, b) => b.occurredAt - a.occurredAt);
}

function consentLine({ purposes, state, source, basis, at, receipt }: ConsentWord): string {
  const about = source === '*' ? 'every source' : source;
  return `${state} for ${purposes.join(', ')} (${about}), ${basis}, ${when(at)}${receipt === undefined ? '' : `, receipt ${receipt}`}`;
}

async function signalsOf(
  store: Store,
  tenant: string,
  subject: SubjectKey,
  events: readonly PersonEvent[],
): Promise<TracedSignal[]> {
  const keys = events.flatMap(({ item }) => (item === undefined ? [] : [item]));
  const [words, items, batches] = await Promise.all([
    store.consents.history(tenant, subject),
    store.items.read(tenant, keys),
    Promise.all(events.map((event) => store.lineage.find(tenant, event))),
  ]);
  return events.map((event, n) => {
    const { name, licence, reliability } = { ...sourceOf(event.source), name: event.source };
    const item = event.item === undefined ? undefined : items.get(hexOf(event.item))?.id;
    return {
      event: hexOf(event.eventId),
      type: event.type,
      ...(item === undefined ? {} : { item }),
      occurredAt: when(event.occurredAt),
      source: { name, licence: licence.name, terms: licence.terms, reliability },
      collectedAt: when(event.recordedAt),
      consents: words.filter(({ source }) => source === '*' || source === name).map(consentLine),
      batches: batches[n]!,
    };
  });
}

interface Made {
  readonly versions: readonly DatasetVersion[];
  readonly releases: readonly Release[];
  readonly live: string | undefined;
}

async function made(store: Store, tenant: string): Promise<Made> {
  const [versions, live, releases] = await Promise.all([
    Promise.all(VERSION_KINDS.map((kind) => store.versions.latest(tenant, kind, VERSIONS_MAX))),
    store.releases.live(tenant),
    store.releases.history(tenant, RELEASES_MAX),
  ]);
  return { versions: versions.flat(), releases, live: live?.version };
}

/** Data sets that hold what was recorded then, and everything made from them, in order of making. */
function madeFrom({ versions }: Made, recordedAt: number): DatasetVersion[] {
  const reached = new Map<string, DatasetVersion>();
  for (const version of versions.toSorted((a, b) => a.createdAt - b.createdAt)) {
    const holds = version.kind === 'events' && version.asOf >= recordedAt;
    if (holds || version.inputs.some((input) => reached.has(input))) reached.set(version.version, version);
  }
  return [...reached.values()];
}

const traced = ({ version, kind, runKey: run, inputs }: DatasetVersion, among: ReadonlySet<string>): TracedVersion => ({
  version,
  kind,
  run,
  from: inputs.filter((input) => among.has(input)),
});

/** The latest signals of a person, each with what was made from it. Throws NOT_FOUND. */
export async function traceSignals(store: Store, tenant: string, user: string, limit: number): Promise<Traced[]> {
  const subject = subjectOf(store, tenant, user);
  const events = (await eventsOf(store, tenant, subject)).slice(0, limit);
  if (events.length === 0) throw new AppError('NOT_FOUND', { message: 'Nothing is stored that this person did.' });
  const [signals, all] = await Promise.all([signalsOf(store, tenant, subject, events), made(store, tenant)]);
  return signals.map((signal, n) => {
    const versions = madeFrom(all, events[n]!.recordedAt);
    const reached = new Set(versions.map(({ version }) => version));
    return {
      ...signal,
      versions: versions.map((version) => traced(version, reached)),
      releases: all.releases
        .filter(({ dataset }) => dataset !== undefined && reached.has(dataset))
        .map(({ version }) => ({ version, live: version === all.live })),
    };
  });
}

/** A version and all that it was made of, nearest first; what was collected since is left out. */
async function chainOf(store: Store, tenant: string, version: string): Promise<DatasetVersion[]> {
  const chain = new Map<string, DatasetVersion>();
  let level = [version];
  for (let step = 0; step < STEPS_MAX && level.length > 0; step++) {
    const read = level.map((name) => store.versions.read(tenant, name).catch(() => undefined));
    const found = (await Promise.all(read)).filter((one) => one !== undefined);
    for (const one of found) chain.set(one.version, one);
    level = [...new Set(found.flatMap(({ inputs }) => inputs))].filter((name) => !chain.has(name));
  }
  return [...chain.values()];
}

const isSame = (a: ItemKey | undefined, b: ItemKey): boolean => a !== undefined && hexOf(a) === hexOf(b);

/** An item of the person's live list, back to what it rests on. Throws NOT_PUBLISHED; NOT_FOUND where the item is not in the list. */
export async function traceCandidate(
  store: Store,
  tenant: string,
  user: string,
  item: string,
  limit: number,
): Promise<TracedCandidate> {
  const { release, candidates, subject, origin, items } = await listReader(store)(tenant, user, PLACES_MAX);
  const place = items.findIndex((one) => one.item.id === item);
  const shown = items[place];
  if (shown === undefined) throw new AppError('NOT_FOUND', { message: `The list of this person has no "${item}".` });
  const [chain, events] = await Promise.all([
    chainOf(store, tenant, candidates),
    origin === 'model' ? eventsOf(store, tenant, subject) : [],
  ]);
  const asOf = Math.max(...chain.filter(({ kind }) => kind === 'events').map((one) => one.asOf));
  const because = shown.because === undefined ? undefined : store.items.keys(tenant, [shown.because.id])[0];
  const known = events.filter(({ recordedAt }) => recordedAt <= asOf);
  const nearest = known.toSorted(
    (a, b) =>
      Number(because !== undefined && isSame(b.item, because)) -
      Number(because !== undefined && isSame(a.item, because)),
  );
  const among = new Set(chain.map(({ version }) => version));
  return {
    user,
    item,
    title: shown.item.title,
    position: place + 1,
    score: shown.score,
    origin,
    ...(shown.because === undefined ? {} : { because: shown.because.id }),
    release: release.version,
    versions: chain.map((version) => traced(version, among)),
    signals: await signalsOf(store, tenant, subject, nearest.slice(0, limit)),
  };
}
