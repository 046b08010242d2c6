/**
 * Owns what the rest of the house may ask of the feature store. Processors, executor, gateway and dashboard speak
 * to these ports; only shared/store/mongo knows the driver. Every document starts with its tenant.
 *
 * Order of an effect: immutable data first (nobody sees it), then the commit of the run, then pointers and manifests
 * ("follow"), each of them idempotent by runKey, so that a crash anywhere is rolled forward by a retry or the sweeper.
 */
import type { CanonicalEvent, CatalogueItem, ConsentRecord, Person } from '../contract-kit/event.ts';
import type { Purpose } from '../contract-kit/purposes.ts';
import type { StepRef } from '../contract-kit/envelope.ts';

/** 16 bytes: HMAC-SHA256(tenant key, external id), truncated. */
export type SubjectKey = Uint8Array;
/** 16 bytes: SHA-256(tenant, external id), truncated. Items are not personal. */
export type ItemKey = Uint8Array;

// ---------------------------------------------------------------- runs

export const RUN_STATES = ['running', 'committed', 'cancelled', 'expired', 'dead-lettered'] as const;
export type RunState = (typeof RUN_STATES)[number];

/** What follows from a committed run; relayed after the commit, idempotent by its own key. */
export type Intent =
  | { readonly type: 'enqueue'; readonly kind: string; readonly key: string; readonly input: unknown }
  | { readonly type: 'advance'; readonly run: string };

