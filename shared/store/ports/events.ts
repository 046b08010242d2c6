/** Owns the port of events: rows on their way in, columns on their way out. */
import type { CanonicalEvent, EventType } from '../../contract-kit/event.ts';
import type { DEVICES } from '../../contract-kit/event-fields.ts';
import type { ItemKey, SubjectKey } from './keys.ts';
import type { VersionDraft } from './versions.ts';

/** One event as ingestion hands it to the store. */
export interface EventRow {
  readonly eventId: Uint8Array;
  readonly subject: SubjectKey;
  /** Absent for events without an item. */
  readonly item?: ItemKey;
  readonly event: CanonicalEvent;
  readonly source: string;
  readonly recordedAt: number;
}

/** Columns of events; all arrays have `rows` entries (x bytes where said). Lie on SharedArrayBuffers. */
export interface EventColumns {
  readonly rows: number;
  /** 16 bytes a row. */
  readonly eventId: Uint8Array;
  /** 16 bytes a row. */
  readonly subject: Uint8Array;
  /** 16 bytes a row; all zero: no item. */
  readonly item: Uint8Array;
  /** Index into EVENT_TYPES. */
  readonly type: Uint8Array;
  /** NaN: no value. */
  readonly value: Float32Array;
  readonly occurredAt: Float64Array;
  readonly recordedAt: Float64Array;
  /** Index into `sources`. */
  readonly source: Uint16Array;
  readonly sources: readonly string[];
  /** 0: none. */
  readonly position: Uint16Array;
  /** Index into DEVICES. */
  readonly device: Uint8Array;
  /** 8 bytes a row, keyed hash of (tenant, session); all zero: none. */
  readonly session: Uint8Array;
  /** 16 bytes a row, subject key of the person followed; all zero: none. Absent when no row has one. */
  readonly target?: Uint8Array;
  /** 16 bytes a row, `requestKeyOf` of the recommendation response that caused the event; all zero: none. Absent when no row has one. */
  readonly request?: Uint8Array;
}

/** One event of a person, as it lies in the store. */
export interface PersonEvent {
  readonly eventId: Uint8Array;
  readonly type: EventType;
  readonly source: string;
  readonly item?: ItemKey;
  readonly value?: number;
  /** Absent: not known. */
  readonly device?: (typeof DEVICES)[number];
  readonly occurredAt: number;
  readonly recordedAt: number;
}

export interface PreparedEvents {
  readonly runKey: string;
  /** One entry a touched partition. Plain JSON: it travels in the run's output. */
  readonly parts: readonly {
    readonly partition: string;
    readonly block: string;
    readonly rows: number;
    /** SHA-256 of the stored bytes, hex. */
    readonly hash: string;
    /** Latest `recordedAt` of its rows, ms since 1970. */
    readonly recordedAtMax: number;
  }[];
  /** Rows known to be duplicates already when the blocks were written. */
  readonly duplicates: number;
}

/** How long events of each source are kept. */
export interface Retention {
  readonly now: number;
  /** Days from when an event was recorded; null: no end is declared. */
  daysOf(source: string): number | null;
  /** The least of them. */
  readonly shortestDays: number;
  /** Told how many events left. */
  expired(events: number): void;
}

export interface Events {
  /** Drops known duplicates, writes immutable encrypted micro-blocks that no manifest names yet. */
  prepare(tenant: string, runKey: string, fence: number, rows: readonly EventRow[]): Promise<PreparedEvents>;
  /**
   * Appends the blocks to their partitions' manifests (compare-and-set; what another writer brought first is masked as a duplicate).
   * Idempotent by runKey.
   */
  follow(tenant: string, prepared: PreparedEvents): Promise<{ readonly accepted: number; readonly duplicates: number }>;
  /**
   * Freezes all manifests as they are into a data set version (rows recorded up to asOf); compacts small blocks on the way, and takes out what is
   * kept no longer. Invisible until written by `versions`.
   */
  freeze(tenant: string, runKey: string, fence: number, asOf: number, retention?: Retention): Promise<VersionDraft>;
  /** Reads a version of kind `events` into shared memory, rows in canonical order (subject, item, time, event id). Throws DATASET_ERASED, BLOCK_CORRUPT. */
  read(tenant: string, version: string): Promise<EventColumns>;
  /** All events there are, manifest by manifest (for export). */
  all(tenant: string): AsyncIterable<EventColumns>;
  /** What one person did, in no order; reads the shard of the person alone. */
  of(tenant: string, subject: SubjectKey): AsyncIterable<PersonEvent>;
  count(tenant: string): Promise<number>;
  /** Names of the sources that gave events of a person, in order. Reads the blocks of the person's partitions. */
  sourcesOf(tenant: string, subject: SubjectKey): Promise<string[]>;
}
