/**
 * Owns the formats of event blocks in the store: which one is written, and the migration of those in an older one.
 *
 * A block is never changed. Its successor holds the same plain bytes, so places of rows, masks and what was learned from it stay as they are; it is named in
 * the stead of the old one by a compare-and-set, of the manifest as in a compaction, of a version's document by a counter. Readers that know of the old one
 * find it until it is collected. Whoever is killed in between leaves blocks that nobody names, and begins again with what still lags.
 */
import type { Collection, Db } from 'mongodb';
import { AppError } from '../../errors.ts';
import type { Formats, FormatStatus, Migrated } from '../ports.ts';
import { BLOCK_FORMAT, type BlockStore } from './block-store.ts';
import { type FrozenBlock, frozenBlockSchema, replaceBlocks } from './compaction.ts';
import { chunksOf, COLLECTIONS } from './names.ts';
import type { ManifestBlock, Partitions, PartitionView } from './partitions.ts';

interface FormatDocument {
  _id: string;
  writes: number;
}
interface BlockFacts {
  _id: string;
  v: number;
  packing: string;
  from?: string;
}
interface VersionDocument {
  _id: string;
  tenant: string;
  kind: string;
  state: string;
  blocks: readonly unknown[];
  /** How often its blocks have got successors. */
  swaps?: number;
}
type Named = { readonly block: string; readonly hash: string };

const SETTING = 'blocks';
/** A process asks again after this long. */
export const FORMAT_KNOWN_MS = 60_000;
/** Blocks of 8 MB that lie in memory, and successors that one entry of a manifest names. */
const BLOCKS_AT_ONCE = 8;

/** Which format is written, as far as this process knows. */
export class WriteFormat {
  readonly #settings: Collection<FormatDocument>;
  #known: { readonly writes: number; readonly at: number } | undefined;

  constructor(db: Db) {
    this.#settings = db.collection<FormatDocument>(COLLECTIONS.formats);
  }

