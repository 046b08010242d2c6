/** Owns the port of releases: what is published together, and the pointer that moves from one to the next. */

export type PointerDid = 'publish' | 'roll-back' | 'promote' | 'hold' | 'unhold';

/** One change of the pointer. */
export interface PointerChange {
  readonly seq: number;
  readonly did: PointerDid;
  readonly at: number;
  /** What was live from then on. */
  readonly version: string;
  readonly hold: boolean;
  /** Who asked: a person's name, a key's id, or the run that published. */
  readonly by: string;
  readonly reason?: string;
}

export interface Pointer {
  readonly seq: number;
  readonly asOf: number;
  readonly runKey: string;
  readonly version: string;
  /** Nothing that is published goes live. */
  readonly hold: boolean;
  /** The last changes, oldest first; bounded. Absent on pointers of before. */
  readonly changes?: readonly PointerChange[];
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
   * What a publishing run does. Compare-and-set on `seq`. Own runKey already there: moved. A lower asOf: `late`. Held: `held`. Somebody else
   * moved first: `conflict`.
   */
  move(
    tenant: string,
    expectedSeq: number,
    next: Pick<Pointer, 'asOf' | 'runKey' | 'version'>,
  ): Promise<'moved' | 'late' | 'held' | 'conflict'>;
  /** What an operator does: whatever `asOf` and hold say. Compare-and-set on `seq`; false: somebody else changed it first. */
  point(
    tenant: string,
    expectedSeq: number,
    next: Pick<Pointer, 'asOf' | 'runKey' | 'version' | 'hold'>,
    change: Pick<PointerChange, 'did' | 'by' | 'reason'>,
  ): Promise<boolean>;
  /** The release that is tried beside the live one; readers of what is live never see it. */
  candidate(tenant: string): Promise<Pointer | undefined>;
  /** Makes a release the candidate, unless one of a later moment is. Idempotent. False: one of a later moment is. */
  propose(tenant: string, next: Pick<Pointer, 'asOf' | 'runKey' | 'version'>): Promise<boolean>;
  history(tenant: string, limit: number): Promise<Release[]>;
}
