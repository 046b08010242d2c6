/**
 * Owns the array types that numerics speaks: sparse interactions, dense factors, ranked lists, fitted models.
 * All arrays may lie on SharedArrayBuffers; nobody writes to an array that was handed over.
 */

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
  readonly factors?: { readonly users: DenseRows; readonly items: DenseRows };
  rank(options: RankOptions): Promise<RankedLists>;
}
