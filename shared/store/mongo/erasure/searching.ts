/**
 * Owns finding a person in encrypted blocks: each is opened and its bytes are searched for the person's key, whatever they are. The key is
 * 128 bits of a keyed hash: bytes that only look like it do not occur.
 */
import type { Collection, Db } from 'mongodb';
import type { SubjectKey } from '../../ports.ts';
import type { BlockRef, BlockStore } from '../block-store.ts';
import { chunksOf, COLLECTIONS, idsUnder } from '../names.ts';

/** Blocks of at most 8 MB in memory. */
const BLOCKS_AT_ONCE = 8;

export interface FoundBlocks {
  readonly checked: number;
  /** Blocks that hold the person's key, by id. */
  readonly ofPerson: ReadonlyMap<string, BlockRef>;
  /** Blocks that hold the person's own id as a JSON string: parts that wait. Others may look so by chance. */
  readonly naming: ReadonlySet<string>;
}

interface Search {
  readonly db: Db;
  readonly blocks: BlockStore;
  readonly tenant: string;
  readonly subject: SubjectKey;
  readonly externalId: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Reads every block of the tenant once. A block that is removed meanwhile is left out. */
export async function searchBlocks(search: Search): Promise<FoundBlocks> {
  const { db, blocks, tenant, subject, externalId, signal, onProgress } = search;
  const collection = db.collection<{ _id: string }>(COLLECTIONS.blocks);
  const ids = (await collection.find({ _id: idsUnder(tenant) }, { projection: { _id: 1 } }).toArray()).map(
    ({ _id }) => _id,
  );
  const [key, name] = [Buffer.from(subject), Buffer.from(JSON.stringify(externalId))];
  const ofPerson = new Map<string, BlockRef>();
  const naming = new Set<string>();
  let checked = 0;
  for (const chunk of chunksOf(ids.sort(), BLOCKS_AT_ONCE)) {
    signal?.throwIfAborted();
    const there = await stillThere(collection, chunk);
    const refs = await Promise.all(there.map(async (block) => ({ block, hash: await blocks.hashOf(block) })));
    const plains = await blocks.open(refs);
    for (const [index, plain] of plains.entries()) {
      const bytes = Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength);
      const ref = refs[index]!;
      if (bytes.includes(key)) ofPerson.set(ref.block, ref);
      if (bytes.includes(name)) naming.add(ref.block);
    }
    checked += there.length;
    onProgress?.(checked, ids.length);
  }
  return { checked, ofPerson, naming };
}

async function stillThere(collection: Collection<{ _id: string }>, ids: readonly string[]): Promise<string[]> {
  // A block whose key is gone cannot be opened by anybody.
  const filter = { _id: { $in: [...ids] }, key: { $exists: true } };
  const found = await collection.find(filter, { projection: { _id: 1 } }).toArray();
  return found.map(({ _id }) => _id);
}
