/**
 * Owns the array types that numerics speaks: sparse interactions, dense factors, ranked lists, fitted models.
 * All arrays may lie on SharedArrayBuffers; nobody writes to an array that was handed over.
 */

import type { ComputePool, OnProgress } from '../compute/task.ts';
import type { EngineOptions } from './models/tensorflow/engine.ts';

/** Bytes of one entity key in `userKeys` / `itemKeys`. */
export const KEY_BYTES = 16;

/** Sparse rows (CSR). Row r holds `indices[indptr[r] .. indptr[r+1])`, ascending and distinct; values are weights > 0 unless said otherwise. */
export interface SparseRows {
  readonly rows: number;
  readonly columns: number;
  /** Length rows + 1. */
  readonly indptr: Int32Array;
  readonly indices: Int32Array;
  readonly values: Float32Array;
}

/** Row-major float32 matrix; row r starts at r * width. */
export interface DenseRows {
  readonly rows: number;
  readonly width: number;
  readonly data: Float32Array;
}

/** Per user the best `k` items, best first; where fewer exist, items are -1 and scores -Infinity. */
export interface RankedLists {
  readonly users: number;
  readonly k: number;
  /** users * k. */
  readonly items: Int32Array;
  /** users * k. */
  readonly scores: Float32Array;
}

export interface RankOptions {
  readonly k: number;
  /** Items never to be recommended to a user (rows are users). */
  readonly exclude: SparseRows;
  readonly signal?: AbortSignal;
}

/** A model that can rank the whole catalogue for every user. Equal scores are ordered by a fixed hash of (user, item). */
export interface FittedModel {
  readonly name: string;
  /** What did the maths: `wasm-relaxed-simd`, `wasm-simd`, `tfjs-node`, `tfjs-wasm`, `tfjs-cpu`, `js`. */
  readonly engine: string;
  readonly threads: number;
  /** The parameters in force, defaults filled in. */
  readonly params: Readonly<Record<string, unknown>>;
  /** Present for models that are a product of factors; score = user row . item row (+ nothing else). */
  readonly factors?: Factors;
  /** Present for models that score an item the same for everybody. One score an item. */
  readonly itemScores?: Float32Array;
  rank(options: RankOptions): Promise<RankedLists>;
  /** Present for models that have something for everybody: lists of people whom training never saw. `exclude` has a row and `userKeys` `KEY_BYTES` for each. */
  rankNewcomers?(options: RankOptions & { readonly userKeys: Uint8Array }): Promise<RankedLists>;
  /** Present for models that need no training on a person to serve them: lists from histories alone. Rows of all three are the people. */
  rankHistories?(options: HistoryOptions): Promise<RankedLists>;
}

/** People whom training never saw, and what they did. */
export interface HistoryOptions extends RankOptions {
  /** Columns are the items of training. */
  readonly histories: SparseRows;
  readonly userKeys?: Uint8Array;
}

/**
 * What a model learns from. Entities come in the canonical order (by key bytes, or by the file's ids), each user with at
 * least one interaction. Checked by `checkTrainInput` before any work starts.
 */
export interface TrainInput {
  /** Rows are users, columns are items. */
  readonly interactions: SparseRows;
  /** `KEY_BYTES` bytes a user, in row order. Keyed draws use these, else the dense ids: with keys, leaving a person out changes nobody else's draws. */
  readonly userKeys?: Uint8Array;
  /** `KEY_BYTES` bytes an item, in column order. */
  readonly itemKeys?: Uint8Array;
  /** When each interaction happened, ms since the epoch, parallel to `interactions.indices`. */
  readonly times?: Float64Array;
  /** Where each interaction came from, parallel to `interactions.indices`. */
  readonly origins?: Origins;
  /** What of each interaction's weight counts, above 0 to 1, so that no source moves more than its share; parallel to `interactions.indices`. Absent: all. */
  readonly influence?: Float32Array;
  /** What is known of people and items besides what people do; only models with side features read it. */
  readonly facts?: EntityFacts;
  /** What other sources know of the users; only models that fuse sources read it. */
  readonly sources?: readonly ExternalSource[];
}