export interface RunError {
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface RunDocument {
  readonly runKey: string;
  readonly tenant: string;
  readonly kind: string;
  readonly contractVersion: number;
  readonly inputHash: string;
  readonly state: RunState;
  /** Raised by every claim; only its holder may commit. */
  readonly fence: number;
  readonly asOf: number;
  readonly step?: StepRef;
  readonly codeVersion: string;
  readonly createdAt: number;
  readonly claimedAt: number;
  readonly endedAt?: number;
  /** Version that the run made, if its kind makes one. */
  readonly version?: string;
  readonly output?: unknown;
  /** What following the commit needs beside the output; the processor's own business. */
  readonly plan?: unknown;
  readonly next: readonly Intent[];
  /** Claims since an attempt last ended in words; many of them mean that the input kills its process. */
  readonly unsettled: number;
  /** True once pointers have followed and intents are relayed. */
  readonly followed: boolean;
  readonly error?: RunError;
  /** Lineage: versions read, consent epoch, seed, engine, threads, seconds. */
  readonly lineage?: RunLineage;
}

export interface RunLineage {
  readonly inputs: readonly string[];
  readonly consentEpoch?: number;
  readonly seed?: number;
  readonly engine?: string;
  readonly threads?: number;
  readonly computeSeconds?: number;
}

export interface ClaimRequest {
  readonly runKey: string;
  readonly tenant: string;
  readonly kind: string;
  readonly contractVersion: number;
  readonly inputHash: string;
  readonly asOf: number;
  readonly step?: StepRef;
  readonly codeVersion: string;
}

export interface CommitRequest {
  readonly runKey: string;
  readonly fence: number;
  readonly output: unknown;
  readonly version?: string;
  readonly plan?: unknown;
  readonly next: readonly Intent[];
  /** True when nothing follows: no pointer, no intent, no step of a pipeline. */
  readonly followed?: boolean;
  readonly lineage: RunLineage;
}

export interface Ledger {
  /** Takes or retakes a run. `ended` gives the terminal document instead. Throws KEY_REUSED. */
  claim(
    request: ClaimRequest,
  ): Promise<
    { readonly state: 'claimed'; readonly run: RunDocument } | { readonly state: 'ended'; readonly run: RunDocument }
  >;
  /** The commit point: true when this fence committed now, false when it no longer holds the run. */
  commit(request: CommitRequest): Promise<boolean>;
  /** Marks an ended run's pointers as followed and intents as relayed; may replace the output by the final one. */
  markFollowed(runKey: string, output?: unknown): Promise<void>;
  /** Ends a run without an effect. True when it ended now; a committed run is never ended. */
  end(
    runKey: string,
    fence: number | undefined,
    state: Exclude<RunState, 'running' | 'committed'>,
    error: RunError,
  ): Promise<boolean>;
  /** An attempt failed in words and another will follow. */
  settle(runKey: string, fence: number, error: RunError): Promise<void>;
  /** Effect class `record`: claim, output and commit in one insert. False: it was there already. */
  record(run: Omit<RunDocument, 'state' | 'fence' | 'followed' | 'unsettled'>): Promise<boolean>;
  read(runKey: string): Promise<RunDocument | undefined>;
  latest(
    tenant: string,
    limit: number,
    filter?: { readonly kind?: string; readonly state?: RunState },
  ): Promise<RunDocument[]>;
  /** Runs that are claimed and have not ended, claimed before that moment; oldest first. */
  running(claimedBeforeMs: number, limit: number): Promise<RunDocument[]>;
  /** Ended runs of which what follows (pointers, intents, the pipeline's next step) has not been done for `olderThanMs`. */
  unfollowed(olderThanMs: number, limit: number): Promise<RunDocument[]>;
}

// ---------------------------------------------------------------- pointers and releases

export interface Pointer {
  readonly seq: number;
  readonly asOf: number;
  readonly runKey: string;
  readonly version: string;
  readonly hold: boolean;
}

export interface Release {
  readonly version: string;
  readonly tenant: string;
  readonly dataset?: string;
  readonly embeddings?: string;
  readonly segments?: string;
  readonly candidates?: string;
  readonly audit?: string;
  readonly asOf: number;
  readonly createdAt: number;
  readonly runKey: string;
  readonly previous?: string;
}

export interface Releases {
  /** Writes the immutable release document. */
  write(release: Release): Promise<void>;
  read(tenant: string, version: string): Promise<Release | undefined>;
  pointer(tenant: string): Promise<Pointer | undefined>;
  live(tenant: string): Promise<Release | undefined>;
  /**
   * Compare-and-set on `seq`. Own runKey already there: moved. A lower asOf: `late`. Held: `held`. Somebody else moved first: `conflict`.
   */
  move(
    tenant: string,
    expectedSeq: number,
    next: Omit<Pointer, 'seq' | 'hold'>,
  ): Promise<'moved' | 'late' | 'held' | 'conflict'>;
  history(tenant: string, limit: number): Promise<Release[]>;
}

// ---------------------------------------------------------------- pipeline runs

export type StepState = 'waiting' | 'enqueued' | 'committed' | 'failed';
export interface PipelineStepState {
  readonly state: StepState;
  readonly runKey?: string;
  readonly output?: unknown;
  readonly error?: RunError;
  readonly startedAt?: number;
  readonly endedAt?: number;
}
export interface PipelineRunDocument {
  readonly id: string;
  readonly tenant: string;
  readonly pipeline: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly asOf: number;
  readonly live: Readonly<Record<string, string>>;
  readonly state: 'running' | 'committed' | 'failed' | 'cancelled';
  readonly seq: number;
  readonly steps: Readonly<Record<string, PipelineStepState>>;
  readonly createdAt: number;
  readonly changedAt: number;
  readonly endedAt?: number;
}
export interface PipelineRuns {
  /** Inserts if absent; returns what is there. */
  create(run: PipelineRunDocument): Promise<PipelineRunDocument>;
  read(id: string): Promise<PipelineRunDocument | undefined>;
  /** Compare-and-set on `seq`; false when somebody else advanced it. */
  advance(before: PipelineRunDocument, after: Omit<PipelineRunDocument, 'seq'>): Promise<boolean>;
  running(limit: number): Promise<PipelineRunDocument[]>;
  latest(tenant: string, limit: number): Promise<PipelineRunDocument[]>;
}

// ---------------------------------------------------------------- people, items, consents

export interface People {
  /** HMACs, order kept. */
  keys(tenant: string, externalIds: readonly string[]): SubjectKey[];
  /** Creates or updates envelopes (own data key per person). */
  upsert(tenant: string, people: readonly Person[]): Promise<void>;
  /** Makes sure that an envelope exists for each external id (with nothing but the id). */
  ensure(tenant: string, externalIds: readonly string[]): Promise<void>;
  /** Opened envelopes; who is unknown or shredded is left out of the map (keyed by hex of the subject key). */
  open(tenant: string, keys: readonly SubjectKey[]): Promise<Map<string, Person>>;
  /** Free text of events, sealed under the person's data key; idempotent by event id. */
  keepTexts(
    tenant: string,
    texts: readonly { readonly subject: SubjectKey; readonly eventId: Uint8Array; readonly text: string }[],
  ): Promise<void>;
  /** Free texts of one person; empty when unknown or shredded. */
  texts(tenant: string, subject: SubjectKey): Promise<{ readonly eventId: Uint8Array; readonly text: string }[]>;
  count(tenant: string): Promise<number>;
  all(tenant: string): AsyncIterable<Person>;
}

export interface StoredItem extends CatalogueItem {
  readonly key: ItemKey;
}
export interface Items {
  keys(tenant: string, externalIds: readonly string[]): ItemKey[];
  upsert(tenant: string, items: readonly CatalogueItem[]): Promise<void>;
  /** Which of these keys are in the catalogue; result parallel to the argument. */
  known(tenant: string, keys: readonly ItemKey[]): Promise<boolean[]>;
  read(tenant: string, keys: readonly ItemKey[]): Promise<Map<string, StoredItem>>;
  count(tenant: string): Promise<number>;
  all(tenant: string): AsyncIterable<StoredItem>;
}

/** A view of consents at one epoch. */
export interface ConsentSnapshot {
  readonly epoch: number;
  /**
   * True when the person gave consent for the purpose for this source (or for every source, `*`) and did not withdraw it.
   * Of what was said about the source and about `*`, the later `at` decides; at the same moment a withdrawal does.
   */
  allows(subject: SubjectKey, purpose: Purpose, source: string): boolean;
}
export interface Consents {
  /** Appends to the tenant's consent log and updates the states; idempotent by runKey. Returns the new epoch. */
  record(tenant: string, runKey: string, records: readonly ConsentRecord[]): Promise<number>;
  epoch(tenant: string): Promise<number>;
  /** Snapshot for some people; cached between calls, brought up to date from the log. */
  snapshot(tenant: string, subjects?: readonly SubjectKey[]): Promise<ConsentSnapshot>;
  /** People who lost consent for one of the purposes after the epoch. */
  withdrawnSince(
    tenant: string,
    epoch: number,
    purposes: readonly Purpose[],
  ): Promise<{ readonly epoch: number; readonly subjects: SubjectKey[] }>;
}

// ---------------------------------------------------------------- events and versions

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

export interface Events {
  /** Drops known duplicates, writes immutable encrypted micro-blocks that no manifest names yet. */
  prepare(tenant: string, runKey: string, fence: number, rows: readonly EventRow[]): Promise<PreparedEvents>;
  /**
   * Appends the blocks to their partitions' manifests (compare-and-set; what another writer brought first is masked as a duplicate).
   * Idempotent by runKey.
   */
  follow(tenant: string, prepared: PreparedEvents): Promise<{ readonly accepted: number; readonly duplicates: number }>;
  /** Freezes all manifests as they are into a data set version (rows recorded up to asOf); compacts small blocks on the way. Invisible until written by `versions`. */
  freeze(tenant: string, runKey: string, fence: number, asOf: number): Promise<VersionDraft>;
  /** Reads a version of kind `events` into shared memory, rows in canonical order (subject, item, time, event id). Throws DATASET_ERASED, BLOCK_CORRUPT. */
  read(tenant: string, version: string): Promise<EventColumns>;
  /** All events there are, manifest by manifest (for export). */
  all(tenant: string): AsyncIterable<EventColumns>;
  count(tenant: string): Promise<number>;
}

export const VERSION_KINDS = ['events', 'features', 'segments', 'embeddings', 'candidates', 'audit'] as const;
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

export interface Versions {
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
  /** The arrays of a version, in shared memory. */
  arrays(
    tenant: string,
    version: DatasetVersion,
  ): Promise<Map<string, Uint8Array | Int32Array | Float32Array | Float64Array>>;
  latest(tenant: string, kind: VersionKind, limit: number): Promise<DatasetVersion[]>;
  markStale(tenant: string, version: string): Promise<void>;
}

// ---------------------------------------------------------------- what is served

export interface ServedCandidates {
  /** Best first. */
  readonly items: readonly ItemKey[];
  readonly scores: readonly number[];
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
      readonly fallback: readonly number[];
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
}

// ---------------------------------------------------------------- claims, keys, accounts

export interface Claims {
  /** Stores payload bytes (sealed by the caller where personal). */
  put(
    tenant: string,
    bytes: Uint8Array,
  ): Promise<{ readonly id: string; readonly sha256: string; readonly bytes: number }>;
  /** Throws CLAIM_NOT_FOUND when absent or when the hash differs. */
  get(tenant: string, id: string, sha256: string): Promise<Uint8Array>;
  /** Ties a claim to the run that uses it: it is kept until that run ended (and its redrive window closed). */
  bind(tenant: string, id: string, runKey: string): Promise<void>;
}

export const KEY_SCOPES = [
  'events:write',
  'claims:write',
  'jobs:write',
  'jobs:read',
  'recommendations:read',
  'segments:read',
] as const;
export type KeyScope = (typeof KEY_SCOPES)[number];
export interface ApiKey {
  readonly id: string;
  readonly tenant: string;
  readonly name: string;
  readonly scopes: readonly KeyScope[];
  readonly createdAt: number;
  readonly revokedAt?: number;
}
export interface ApiKeys {
  /** Returns the secret once; the store keeps a hash. */
  create(
    tenant: string,
    name: string,
    scopes: readonly KeyScope[],
  ): Promise<{ readonly key: ApiKey; readonly secret: string }>;
  /** The key of a secret, or undefined. Constant-time comparison. */
  find(secret: string): Promise<ApiKey | undefined>;
  list(tenant: string): Promise<ApiKey[]>;
  revoke(tenant: string, id: string): Promise<boolean>;
}
export interface Account {
  readonly user: string;
  /** PHC string of argon2id. */
  readonly passwordHash: string;
  readonly role: 'admin' | 'operator' | 'viewer';
  /** The password was made by the first start and has not been changed. */
  readonly initial: boolean;
}
export interface Accounts {
  read(user: string): Promise<Account | undefined>;
  write(account: Account): Promise<void>;
  count(): Promise<number>;
}

export interface Store extends AsyncDisposable {
  readonly ledger: Ledger;
  readonly releases: Releases;
  readonly pipelineRuns: PipelineRuns;
  readonly people: People;
  readonly items: Items;
  readonly consents: Consents;
  readonly events: Events;
  readonly versions: Versions;
  readonly served: Served;
  readonly exposures: Exposures;
  readonly claims: Claims;
  readonly apiKeys: ApiKeys;
  readonly accounts: Accounts;
  /** One round trip; throws SERVICE_UNAVAILABLE. Returns the server's name and version. */
  ping(): Promise<{ readonly server: string; readonly ms: number }>;
}
