/**
 * Owns what follows from words of withdrawal once they are in the log: what is served for a purpose that is allowed no more, and events that no purpose
 * justifies any more, go. Every pass looks at what is allowed then, so that it may be repeated, and a consent that was given anew meanwhile is kept to.
 */
import { ingestion } from '../../jobs/ingestion/contract.ts';
import { PURPOSES, type Purpose } from '../../shared/contract-kit/purposes.ts';
import { AppError } from '../../shared/errors.ts';
import { hexOf } from '../../shared/governance/keys.ts';
import { type ErasedArtefact, EVENT_ROWS, type SubjectKey } from '../../shared/store/ports.ts';
import type { Following, Ports } from '../runtime/processor.ts';
import { keysOf, olderRuns } from './older-runs.ts';

/** Whose words are carried out, and in which run. */
export interface Withdrawing extends Ports, Following {
  readonly tenant: string;
  readonly runKey: string;
  readonly subject: SubjectKey;
  readonly user: string;
}

export interface Removed {
  readonly events: number;
  readonly versions: number;
}

/**
 * The words must be recorded, at `since`. Throws ERASURE_PENDING while batches are about to be stored that came in before, and where somebody merged the same
 * blocks at the same moment: once more.
 */
export async function removeUnjustified(act: Withdrawing, since: number): Promise<Removed> {
  const { subject, user, store, tenant, signal } = act;
  const storing = (await olderRuns(act, since)).filter(({ kind }) => kind === ingestion.kind);
  if (storing.length > 0) throw new AppError('ERASURE_PENDING', { details: { runs: keysOf(storing) } });
  const allowed = await allowedBy(act);
  await dropServed(act, allowed.purposes);
  await forgetAnswers(act);
  const gone = new Set(allowed.sources.filter(({ purposes: left }) => left.length === 0).map(({ name }) => name));
  // Somebody may allow it again meanwhile: what is on its way in then is theirs to keep.
  const quiet = async () => ({ isQuiet: false, keep: new Set<string>() });
  const options = { externalId: user, sources: gone, quiet, signal };
  const sweep = gone.size === 0 ? undefined : await store.erasures.sweep(tenant, subject, options);
  const rows = sweep?.artefacts.find(({ artefact }) => artefact === EVENT_ROWS);
  if (rows !== undefined && rows.left > 0)
    throw new AppError('ERASURE_PENDING', { details: { left: placesOf([rows]) } });
  return { events: rows?.removed ?? 0, versions: sweep?.versions.length ?? 0 };
}

/** Answers that devices randomised serve nothing but to measure. */
async function forgetAnswers({ subject, store, tenant }: Withdrawing): Promise<void> {
  const snapshot = await store.consents.snapshot(tenant);
  const sources = new Set((await store.answers.given(tenant, subject)).map(({ source }) => source));
  for (const source of sources)
    if (!snapshot.allows(subject, 'measurement', source)) await store.answers.forget(tenant, subject, source);
}

/** What came in as plain records with one ingestion run, before `since`. Of whom nothing is held any more, nothing is to be done. */
export async function settle(
  act: Omit<Withdrawing, 'subject' | 'user'>,
  saidBy: string,
  since: number,
): Promise<Removed> {
  const { store, tenant, signal } = act;
  const words = await store.consents.saidBy(tenant, saidBy);
  const withdrawn = words.filter(({ state }) => state === 'withdrawn');
  const subjects = new Map(withdrawn.map(({ subject }) => [hexOf(subject), subject]));
  const people = await store.people.open(tenant, [...subjects.values()]);
  const all = { events: 0, versions: 0 };
  for (const [name, subject] of subjects) {
    signal.throwIfAborted();
    const person = people.get(name);
    if (person === undefined) continue;
    const { events, versions } = await removeUnjustified({ ...act, subject, user: person.id }, since);
    all.events += events;
    all.versions += versions;
  }
  return all;
}

export const placesOf = (left: readonly ErasedArtefact[]): Record<string, number> =>
  Object.fromEntries(left.map((artefact) => [artefact.artefact, artefact.left]));

interface Allowed {
  /** Allowed for at least one source. */
  readonly purposes: readonly Purpose[];
  readonly sources: readonly { readonly name: string; readonly purposes: readonly Purpose[] }[];
}

/** What is still allowed, of every source that has given something of the person. */
async function allowedBy({ subject, store, tenant }: Withdrawing): Promise<Allowed> {
  const snapshot = await store.consents.snapshot(tenant);
  const names = await store.events.sourcesOf(tenant, subject);
  const sources = names.map((name) => ({
    name,
    purposes: PURPOSES.filter((purpose) => snapshot.allows(subject, purpose, name)),
  }));
  const purposes = PURPOSES.filter((purpose) => sources.some((source) => source.purposes.includes(purpose)));
  return { purposes, sources };
}

/** What is served for a purpose that is not allowed for any source. */
async function dropServed({ subject, store, tenant }: Withdrawing, allowed: readonly Purpose[]): Promise<void> {
  const live = await store.releases.live(tenant);
  const parts = [
    ['recommendation', live?.candidates],
    ['segmentation', live?.segments],
  ] as const;
  for (const [purpose, version] of parts)
    if (version !== undefined && !allowed.includes(purpose)) await store.served.drop(tenant, version, [subject]);
}
