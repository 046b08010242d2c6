/** Owns the port of secure sums, as one party sees them: rounds, the shares it was given, and the set of people that all parties agreed on. */

export interface SumRound {
  readonly round: string;
  /** Rounds that ask the same of people: overlaps are looked for among them. */
  readonly series: string;
  readonly parties: number;
  readonly threshold: number;
  /** Number of this party, 1 .. parties. */
  readonly party: number;
  /** A value is a whole number from 0 to this. */
  readonly most: number;
  /** Fewer people are not added up, nor sets that differ by fewer. */
  readonly cohortMin: number;
  readonly openedAt: number;
  /** Who is added up, ascending, once it is fixed; it is fixed once. */
  readonly agreed?: readonly string[];
  /** The set was found to overlap with no other: its sum may be told, and it stays. */
  readonly cleared?: true;
}

export interface Sums {
  /** Once and for all. Throws SUM_ROUND_CONFLICT where it was opened otherwise. */
  open(tenant: string, round: SumRound): Promise<SumRound>;
  round(tenant: string, round: string): Promise<SumRound | undefined>;
  /** One share a person. Throws SUM_DUPLICATE where another was given before; the same again changes nothing. */
  give(tenant: string, round: string, contributor: string, share: bigint): Promise<void>;
  /** Who has given, ascending. */
  contributors(tenant: string, round: string): Promise<string[]>;
  shares(tenant: string, round: string, contributors: readonly string[]): Promise<Map<string, bigint>>;
  /** Rounds of a series whose set is fixed, the newest. */
  fixed(tenant: string, series: string, limit: number): Promise<SumRound[]>;
  /** Fixes the set if none is; returns the one that is fixed. */
  fix(tenant: string, round: string, agreed: readonly string[]): Promise<readonly string[]>;
  /** The fixed set stays for good. */
  clear(tenant: string, round: string): Promise<void>;
  /** Takes back a set that was found to overlap, unless it was cleared before. */
  unfix(tenant: string, round: string): Promise<void>;
}
