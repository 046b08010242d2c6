/**
 * Owns what retention does to one partition when it is frozen: rows that their source declares are kept no longer leave it. A block is opened once
 * to learn how old its rows are, source by source; its manifest entry remembers that, so that it is opened again only when something in it is due.
 */
import { decodeEvents } from '../blocks/event-block.ts';
import type { EventColumns, Retention } from '../ports.ts';
import type { BlockStore } from './block-store.ts';
import { replaceBlocks, writeSuccessor } from './compaction.ts';
import { liveRows, type ManifestBlock, maskedRows, type Partitions, type PartitionView } from './partitions.ts';

const DAY_MS = 86_400_000;
/** `2026-11` of a partition's name. */
const MONTH_LETTERS = 7;
/** Blocks that lie open together. */
const BLOCKS_AT_ONCE = 4;

/** Earliest `recordedAt` of each source's rows. */
type Oldest = readonly (readonly [source: string, recordedAt: number])[];

/** Rows of a source recorded before that are due; undefined: none ever is. */
function dueBefore(source: string, retention: Retention): number | undefined {
  const days = retention.daysOf(source);
  return days === null ? undefined : retention.now - days * DAY_MS;
}

const isDue = (oldest: Oldest, retention: Retention): boolean =>
  oldest.some(([source, recordedAt]) => recordedAt < (dueBefore(source, retention) ?? Number.NEGATIVE_INFINITY));

/** Nothing is recorded before it occurs, so a month younger than the shortest time that any source declares holds nothing that is due. */
function mayHoldDue({ id }: PartitionView, { now, shortestDays }: Retention): boolean {
  const month = id.slice(id.lastIndexOf('.') - MONTH_LETTERS, id.lastIndexOf('.'));
  return Date.parse(`${month}-01T00:00:00Z`) < now - shortestDays * DAY_MS;
}

/** Takes out of the partition what is due, and notes how old the rest is. Merged blocks are new and are looked at the next time. */
export async function expirePartition(
  tenant: string,
  view: PartitionView,
  retention: Retention,
  partitions: Partitions,
  blocks: BlockStore,
  format: number,
): Promise<void> {
  if (!mayHoldDue(view, retention)) return;
  const unknown = [...view.blocks.values()].filter(
    ({ oldest, rows }) => rows > 0 && (oldest === undefined || isDue(oldest, retention)),
  );
  const gone = new Set<string>();
  const kept: ManifestBlock[] = [];
  let expired = 0;
  for (let at = 0; at < unknown.length; at += BLOCKS_AT_ONCE) {
    const some = unknown.slice(at, at + BLOCKS_AT_ONCE);
    const plains = await blocks.open(some, { shared: true });
    for (const [n, block] of some.entries()) {
      const { due, oldest } = lookInto(decodeEvents(plains[n]!), block, retention);
      gone.add(block.block);
      expired += due.length;
      if (due.length === 0) kept.push({ ...block, oldest });
      else if (due.length < liveRows(block)) {
        const masked = Uint32Array.from([...maskedRows(block.masked), ...due]).sort();
        const made = await writeSuccessor(tenant, [{ plain: plains[n]!, masked }], blocks, format);
        kept.push({ ...made, oldest });
      }
    }
  }
  if (gone.size === 0) return;
  const done = await replaceBlocks(view, gone, kept, partitions);
  if (done && expired > 0) retention.expired(expired);
}

/** Rows that are due, and how old the others are. */
function lookInto(
  { recordedAt, source, sources }: EventColumns,
  block: ManifestBlock,
  retention: Retention,
): { readonly due: number[]; readonly oldest: Oldest } {
  const masked = new Set(maskedRows(block.masked));
  const limits = sources.map((name) => dueBefore(name, retention) ?? Number.NEGATIVE_INFINITY);
  const oldest = new Map<string, number>();
  const due: number[] = [];
  for (let row = 0; row < recordedAt.length; row++) {
    if (masked.has(row)) continue;
    const [at, from] = [recordedAt[row]!, source[row]!];
    if (at < limits[from]!) due.push(row);
    else oldest.set(sources[from]!, Math.min(oldest.get(sources[from]!) ?? at, at));
  }
  return { due, oldest: [...oldest] };
}
