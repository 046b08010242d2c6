/**
 * Owns what operators do to the release pointer: roll back (which holds it, so that the next scheduled run does not undo it), promote, hold and
 * let go. One compare-and-set each, so a reader sees one release or the other; doing the same twice changes nothing the second time.
 *
 * A candidate that is tried beside the live release has a pointer of its own, and goes live by `promote`.
 */
import { AppError } from '../errors.ts';
import type { Pointer, PointerChange, Release, Store } from './ports.ts';

const CONFLICT_TRIES_MAX = 20;
const PART_NAMES = ['dataset', 'embeddings', 'segments', 'candidates', 'audit'] as const;

export interface Operator {
  /** Who asks: a person's name, a key's id. */
  readonly by: string;
  readonly reason?: string;
}

type Stores = Pick<Store, 'releases' | 'versions'>;
type Next = Pick<Pointer, 'asOf' | 'runKey' | 'version' | 'hold'>;

/** Puts an earlier release live and holds it there; without `to`, the one that was live before. Throws NOT_PUBLISHED, NOT_FOUND, DATASET_ERASED. */
export async function rollBack(store: Stores, tenant: string, operator: Operator, to?: string): Promise<Pointer> {
  // Resolved once: a conflict must not turn "the one before" into the one before that.
  const target = await servable(store, tenant, to ?? (await versionBefore(store, tenant)));
  return change(store, tenant, { ...operator, did: 'roll-back' }, () => ({ ...target, hold: true }));
}

/** Puts a release live that is not older than the live one, and lets scheduled runs go on from there. */
export async function promote(store: Stores, tenant: string, operator: Operator, version: string): Promise<Pointer> {
  const target = await servable(store, tenant, version);
  return change(store, tenant, { ...operator, did: 'promote' }, (pointer) => {
    if (target.asOf >= pointer.asOf) return { ...target, hold: false };
    throw new AppError('INPUT_INVALID', {
      message: `The release ${version} speaks of an earlier moment than the live one: roll back to it instead.`,
      details: {
        version,
        live: pointer.version,
        issues: [{ path: ['version'], message: 'older than the live release' }],
      },
    });
  });
}

export const hold = (store: Stores, tenant: string, operator: Operator): Promise<Pointer> =>
  change(store, tenant, { ...operator, did: 'hold' }, (pointer) => ({ ...pointer, hold: true }));

export const unhold = (store: Stores, tenant: string, operator: Operator): Promise<Pointer> =>
  change(store, tenant, { ...operator, did: 'unhold' }, (pointer) => ({ ...pointer, hold: false }));

async function change(
  { releases }: Stores,
  tenant: string,
  what: Pick<PointerChange, 'did' | 'by' | 'reason'>,
  nextOf: (pointer: Pointer) => Next,
): Promise<Pointer> {
  for (let attempt = 0; attempt < CONFLICT_TRIES_MAX; attempt++) {
    const pointer = await published(releases, tenant);
    const next = nextOf(pointer);
    if (next.version === pointer.version && next.hold === pointer.hold) return pointer;
    if (await releases.point(tenant, pointer.seq, next, what)) return published(releases, tenant);
  }
  throw new AppError('POINTER_CONFLICT', { details: { tenant } });
}

async function published(releases: Store['releases'], tenant: string): Promise<Pointer> {
  const found = await releases.pointer(tenant);
  if (found === undefined) throw new AppError('NOT_PUBLISHED');
  return found;
}

async function versionBefore({ releases }: Stores, tenant: string): Promise<string> {
  const live = await releases.read(tenant, (await published(releases, tenant)).version);
  if (live?.previous !== undefined) return live.previous;
  throw new AppError('NOT_FOUND', { message: 'Nothing was live before this release.', details: { tenant } });
}

/** A release all of whose parts can still be read: what learned from somebody who was erased is not. */
async function servable({ releases, versions }: Stores, tenant: string, version: string): Promise<Release> {
  const release = await releases.read(tenant, version);
  if (release === undefined)
    throw new AppError('NOT_FOUND', { message: `There is no release ${version}.`, details: { version } });
  for (const part of PART_NAMES) {
    const made = release[part];
    if (made !== undefined) await versions.read(tenant, made);
  }
  return release;
}
