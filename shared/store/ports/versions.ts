/** Owns the port of dataset versions: immutable arrays, and the manifests that name them. */

export const VERSION_KINDS = [
  'events',
  'features',
  'segments',
  'embeddings',
  'candidates',
  'audit',
  'blocks',
  'prompts',
  'statistics',
] as const;
export type VersionKind = (typeof VERSION_KINDS)[number];

/** A named array of a version, stored as encrypted blocks. */
export interface NamedArray {
  readonly name: string;
  readonly data: Uint8Array | Int32Array | Float32Array | Float64Array;
}

export interface VersionDraft {
  readonly rows: number;
  /** Block references as the store's own business. */
  readonly blocks: readonly unknown[];
}

export interface DatasetVersion extends VersionDraft {
  readonly version: string;
  readonly tenant: string;
  readonly kind: VersionKind;
  readonly runKey: string;
  readonly asOf: number;
  readonly consentEpoch?: number;
  readonly inputs: readonly string[];
  readonly codeVersion: string;
  readonly createdAt: number;
  readonly state: 'ready' | 'stale' | 'erased';
  /** Small facts about the content (column names, parameters, metrics, report). Not personal. */
  readonly meta: Readonly<Record<string, unknown>>;
}

/** What a version was, whatever has become of it: nothing is read of it, and it is not kept for being looked at. */
export interface VersionOutline extends Pick<DatasetVersion, 'version' | 'kind' | 'rows' | 'inputs' | 'state'> {
  readonly model?: string;
  readonly arrays: readonly Pick<NamedArray, 'name'>[];
}

export interface Versions {
  /** Those that are there still, erased ones too. */
  outline(tenant: string, versions: readonly string[]): Promise<VersionOutline[]>;
  /** Writes arrays as encrypted, hashed blocks (<= 8 MB each). */
  draft(
    tenant: string,
    runKey: string,
    fence: number,
    rows: number,
    arrays: readonly NamedArray[],
  ): Promise<VersionDraft>;
  /**
   * Shreds the blocks of a draft that no manifest names (what waited for a commit and has been applied): their bytes and keys go at once,
   * reading them gives BLOCK_KEY_MISSING from then on. Idempotent.
   */
  discard(tenant: string, draft: VersionDraft): Promise<void>;
  /** Writes the immutable manifest. Its id is derived from runKey and fence, so a repeated attempt writes its own. */
  write(
    version: Omit<DatasetVersion, 'version' | 'createdAt' | 'state'> & { readonly fence: number },
  ): Promise<DatasetVersion>;
  /** Throws DATASET_NOT_FOUND, DATASET_ERASED. */
  read(tenant: string, version: string): Promise<DatasetVersion>;
  /** The arrays of a version, in shared memory; all, or those that are named. */
  arrays(
    tenant: string,
    version: Pick<VersionDraft, 'blocks'>,
    only?: ReadonlySet<string>,
  ): Promise<Map<string, Uint8Array | Int32Array | Float32Array | Float64Array>>;
  latest(tenant: string, kind: VersionKind, limit: number): Promise<DatasetVersion[]>;
  markStale(tenant: string, version: string): Promise<void>;
}
