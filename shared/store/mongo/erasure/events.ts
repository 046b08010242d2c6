/**
 * Owns a person's way out of events: each block that holds rows of theirs, or rows of others that name them, gets a successor without those
 * rows, in the stead of the old one, as in a compaction.
 */
import { decodeEvents } from '../../blocks/event-block.ts';
import type { SubjectKey } from '../../ports.ts';
import type { BlockRef, BlockStore } from '../block-store.ts';
import { replaceBlocks } from '../compaction.ts';
import { type ManifestBlock, maskedRows, type Partitions, type PartitionView } from '../partitions.ts';

const KEY_BYTES = 16;
/** Others may compact the same partition meanwhile: what they made of the person's blocks is found by the next look. */
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

export interface RewrittenEvents {
  /** Rows that went. */
  readonly removed: number;
  /** Blocks that no manifest names any more. */
  readonly gone: ReadonlySet<string>;
}

/** Gives the blocks that are live successors without the person. */
export async function rewritePartitions(
  parts: { readonly partitions: Partitions; readonly blocks: BlockStore; readonly format: number },
  tenant: string,
  whose: Whose,
  ofPerson: ReadonlyMap<string, BlockRef>,
): Promise<RewrittenEvents> {
  const { partitions } = parts;
  const names = await partitions.names(tenant);
  const gone = new Set<string>();
  let removed = 0;
  for (let at = 0; at < names.length; at += PARTITIONS_AT_ONCE) {
    const views = await partitions.views(tenant, names.slice(at, at + PARTITIONS_AT_ONCE));
    await partitions.refresh(views);
    for (const view of views) {
      const old = [...view.blocks.values()].filter(({ block }) => ofPerson.has(block));
      if (old.length === 0) continue;
      removed += await rewrite(parts, tenant, whose, view, old);
      for (const { block } of old) gone.add(block);
    }
  }
  return { removed, gone };
}

async function rewrite(
  { partitions, blocks, format }: Parameters<typeof rewritePartitions>[0],
  tenant: string,
  whose: Whose,
  view: PartitionView,
  old: readonly ManifestBlock[],
): Promise<number> {
  const successors: ManifestBlock[] = [];
  let removed = 0;
  for (const block of old) {
    const [plain] = await blocks.open([block], { shared: true });
    const hidden = new Set([...maskedRows(block.masked), ...rowsAbout(plain!, whose).rows]);
    removed += hidden.size - maskedRows(block.masked).length;
    if (hidden.size === block.rows) continue;
    const masked = Uint32Array.from([...hidden].sort((a, b) => a - b));
    const made = await blocks.compact(blocks.newId(tenant), [{ plain: plain!, masked }], format);
    await blocks.write([made]);
    successors.push({ block: made.block, hash: made.hash, rows: made.rows, recordedAtMax: made.recordedAtMax });
  }
  await replaceBlocks(view, new Set(old.map(({ block }) => block)), successors, partitions);
  return removed;
}