/** A row for each entity, a column for each thing that may be known; values > 0. An empty row: nothing is known, or the person does not allow it. */
export interface EntityFacts {
  readonly users?: SparseRows;
  readonly items?: SparseRows;
}

/** The sources of interactions: `of[at]` is a place in `names`. */
export interface Origins {
  readonly names: readonly string[];
  readonly of: Uint16Array;
}

/** What one external source knows of the users. */
export interface ExternalSource {
  readonly name: string;
  /** `ties`: columns are the users themselves, a value is the strength of a tie; `features`: columns are whatever the source counts. */
  readonly kind: 'ties' | 'features';
  /** A row for every user, empty where the source knows nothing; values > 0. */
  readonly rows: SparseRows;
  /** 1 where the user allows the source's use; absent: everybody does. A row without consent is not read. */
  readonly consents?: Uint8Array;
}

/** The people whose lists are made; training's own, or others with histories. */
export interface RankedPeople {
  readonly interactions: SparseRows;
  readonly userKeys?: Uint8Array | undefined;
  readonly itemKeys?: Uint8Array | undefined;
}

/** A fit between two epochs: enough to go on with the very same bytes. */
export interface FitState {
  /** Epochs that are done. */
  readonly epoch: number;
  /** Small numbers of the course so far; JSON. */
  readonly facts: Readonly<Record<string, unknown>>;
  readonly arrays: Readonly<Record<string, Float32Array>>;
}

/** An engine offers what it could go on from. */
export interface OfferedState {
  /** Two engines of this name give the same bytes. */
  readonly engine: string;
  readonly epoch: number;
  /** No epoch comes after it. */
  readonly isLast: boolean;
  /** Asked for when the state is to be kept. Its arrays are the fit's own: they do not change before the offer resolves. */
  readonly state: () => Omit<FitState, 'epoch'>;
}

/** Where a fit keeps its states. Whoever gives it makes sure that they come from the same data, parameters, seed and code. */
export interface FitCheckpoints {
  /** The newest state that this engine can go on from; undefined: begin at the beginning. */
  last(engine: string): Promise<FitState | undefined>;
  /** After each epoch; whether it is kept is decided there. */
  offer(offered: OfferedState): Promise<void>;
}

export interface Factors {
  readonly users: DenseRows;
  readonly items: DenseRows;
}

/** Looks at a fit between two epochs. Only models of factors that learn in epochs in a kernel's memory are looked at; others stop by a validation of their own. */
export interface EpochWatch {
  /** Figures to tell beside the fit's own. */
  ended(epoch: {
    readonly epoch: number;
    readonly factors: () => Promise<Factors>;
  }): Promise<Readonly<Record<string, number>>>;
  /** The epoch that has ended was the last. */
  isOver(): boolean;
}

/** What an earlier version learned. */
export interface WarmStart {
  readonly factors: Factors;
  readonly userKeys: Uint8Array;
  readonly itemKeys: Uint8Array;
}

/** What a fit runs on. A fit is a coordinator: it awaits phases and does no maths on the event loop. */
export interface FitContext {
  readonly pool: ComputePool;
  /** 32-bit; every draw is keyed by it. */
  readonly seed: number;
  /** Aborting rejects the fit with CANCELLED (or the signal's AppError reason) and ends its threads at once. */
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
  /** Ask for plain SIMD, whose bytes are equal on every CPU (erasure proofs, sharded runs). Default: the fastest engine. */
  readonly deterministic?: boolean;
  /** Bound on the shared memory of the fit and of ranking, bytes. Checked before work starts. Default 2 GiB. */
  readonly memoryBytesMax?: number;
  /** Where models on TensorFlow find the native engine, and which engine to try first. */
  readonly tensorflow?: EngineOptions;
  /** Models that learn in epochs go on from the last state here, and offer one after each epoch. The others fit from the start. */
  readonly checkpoints?: FitCheckpoints;
  readonly watch?: EpochWatch;
  /** Go on from an earlier version; needs keys. Only `ials`, `bpr` and `warp` read it. Never for proofs of erasure: what was learned of somebody stays in it. */
  readonly warmStart?: WarmStart;
}
