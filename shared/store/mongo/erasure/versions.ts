/**
 * Owns what becomes of versions that a person's data went into: they can be read no more, and what was made of them neither. What is served from the
 * live release to other people stays until a release that never knew the person takes its place; nobody can roll back to it.
 */
import type { Collection, Db } from 'mongodb';
import { COLLECTIONS, idOf, idsUnder } from '../names.ts';
import { removeServed } from '../served.ts';

interface VersionFacts {
  readonly _id: string;
  readonly kind: string;
  readonly state: string;
  readonly inputs: readonly string[];
  readonly blocks: readonly { readonly block: string }[];
}

/** Reports about groups; what they say is about nobody alone. */
const AGGREGATES: ReadonlySet<string> = new Set(['audit']);

export interface ErasedVersions {
  readonly checked: number;
  /** Names, in order. */
  readonly versions: readonly string[];
  /** Blocks that only versions named which are erased now. */
  readonly blocks: ReadonlySet<string>;
  /** Blocks that are still named, by manifests of events or by other versions. */
  readonly kept: ReadonlySet<string>;
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
  const live = await livePartsOf(db, tenant);
  for (const version of erased) if (!live.has(version)) await removeServed(db, version);
  return { checked: facts.length, versions: erased.map((id) => id.slice(tenant.length + 1)).sort(), blocks, kept };
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

/** What is served goes with its version, but for what others are served just now: lists, segments and questions. */
async function livePartsOf(db: Db, tenant: string): Promise<ReadonlySet<string>> {
  const pointer = await db
    .collection<{ _id: string; version: string }>(COLLECTIONS.pointers)
    .findOne({ _id: idOf(tenant, 'release') });
  const release =
    pointer === null
      ? null
      : await db
          .collection<{ _id: string; candidates?: string; segments?: string }>(COLLECTIONS.releases)
          .findOne({ _id: idOf(tenant, pointer.version) });
  const prompts = await db
    .collection<{ _id: string; version: string }>(COLLECTIONS.currentPrompts)
    .findOne({ _id: tenant });
  const named = [release?.candidates, release?.segments, prompts?.version];
  const parts = named.filter((part) => typeof part === 'string');
  return new Set(parts.map((part) => idOf(tenant, part)));
}
