/**
 * Owns events in the store: prepare (immutable micro-blocks that nobody sees), follow (their manifests), read and count.
 * In the quiet case a batch costs two round trips: one insert of all its blocks, one insert of all its manifest entries.
 */
import { DEVICES, EVENT_TYPES } from '../../contract-kit/event-fields.ts';
import { AppError } from '../../errors.ts';
import { ENTITY_KEY_BYTES, type PersonalKeys, requestKeyOf } from '../../governance/keys.ts';
import { columnsOfRows, decodeEvents, encodeEvents } from '../blocks/event-block.ts';
import { KeyTable } from '../blocks/key-table.ts';
import type {
  EventColumns,
  EventRow,
  Events,
  PersonEvent,
  PreparedEvents,
  SubjectKey,
  VersionDraft,
  Versions,
} from '../ports.ts';
import type { BlockStore, SealedDocument } from './block-store.ts';
import { BoundedCache, TenantCache } from './bounded-cache.ts';
import { knownAsOf, learnIds, loadIds } from './event-ids.ts';
import { freezePartition, type FrozenBlock, frozenBlockSchema } from './compaction.ts';
import { expirePartition } from './retention.ts';
import type { WriteFormat } from './formats.ts';
import { chunksOf } from './names.ts';
import {
  apply,
  liveRows,
  type ManifestBlock,
  maskedRows,
  maskOf,
  type Partitions,
  type PartitionView,
} from './partitions.ts';

/**
 * Subject shards of a month. More shards: smaller erasures and less contention between writers; fewer: fewer documents a batch.
 * De-duplication works within a partition, so this number can only be changed by a migration.
 */
const SUBJECT_SHARDS = 4;
/** Rows of one micro-block: ~6 MB at most. */
const BLOCK_ROWS_MAX = 50_000;
/** Blocks prepared by this process whose ids are kept until they follow: at most ~130 MB. Larger blocks are read again. */
const PREPARED_MAX = 1000;
const PREPARED_ROWS_MAX = 8000;
/** Sessions whose keys are kept: ~200 bytes each. */
const SESSIONS_MAX = 50_000;
const ROUNDS_MAX = 200;
/** Partitions that are compacted side by side; each holds some blocks in memory. */
const PARTITIONS_AT_ONCE = 3;
/** Blocks that lie open while the events of one person are looked for. */
const BLOCKS_AT_ONCE = 8;

type Part = PreparedEvents['parts'][number];
interface Follower {
  readonly part: Part;
  readonly view: PartitionView;
  readonly prepared: Prepared;
  /** What the manifest says of it; absent until it is settled. */
  block?: ManifestBlock | undefined;
}

/** What this process remembers of a block that it prepared. */
interface Prepared {
  readonly ids: Uint8Array;
  /** None of its rows was in the partition as of this entry, and none is twice in it. Absent: to be looked up. */
  readonly freshAsOf?: number;
}

interface Attempt {
  readonly follower: Follower;
  readonly block: ManifestBlock;
  readonly entry: ReturnType<Partitions['entry']>;
}

/** `2026-11.2`: month of occurredAt (UTC), shard of the subject. */
export function partitionOf(occurredAt: number, subject: Uint8Array): string {
  return monthOf(occurredAt) + shardOf(subject);
}

const shardOf = (subject: Uint8Array): string => `.${subject[0]! % SUBJECT_SHARDS}`;

const DAY_MS = 86_400_000;
/** Months of days since 1970: at most some 84,000 of them. */
const months = new Map<number, string>();

function monthOf(moment: number): string {
  const day = Math.floor(moment / DAY_MS);
  let month = months.get(day);
  if (month === undefined) months.set(day, (month = new Date(moment).toISOString().slice(0, 7)));
  return month;
}

interface Parts {
  readonly partitions: Partitions;
  readonly blocks: BlockStore;
  readonly versions: Versions;
  readonly personal: PersonalKeys;
  readonly writes: Pick<WriteFormat, 'current'>;
}

