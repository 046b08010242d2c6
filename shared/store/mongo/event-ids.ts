/** Owns which events a partition has: the ids of its live rows, read from its blocks when a process meets it first. */
import { decodeEvents } from '../blocks/event-block.ts';
import { KeyTable } from '../blocks/key-table.ts';
import type { BlockStore } from './block-store.ts';
import type { ManifestBlock, PartitionIds, PartitionView } from './partitions.ts';

/** Blocks read at once: bounds what is decrypted in memory together. */
const BLOCKS_AT_ONCE = 16;

/** Brings the view's ids up to its entries. Compaction moves rows between blocks and leaves the ids as they are. */
export async function loadIds(view: PartitionView, blocks: BlockStore): Promise<PartitionIds> {
  const ids = (view.ids ??= { table: new KeyTable(1024), from: new Set(), seq: -1 });
  while (ids.seq < view.seq) {
    const seq = view.seq;
    const missing = [...view.blocks.values()].filter(({ block }) => !ids.from.has(block));
    for (let at = 0; at < missing.length; at += BLOCKS_AT_ONCE) {
      const slice = missing.slice(at, at + BLOCKS_AT_ONCE);
      const plains = await blocks.open(slice);
      slice.forEach((block, index) => {
        addIds(ids.table, decodeEvents(plains[index]!).eventId);
        ids.from.add(block.block);
      });
    }
    ids.seq = Math.max(ids.seq, seq);
  }
  return ids;
}

/** Masked rows repeat ids that are live elsewhere in the partition, so all rows may be added. */
function addIds(table: KeyTable, eventIds: Uint8Array): void {
  for (let at = 0; at < eventIds.length; at += 16) table.add(eventIds, at);
}

/**
 * Which rows are in the partition already, as of entry `seq`. Both are taken in one step without an await: others move the
 * view meanwhile, and an entry may only go to the number after the last one whose ids were looked at. `freshAsOf`: as of that entry
 * none of the rows was there, so that nobody need look again while it is the last one.
 */
export async function knownAsOf(
  view: PartitionView,
  blocks: BlockStore,
  eventIds: Uint8Array,
  freshAsOf?: number,
): Promise<{ readonly seq: number; readonly known: number[] }> {
  for (;;) {
    const ids = await loadIds(view, blocks);
    if (ids.seq !== view.seq) continue;
    return { seq: view.seq, known: ids.seq === freshAsOf ? [] : rowsKnown(ids.table, eventIds) };
  }
}

/** The rows of a block that are in the table already, or twice in the block. */
function rowsKnown(table: KeyTable, eventIds: Uint8Array): number[] {
  const known: number[] = [];
  const own = new KeyTable(eventIds.length / 16);
  for (let at = 0; at < eventIds.length; at += 16) {
    const before = own.size;
    own.add(eventIds, at);
    if (table.find(eventIds, at) >= 0 || own.size === before) known.push(at / 16);
  }
  return known;
}

/** Takes the ids of a block that has just been appended as entry `seq` into the view. */
export function learnIds(view: PartitionView, seq: number, block: ManifestBlock, eventIds: Uint8Array): void {
  const { ids } = view;
  if (ids === undefined || ids.from.has(block.block)) return;
  addIds(ids.table, eventIds);
  ids.from.add(block.block);
  if (ids.seq === seq - 1) ids.seq = seq;
}

/** After a compaction as entry `seq`: merged blocks hold no ids beyond those of the blocks they were made of. */
export function learnMerged(view: PartitionView, seq: number, merged: readonly ManifestBlock[]): void {
  const { ids } = view;
  if (ids === undefined || ids.seq !== seq - 1) return;
  for (const { block } of merged) ids.from.add(block);
  ids.seq = seq;
}
