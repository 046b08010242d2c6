/** Owns `millrace trace`: the way of a person's signals, from the source that gave them to what is served. Shows data of one person in the clear. */
import type { Command } from 'commander';
import { EVENT_TYPES } from '../../../shared/contract-kit/event.ts';
import { AppError } from '../../../shared/errors.ts';
import { sourceOf } from '../../../shared/sources/registry.ts';
import {
  type BatchLineage,
  type ConsentWord,
  type DatasetVersion,
  type Release,
  type Store,
  type SubjectKey,
  VERSION_KINDS,
} from '../../../shared/store/ports.ts';
import { wholeNumber } from '../arguments.ts';
import type { Cli } from '../cli.ts';

/** Versions and releases that are looked through. */
const VERSIONS_MAX = 200;
const RELEASES_MAX = 100;
const KEY_BYTES = 16;

interface Signal {
  readonly eventId: Uint8Array;
  readonly item: string;
  readonly type: string;
  readonly source: string;
  readonly occurredAt: number;
  readonly recordedAt: number;
}

interface Traced {
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
  /** What was made from it, in order: each names what it was made from. */
  readonly versions: readonly {
    readonly version: string;
    readonly kind: string;
    readonly run: string;
    readonly from: readonly string[];
  }[];
  readonly releases: readonly { readonly version: string; readonly live: boolean }[];
}

const hex = (key: Uint8Array): string => Buffer.from(key).toString('hex');
const when = (ms: number): string => new Date(ms).toISOString();

/** The person's events, the latest first. Reads through the whole store. */
async function signalsOf(store: Store, tenant: string, subject: SubjectKey, limit: number): Promise<Signal[]> {
  const found: Signal[] = [];
  for await (const columns of store.events.all(tenant))
    for (let row = 0; row < columns.rows; row++) {
      const at = row * KEY_BYTES;
      if (Buffer.compare(columns.subject.subarray(at, at + KEY_BYTES), subject) !== 0) continue;
      found.push({
        eventId: columns.eventId.slice(at, at + KEY_BYTES),
        item: hex(columns.item.subarray(at, at + KEY_BYTES)),
        type: EVENT_TYPES[columns.type[row]!]!,
        source: columns.sources[columns.source[row]!]!,
        occurredAt: columns.occurredAt[row]!,
        recordedAt: columns.recordedAt[row]!,
      });
    }
  return found.sort((a, b) => b.occurredAt - a.occurredAt).slice(0, limit);
}

interface Made {
  readonly versions: readonly DatasetVersion[];
  readonly releases: readonly Release[];
  readonly live: string | undefined;
}

async function made(store: Store, tenant: string): Promise<Made> {
  const versions: DatasetVersion[] = [];
  for (const kind of VERSION_KINDS) versions.push(...(await store.versions.latest(tenant, kind, VERSIONS_MAX)));
  const live = await store.releases.live(tenant);
  return { versions, releases: await store.releases.history(tenant, RELEASES_MAX), live: live?.version };
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

function consentLine({ purposes, state, source, basis, at, receipt }: ConsentWord): string {
  const about = source === '*' ? 'every source' : source;
  return `${state} for ${purposes.join(', ')} (${about}), ${basis}, ${when(at)}${receipt === undefined ? '' : `, receipt ${receipt}`}`;
}

async function trace(store: Store, tenant: string, user: string, limit: number): Promise<Traced[]> {
  const [subject] = store.people.keys(tenant, [user]);
  const signals = await signalsOf(store, tenant, subject!, limit);
  if (signals.length === 0) throw new AppError('NOT_FOUND', { message: 'Nothing is stored that this person did.' });
  const words = await store.consents.history(tenant, subject!);
  const all = await made(store, tenant);
  const keys = signals.map(({ item }) => Buffer.from(item, 'hex'));
  const items = await store.items.read(tenant, keys);
  const traced: Traced[] = [];
  for (const signal of signals) {
    const { name, licence, reliability } = { ...sourceOf(signal.source), name: signal.source };
    const versions = madeFrom(all, signal.recordedAt);
    const reached = new Set(versions.map(({ version }) => version));
    const item = items.get(signal.item)?.id;
    traced.push({
      event: hex(signal.eventId),
      type: signal.type,
      ...(item === undefined ? {} : { item }),
      occurredAt: when(signal.occurredAt),
      source: { name, licence: licence.name, terms: licence.terms, reliability },
      collectedAt: when(signal.recordedAt),
      consents: words.filter(({ source }) => source === '*' || source === name).map(consentLine),
      batches: await store.lineage.find(tenant, signal),
      versions: versions.map(({ version, kind, runKey: run, inputs }) => ({
        version,
        kind,
        run,
        from: inputs.filter((input) => reached.has(input)),
      })),
      releases: all.releases
        .filter(({ dataset }) => dataset !== undefined && reached.has(dataset))
        .map(({ version }) => ({ version, live: version === all.live })),
    });
  }
  return traced;
}

function linesOf(one: Traced): string[] {
  const { type, item, occurredAt, source, collectedAt, consents, batches, versions, releases } = one;
  return [
    `${type}${item === undefined ? '' : ` of ${item}`}, ${occurredAt}`,
    `├─ source     ${source.name}: ${source.licence} (${source.reliability}). ${source.terms}`,
    `├─ collected  ${collectedAt}`,
    ...(consents.length === 0 ? ['├─ consent    none on record'] : consents.map((word) => `├─ consent    ${word}`)),
    ...batches.map(
      ({ run, receivedAt, events, consentEpoch, schema }) =>
        `├─ batch      ${run}, ${when(receivedAt)}, ${events} events${schema === undefined ? '' : `, schema ${schema}`}, consent epoch ${consentEpoch}`,
    ),
    ...versions.map(
      ({ version, kind, from }) =>
        `├─ ${kind.padEnd(10)} ${version}${from.length === 0 ? '' : ` from ${from.join(', ')}`}`,
    ),
    ...(releases.length === 0
      ? ['└─ in no release']
      : releases.map(
          ({ version, live }, n) =>
            `${n === releases.length - 1 ? '└─' : '├─'} release    ${version}${live ? ' (live)' : ''}`,
        )),
    '',
  ];
}

export function registerTrace({ program, run }: Cli): void {
  program
    .command('trace <user>')
    .description('the way of what a person did: source, terms, consent, batch, what was made from it and served')
    .option('--last <n>', 'how many of the latest signals', wholeNumber(1, 1_000), 5)
    .action((user: string, options: { last: number }, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const traced = await trace(await store(), config.tenant, user, options.last);
        output.result(traced, () => traced.flatMap(linesOf));
      }),
    );
}
