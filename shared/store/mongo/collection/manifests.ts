/**
 * Owns the end of manifest entries that a base has taken the place of. They stay for a while, so that a run that follows late finds its own; and the blocks
 * that they name stay with them, for versions that are being frozen from what was live.
 */
import { COLLECTIONS, idsUnder, sequenceText } from '../names.ts';
import { type ManifestDocument, type PartitionDocument, VIEW_TRUSTED_MS } from '../partitions.ts';
import { blockKey, type Names, textsOf } from './names.ts';
import type { Pass } from './pass.ts';

const CHUNK_DOCS = 1000;

/** Removes superseded entries, and then notes what the others name. `names` knows what runs name. */
export async function collectManifests(pass: Pass, names: Names): Promise<void> {
  const partitions = await pass.db.collection<PartitionDocument>(COLLECTIONS.partitions).find({}).toArray();
  // Who counts on entries by a view of its own looks again after VIEW_TRUSTED_MS at the latest.
  const before = Math.min(pass.before, pass.now - 2 * VIEW_TRUSTED_MS);
  for (const { _id, base } of partitions) {
    if (!(await pass.mayGoOn())) break;
    if (base > 0) await trim(pass, _id, base, before, names);
  }
  for await (const text of textsOf(pass.db.collection(COLLECTIONS.manifests))) names.note(text, COLLECTIONS.manifests);
}

async function trim(pass: Pass, partition: string, base: number, before: number, names: Names): Promise<void> {
  const entries = pass.db.collection<ManifestDocument>(COLLECTIONS.manifests);
  const baseId = `${partition}.${sequenceText(base)}`;
  const superseded = { _id: { ...idsUnder(partition), $lt: baseId } };
  const found = await entries.findOne({ _id: baseId }, { projection: { at: 1 } });
  let over: string[] = [];
  const remove = async (): Promise<void> => {
    pass.count('manifestEntries', 'gone', over.length);
    if (!pass.dryRun && over.length > 0) await entries.deleteMany({ _id: { $in: over } });
    over = [];
  };
  const cursor = entries.find(superseded, { projection: { 'append.block': 1 }, batchSize: CHUNK_DOCS });
  for await (const { _id, append } of cursor) {
    pass.count('manifestEntries', 'seen');
    const isAwaited = append !== undefined && names.blocks.find(blockKey(append.block)) >= 0;
    if (found === null || found.at >= before || isAwaited) pass.count('manifestEntries', 'waiting');
    else over.push(_id);
    if (over.length < CHUNK_DOCS) continue;
    if (!(await pass.mayGoOn())) return;
    await remove();
  }
  await remove();
}
