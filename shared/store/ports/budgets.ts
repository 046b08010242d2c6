/**
 * Owns the port of privacy budgets: how much may be told of a tenant's people in a period, what has been, and the noisy answers themselves. The
 * unit is a person with everything about them, so one budget covers everybody. Amounts are whole trillionths of rho (`pico`).
 */

export interface BudgetTerms {
  readonly totalPico: number;
  readonly periodMs: number;
  /** What the total was derived from, where it was set so. */
  readonly epsilon?: number;
  readonly delta?: number;
}

export interface BudgetState extends BudgetTerms {
  readonly spentPico: number;
  /** From then on the next period's budget holds. */
  readonly periodEndsAt: number;
}

/** One draw of noise: once recorded it is the answer for ever. */
export interface NoisyRelease {
  readonly release: string;
  /** Hash of what was asked. */
  readonly query: string;
  readonly pico: number;
  readonly at: number;
  /** As it is shown, byte for byte. */
  readonly answer: string;
}

/** One entry of the ledger: the state after it, and what it was. */
export interface BudgetEntry extends BudgetState {
  readonly seq: number;
  readonly at: number;
  /** Absent: terms were set. */
  readonly release?: string;
  readonly pico?: number;
}

export interface Budgets {
  /** As it is at a moment; undefined: none was ever set. */
  state(tenant: string, at: number): Promise<BudgetState | undefined>;
  /** What was spent stays spent, and the period that runs ends when it would have. */
  setTerms(tenant: string, terms: BudgetTerms, at: number): Promise<BudgetState>;
  released(tenant: string, release: string): Promise<NoisyRelease | undefined>;
  /**
   * Takes the cost and records the answer in one insert, or gives the answer that was recorded for this release before: then what is handed in is
   * not kept, and must not be shown. Throws BUDGET_NOT_SET, BUDGET_EXHAUSTED, STATISTIC_REUSED.
   */
  spend(tenant: string, draw: NoisyRelease): Promise<NoisyRelease>;
  /** Newest first. */
  history(tenant: string, limit: number): Promise<BudgetEntry[]>;
}
