/**
 * Owns the port of collection: what nobody names any more goes from the store, and what ended long ago goes from the ledger.
 * A name is any text that holds the id of a version, a block or a release; so whatever a later feature keeps in the store holds what it names.
 */

export const COLLECTED = [
  'releases',
  'versions',
  'blocks',
  'manifestEntries',
  'claimParts',
  'runs',
  'pipelineRuns',
  'exposures',
  'quarantine',
  'personWindows',
  'lineage',
  'lineageEvents',
] as const;
export type Collected = (typeof COLLECTED)[number];

/** Jobs in the queues, in whatever state they are. */
export interface LiveJobs {
  /** The data of each job that has not completed, as text: waiting, delayed, at work, failed. */
  texts(): AsyncIterable<string>;
  /** Run keys of those whose job has not ended. */
  unfinished(
    runs: readonly { readonly runKey: string; readonly kind: string; readonly jobId?: string }[],
  ): Promise<ReadonlySet<string>>;
}

export interface CollectionRules {
  /** What is unnamed for less long stays: the longest deadline and the redrive window together. */
  readonly windowMs: number;
  /** Ended runs and pipeline runs stay so long: a repeated key has its recorded effect for as long. */
  readonly keepRunsMs: number;
  /** Releases of a tenant that stay with all they are made of, beside what is live, its predecessor, and what is younger than the window. */
  readonly keepReleases: number;
  readonly keepExposuresMs: number;
  /** What is noted of a batch stays so long after the last of its events was recorded; what was told of a run, so long after it was kept. */
  readonly keepLineageMs: number;
}

export interface CollectionTally {
  readonly seen: number;
  /** Nobody names it, but not for long enough. */
  readonly waiting: number;
  /** Removed; in a dry run, what would be. */
  readonly gone: number;
}

/** Why a version stays, or that it goes. */
export interface VersionFate {
  readonly version: string;
  readonly kind: string;
  /** `release`, `lineage` (of what is named), `waiting` (unnamed, not for long enough), `gone`; else the collection or `jobs` that names it. */
  readonly why: string;
  /** Since when nobody names it. */
  readonly unnamedAt?: number;
}

export interface CollectionReport {
  readonly at: number;
  readonly dryRun: boolean;
  /** False: it was stopped before it had looked at everything. */
  readonly whole: boolean;
  /** Only what was unnamed before this moment goes: the window, or the claim of the oldest run at work. */
  readonly before: number;
  /** The run at work that holds collection back beyond the window. */
  readonly heldBy?: string;
  readonly tallies: Readonly<Record<Collected, CollectionTally>>;
  /** In order of tenant and name; at most FATES_MAX. */
  readonly versions: readonly VersionFate[];
}

export interface CollectOptions {
  readonly dryRun?: boolean;
  /** Asked before each chunk of work; false ends it. */
  readonly mayGoOn?: () => Promise<boolean>;
}

export interface Collector {
  collect(rules: CollectionRules, jobs: LiveJobs, options?: CollectOptions): Promise<CollectionReport>;
}
