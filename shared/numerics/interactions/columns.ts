/** Owns the columns of events as this folder reads them, and the words between its coordinators and its threads. */
import type { Origins, SparseRows } from '../types.ts';
import type { InteractionArrays } from './weights.ts';

/**
 * Columns of events, one entry a row (keys: 16 bytes a row), rows sorted by (subject, item, time, event id). A store's own columns fit.
 */
export interface EventArrays {
  readonly rows: number;
  readonly subject: Uint8Array;
  /** All zero: no item. */
  readonly item: Uint8Array;
  /** Index into EVENT_TYPES. */
  readonly type: Uint8Array;
  /** NaN: no value. */
  readonly value: Float32Array;
  readonly occurredAt: Float64Array;
  readonly recordedAt: Float64Array;
  /** Index into the names of sources. */
  readonly source: Uint16Array;
}

/** The runs of equal subjects: subject s has the rows starts[s] .. starts[s + 1]. */
export interface SubjectRuns {
  readonly subjects: number;
  /** 16 bytes a subject, ascending. */
  readonly keys: Uint8Array;
  /** subjects + 1. */
  readonly starts: Int32Array;
}

/** What every task of this folder starts from. `allowed[s * sources + source]` is 1 where the subject's rows of that source may be read. */
export interface AdmittedEvents {
  readonly columns: EventArrays;
  readonly runs: SubjectRuns;
  readonly sources: number;
  readonly sourceNames: readonly string[];
  readonly allowed: Uint8Array;
  /** The most that each source may make up of what is learned, above 0 to 1. Absent: no source is held. */
  readonly shares?: Float64Array;
}

export interface InteractionRequest extends AdmittedEvents {
  readonly table: InteractionArrays;
  /** Only pairs that were not met in anything recorded up to this moment. Default: all pairs. */
  readonly metAfter?: number;
}

/**
 * Who likes what. Users and items have at least one interaction, both in the order of their keys; rows are ascending.
 */
export interface InteractionView {
  readonly userKeys: Uint8Array;
  readonly itemKeys: Uint8Array;
  /** Values: the weight of the strongest positive event of the pair. */
  readonly interactions: SparseRows;
  /** When the pair was last confirmed by a positive event, ms, parallel to `interactions.indices`. */
  readonly times: Float64Array;
  /** The source of that strongest event, the earliest of them. */
  readonly origins: Origins;
  /** See `TrainInput`; weight-caps.ts. */
  readonly influence?: Float32Array;
  /** Sources of which not all counts, by name. */
  readonly capped: readonly CappedShare[];
}

export interface CappedShare {
  readonly source: string;
  /** Sum of the weights that the source claims, and of those that count. */
  readonly claimed: number;
  readonly counted: number;
}

export interface SeenRequest extends AdmittedEvents {
  readonly table: InteractionArrays;
  /** For each subject of the runs its row in the answer, or -1. */
  readonly rowOf: Int32Array;
  readonly rows: number;
  /** Columns of the answer, 16 bytes each; other items are left out. */
  readonly itemKeys: Uint8Array;
}

export interface PopularityRequest {
  readonly interactions: SparseRows;
  readonly times: Float64Array;
  readonly influence?: Float32Array | undefined;
  readonly asOf: number;
  readonly halfLifeDays: number;
}