class MongoEvents implements Events {
  readonly #partitions: Partitions;
  readonly #blocks: BlockStore;
  readonly #versions: Versions;
  readonly #personal: PersonalKeys;
  readonly #writes: Parts['writes'];
  readonly #prepared = new BoundedCache<Prepared>(PREPARED_MAX);
  readonly #sessions = new TenantCache<Uint8Array>(SESSIONS_MAX);
  /** Follows of one process queue up: they would only refuse each other. */
  #following: Promise<unknown> = Promise.resolve();

  constructor({ partitions, blocks, versions, personal, writes }: Parts) {
    this.#writes = writes;
    this.#partitions = partitions;
    this.#blocks = blocks;
    this.#versions = versions;
    this.#personal = personal;
  }

  async prepare(tenant: string, runKey: string, _fence: number, rows: readonly EventRow[]): Promise<PreparedEvents> {
    const byPartition = new Map<string, EventRow[]>();
    for (const row of rows) {
      const partition = partitionOf(row.event.occurredAt, row.subject);
      const group = byPartition.get(partition);
      if (group === undefined) byPartition.set(partition, [row]);
      else group.push(row);
    }
    const sealed: SealedDocument[] = [];
    const parts: Part[] = [];
    let duplicates = 0;
    const views = await this.#partitions.views(tenant, [...byPartition.keys()]);
    for (const [index, [partition, group]] of [...byPartition].entries()) {
      const view = views[index]!;
      const { table, seq } = await loadIds(view, this.#blocks);
      const fresh = withoutKnown(table, group);
      duplicates += group.length - fresh.length;
      for (let at = 0; at < fresh.length; at += BLOCK_ROWS_MAX) {
        const { document, part } = await this.#seal(tenant, partition, fresh.slice(at, at + BLOCK_ROWS_MAX), seq);
        sealed.push(document);
        parts.push(part);
      }
    }
    await this.#blocks.write(sealed);
    return { runKey, parts, duplicates };
  }

  async #seal(
    tenant: string,
    partition: string,
    rows: readonly EventRow[],
    freshAsOf: number,
  ): Promise<{ document: SealedDocument; part: Part }> {
    const columns = columnsOfRows(rows, {
      target: (externalId) => this.#personal.subject(tenant, externalId),
      session: (session) => this.#sessionOf(tenant, session),
      request: (requestId) => requestKeyOf(tenant, requestId),
    });
    const id = this.#blocks.newId(tenant);
    const document = await this.#blocks.seal(id, encodeEvents(columns), 'none');
    if (rows.length <= PREPARED_ROWS_MAX) this.#prepared.set(id, { ids: columns.eventId, freshAsOf });
    const recordedAtMax = columns.recordedAt.reduce((a, b) => Math.max(a, b), 0);
    return { document, part: { partition, block: id, rows: rows.length, hash: document.hash, recordedAtMax } };
  }

