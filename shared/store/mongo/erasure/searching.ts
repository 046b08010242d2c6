/**
 * Owns finding a person in encrypted blocks: each is opened and its bytes are searched for the person's key, whatever they are. The key is
 * 128 bits of a keyed hash: bytes that only look like it do not occur.
 */
import type { Db } from 'mongodb';
import type { BlockRef, BlockStore } from '../block-store.ts';
import { chunksOf, COLLECTIONS, idsUnder } from '../names.ts';
import { eventRowsAbout, type Whose } from './events.ts';

/** Blocks of at most 8 MB in memory. */
const BLOCKS_AT_ONCE = 8;
const ID_BYTES = 16;

export interface FoundBlocks {
  /** Blocks that were looked into. */
  readonly seen: ReadonlySet<string>;
  /** Those that hold anything that is to go, by id. */
  readonly ofPerson: ReadonlyMap<string, BlockRef>;
  /** Those that hold the person's own id as a JSON string: parts that wait. Others may look so by chance. */
  readonly naming: ReadonlySet<string>;
  /** Ids of the events that are to go, one character a byte. */
  readonly eventIds: ReadonlySet<string>;
}

export interface Search extends Whose {
  readonly blocks: BlockStore;
  readonly externalId: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Ids of every block of the tenant. */
export async function blocksOf(db: Db, tenant: string): Promise<string[]> {
  const blocks = db.collection<{ _id: string }>(COLLECTIONS.blocks);
  const found = await blocks.find({ _id: idsUnder(tenant) }, { projection: { _id: 1 } }).toArray();
  return found.map(({ _id }) => _id).sort();
}

/** Looks into each block once. One that is removed meanwhile is left out. */
export async function searchBlocks(ids: readonly string[], search: Search): Promise<FoundBlocks> {
  const { blocks, subject, sources, externalId, signal, onProgress } = search;
  const [key, name] = [Buffer.from(subject), Buffer.from(JSON.stringify(externalId))];
  const ofPerson = new Map<string, BlockRef>();
  const [seen, naming, eventIds] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for (const chunk of chunksOf(ids, BLOCKS_AT_ONCE)) {
    signal?.throwIfAborted();
    for (const { plain, ...ref } of await blocks.openThere(chunk)) {
      seen.add(ref.block);
      const bytes = Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength);
      if (bytes.includes(name)) naming.add(ref.block);
      if (!bytes.includes(key)) continue;
      const rows = eventRowsAbout(plain, { subject, sources });
      for (let id = 0; id < rows.length; id += ID_BYTES) eventIds.add(rows.toString('latin1', id, id + ID_BYTES));
      // Where all of the person goes, so does every block that holds anything of theirs.
      if (rows.length > 0 || sources === undefined) ofPerson.set(ref.block, ref);
    }
    onProgress?.(seen.size, ids.length);
  }
  return { seen, ofPerson, naming, eventIds };
}
