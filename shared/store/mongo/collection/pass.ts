/** Owns what every part of one pass of collection shares: its moment, how far it may go, and its tallies. */
import type { Db } from 'mongodb';
import {
  COLLECTED,
  type Collected,
  type CollectionRules,
  type CollectionTally,
  type CollectOptions,
  type VersionFate,
} from '../../ports.ts';

/** Fates that a report lists; the tallies count all. */
export const FATES_MAX = 10_000;

export class Pass {
  readonly db: Db;
  readonly rules: CollectionRules;
  /** When it began. */
  readonly now: number;
  /** Only what was unnamed before this moment goes. */
  readonly before: number;
  readonly dryRun: boolean;
  readonly fates: VersionFate[] = [];
  whole = true;
  readonly #tallies: Record<Collected, { seen: number; waiting: number; gone: number }>;
  readonly #clock: () => number;
  readonly #mayGoOn: () => Promise<boolean>;

  constructor(db: Db, rules: CollectionRules, clock: () => number, before: number, options: CollectOptions) {
    this.db = db;
    this.rules = rules;
    this.#clock = clock;
    this.now = clock();
    this.before = before;
    this.dryRun = options.dryRun === true;
    this.#mayGoOn = options.mayGoOn ?? (async () => true);
    this.#tallies = Object.fromEntries(COLLECTED.map((what) => [what, { seen: 0, waiting: 0, gone: 0 }])) as Record<
      Collected,
      { seen: number; waiting: number; gone: number }
    >;
  }

  get tallies(): Readonly<Record<Collected, CollectionTally>> {
    return this.#tallies;
  }

  count(what: Collected, as: 'seen' | 'waiting' | 'gone', n = 1): void {
    this.#tallies[what][as] += n;
  }

  /** Asked before each chunk. Once it is false it stays so. */
  async mayGoOn(): Promise<boolean> {
    this.whole &&= await this.#mayGoOn();
    return this.whole;
  }

  /** For a mark: no earlier than when what is marked was written, which may be since the pass began. */
  get moment(): number {
    return this.#clock();
  }

  isRipe(unnamedAt: number | undefined): unnamedAt is number {
    return unnamedAt !== undefined && unnamedAt < this.before;
  }
}
