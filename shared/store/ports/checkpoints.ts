/** Owns the port of checkpoints: what a run that is at work could go on from. They live no longer than their run. */

export interface Checkpoint {
  readonly tenant: string;
  readonly runKey: string;
  readonly fence: number;
  /** A run may train more than one model. */
  readonly part: string;
  /** What it came from (data, parameters, seed, code, engine), as a hash: another run's, or another engine's, is none to go on from. */
  readonly fingerprint: string;
  readonly epoch: number;
  readonly consentEpoch: number;
  /** Small numbers; not personal. */
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface StoredCheckpoint extends Checkpoint {
  readonly createdAt: number;
  /** Block references as the store's own business. */
  readonly blocks: readonly unknown[];
}

export interface Checkpoints {
  /** Writes one as encrypted blocks, and then removes the earlier ones of its part. An epoch is written once a fence. */
  write(checkpoint: Checkpoint, arrays: Readonly<Record<string, Float32Array>>): Promise<void>;
  /** The newest of a part that has this fingerprint. */
  last(tenant: string, runKey: string, part: string, fingerprint: string): Promise<StoredCheckpoint | undefined>;
  /** Its arrays, in shared memory. Throws BLOCK_CORRUPT, BLOCK_KEY_MISSING. */
  arrays(checkpoint: StoredCheckpoint): Promise<Record<string, Float32Array>>;
  /** Shreds all of a run. Idempotent. */
  remove(tenant: string, runKey: string): Promise<void>;
  /** Runs that have some, those first whose were written longest ago. */
  runs(limit: number): Promise<{ readonly tenant: string; readonly runKey: string }[]>;
}
