/** Owns the port of lineage: which batch brought a signal, from where, when and under which consents. */

import type { SourceDay } from '../../numerics/quality/source-report.ts';

/** What is known of one batch of events, from the first byte. */
export interface BatchLineage {
  readonly run: string;
  readonly source: string;
  /** Version of the source's own records, where they were mapped. */
  readonly schema?: string;
  /** Name of the licence under which the source was declared then. */
  readonly licence: string;
  /** When the batch was taken in. */
  readonly receivedAt: number;
  /** Epoch of the consent log under which its people were asked about. */
  readonly consentEpoch: number;
  readonly events: number;
}

/** What was counted of a batch; see `SourceDay`. */
export type BatchQuality = Omit<SourceDay, 'source' | 'day' | 'batches'>;

export interface Lineage {
  /** Notes a batch and the ids of its events (16 bytes each). Idempotent by run; immutable, and of no effect unless the run commits. */
  record(
    tenant: string,
    batch: BatchLineage & { readonly recordedAt: readonly [number, number]; readonly quality?: BatchQuality },
    eventIds: Uint8Array,
  ): Promise<void>;
  /** How many of a batch's events had been there before, once that is settled. Idempotent. */
  settle(tenant: string, run: string, duplicates: number): Promise<void>;
  /** What was counted of batches taken in from then on, by source and day. */
  days(tenant: string, since: number): Promise<SourceDay[]>;
  /** The batches that an event came with; the earliest brought it. */
  find(
    tenant: string,
    event: { readonly eventId: Uint8Array; readonly source: string; readonly recordedAt: number },
  ): Promise<BatchLineage[]>;
}
