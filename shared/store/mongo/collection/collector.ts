/**
 * Owns one pass of collection: everything that names something is read, in the order in which names move from one to the next (run, manifest, version,
 * release, job), so that a name that moves meanwhile is seen in one of both; then what nobody names goes, what names others before what they name.
 *
 * Invariants
 * 1. What was written or read by a run that is at work when the pass begins stays: nothing goes that was seen unnamed after the claim of the oldest of them.
 * 2. What goes was unnamed in an earlier pass, longer ago than the window, and is unnamed now.
 * 3. A collection that this file does not list is read for names, whatever it is.
 * Two passes at once (a frozen one that wakes) do no harm: what each removes was free for it, and stays free.
 */
import type { Db } from 'mongodb';
import type { CollectionReport, CollectionRules, Collector, CollectOptions, LiveJobs } from '../../ports.ts';
import { COLLECTIONS } from '../names.ts';
import { collectBlocks, collectClaimParts } from './blocks.ts';
import { collectEnded } from './ended.ts';
import { collectManifests } from './manifests.ts';
import { collectionsOf, Names, textsOf } from './names.ts';
import { FATES_MAX, Pass } from './pass.ts';
import { collectReleases } from './releases.ts';
import { collectVersions } from './versions.ts';

/** Their names keep nothing: content, histories, and what is looked at on its own. */
const NOT_READ: ReadonlySet<string> = new Set<string>([
  COLLECTIONS.runs,
  COLLECTIONS.manifests,
  COLLECTIONS.partitions,
  COLLECTIONS.versions,
  COLLECTIONS.releases,
  COLLECTIONS.pointers,
  COLLECTIONS.blocks,
  COLLECTIONS.unnamed,
  COLLECTIONS.candidates,
  COLLECTIONS.segments,
  COLLECTIONS.exposures,
  COLLECTIONS.prompts,
  COLLECTIONS.promptMarks,
  COLLECTIONS.identities,
  COLLECTIONS.people,
  COLLECTIONS.texts,
  COLLECTIONS.items,
  COLLECTIONS.consentLog,
  COLLECTIONS.trail,
  COLLECTIONS.counters,
  COLLECTIONS.claims,
  COLLECTIONS.quarantine,
  COLLECTIONS.personWindows,
  COLLECTIONS.lineage,
  COLLECTIONS.lineageEvents,
  COLLECTIONS.apiKeys,
  COLLECTIONS.webhooks,
  COLLECTIONS.accounts,
  COLLECTIONS.spentTokens,
]);

class MongoCollector implements Collector {
  readonly #db: Db;
  readonly #clock: () => number;

  constructor(db: Db, clock: () => number) {
    this.#db = db;
    this.#clock = clock;
  }

  async collect(rules: CollectionRules, jobs: LiveJobs, options: CollectOptions = {}): Promise<CollectionReport> {
    const now = this.#clock();
    const oldest = await this.#oldestAtWork();
    const before = Math.min(now - rules.windowMs, oldest?.claimedAt ?? Number.POSITIVE_INFINITY);
    const pass = new Pass(this.#db, rules, this.#clock, before, options);
    const names = new Names();
    const openRuns = await this.#readRuns(names);
    const others = (await collectionsOf(this.#db)).filter((name) => !NOT_READ.has(name));
    for (const name of others) for await (const text of textsOf(this.#db.collection(name))) names.note(text, name);
    await collectManifests(pass, names);
    for await (const text of jobs.texts()) names.note(text, 'jobs');
    const releases = await collectReleases(pass, names);
    const goneVersions = await collectVersions(pass, names, openRuns, releases);
    await collectBlocks(pass, names, goneVersions);
    await collectClaimParts(pass);
    await collectEnded(pass, jobs);
    return {
      at: now,
      dryRun: pass.dryRun,
      whole: pass.whole,
      before,
      ...(oldest !== undefined && before < now - rules.windowMs && { heldBy: oldest.runKey }),
      tallies: pass.tallies,
      versions: pass.fates.slice(0, FATES_MAX),
    };
  }

  async #oldestAtWork(): Promise<{ readonly runKey: string; readonly claimedAt: number } | undefined> {
    const [oldest] = await this.#db
      .collection<{ _id: string; claimedAt: number }>(COLLECTIONS.runs)
      .find({ state: 'running' } as object, { projection: { claimedAt: 1 } })
      .sort({ claimedAt: 1 })
      .limit(1)
      .toArray();
    return oldest && { runKey: oldest._id, claimedAt: oldest.claimedAt };
  }

  /** Runs that have not committed: what they made may be gone on from, as long as they are there. */
  async #readRuns(names: Names): Promise<Set<string>> {
    const runs = this.#db.collection(COLLECTIONS.runs);
    const open = await runs.find({ state: { $ne: 'committed' } }, { projection: { _id: 1 } }).toArray();
    for await (const text of textsOf(runs)) names.note(text, COLLECTIONS.runs);
    return new Set(open.map(({ _id }) => String(_id)));
  }
}

export function mongoCollector(db: Db, clock: () => number): Collector {
  return new MongoCollector(db, clock);
}
