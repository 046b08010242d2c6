/** Owns the port of the ledger: what a run is, how it is claimed, and the one moment at which it commits. */
import type { StepRef } from '../../contract-kit/envelope.ts';

export const RUN_STATES = ['running', 'committed', 'cancelled', 'expired', 'dead-lettered'] as const;
export type RunState = (typeof RUN_STATES)[number];

/** What follows from a committed run; relayed after the commit, idempotent by its own key. */
export type Intent =
  | {
      readonly type: 'enqueue';
      readonly kind: string;
      readonly key: string;
      readonly input: unknown;
      /**
       * One job for all that ask for the key until it begins, so that what each of them did lies before it; it begins that long after the first of them asked.
       * Absent: the key is one job, for ever.
       */
      readonly together?: { readonly waitMs: number };
    }
  | { readonly type: 'advance'; readonly run: string };

export interface RunError {
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** An end of a run that was redriven since. */
export interface EarlierEnd {
  readonly state: RunState;
  readonly endedAt: number;
  readonly fence: number;
  readonly code: string;
}

export interface RunDocument {
  readonly runKey: string;
  readonly tenant: string;
  readonly kind: string;
  /** Of the input when the run was first claimed; of the output once it has committed. */
  readonly contractVersion: number;
  readonly inputHash: string;
  readonly state: RunState;
  /** Raised by every claim; only its holder may commit. */
  readonly fence: number;
  readonly asOf: number;
  readonly step?: StepRef;
  /** BullMQ's id of the job, where it is not the one that belongs to the run key (a schedule's tick). */
  readonly jobId?: string;
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
  /** When it was last given back to work after it had ended; ms since 1970. */
  readonly redrivenAt?: number;
  /** How it ended before that, the oldest first; only so many are kept. */
  readonly earlierEnds?: readonly EarlierEnd[];
  /** Lineage: versions read, consent epoch, seed, engine, threads, seconds. */
  readonly lineage?: RunLineage;
}

/** A data set that stands: it has no versions of its own, and goes on. */
export interface StandingSet {
  /** `source.NAME`, `event-log`, `catalogue`, `people`, `consents`, `quarantine`, `release`. */
  readonly name: string;
  readonly rows?: number;
  /** Version of the source's own records. */
  readonly schema?: string;
}

export interface RunLineage {
  /** Versions. */
  readonly inputs: readonly string[];
  readonly reads?: readonly StandingSet[];
  readonly writes?: readonly StandingSet[];
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
  readonly jobId?: string;
  readonly codeVersion: string;
}

export interface CommitRequest {
  readonly runKey: string;
  readonly fence: number;
  /** Of the contract that the output fits; absent: that of the claim. */
  readonly contractVersion?: number;
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
  /** Marks an ended run's pointers as followed and intents as relayed; may replace the output by the final one, of that version of its contract. */
  markFollowed(runKey: string, output?: unknown, contractVersion?: number): Promise<void>;
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
  record(run: Omit<RunDocument, 'state' | 'fence' | 'unsettled'>): Promise<boolean>;
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
