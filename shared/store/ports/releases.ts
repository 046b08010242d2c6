/** Owns the port of releases: what is published together, and the pointer that moves from one to the next. */

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
