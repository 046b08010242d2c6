/**
 * Owns a person's way out of events: each block that holds rows of theirs, or rows of others that name them, gets a successor without those
 * rows, in the stead of the old one, as in a compaction.
 */
import { decodeEvents } from '../../blocks/event-block.ts';
import type { SubjectKey } from '../../ports.ts';
import type { BlockRef, BlockStore } from '../block-store.ts';
import { replaceBlocks, writeSuccessor } from '../compaction.ts';
import { chunksOf } from '../names.ts';
import { type ManifestBlock, maskedRows, type Partitions } from '../partitions.ts';

const KEY_BYTES = 16;
const PARTITIONS_AT_ONCE = 8;

/** Whose rows go: all that are of the person or name them, or those of some sources that are of the person. */
export interface Whose {
  readonly subject: SubjectKey;
  readonly sources?: ReadonlySet<string> | undefined;
}

/** Rows of a block that go, and the ids of their events. */
export function rowsAbout(
  plain: Uint8Array,
  { subject, sources }: Whose,
): { readonly rows: number[]; readonly ids: Buffer } {
  const { rows: count, subject: subjects, target, eventId, source, sources: names } = decodeEvents(plain);
  const goes = (row: number): boolean => {
    if (sources !== undefined) return sources.has(names[source[row]!]!) && isAt(subjects, row, subject);
    return isAt(subjects, row, subject) || (target !== undefined && isAt(target, row, subject));
  };
  const rows: number[] = [];
  for (let row = 0; row < count; row++) if (goes(row)) rows.push(row);
  const ids = Buffer.concat(rows.map((row) => eventId.subarray(row * KEY_BYTES, (row + 1) * KEY_BYTES)));
  return { rows, ids };
}

function isAt(keys: Uint8Array, row: number, key: Uint8Array): boolean {
  for (let at = 0; at < KEY_BYTES; at++) if (keys[row * KEY_BYTES + at] !== key[at]) return false;
  return true;
}

/** Ids of the events of a block that go; empty for a block that is none of events: arrays of versions, parts that wait. */
export function eventRowsAbout(plain: Uint8Array, whose: Whose): Buffer {
  try {
    return rowsAbout(plain, whose).ids;
  } catch {
    return Buffer.alloc(0);
  }
}

export interface RewrittenEvents {
  /** Rows that went. */
  readonly removed: number;
  /** Blocks that no manifest names any more. */
  readonly gone: ReadonlySet<string>;
  /** What came in their place. */
  readonly successors: ReadonlySet<string>;
  /** Blocks that somebody else replaced at the same moment: they stay as they are for another pass. */
  readonly missed: number;
}

/** Gives the blocks that are live successors without the person. */
export async function rewritePartitions(
  parts: { readonly partitions: Partitions; readonly blocks: BlockStore; readonly format: number },
  tenant: string,
  whose: Whose,
  ofPerson: ReadonlyMap<string, BlockRef>,
): Promise<RewrittenEvents> {
  const { partitions } = parts;
  const [gone, successors] = [new Set<string>(), new Set<string>()];
  let [removed, missed] = [0, 0];
  for (const names of chunksOf(await partitions.names(tenant), PARTITIONS_AT_ONCE)) {
    const views = await partitions.views(tenant, names);
    await partitions.refresh(views);
    for (const view of views) {
      const old = [...view.blocks.values()].filter(({ block }) => ofPerson.has(block));
      if (old.length === 0) continue;
      const left = await withoutPerson(parts, tenant, whose, old);
      const isDone = await replaceBlocks(view, new Set(old.map(({ block }) => block)), left.blocks, partitions);
      if (!isDone) {
        missed += old.length;
        continue;
      }
      removed += left.removed;
      for (const { block } of old) gone.add(block);
      for (const { block } of left.blocks) successors.add(block);
    }
  }
  return { removed, gone, successors, missed };
}

async function withoutPerson(
  { blocks, format }: Parameters<typeof rewritePartitions>[0],
  tenant: string,
  whose: Whose,
  old: readonly ManifestBlock[],
): Promise<{ readonly removed: number; readonly blocks: ManifestBlock[] }> {
  const left: ManifestBlock[] = [];
  let removed = 0;
  for (const block of old) {
    const [plain] = await blocks.open([block], { shared: true });
    const before = maskedRows(block.masked);
    const hidden = new Set([...before, ...rowsAbout(plain!, whose).rows]);
    removed += hidden.size - before.length;
    if (hidden.size === block.rows) continue;
    const masked = Uint32Array.from(hidden).sort();
    left.push(await writeSuccessor(tenant, [{ plain: plain!, masked }], blocks, format));
  }
  return { removed, blocks: left };
}
