/** Owns the ports of what is served, and of the record of what was shown to whom. */
import type { ItemKey, SubjectKey } from './keys.ts';

export interface ServedCandidates {
  /** Best first. */
  readonly items: readonly ItemKey[];
  readonly scores: readonly number[];
  /** Parallel to `items`: what the person liked that each resembles most; undefined where nothing does. Absent in lists made without reasons. */
  readonly reasons?: readonly (ItemKey | undefined)[];
  readonly origin: 'model' | 'popularity';
}
export interface Served {
  /** Small documents under a version that no pointer names yet. `subjects` x k; -1 marks no item; `fallback` is for newcomers. */
  writeCandidates(
    tenant: string,
    version: string,
    lists: {
      readonly subjects: Uint8Array;
      readonly itemKeys: Uint8Array;
      readonly k: number;
      readonly items: Int32Array;
      readonly scores: Float32Array;
      /** Parallel to `items`: an item of the person's history, or -1. */
      readonly reasons?: Int32Array;
      readonly fallback: readonly number[];
      /** Parallel to `fallback`; absent: 0. */
      readonly fallbackScores?: Float32Array;
      /** One entry a person: 1 where the list is popularity, not the model's. Absent: the model made all of them. */
      readonly fromPopularity?: Uint8Array;
    },
  ): Promise<void>;
  candidates(tenant: string, version: string, subject: SubjectKey): Promise<ServedCandidates | undefined>;
  fallback(tenant: string, version: string): Promise<ServedCandidates | undefined>;
  writeSegments(
    tenant: string,
    version: string,
    assignment: { readonly subjects: Uint8Array; readonly segment: Int32Array },
  ): Promise<void>;
  segment(tenant: string, version: string, subject: SubjectKey): Promise<number | undefined>;
  /** Removes rows about people from a version that is not yet (or no longer) to be served to them. */
  drop(tenant: string, version: string, subjects: readonly SubjectKey[]): Promise<void>;
}

export interface Exposure {
  readonly requestId: string;
  readonly tenant: string;
  readonly subject: SubjectKey;
  readonly at: number;
  readonly release: string;
  readonly model: string;
  readonly policy: string;
  readonly source: string;
  /** In order of position; propensity null where the policy is deterministic. */
  readonly items: readonly { readonly item: ItemKey; readonly propensity: number | null }[];
}
export interface Exposures {
  write(exposure: Exposure): Promise<void>;
  read(tenant: string, requestId: string): Promise<Exposure | undefined>;
  /** What was shown to a person, the latest first. */
  of(tenant: string, subject: SubjectKey, limit: number): Promise<Exposure[]>;
}
