/**
 * Owns what freezing does to one partition: small blocks are merged into large ones, which changes no row, and what is live
 * then becomes part of a data set version.
 */
import { z } from 'zod';
import { AppError } from '../../errors.ts';
import type { MergeInput } from '../blocks/canonical.ts';
import { decodeEvents } from '../blocks/event-block.ts';
import type { BlockStore } from './block-store.ts';
import { learnMerged } from './event-ids.ts';
import { apply, liveRows, type ManifestBlock, maskedRows, type Partitions, type PartitionView } from './partitions.ts';

/** A block of a version of kind `events`. */
export const frozenBlockSchema = z.object({
  block: z.string(),
  hash: z.string(),
  rows: z.int(),
  /** Rows that count: neither masked nor recorded too late. */
  live: z.int(),
  masked: z.custom<Uint8Array>((value) => value instanceof Uint8Array).optional(),
  /** Present when some rows were recorded after the version's asOf. */
  recordedUntil: z.number().optional(),
});
export type FrozenBlock = z.output<typeof frozenBlockSchema>;

/** A block with fewer rows is small. */
const SMALL_ROWS_MAX = 25_000;
/** Rows of a merged block: ~5.5 MB, at most ~7.5 MB with every optional column. */
const MERGED_ROWS_MAX = 64_000;
const ROUNDS_MAX = 200;

/** `view` is up to date when it is called. */
export async function freezePartition(
  tenant: string,
  view: PartitionView,
  asOf: number,
  partitions: Partitions,
  blocks: BlockStore,
  format: number,
): Promise<FrozenBlock[]> {
  await compact(tenant, view, partitions, blocks, format);
  const frozen: FrozenBlock[] = [];
  const live = [...view.blocks.values()]; // as it is now: follows may go on
  for (const block of live) {
    const entry = await freezeBlock(block, asOf, blocks);
    if (entry.live > 0) frozen.push(entry);
  }
  return frozen;
}

async function freezeBlock(block: ManifestBlock, asOf: number, blocks: BlockStore): Promise<FrozenBlock> {
  const { block: id, hash, rows, masked, recordedAtMax } = block;
  const entry = { block: id, hash, rows, live: liveRows(block), ...(masked !== undefined && { masked }) };
  if (recordedAtMax <= asOf) return entry;
  const [plain] = await blocks.open([block]);
  const hidden = new Set(maskedRows(block.masked));
  let live = 0;
  decodeEvents(plain!).recordedAt.forEach((at, row) => {
    if (at <= asOf && !hidden.has(row)) live++;
  });
  return { ...entry, live, recordedUntil: asOf };
}

/** Groups of small blocks, in order, that fit into one. */
function groupsOf(view: PartitionView): ManifestBlock[][] {
  const groups: ManifestBlock[][] = [];
  let rows = Number.POSITIVE_INFINITY;
  for (const block of view.blocks.values()) {
    if (block.rows >= SMALL_ROWS_MAX && block.masked === undefined) continue;
    if (rows + block.rows > MERGED_ROWS_MAX) {
      groups.push([]);
      rows = 0;
    }
    groups.at(-1)!.push(block);
    rows += block.rows;
  }
  return groups.filter((group) => group.length > 1);
}

async function compact(
  tenant: string,
  view: PartitionView,
  partitions: Partitions,
  blocks: BlockStore,
  format: number,
): Promise<void> {
  const groups = groupsOf(view);
  if (groups.length === 0) return;
  const merged: ManifestBlock[] = [];
  for (const group of groups) {
    const plains = await blocks.open(group, { shared: true });
    const inputs = group.map((block, index) => ({ plain: plains[index]!, masked: maskedRows(block.masked) }));
    merged.push(await writeSuccessor(tenant, inputs, blocks, format));
  }
  const gone = new Set(groups.flat().map(({ block }) => block));
  await replaceBlocks(view, gone, merged, partitions);
}

/** Writes what is left of blocks as one, which no manifest names yet. */
export async function writeSuccessor(
  tenant: string,
  inputs: readonly MergeInput[],
  blocks: BlockStore,
  format: number,
): Promise<ManifestBlock> {
  const made = await blocks.compact(blocks.newId(tenant), inputs, format);
  await blocks.write([made]);
  return { block: made.block, hash: made.hash, rows: made.rows, recordedAtMax: made.recordedAtMax };
}

/**
 * Puts blocks in the place of those they were made of, with the same event ids or fewer; what others appended meanwhile stays. False: somebody
 * else had replaced one of them, and nothing was done.
 */
export async function replaceBlocks(
  view: PartitionView,
  gone: ReadonlySet<string>,
  merged: readonly ManifestBlock[],
  partitions: Partitions,
): Promise<boolean> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const rest = [...view.blocks.values()].filter(({ block }) => !gone.has(block));
    if (rest.length + gone.size !== view.blocks.size) return false;
    const entry = partitions.entry(view, view.seq, {
      base: [...merged, ...rest.filter((block) => liveRows(block) > 0)],
    });
    const refused = await partitions.insert([entry]);
    if (refused.length === 0) {
      apply(view, entry);
      await partitions.startAt(view);
      learnMerged(view, entry.seq, merged);
      return true;
    }
    await partitions.refresh([view]);
  }
  throw new AppError('POINTER_CONFLICT', {
    message: 'Other writers kept moving a manifest.',
    details: { partition: view.id },
  });
}
