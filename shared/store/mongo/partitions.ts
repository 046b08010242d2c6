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
import { refusedAsDuplicates } from './driver-errors.ts';
import { chunksOf, COLLECTIONS, idOf, idsUnder, sequenceText } from './names.ts';

/** A block as a manifest names it. */
export interface ManifestBlock extends BlockRef {
  readonly rows: number;
  /** Rows that another block brought first, as little-endian u32. */
  readonly masked?: Uint8Array;
  readonly recordedAtMax: number;
  /** Earliest `recordedAt` of each source's live rows; absent: not looked at yet. */
  readonly oldest?: readonly (readonly [source: string, recordedAt: number])[];
}
export interface ManifestDocument {
  _id: string;
  seq: number;
  /** The one block that a run appended. */
  append?: ManifestBlock;
  /** All blocks that are live here. */
  base?: readonly ManifestBlock[];
  at: number;
}
export interface PartitionDocument {
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
  /** When the store last told, ms since 1970. */
  toldAt: number;
  /** The partition's document is known to be there. */
  listed: boolean;
  blocks: Map<string, ManifestBlock>;
  /** Event ids of all live rows, if loaded, and the blocks they come from. */
  ids?: PartitionIds;
}

/**
 * Views that the store has told nothing for so long are read again before they are used, and what was inserted by one is looked at again: entries that
 * it does not know of may have been collected, and their numbers free. Collection leaves entries alone for longer.
 */
export const VIEW_TRUSTED_MS = 3600_000;
const READS_AT_ONCE = 8;
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

  /**
   * Views as they are in memory, in order; those met for the first time are read from the store. They may be behind: the
   * compare-and-set of an insert tells. What was used last stays longest.
   */
  async views(tenant: string, partitions: readonly string[]): Promise<PartitionView[]> {
    const ids = partitions.map((partition) => idOf(tenant, partition));
    const unknown = [...new Set(ids)].filter((id) => !this.#views.has(id));
    const listed = new Map<string, number>();
    for (const chunk of chunksOf(unknown))
      for (const { _id, base } of await this.#partitions.find({ _id: { $in: [...chunk] } }).toArray())
        listed.set(_id, base);
    for (const id of unknown) {
      const base = listed.get(id);
      const seq = Math.max(0, (base ?? 0) - 1);
      if (!this.#views.has(id))
        this.#views.set(id, { id, seq, base: 0, toldAt: this.#clock(), listed: base !== undefined, blocks: new Map() });
    }
    const views = ids.map((id) => this.#views.get(id)!);
    for (const view of views) {
      this.#views.delete(view.id);
      this.#views.set(view.id, view);
    }
    await this.refresh(views.filter((view) => listed.has(view.id) || !this.#isTrusted(view)));
    return views;
  }

  #isTrusted({ toldAt }: PartitionView): boolean {
    return this.#clock() - toldAt < VIEW_TRUSTED_MS;
  }

  /** Names of the tenant's partitions, in order. */
  async names(tenant: string): Promise<string[]> {
    const found = await this.#partitions.find({ _id: idsUnder(tenant) }, { projection: { _id: 1 } }).toArray();
    return found.map(({ _id }) => _id.slice(tenant.length + 1)).sort();
  }

  /** Reads the entries that came in since: one round trip a view, a few at a time. */
  async refresh(views: readonly PartitionView[]): Promise<void> {
    for (const chunk of chunksOf(views, READS_AT_ONCE)) await Promise.all(chunk.map((view) => this.#refresh(view)));
  }

  async #refresh(view: PartitionView): Promise<void> {
    const toldAt = this.#clock();
    const range = { $gt: `${view.id}.${sequenceText(view.seq)}`, $lt: idsUnder(view.id).$lt };
    for (const entry of await this.#manifests.find({ _id: range }).sort({ _id: 1 }).toArray()) apply(view, entry);
    view.toldAt = toldAt;
  }

  /** Makes partitions findable; before their first entries, so that no entry is ever out of sight. */
  async list(views: readonly PartitionView[]): Promise<void> {
    const fresh = [...new Set(views)].filter(({ listed }) => !listed);
    for (const chunk of chunksOf(fresh)) {
      const documents = chunk.map(({ id }) => ({ _id: id, base: 0 }));
      await refusedAsDuplicates(this.#partitions, documents);
      for (const view of chunk) view.listed = true;
    }
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
    const refused = new Set(await refusedAsDuplicates(this.#manifests, entries));
    for (const [index, entry] of entries.entries()) {
      if (refused.has(index)) continue;
      const view = this.#views.get(entry._id.slice(0, entry._id.lastIndexOf('.')));
      if (view === undefined || !this.#isTrusted(view)) {
        if (await this.#isTooLate(entry)) refused.add(index);
      } else view.toldAt = entry.at;
    }
    return [...refused];
  }

  /** An entry below the base that readers start at is never read: it is taken back. */
  async #isTooLate({ _id, seq }: ManifestDocument): Promise<boolean> {
    const partition = await this.#partitions.findOne({ _id: _id.slice(0, _id.lastIndexOf('.')) });
    if (partition === null || partition.base <= seq) return false;
    await this.#manifests.deleteOne({ _id });
    return true;
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