  async current(): Promise<number> {
    if (this.#known !== undefined && performance.now() - this.#known.at < FORMAT_KNOWN_MS) return this.#known.writes;
    this.#known = { writes: Math.min(await this.enabled(), BLOCK_FORMAT), at: performance.now() };
    return this.#known.writes;
  }

  /** What is enabled in the store, whether this process knows that format or not. */
  async enabled(): Promise<number> {
    return (await this.#settings.findOne({ _id: SETTING }))?.writes ?? 1;
  }

  async enable(): Promise<void> {
    await this.#settings.updateOne({ _id: SETTING }, { $max: { writes: BLOCK_FORMAT } }, { upsert: true });
    this.#known = undefined;
  }
}

interface Parts {
  readonly db: Db;
  readonly blocks: BlockStore;
  readonly partitions: Partitions;
  readonly writes: WriteFormat;
}

class MongoFormats implements Formats {
  readonly #facts: Collection<BlockFacts>;
  readonly #versions: Collection<VersionDocument>;
  readonly #blocks: BlockStore;
  readonly #partitions: Partitions;
  readonly #writes: WriteFormat;

  constructor({ db, blocks, partitions, writes }: Parts) {
    this.#facts = db.collection<BlockFacts>(COLLECTIONS.blocks);
    this.#versions = db.collection<VersionDocument>(COLLECTIONS.versions);
    this.#blocks = blocks;
    this.#partitions = partitions;
    this.#writes = writes;
  }

  enable(): Promise<void> {
    return this.#writes.enable();
  }

  async status(tenant: string): Promise<FormatStatus> {
    const named = new Set<string>();
    for (const view of await this.#views(tenant)) for (const block of view.blocks.keys()) named.add(block);
    for await (const { blocks } of this.#versionsOf(tenant)) for (const { block } of namedIn(blocks)) named.add(block);
    const lagging = await this.#lagging([...named]);
    return {
      writes: await this.#writes.current(),
      newest: BLOCK_FORMAT,
      lagging: lagging.size,
      blocks: await this.#merged([...named]),
    };
  }

  async migrate(tenant: string, options: Parameters<Formats['migrate']>[1]): Promise<Migrated> {
    if ((await this.#writes.enabled()) < BLOCK_FORMAT) throw new AppError('FORMAT_NOT_ENABLED');
    const pass = new MigrationPass(this.#blocks, options);
    const views = await this.#views(tenant);
    const versions = await this.#versions
      .find({ tenant, kind: 'events' }, { projection: { _id: 1 } })
      .sort({ _id: 1 })
      .toArray();
    const steps = views.length + versions.length;
    for (const [done, view] of views.entries()) {
      pass.tell(done, steps);
      await this.#migratePartition(view, pass);
    }
    const live = new Set(views.flatMap(({ blocks }) => [...blocks.keys()]));
    for (const [done, { _id }] of versions.entries()) {
      pass.tell(views.length + done, steps);
      await this.#migrateVersion(_id, live, pass);
    }
    pass.tell(steps, steps);
    return pass.sum;
  }

  async #views(tenant: string): Promise<PartitionView[]> {
    const views = await this.#partitions.views(tenant, await this.#partitions.names(tenant));
    await this.#partitions.refresh(views);
    return views;
  }

  #versionsOf(tenant: string) {
    return this.#versions.find({ tenant, kind: 'events' }, { projection: { blocks: 1 } });
  }

  /** Merged blocks only: micro-blocks become part of merged ones anyhow, in the format of the day. */
  async #lagging(ids: readonly string[]): Promise<Set<string>> {
    const found = new Set<string>();
    for (const chunk of chunksOf(ids)) {
      const filter = { _id: { $in: [...chunk] }, v: { $lt: BLOCK_FORMAT }, packing: 'zstd' };
      for (const { _id } of await this.#facts.find(filter, { projection: { _id: 1 } }).toArray()) found.add(_id);
    }
    return found;
  }

  async #merged(ids: readonly string[]): Promise<number> {
    let merged = 0;
    for (const chunk of chunksOf(ids))
      merged += await this.#facts.countDocuments({ _id: { $in: [...chunk] }, packing: { $ne: 'none' } });
    return merged;
  }

  async #migratePartition(view: PartitionView, pass: MigrationPass): Promise<void> {
    const lagging = await this.#lagging([...view.blocks.keys()]);
    const old = [...view.blocks.values()].filter(({ block }) => lagging.has(block));
    for (const some of chunksOf(old, BLOCKS_AT_ONCE)) {
      const successors: ManifestBlock[] = [];
      for (const block of some) {
        const successor = await pass.successorOf(block);
        if (successor !== undefined) successors.push({ ...block, ...successor });
      }
      const gone = new Set(some.filter(({ block }) => pass.has(block)).map(({ block }) => block));
      if (gone.size > 0) await replaceBlocks(view, gone, successors, this.#partitions);
    }
  }

  async #migrateVersion(_id: string, live: ReadonlySet<string>, pass: MigrationPass): Promise<void> {
    const version = await this.#versions.findOne({ _id, state: { $in: ['ready', 'stale'] } });
    if (version === null) return;
    const blocks = namedIn(version.blocks);
    const lagging = await this.#lagging(blocks.map(({ block }) => block));
    if (lagging.size === 0) return;
    await this.#recall(lagging, live, pass);
    const swapped: Named[] = [];
    for (const block of blocks) {
      const successor = lagging.has(block.block) ? await pass.successorOf(block) : undefined;
      swapped.push(successor === undefined ? block : { ...block, ...successor });
    }
    if (!blocks.some(({ block }) => pass.has(block))) return;
    const asRead = { _id, swaps: version.swaps ?? { $exists: false } } as object;
    const $set = { blocks: swapped, swaps: (version.swaps ?? 0) + 1 };
    const done = await this.#versions.updateOne({ ...asRead, state: { $in: ['ready', 'stale'] } }, { $set });
    if (done.matchedCount === 1) pass.swapped();
  }

  /** Successors that an earlier attempt made and a manifest names are used again: data sets go on sharing blocks. */
  async #recall(lagging: ReadonlySet<string>, live: ReadonlySet<string>, pass: MigrationPass): Promise<void> {
    const unknown = [...lagging].filter((block) => !pass.has(block));
    for (const chunk of chunksOf(unknown)) {
      const found = await this.#facts.find({ from: { $in: [...chunk] } }, { projection: { from: 1 } }).toArray();
      for (const { _id, from } of found)
        if (from !== undefined && live.has(_id))
          pass.remember(from, { block: _id, hash: await this.#blocks.hashOf(_id) });
    }
  }
}

const namedIn = (blocks: readonly unknown[]): FrozenBlock[] => frozenBlockSchema.array().parse(blocks);

/** One migration by one process: what it has made so far, ~200 bytes a block. */
class MigrationPass {
  readonly #blocks: BlockStore;
  readonly #options: Parameters<Formats['migrate']>[1];
  readonly #successors = new Map<string, Named>();
  #versions = 0;
  #made = 0;
  #bytesBefore = 0;
  #bytesAfter = 0;

  constructor(blocks: BlockStore, options: Parameters<Formats['migrate']>[1]) {
    this.#blocks = blocks;
    this.#options = options;
  }

  get sum(): Migrated {
    return {
      blocks: this.#made,
      versions: this.#versions,
      bytesBefore: this.#bytesBefore,
      bytesAfter: this.#bytesAfter,
    };
  }

  tell(done: number, total: number): void {
    this.#options.signal.throwIfAborted();
    this.#options.onProgress?.(done, total);
  }

  swapped(): void {
    this.#versions++;
  }

  has(block: string): boolean {
    return this.#successors.has(block);
  }

  remember(block: string, successor: Named): void {
    this.#successors.set(block, successor);
  }

  /** Undefined: it has none, since it would not come back as it is. */
  async successorOf(ref: Named): Promise<Named | undefined> {
    const known = this.#successors.get(ref.block);
    if (known !== undefined) return known;
    this.#options.signal.throwIfAborted();
    const made = await this.#blocks.renew(ref);
    if (made === undefined) return undefined;
    const { block, hash, bytesBefore, bytesAfter } = made;
    this.#made++;
    this.#bytesBefore += bytesBefore;
    this.#bytesAfter += bytesAfter;
    this.remember(ref.block, { block, hash });
    return { block, hash };
  }
}

export function mongoFormats(parts: Parts): Formats {
  return new MongoFormats(parts);
}

/** Of successors alone: their old blocks are looked up when a migration goes on. */
export async function createFormatIndexes(db: Db): Promise<void> {
  const partialFilterExpression = { from: { $exists: true } };
  await db.collection(COLLECTIONS.blocks).createIndexes([{ key: { from: 1 }, name: 'from', partialFilterExpression }]);
}
