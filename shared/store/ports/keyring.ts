/** Owns the port of the keyring: under which master keys the store lies, and wrapping all of it anew under the current one. */

export interface MasterKeyStatus {
  /** First 8 hex digits of the key's SHA-256. */
  readonly id: string;
  /** This process wraps with it. */
  readonly current: boolean;
  /** This process can open what it wrapped. */
  readonly held: boolean;
  /** When the store first met it, ms since 1970; absent: it never has. */
  readonly since?: number;
  /** Since when nothing has been found under it. */
  readonly retiredAt?: number;
  /** Wrapped keys under it, by collection; collections without one are left out. */
  readonly wraps: Readonly<Record<string, number>>;
}

export interface SealKeyStatus {
  readonly id: string;
  readonly current: boolean;
  readonly held: boolean;
  /** Since when workers and gateways have sealed with it, as far as the store has been told. */
  readonly currentSince?: number;
}

export interface Rewrapped {
  /** Keys that were wrapped anew by this attempt. */
  readonly rewrapped: number;
  /** Keys under another master key that are left: a process still wraps with an older one, or they do not open. */
  readonly left: number;
  /** Of these, such that do not open: what they lock was unreadable before. */
  readonly unreadable: number;
}

export interface Keyring {
  /** Id of the master key that this process wraps with. */
  readonly current: string;
  /** Counts every wrapped key of every tenant: one pass over the collections that hold some. */
  masters(): Promise<MasterKeyStatus[]>;
  /**
   * Wraps every data key anew under the current master key, of every tenant, by compare-and-set; writers go on. Can be ended and begun again at any place.
   * Throws MASTER_KEY_MISSING when something is wrapped under a key that this process does not have.
   */
  rotate(options: {
    readonly signal: AbortSignal;
    readonly onProgress?: (done: number, total: number) => void;
  }): Promise<Rewrapped>;
  /**
   * Notes the seal keys of a process that seals or opens, the current one first. Throws KEY_WRONG when some are known and none of these is one of them: it
   * could open nothing that others sealed.
   */
  admitSeals(ids: readonly string[]): Promise<void>;
  /** Those that were noted, and these. */
  seals(ids: readonly string[]): Promise<SealKeyStatus[]>;
  /** Payloads that wait in the store under each seal key, by its id: in payload claims, and in the gateway's outbox. */
  sealed(): Promise<ReadonlyMap<string, number>>;
  /** After all of them were lost: whatever is given next is taken. */
  forgetSeals(): Promise<void>;
}
