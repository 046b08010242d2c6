/**
 * Owns what becomes of versions that a person's data went into: they can be read no more, and what was made of them neither. What is served from the
 * live release to other people stays until a release that never knew the person takes its place; nobody can roll back to it.
 */
import type { Collection, Db } from 'mongodb';
import { chunksOf, COLLECTIONS, idOf, idsUnder } from '../names.ts';

interface VersionFacts {
  readonly _id: string;
  readonly kind: string;
  readonly state: string;
  readonly inputs: readonly string[];
  readonly blocks: readonly { readonly block: string }[];
}

/** Reports about groups; what they say is about nobody alone. */
const AGGREGATES: ReadonlySet<string> = new Set(['audit']);
const SERVED = [COLLECTIONS.candidates, COLLECTIONS.segments] as const;
const REMOVE_DOCS = 1000;

export interface ErasedVersions {
  readonly checked: number;
  /** Names, in order. */
  readonly versions: readonly string[];
  /** Blocks that only versions named which are erased now. */
  readonly blocks: ReadonlySet<string>;
}

/** `isOfPerson`: whether a block holds the person. `named`: blocks that manifests of events name. */
export async function eraseVersions(
  db: Db,
  tenant: string,
  isOfPerson: (block: string) => boolean,
  named: ReadonlySet<string>,
): Promise<ErasedVersions> {
  const collection = db.collection<VersionFacts>(COLLECTIONS.versions);
  const facts = await collection.find({ _id: idsUnder(tenant) }).toArray();
  const tainted = taintedBy(tenant, facts, isOfPerson);
  const kept = new Set(named);
  for (const version of facts) if (!tainted.has(version._id)) for (const { block } of version.blocks) kept.add(block);
  const blocks = new Set<string>();
  for (const version of facts) {
    if (!tainted.has(version._id)) continue;
    for (const { block } of version.blocks) if (!kept.has(block) || isOfPerson(block)) blocks.add(block);
    if (AGGREGATES.has(version.kind)) await markStale(collection, version);
    else if (version.state !== 'erased')
      await collection.updateOne({ _id: version._id }, { $set: { state: 'erased', blocks: [] } });
  }
  const erased = facts.filter(({ _id, kind }) => tainted.has(_id) && !AGGREGATES.has(kind)).map(({ _id }) => _id);
  await removeServed(db, tenant, erased);
  return { checked: facts.length, versions: erased.map((id) => id.slice(tenant.length + 1)).sort(), blocks };
}

async function markStale(collection: Collection<VersionFacts>, { _id }: VersionFacts): Promise<void> {
  await collection.updateOne({ _id, state: 'ready' }, { $set: { state: 'stale' } });
}

/** Those that hold the person or are erased already, and all that was made of them, however far. */
function taintedBy(
  tenant: string,
  facts: readonly VersionFacts[],
  isOfPerson: (block: string) => boolean,
): ReadonlySet<string> {
  const tainted = new Set<string>();
  for (const { _id, state, blocks } of facts)
    if (state === 'erased' || blocks.some(({ block }) => isOfPerson(block))) tainted.add(_id);
  for (let before = -1; before !== tainted.size; ) {
    before = tainted.size;
    for (const { _id, inputs } of facts) if (inputs.some((input) => tainted.has(idOf(tenant, input)))) tainted.add(_id);
  }
  return tainted;
}

/** What is served goes with its version, but for the lists of others in the live release. */
async function removeServed(db: Db, tenant: string, versions: readonly string[]): Promise<void> {
  const live = await livePartsOf(db, tenant);
  for (const version of versions) {
    if (live.has(version)) continue;
    for (const name of SERVED) {
      const collection = db.collection<{ _id: string }>(name);
      const ids = await collection.find({ _id: idsUnder(version) }, { projection: { _id: 1 } }).toArray();
      for (const chunk of chunksOf(ids, REMOVE_DOCS))
        await collection.deleteMany({ _id: { $in: chunk.map(({ _id }) => _id) } });
    }
  }
}

async function livePartsOf(db: Db, tenant: string): Promise<ReadonlySet<string>> {
  const pointer = await db
    .collection<{ _id: string; version: string }>(COLLECTIONS.pointers)
    .findOne({ _id: idOf(tenant, 'release') });
  if (pointer === null) return new Set();
  const release = await db
    .collection<{ _id: string; candidates?: string; segments?: string }>(COLLECTIONS.releases)
    .findOne({ _id: idOf(tenant, pointer.version) });
  const parts = [release?.candidates, release?.segments].filter((part) => typeof part === 'string');
  return new Set(parts.map((part) => idOf(tenant, part)));
}
