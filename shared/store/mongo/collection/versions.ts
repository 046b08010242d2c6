/**
 * Owns which versions stay, and the end of the others. Named are those of releases that stay, those that a document or a job holds the id of, those of
 * runs that have not committed, what all of these were made of, and the history of features.
 *
 * A version that nobody names is marked with the time. It goes when the mark is older than the window; whoever reads it takes the mark off first, and
 * the removal asks for that very mark, so one of both finds out. No release that is still there names it then, whether that release stays or not.
 */
import type { Collection } from 'mongodb';
import { featureViewOf } from '../../../contract-kit/feature-views.ts';
import { COLLECTIONS } from '../names.ts';
import { removeServed } from '../served.ts';
import { type Names, versionHash, versionsIn } from './names.ts';
import type { Pass } from './pass.ts';
import { type ReleaseReferences, remark } from './releases.ts';

export interface VersionFacts {
  readonly _id: string;
  readonly tenant: string;
  readonly kind: string;
  readonly runKey: string;
  readonly inputs: readonly string[];
  readonly state: string;
  readonly asOf: number;
  readonly createdAt: number;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly unnamedAt?: number;
}

/** What is kept was made of what was made of ...: so far back. Longer chains are those of models that go on from earlier ones. */
const LINEAGE_DEPTH_MAX = 4;

/** Ids of those that went, or in a dry run would. */
export async function collectVersions(
  pass: Pass,
  names: Names,
  openRuns: ReadonlySet<string>,
  releases: ReleaseReferences,
): Promise<string[]> {
  const collection = pass.db.collection<VersionFacts>(COLLECTIONS.versions);
  const facts = await collection
    .find({}, { projection: { blocks: 0 } })
    .sort({ _id: 1 })
    .toArray();
  pass.count('versions', 'seen', facts.length);
  const named = withLineage(facts, rootsOf(facts, names, openRuns, releases.kept));
  for (const hash of remembered(facts)) if (!named.has(hash)) named.set(hash, 'history');
  const guarded = withLineage(facts, rootsOf(facts, names, openRuns, releases.there));
  const removed: string[] = [];
  for (const version of facts) {
    const hash = versionHash(version._id);
    const why = named.get(hash);
    const isFree = why === undefined && !guarded.has(hash);
    const gone = await removeIf(isFree, pass, collection, version);
    pass.fates.push(fateOf(version, gone ? 'gone' : (why ?? 'waiting')));
    if (gone) {
      pass.count('versions', 'gone');
      removed.push(version._id);
      continue;
    }
    if (why === undefined) pass.count('versions', 'waiting');
    await remark(pass, collection, version, why !== undefined);
  }
  return removed;
}

/** The history of each feature view is kept so far back, by the moments that its versions speak of; not what they were made of. */
export const FEATURE_HISTORY_KEPT = 100;

/** Hashes of the versions that are the history of features. */
function remembered(facts: readonly VersionFacts[]): string[] {
  const features = facts.filter(({ kind, state }) => kind === 'features' && (state === 'ready' || state === 'stale'));
  const views = Map.groupBy(features, ({ tenant, meta }) => `${tenant} ${featureViewOf(meta)}`);
  return [...views.values()].flatMap((history) =>
    history
      .sort((a, b) => b.asOf - a.asOf || b.createdAt - a.createdAt)
      .filter(({ asOf }, n, all) => asOf !== all[n - 1]?.asOf)
      .slice(0, FEATURE_HISTORY_KEPT)
      .map(({ _id }) => versionHash(_id)),
  );
}

const fateOf = ({ _id, tenant, kind, unnamedAt }: VersionFacts, why: string) => ({
  version: _id.slice(tenant.length + 1),
  kind,
  why,
  ...(unnamedAt === undefined || (why !== 'waiting' && why !== 'gone') ? {} : { unnamedAt }),
});

/** By hash: who names it. */
function rootsOf(
  facts: readonly VersionFacts[],
  names: Names,
  openRuns: ReadonlySet<string>,
  releases: ReleaseReferences['there'],
): Map<string, string> {
  const roots = new Map<string, string>();
  for (const release of releases) for (const hash of versionsIn(release)) roots.set(hash, 'release');
  for (const [hash, by] of names.versions) if (!roots.has(hash)) roots.set(hash, by);
  for (const { _id, runKey } of facts) {
    const hash = versionHash(_id);
    if (!roots.has(hash) && openRuns.has(runKey)) roots.set(hash, 'runs');
  }
  return roots;
}

function withLineage(facts: readonly VersionFacts[], roots: ReadonlyMap<string, string>): Map<string, string> {
  const byHash = new Map(facts.map((version) => [versionHash(version._id), version]));
  const named = new Map(roots);
  let level = [...roots.keys()];
  for (let depth = 0; depth < LINEAGE_DEPTH_MAX && level.length > 0; depth++) {
    const next: string[] = [];
    for (const hash of level)
      for (const input of versionsIn(byHash.get(hash)?.inputs ?? []))
        if (!named.has(input)) {
          named.set(input, 'lineage');
          next.push(input);
        }
    level = next;
  }
  return named;
}

/** False: it stays, was asked for meanwhile, or there is no time left. From the first write on nobody can read it; the rest is finished by the next pass. */
async function removeIf(
  isFree: boolean,
  pass: Pass,
  collection: Collection<VersionFacts>,
  { _id, state, unnamedAt }: VersionFacts,
): Promise<boolean> {
  if (state !== 'collected') {
    if (!isFree || !pass.isRipe(unnamedAt)) return false;
    if (!(await pass.mayGoOn())) return false;
    if (pass.dryRun) return true;
    const taken = await collection.updateOne({ _id, unnamedAt }, { $set: { state: 'collected' } });
    if (taken.matchedCount === 0) return false;
  }
  if (pass.dryRun) return true;
  await removeServed(pass.db, _id);
  await collection.deleteOne({ _id, state: 'collected' });
  return true;
}
