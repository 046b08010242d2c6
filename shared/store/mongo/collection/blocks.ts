/**
 * Owns the end of blocks, and of parts of payload claims, that nobody names. Neither holds a time, and marking a block of 8 MB would write it anew, so the
 * time at which one was first seen unnamed lies in a collection of its own.
 *
 * No mark has to be taken off by writers: the id of a block is random and is learned from a manifest, a version or a run alone, so once none of these names
 * it, and no run is at work that began before it was first seen so, nobody ever can.
 */
import { chunksOf, COLLECTIONS, idsUnder } from '../names.ts';
import { blockKey, Names, textsOf } from './names.ts';
import type { Pass } from './pass.ts';

interface Mark {
  /** Of what is unnamed, below the name of its collection. */
  _id: string;
  at: number;
}
/** `guarded`: named by what is itself unnamed: it is marked with it, and stays as long as that is there. */
type Standing = 'named' | 'guarded' | 'free';
type StandingOf = (ids: readonly string[]) => Promise<readonly Standing[]>;

const CHUNK_IDS = 1000;
/** Removed at once: at most so many times 8 MB. */
const REMOVE_DOCS = 50;

/** `goneVersions`: removed, or in a dry run as good as removed. */
export async function collectBlocks(pass: Pass, names: Names, goneVersions: readonly string[]): Promise<void> {
  const versions = pass.db.collection(COLLECTIONS.versions);
  const guarded = new Names();
  // All that are there, in one reading: marks come and go meanwhile.
  const there = pass.dryRun ? ({ _id: { $nin: goneVersions } } as object) : {};
  for await (const text of textsOf(versions, there, { blocks: 1 })) guarded.note(text, COLLECTIONS.versions);
  for await (const text of textsOf(versions, { unnamedAt: { $exists: false } }, { blocks: 1 }))
    names.note(text, COLLECTIONS.versions);
  await sweep(pass, COLLECTIONS.blocks, 'blocks', async (ids) =>
    ids.map((id) => {
      const key = blockKey(id);
      if (names.blocks.find(key) >= 0) return 'named';
      return guarded.blocks.find(key) >= 0 ? 'guarded' : 'free';
    }),
  );
}

/** Parts whose claim was never written: its upload was cut off. */
export async function collectClaimParts(pass: Pass): Promise<void> {
  const claims = pass.db.collection<{ _id: string }>(COLLECTIONS.claims);
  await sweep(pass, COLLECTIONS.claimParts, 'claimParts', async (ids) => {
    const owners = ids.map((id) => id.slice(0, id.lastIndexOf('.')));
    const found = await claims.find({ _id: { $in: [...new Set(owners)] } }, { projection: { _id: 1 } }).toArray();
    const there = new Set(found.map(({ _id }) => _id));
    return owners.map((owner) => (there.has(owner) ? 'named' : 'free'));
  });
}

async function sweep(pass: Pass, name: string, what: 'blocks' | 'claimParts', standingOf: StandingOf): Promise<void> {
  const collection = pass.db.collection<{ _id: string }>(name);
  let chunk: string[] = [];
  const cursor = collection.find({}, { projection: { _id: 1 }, batchSize: CHUNK_IDS }).sort({ _id: 1 });
  for await (const { _id } of cursor) {
    chunk.push(_id);
    if (chunk.length < CHUNK_IDS) continue;
    if (!(await pass.mayGoOn())) return;
    await sweepChunk(pass, name, what, chunk, await standingOf(chunk));
    chunk = [];
  }
  if (!(await pass.mayGoOn())) return;
  await sweepChunk(pass, name, what, chunk, await standingOf(chunk));
  await forgetMarks(pass, name);
}

async function sweepChunk(
  pass: Pass,
  name: string,
  what: 'blocks' | 'claimParts',
  ids: readonly string[],
  standings: readonly Standing[],
): Promise<void> {
  if (ids.length === 0) return;
  const marks = pass.db.collection<Mark>(COLLECTIONS.unnamed);
  const markOf = (id: string): string => `${name}.${id}`;
  const found = await marks.find({ _id: { $in: ids.map(markOf) } }).toArray();
  const since = new Map(found.map(({ _id, at }) => [_id, at]));
  const [ripe, fresh, stale]: [string[], Mark[], string[]] = [[], [], []];
  for (const [index, id] of ids.entries()) {
    const mark = markOf(id);
    const at = since.get(mark);
    if (standings[index] === 'named') {
      if (at !== undefined) stale.push(mark);
    } else if (standings[index] === 'free' && pass.isRipe(at)) ripe.push(id);
    else {
      pass.count(what, 'waiting');
      if (at === undefined) fresh.push({ _id: mark, at: pass.moment });
    }
  }
  pass.count(what, 'seen', ids.length);
  pass.count(what, 'gone', ripe.length);
  if (pass.dryRun) return;
  if (fresh.length > 0) await marks.bulkWrite(fresh.map(upsertOf), { ordered: false });
  for (const some of chunksOf(ripe, REMOVE_DOCS))
    await pass.db.collection<{ _id: string }>(name).deleteMany({ _id: { $in: [...some] } });
  const over = [...stale, ...ripe.map(markOf)];
  if (over.length > 0) await marks.deleteMany({ _id: { $in: over } });
}

/** The first mark counts, should two processes collect at once. */
const upsertOf = ({ _id, at }: Mark) => ({
  updateOne: { filter: { _id }, update: { $setOnInsert: { at } }, upsert: true },
});

/** Marks of what has gone otherwise (shredded, or by a pass that was cut off). */
async function forgetMarks(pass: Pass, name: string): Promise<void> {
  if (pass.dryRun) return;
  const marks = pass.db.collection<Mark>(COLLECTIONS.unnamed);
  const collection = pass.db.collection<{ _id: string }>(name);
  const ripe = await marks
    .find({ _id: idsUnder(name), at: { $lt: pass.before } }, { projection: { _id: 1 } })
    .toArray();
  for (const chunk of chunksOf(ripe, CHUNK_IDS)) {
    const ids = chunk.map(({ _id }) => _id.slice(name.length + 1));
    const found = await collection.find({ _id: { $in: ids } }, { projection: { _id: 1 } }).toArray();
    const there = new Set(found.map(({ _id }) => _id));
    const over = ids.filter((id) => !there.has(id)).map((id) => `${name}.${id}`);
    if (over.length > 0) await marks.deleteMany({ _id: { $in: over } });
  }
}
