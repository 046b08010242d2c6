/** Owns which events a partition has: the ids of its live rows, read from its blocks when a process meets it first. */
import { decodeEvents } from '../blocks/event-block.ts';
import { KeyTable } from '../blocks/key-table.ts';
import type { BlockStore } from './block-store.ts';
import type { ManifestBlock, PartitionView } from './partitions.ts';

/** Blocks read at once: bounds what is decrypted in memory together. */
const BLOCKS_AT_ONCE = 16;

/** Brings the view's ids up to its entries. Compaction moves rows between blocks and leaves the ids as they are. */
export async function loadIds(view: PartitionView, blocks: BlockStore): Promise<KeyTable> {
  const ids = (view.ids ??= { table: new KeyTable(1024), from: new Set() });
  const missing = [...view.blocks.values()].filter(({ block }) => !ids.from.has(block));
  for (let at = 0; at < missing.length; at += BLOCKS_AT_ONCE) {
    const slice = missing.slice(at, at + BLOCKS_AT_ONCE);
    const plains = await blocks.open(slice);
    slice.forEach((block, index) => {
      addIds(ids.table, decodeEvents(plains[index]!).eventId);
      ids.from.add(block.block);
    });
  }
  return ids.table;
}

/** Masked rows repeat ids that are live elsewhere in the partition, so all rows may be added. */
function addIds(table: KeyTable, eventIds: Uint8Array): void {
  for (let at = 0; at < eventIds.length; at += 16) table.add(eventIds, at);
}

/** The rows of a block that are in the table already, or twice in the block. */
export function rowsKnown(table: KeyTable, eventIds: Uint8Array): number[] {
  const known: number[] = [];
  const own = new KeyTable(eventIds.length / 16);
  for (let at = 0; at < eventIds.length; at += 16) {
    const before = own.size;
    own.add(eventIds, at);
    if (table.find(eventIds, at) >= 0 || own.size === before) known.push(at / 16);
  }
  return known;
}

/** Takes the ids of a block that has just been appended into the view. */
export function learnIds(view: PartitionView, block: ManifestBlock, eventIds: Uint8Array): void {
  if (view.ids === undefined || view.ids.from.has(block.block)) return;
  addIds(view.ids.table, eventIds);
  view.ids.from.add(block.block);
}
