/** Owns the port of verdicts: whose events are kept out of learning, why, and who was let go again. */
import type { SubjectKey } from './keys.ts';

/** Why an account is not taken for a person. */
export interface VerdictReason {
  /** Name of the trace, or `ring`. */
  readonly trace: string;
  readonly figure: number;
  /** What it would have had to stay below. */
  readonly limit: number;
  /** Of a ring: how many accounts it has. */
  readonly accounts?: number;
}

export interface HeldAccount {
  /** Subject key, hex. */
  readonly subject: string;
  readonly reasons: readonly VerdictReason[];
  /** Version of the rules that judged. */
  readonly rules: number;
  /** Earliest moment whose data gave the verdict: what is learned as of an earlier one does not know of it. */
  readonly since: number;
  readonly judgedAt: number;
  readonly releasedAt?: number;
}

export interface Verdicts {
  /**
   * Keeps out the events of these accounts, judged by data as of `asOf`. Idempotent; whoever was released stays released, and who is not
   * named stays as they were: a bot that rests is no person.
   */
  hold(
    tenant: string,
    judged: {
      readonly asOf: number;
      readonly rules: number;
      readonly accounts: readonly { readonly subject: SubjectKey; readonly reasons: readonly VerdictReason[] }[];
    },
  ): Promise<void>;
  /** Subject keys (hex) of all who are kept out of what is learned as of that moment. */
  heldAt(tenant: string, asOf: number): Promise<ReadonlySet<string>>;
  /** Newest first; `released`: those who were let go instead. */
  list(
    tenant: string,
    options: { readonly released: boolean; readonly limit: number },
  ): Promise<readonly HeldAccount[]>;
  count(tenant: string): Promise<number>;
  /** Of one account that is held; undefined: it is not. */
  of(tenant: string, subject: SubjectKey): Promise<HeldAccount | undefined>;
  /** Lets an account's events count again, for good. False: it was not held. */
  release(tenant: string, subject: SubjectKey): Promise<boolean>;
}
