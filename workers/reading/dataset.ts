/** Owns what processors read alike: versions of the kind they need, and the events of a data set with the consents of its people. */
import type { Purpose } from '../../shared/contract-kit/purposes.ts';
import { AppError } from '../../shared/errors.ts';
import { type AdmittedEvents, admitEvents, isAdmitted } from '../../shared/numerics/interactions/interaction-view.ts';
import type {
  ConsentSnapshot,
  DatasetVersion,
  EventColumns,
  NamedArray,
  VersionKind,
} from '../../shared/store/ports.ts';
import { sharesOf, sourceOf } from '../../shared/sources/registry.ts';
import type { RunContext } from '../runtime/processor.ts';
import { type Accounts, linksFor, readLinked } from './identities.ts';

/** A version of the kind that is asked for. Throws DATASET_NOT_FOUND, DATASET_ERASED, INPUT_INVALID. */
export async function readVersion(version: string, kind: VersionKind, context: RunContext): Promise<DatasetVersion> {
  const found = await context.store.versions.read(context.tenant, version);
  if (found.kind !== kind)
    throw new AppError('INPUT_INVALID', {
      message: `Version ${version} holds ${found.kind}, not ${kind}.`,
      details: { version, kind: found.kind, needed: kind },
    });
  return found;
}

const NONE: ReadonlySet<string> = new Set();

export interface LoadedEvents {
  readonly dataset: DatasetVersion;
  readonly columns: EventColumns;
  readonly consents: ConsentSnapshot;
  /** Subject keys (hex) whose events are kept out: they are not taken for people. */
  readonly held: ReadonlySet<string>;
  readonly accounts: Accounts;
}

/**
 * Events of a data set version and what their people allow, linked names read as one person where they allow it for the purpose. Throws DATASET_EMPTY and
 * what `readVersion` throws.
 */
export async function loadEvents(version: string, purpose: Purpose, context: RunContext): Promise<LoadedEvents> {
  const dataset = await readVersion(version, 'events', context);
  const consents = await context.store.consents.snapshot(context.tenant);
  const held =
    context.holdsAccounts === true ? await context.store.verdicts.heldAt(context.tenant, dataset.asOf) : NONE;
  const { same, accounts } = await linksFor(purpose, context);
  const apart = await context.store.events.read(context.tenant, version);
  if (apart.rows === 0) throw new AppError('DATASET_EMPTY', { details: { dataset: version } });
  const columns = await readLinked(apart, { purpose, same, consents, held }, context);
  return { dataset, columns, consents, held, accounts };
}

/** Whether rows of a source about a person may be read for a purpose: the source serves it, the person allows it, and is taken for a person. */
export function allowsFor(
  purpose: Purpose,
  { consents, held, accounts }: Pick<LoadedEvents, 'consents' | 'held' | 'accounts'>,
): (subject: Uint8Array, source: string) => boolean {
  return (subject, source) => {
    if (!sourceOf(source).purposes.includes(purpose) || !consents.allows(subject, purpose, source)) return false;
    if (held.size === 0 && accounts.size === 0) return true;
    const name = Buffer.from(subject).toString('hex');
    const account = accounts.get(name);
    // A profile is read apart, and only where its account allows it too.
    return !held.has(name) && (account === undefined || consents.allows(account, purpose, source));
  };
}

/** Which rows may be read for a purpose, and how far their sources may move what is learned. Throws CONSENT_MISSING when there is none. */
export async function admitFor(purpose: Purpose, loaded: LoadedEvents, context: RunContext): Promise<AdmittedEvents> {
  const { columns, dataset } = loaded;
  const admitted = await admitEvents(columns, allowsFor(purpose, loaded), context);
  const events: AdmittedEvents = { ...admitted, shares: sharesOf(admitted.sourceNames) };
  for (let s = 0; s < events.runs.subjects; s++) if (isAdmitted(events, s)) return events;
  throw new AppError('CONSENT_MISSING', {
    details: { purpose, dataset: dataset.version, people: events.runs.subjects },
  });
}

/** Arrays of a version by name, as the kind of array that was written. Throws BLOCK_CORRUPT when one is absent or of another kind. */
export function arrayOf<T extends NamedArray['data']>(
  arrays: ReadonlyMap<string, NamedArray['data']>,
  name: string,
  kind: abstract new (...args: never[]) => T,
): T {
  const array = arrays.get(name);
  if (array instanceof kind) return array;
  throw new AppError('BLOCK_CORRUPT', { message: `A version has no array "${name}".`, details: { array: name } });
}