  #sessionOf(tenant: string, session: string): Uint8Array {
    const known = this.#sessions.get(tenant, session);
    if (known !== undefined) return known;
    const key = this.#personal.session(tenant, session);
    this.#sessions.set(tenant, session, key);
    return key;
  }

  follow(tenant: string, prepared: PreparedEvents): ReturnType<Events['follow']> {
    const turn = this.#following.then(() => this.#follow(tenant, prepared));
    this.#following = turn.catch(() => undefined);
    return turn;
  }

  async #follow(tenant: string, prepared: PreparedEvents): ReturnType<Events['follow']> {
    const names = prepared.parts.map(({ partition }) => partition);
    const views = await this.#partitions.views(tenant, names);
    const followers: Follower[] = [];
    for (const [index, part] of prepared.parts.entries())
      followers.push({ part, view: views[index]!, prepared: await this.#preparedOf(part) });
    await this.#partitions.list(views);
    for (let round = 0; followers.some(({ block }) => block === undefined); round++) {
      if (round === ROUNDS_MAX)
        throw new AppError('POINTER_CONFLICT', {
          message: 'Other writers kept moving a manifest.',
          details: { runKey: prepared.runKey },
        });
      await this.#followRound(followers);
    }
    this.#partitions.trim(new Set(followers.map(({ view }) => view)));
    for (const { part } of followers) this.#prepared.delete(part.block);
    const accepted = followers.reduce((sum, { block }) => sum + liveRows(block!), 0);
    const written = followers.reduce((sum, { part }) => sum + part.rows, 0);
    return { accepted, duplicates: prepared.duplicates + written - accepted };
  }

  /** One try for every partition that has not been followed; at most one block a partition and round. */
  async #followRound(followers: readonly Follower[]): Promise<void> {
    const trying: Attempt[] = [];
    for (const follower of followers) {
      if (follower.block !== undefined || trying.some(({ follower: { view } }) => view === follower.view)) continue;
      const attempt = await this.#attempt(follower);
      if (attempt !== undefined) trying.push(attempt);
    }
    if (trying.length === 0) return;
    const refused = new Set(await this.#partitions.insert(trying.map(({ entry }) => entry)));
    const stale: PartitionView[] = [];
    for (const [index, { follower, block, entry }] of trying.entries()) {
      if (refused.has(index)) {
        stale.push(follower.view);
        continue;
      }
      apply(follower.view, entry);
      learnIds(follower.view, entry.seq, block, follower.prepared.ids);
      follower.block = block;
    }
    await this.#partitions.refresh(stale);
  }

  /** What to append for a follower; undefined when it is in the manifest already, which settles it. */
  async #attempt(follower: Follower): Promise<Attempt | undefined> {
    const { part, view, prepared } = follower;
    const { seq, known } = await knownAsOf(view, this.#blocks, prepared.ids, prepared.freshAsOf);
    follower.block = view.blocks.get(part.block);
    // Its own rows may be what is known: its entry may lie below a base.
    if (follower.block === undefined && known.length > 0)
      follower.block = await this.#partitions.absorbed(view, part.block);
    if (follower.block !== undefined) return undefined;
    const { block: id, hash, rows, recordedAtMax } = part;
    const block = { block: id, hash, rows, recordedAtMax, ...(known.length > 0 && { masked: maskOf(known) }) };
    // Nothing of it would count: no manifest names what may have been collected since.
    if (known.length === rows) {
      follower.block = block;
      return undefined;
    }
    return { follower, block, entry: this.#partitions.entry(view, seq, { append: block }) };
  }

  async #preparedOf(part: Part): Promise<Prepared> {
    const known = this.#prepared.get(part.block);
    if (known !== undefined) return known;
    const [plain] = await this.#blocks.open([part]);
    return { ids: decodeEvents(plain!).eventId };
  }

  async freeze(...[tenant, , , asOf, retention]: Parameters<Events['freeze']>): Promise<VersionDraft> {
    const frozen: FrozenBlock[] = [];
    const format = await this.#writes.current();
    for (const views of chunksOf(await this.#current(tenant), PARTITIONS_AT_ONCE)) {
      if (retention !== undefined)
        for (const view of views)
          await expirePartition(tenant, view, retention, this.#partitions, this.#blocks, format);
      const parts = views.map((view) => freezePartition(tenant, view, asOf, this.#partitions, this.#blocks, format));
      for (const blocks of await Promise.all(parts)) frozen.push(...blocks);
    }
    return { rows: frozen.reduce((sum, { live }) => sum + live, 0), blocks: frozen };
  }

  async read(tenant: string, version: string): Promise<EventColumns> {
    const { blocks, kind } = await this.#versions.read(tenant, version);
    if (kind !== 'events')
      throw new AppError('DATASET_NOT_FOUND', {
        message: `Version ${version} holds no events.`,
        details: { version, kind },
      });
    const refs = frozenBlockSchema.array().parse(blocks);
    const plains = await this.#blocks.open(refs, { shared: true });
    return this.#blocks.merge(refs.map((ref, index) => mergeInput(plains[index]!, ref, ref.recordedUntil)));
  }

  async *all(tenant: string): AsyncGenerator<EventColumns> {
    for (const view of await this.#current(tenant)) {
      const live = [...view.blocks.values()]; // as it is now: follows may go on
      for (const block of live) {
        const [plain] = await this.#blocks.open([block], { shared: true });
        yield this.#blocks.merge([mergeInput(plain!, block)]);
      }
    }
  }

  async *of(tenant: string, subject: SubjectKey): AsyncGenerator<PersonEvent> {
    const shard = shardOf(subject);
    const names = (await this.#partitions.names(tenant)).filter((name) => name.endsWith(shard));
    const views = await this.#partitions.views(tenant, names);
    await this.#partitions.refresh(views);
    for (const view of views)
      for (const blocks of chunksOf([...view.blocks.values()], BLOCKS_AT_ONCE)) {
        const plains = await this.#blocks.open(blocks);
        for (const [n, block] of blocks.entries()) yield* rowsOfSubject(plains[n]!, block, subject);
      }
  }

  async count(tenant: string): Promise<number> {
    let rows = 0;
    for (const view of await this.#current(tenant)) for (const block of view.blocks.values()) rows += liveRows(block);
    return rows;
  }

  async sourcesOf(tenant: string, subject: SubjectKey): Promise<string[]> {
    const names = new Set<string>();
    for await (const { source } of this.of(tenant, subject)) names.add(source);
    return [...names].sort();
  }

  /** All partitions of the tenant, at least as new as the call. */
  async #current(tenant: string): Promise<PartitionView[]> {
    const views = await this.#partitions.views(tenant, await this.#partitions.names(tenant));
    await this.#partitions.refresh(views);
    return views;
  }
}

/** Rows of one person in a block. A key is looked for in the bytes, and counts where it stands at its place. */
function* rowsOfSubject(plain: Uint8Array, block: ManifestBlock, subject: SubjectKey): Generator<PersonEvent> {
  const events = decodeEvents(plain);
  const masked = new Set(maskedRows(block.masked));
  const { buffer, byteOffset, byteLength } = events.subject;
  const keys = Buffer.from(buffer, byteOffset, byteLength);
  const keyOf = (column: Uint8Array, row: number): Uint8Array =>
    column.slice(row * ENTITY_KEY_BYTES, (row + 1) * ENTITY_KEY_BYTES);
  for (let at = keys.indexOf(subject); at >= 0; at = keys.indexOf(subject, at + 1)) {
    const row = at / ENTITY_KEY_BYTES;
    if (!Number.isInteger(row) || masked.has(row)) continue;
    const item = keyOf(events.item, row);
    const value = events.value[row]!;
    const device = DEVICES[events.device[row]!]!;
    yield {
      eventId: keyOf(events.eventId, row),
      type: EVENT_TYPES[events.type[row]!]!,
      source: events.sources[events.source[row]!]!,
      ...(item.some((byte) => byte !== 0) && { item }),
      ...(!Number.isNaN(value) && { value }),
      ...(device !== 'unknown' && { device }),
      occurredAt: events.occurredAt[row]!,
      recordedAt: events.recordedAt[row]!,
    };
  }
}

/** Rows whose event id is neither in the table nor twice in the batch; the first of equals stays. */
function withoutKnown(table: KeyTable, rows: readonly EventRow[]): EventRow[] {
  const own = new KeyTable(rows.length);
  return rows.filter(({ eventId }) => {
    const before = own.size;
    own.add(eventId);
    return own.size > before && table.find(eventId) < 0;
  });
}

function mergeInput(
  plain: Uint8Array,
  { masked: stored }: { readonly masked?: Uint8Array | undefined },
  recordedUntil?: number,
) {
  const masked = maskedRows(stored);
  return { plain, ...(masked.length > 0 && { masked }), ...(recordedUntil !== undefined && { recordedUntil }) };
}

export function mongoEvents(parts: Parts): Events {
  return new MongoEvents(parts);
}
