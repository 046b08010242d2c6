/**
 * Owns the ports of what waits: batches of an unknown schema version until they are understood, events beyond the limit of their person until somebody
 * lets them in; and the mapping tables that operators add.
 */
import type { EventMapping } from '../../sources/mapping.ts';

export interface QuarantinedBatch {
  readonly id: string;
  readonly source: string;
  /** The schema version that the batch named; absent: its events are canonical. */
  readonly schema?: string;
  /** Code of the reason. */
  readonly reason: string;
  readonly records: number;
  readonly heldAt: number;
  readonly releasedAt?: number;
}

export interface Quarantine {
  /** Keeps a batch encrypted; nobody sees it before `hold`. Idempotent by id. */
  prepare(
    tenant: string,
    batch: Pick<QuarantinedBatch, 'id' | 'source' | 'schema' | 'reason' | 'records'>,
    body: Uint8Array,
  ): Promise<void>;
  /** Makes a prepared batch visible. Idempotent. */
  hold(tenant: string, id: string): Promise<void>;
  /** Held batches, the oldest first. */
  list(
    tenant: string,
    filter?: { readonly source?: string; readonly schema?: string },
  ): AsyncIterable<QuarantinedBatch>;
  /** What a held batch is and holds; undefined when there is none of that id or it was released. */
  open(
    tenant: string,
    id: string,
  ): Promise<{ readonly batch: QuarantinedBatch; readonly body: Uint8Array } | undefined>;
  /** Notes that everything of it went in, and shreds what it held. False: it was released before. */
  release(tenant: string, id: string): Promise<boolean>;
}

export interface AddedMapping {
  readonly source: string;
  readonly schema: string;
  readonly mapping: EventMapping;
  readonly addedAt: number;
}

export interface Mappings {
  /** The table that an operator added for a version of a source's records. */
  read(tenant: string, source: string, schema: string): Promise<EventMapping | undefined>;
  /** Adds one, or takes the place of an earlier one. */
  write(tenant: string, source: string, schema: string, mapping: EventMapping): Promise<void>;
  list(tenant: string): Promise<AddedMapping[]>;
}
