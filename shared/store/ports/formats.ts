/** Owns the port of formats: in which one blocks of events are written, which ones are still in the store, and bringing them up to date. */

export interface FormatStatus {
  /** The format in which merged blocks are written. */
  readonly writes: number;
  /** The newest that this process reads and writes. */
  readonly newest: number;
  /** Merged blocks of events that manifests and versions name, in an older format than `newest`. */
  readonly lagging: number;
  /** All of them. */
  readonly blocks: number;
}

export interface Migrated {
  readonly blocks: number;
  readonly versions: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

export interface Formats {
  status(tenant: string): Promise<FormatStatus>;
  /** From now on blocks are written in the newest format; every process knows within FORMAT_KNOWN_MS. Processes that do not read it must be gone by then. */
  enable(): Promise<void>;
  /**
   * Writes successors of blocks in an older format, and names them where those were named. Can be ended and begun again at any place. Throws FORMAT_NOT_ENABLED.
   */
  migrate(
    tenant: string,
    options: { readonly signal: AbortSignal; readonly onProgress?: (done: number, total: number) => void },
  ): Promise<Migrated>;
}
