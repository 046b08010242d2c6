/** Owns which releases stay: what a tenant's pointer names, what it came from, the newest ones, and what is young or asked for. */
import type { Document } from 'mongodb';
import { COLLECTIONS, idOf } from '../names.ts';
import type { Names } from './names.ts';
import type { Pass } from './pass.ts';

export interface ReleaseFacts {
  readonly _id: string;
  readonly tenant: string;
  readonly version: string;
  readonly previous?: string;
  readonly createdAt: number;
  readonly unnamedAt?: number;
  readonly [part: string]: unknown;
}

export interface ReleaseReferences {
  /** Those that stay. */
  readonly kept: readonly ReleaseFacts[];
  /** Those that are there still: some may be asked for again before they go. */
  readonly there: readonly ReleaseFacts[];
}

export async function collectReleases(pass: Pass, names: Names): Promise<ReleaseReferences> {
  const collection = pass.db.collection<ReleaseFacts>(COLLECTIONS.releases);
  // Releases first: a pointer only ever moves to one that is there.
  const releases = await collection.find({}).toArray();
  const pointers = await pass.db.collection(COLLECTIONS.pointers).find({}).toArray();
  pass.count('releases', 'seen', releases.length);
  const kept = keptReleases(releases, pointers, names, pass);
  const there: ReleaseFacts[] = [];
  for (const release of releases) {
    const { _id, unnamedAt } = release;
    const isKept = kept.has(_id);
    if (isKept || !pass.isRipe(unnamedAt)) {
      there.push(release);
      if (!isKept) pass.count('releases', 'waiting');
      await remark(pass, collection, release, isKept);
      continue;
    }
    if (!(await pass.mayGoOn())) there.push(release);
    else if (pass.dryRun || (await collection.deleteOne({ _id, unnamedAt })).deletedCount === 1)
      pass.count('releases', 'gone');
    else there.push(release); // somebody has asked for it meanwhile
  }
  return { kept: releases.filter(({ _id }) => kept.has(_id)), there };
}

function keptReleases(
  releases: readonly ReleaseFacts[],
  pointers: readonly Document[],
  names: Names,
  { rules, before }: Pass,
): Set<string> {
  const byId = new Map(releases.map((release) => [release._id, release]));
  const kept = new Set<string>();
  // What the pointer names (held or not), the one before it, and as many before that as are to stay.
  for (const { _id, version } of pointers) {
    const tenant = String(_id).split('.')[0] ?? '';
    let at = byId.get(idOf(tenant, String(version)));
    for (let back = 0; at !== undefined && back < Math.max(2, rules.keepReleases); back++) {
      kept.add(at._id);
      at = at.previous === undefined ? undefined : byId.get(idOf(tenant, at.previous));
    }
  }
  const left = new Map<string, number>();
  for (const { _id, tenant, version, createdAt } of releases.toSorted((a, b) => b.createdAt - a.createdAt)) {
    const nth = (left.get(tenant) ?? 0) + 1;
    left.set(tenant, nth);
    if (nth <= rules.keepReleases || createdAt >= before || names.releases.has(version)) kept.add(_id);
  }
  return kept;
}

/** Notes since when nobody names it, or that somebody does again. */
export async function remark(
  pass: Pass,
  collection: { updateOne(filter: object, update: object): Promise<unknown> },
  { _id, unnamedAt }: { readonly _id: string; readonly unnamedAt?: number },
  isNamed: boolean,
): Promise<void> {
  if (pass.dryRun) return;
  if (isNamed && unnamedAt !== undefined) await collection.updateOne({ _id }, { $unset: { unnamedAt: '' } });
  if (!isNamed && unnamedAt === undefined)
    await collection.updateOne({ _id, unnamedAt: { $exists: false } }, { $set: { unnamedAt: pass.moment } });
}
