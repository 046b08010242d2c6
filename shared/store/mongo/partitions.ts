/**
 * Owns the manifests of event partitions: per (month of occurredAt, subject shard) a log of entries numbered 1, 2, 3, ...
 * that says which blocks belong to the partition.
 *
 * Invariants
 * 1. An entry is inserted at the number after the last one its writer has read; the unique _id makes that a compare-and-set
 *    and keeps the numbers without gaps.
 * 2. Whoever inserts entry n has read the event ids of all blocks that entries below n name, so no event id is live twice.
 * 3. A `base` entry repeats all that is live below it (compaction); readers start at the newest base. Entries below it stay
 *    for a while, so that a run that follows late finds its own.
 */
import type { Collection, Db } from 'mongodb';
import { KeyTable } from '../blocks/key-table.ts';
import type { BlockRef } from './block-store.ts';
import { isDuplicateKey, refusedAsDuplicates } from './driver-errors.ts';
import { COLLECTIONS, idOf, idsUnder, sequenceText } from './names.ts';

/** A block as a manifest names it. */
export interface ManifestBlock extends BlockRef {
  readonly rows: number;
  /** Rows that another block brought first, as little-endian u32. */
  readonly masked?: Uint8Array;
  readonly recordedAtMax: number;
}
interface ManifestDocument {
  _id: string;
  seq: number;
  /** The one block that a run appended. */
  append?: ManifestBlock;
  /** All blocks that are live here. */
  base?: readonly ManifestBlock[];
  at: number;
}
interface PartitionDocument {
  _id: string;
  /** Number of a base entry, to start reading at; the newest or an older one. */
  base: number;
}

export const maskOf = (rows: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(rows).buffer);
export const maskedRows = (masked: Uint8Array | undefined): Uint32Array =>
  masked === undefined ? new Uint32Array(0) : new Uint32Array(Uint8Array.from(masked).buffer);
export const liveRows = (block: ManifestBlock): number => block.rows - (block.masked?.length ?? 0) / 4;

export interface PartitionIds {
  readonly table: KeyTable;
  readonly from: Set<string>;
  /** The table holds the ids of everything up to this entry. */
  seq: number;
}

/** What a process knows of one partition. A cache: everything is read again after an eviction. */
export interface PartitionView {
  readonly id: string;
  /** Number of the newest entry read. */
  seq: number;
  /** Number of the newest base entry read; 0: none. */
  base: number;
  /** The partition's document is known to be there. */
  listed: boolean;
  blocks: Map<string, ManifestBlock>;
  /** Event ids of all live rows, if loaded, and the blocks they come from. */
  ids?: PartitionIds;
}

/** Memory for event ids of all partitions together; 24-48 bytes an event. The partition at work is kept whatever it takes. */
const IDS_BYTES_MAX = 256 * 1024 * 1024;

export class Partitions {
  readonly #manifests: Collection<ManifestDocument>;
  readonly #partitions: Collection<PartitionDocument>;
  readonly #clock: () => number;
  readonly #views = new Map<string, PartitionView>();

  constructor(db: Db, clock: () => number) {
    this.#manifests = db.collection<ManifestDocument>(COLLECTIONS.manifests);
    this.#partitions = db.collection<PartitionDocument>(COLLECTIONS.partitions);
    this.#clock = clock;
  }

  /** The view as it is in memory; a new one is read from the store. The newest used come last. */
  async view(tenant: string, partition: string): Promise<PartitionView> {
    const id = idOf(tenant, partition);
    let view = this.#views.get(id);
    if (view === undefined) {
      const listed = await this.#partitions.findOne({ _id: id });
      const seq = Math.max(0, (listed?.base ?? 0) - 1);
      view = this.#views.get(id) ?? { id, seq, base: 0, listed: listed !== null, blocks: new Map() };
      // Who comes meanwhile sees a view that is behind: the compare-and-set of an insert tells.
      this.#views.set(id, view);
      if (listed !== null) await this.refresh(view);
    }
    this.#views.delete(id);
    this.#views.set(id, view);
    return view;
  }

  /** Names of the tenant's partitions, in order. */
  async names(tenant: string): Promise<string[]> {
    const found = await this.#partitions.find({ _id: idsUnder(tenant) }, { projection: { _id: 1 } }).toArray();
    return found.map(({ _id }) => _id.slice(tenant.length + 1)).sort();
  }

  /** Reads the entries that came in since; one round trip. */
  async refresh(view: PartitionView): Promise<void> {
    const range = { $gt: `${view.id}.${sequenceText(view.seq)}`, $lt: idsUnder(view.id).$lt };
    for (const entry of await this.#manifests.find({ _id: range }).sort({ _id: 1 }).toArray()) apply(view, entry);
  }

  /** Makes the partition findable; before its first entry, so that no entry is ever out of sight. */
  async list(view: PartitionView): Promise<void> {
    if (view.listed) return;
    await this.#partitions.updateOne({ _id: view.id }, { $max: { base: 0 } }, { upsert: true }).catch(ignoreDuplicate);
    view.listed = true;
  }

  /** The entry that follows number `after`. */
  entry(
    view: PartitionView,
    after: number,
    change: { readonly append: ManifestBlock } | { readonly base: readonly ManifestBlock[] },
  ): ManifestDocument {
    const seq = after + 1;
    return { _id: `${view.id}.${sequenceText(seq)}`, seq, ...change, at: this.#clock() };
  }

  /** Inserts entries made by `entry`; returns the indices of those whose number was taken by somebody else. */
  async insert(entries: readonly ManifestDocument[]): Promise<number[]> {
    return refusedAsDuplicates(this.#manifests.insertMany([...entries], { ordered: false }));
  }

  /** After a successful insert of a base entry: readers may start there. */
  async startAt(view: PartitionView): Promise<void> {
    await this.#partitions.updateOne({ _id: view.id }, { $max: { base: view.base } });
  }

  /** The entry of a block among those that a base has taken the place of; undefined when it never was in the manifest. */
  async absorbed(view: PartitionView, block: string): Promise<ManifestBlock | undefined> {
    const found = await this.#manifests.findOne({ _id: idsUnder(view.id), 'append.block': block } as object);
    return found?.append;
  }

  /** Forgets the event ids of partitions used longest ago, down to the bound; never those of `keep`. */
  trim(keep: ReadonlySet<PartitionView>): void {
    let bytes = 0;
    for (const { ids } of this.#views.values()) bytes += ids?.table.bytes ?? 0;
    for (const view of this.#views.values()) {
      if (bytes <= IDS_BYTES_MAX) return;
      if (keep.has(view) || view.ids === undefined) continue;
      bytes -= view.ids.table.bytes;
      delete view.ids;
    }
  }
}

/** Takes an entry into a view; what is in it already or lies beyond a number not read yet is left. */
export function apply(view: PartitionView, entry: ManifestDocument): void {
  if (entry.base !== undefined && entry.base !== null && entry.seq > view.seq) {
    view.blocks = new Map(entry.base.map((block) => [block.block, block]));
    view.base = entry.seq;
    view.seq = entry.seq;
    return;
  }
  if (entry.seq !== view.seq + 1) return;
  if (entry.append !== undefined && entry.append !== null) view.blocks.set(entry.append.block, entry.append);
  view.seq = entry.seq;
}

function ignoreDuplicate(thrown: unknown): void {
  if (!isDuplicateKey(thrown)) throw thrown;
}
