/** Owns the port of what searches have chosen: the newest parameters of each model. */

export interface Tuning {
  readonly tenant: string;
  readonly model: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** On the validation part. */
  readonly ndcg: number;
  readonly recall: number;
  readonly ndcgError: number;
  /** Sets of parameters that were tried. */
  readonly tried: number;
  readonly dataset: string;
  readonly seed: number;
  readonly codeVersion: string;
  readonly runKey: string;
  readonly asOf: number;
  readonly chosenAt: number;
}

export interface Tunings {
  /** Keeps it, unless a search of a later moment has chosen already. Idempotent. */
  keep(tuning: Tuning): Promise<void>;
  read(tenant: string, model: string): Promise<Tuning | undefined>;
}
