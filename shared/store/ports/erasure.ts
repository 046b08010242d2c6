/** Owns the port of erasure: one person taken out of everything that the store holds, and the report of it. */
import type { SubjectKey } from './keys.ts';

/** What was looked at in one place, and what of it was about the person. */
export interface ErasedArtefact {
  /** Name of the place: a collection, or what lies in one. */
  readonly artefact: string;
  readonly checked: number;
  readonly removed: number;
  /** Of the person, and still there: something at work may need it. */
  readonly left: number;
}

/** The artefact that rows of events are told under. */
export const EVENT_ROWS = 'events (rows)';

export interface ErasureSweep {
  readonly artefacts: readonly ErasedArtefact[];
  /** Versions that the person's data went into, and which can be read no more. */
  readonly versions: readonly string[];
}

export interface NotedSweep extends ErasureSweep {
  /** When the last pass ended that found anything of the person, ms since 1970; absent: none has. */
  readonly foundAt?: number;
}

export interface ErasureOptions {
  /** Only what these sources gave of the person's events, and what was learned from it; absent: everything. */
  readonly sources?: ReadonlySet<string>;
  /** Of the person: finds what is not read yet (quarantine, parts that wait). */
  readonly externalId: string;
  /**
   * Asked once what there is has been listed: whether nothing that may hold the person is at work any more, so that what nobody names may go; and the blocks
   * that hold requests of people, which stay.
   */
  quiet(): Promise<{ readonly isQuiet: boolean; readonly keep: ReadonlySet<string> }>;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface ErasureReport {
  readonly id: string;
  readonly tenant: string;
  /** Keyed hash of the person's pseudonym, as on the list of the erased. */
  readonly person: string;
  readonly requestedAt: number;
  readonly finishedAt: number;
  readonly consentEpoch: number;
  readonly artefacts: readonly ErasedArtefact[];
  readonly versions: readonly string[];
  /** Whatever was erased until it begins is one refresh: what the keys of those begin with. Absent: no model had learned from the person. */
  readonly retraining?: string;
}

export interface SignedErasureReport {
  readonly report: ErasureReport;
  /** Ed25519 over the report's canonical JSON (RFC 8032, RFC 8785), base64. */
  readonly signature: string;
  /** SPKI of the key that signs, PEM. */
  readonly publicKey: string;
}

export interface Erasures {
  /** One pass over everything. Idempotent; what a pass that was cut off has left is found by the next. */
  sweep(tenant: string, subject: SubjectKey, options: ErasureOptions): Promise<ErasureSweep>;
  /** Adds what a pass has removed to what the passes before it did, and returns all of it; what is left is what the last one left. */
  note(tenant: string, id: string, pass: NotedSweep): Promise<NotedSweep>;
  /** Signs and keeps a report, in the place of what was noted under its id. Idempotent by its id: the first one stays. */
  keep(report: ErasureReport): Promise<SignedErasureReport>;
  read(tenant: string, id: string): Promise<SignedErasureReport | undefined>;
  /** Newest first. */
  list(tenant: string, limit: number): Promise<SignedErasureReport[]>;
  /** The person's name on the list of the erased. */
  mark(tenant: string, subject: SubjectKey): string;
  /** Of the key that signs here, SPKI, PEM. */
  publicKey(): string;
}
