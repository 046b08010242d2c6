/**
 * Owns the bugs that are planted to see whether the checker finds them. Each is a wrapper around the ledger; the product
 * knows nothing of them. Without a plant the wrapper only offers the places at which a process can be hit.
 */
import { randomUUID } from 'node:crypto';
import type { Db } from 'mongodb';
import type { Ledger } from '../../shared/store/ports.ts';
import type { Points } from './points.ts';

export const PLANTS = ['fencing-off', 'ledger-off', 'ack-before-commit'] as const;
export type Plant = (typeof PLANTS)[number];

type Stored = { readonly _id: string } & Readonly<Record<string, unknown>>;
type Verbs = Pick<Ledger, 'claim' | 'commit' | 'record'>;

/** Commits of the plant `ack-before-commit`, by run key: they wait until their jobs have been acknowledged. */
class LateCommits {
  readonly #commits = new Map<string, () => Promise<unknown>>();

  put(runKey: string, commit: () => Promise<unknown>): true {
    this.#commits.set(runKey, commit);
    return true;
  }

  acknowledged(runKey: string): void {
    const commit = this.#commits.get(runKey);
    this.#commits.delete(runKey);
    void commit?.().catch(() => {});
  }
}

function planted(plant: Plant | undefined, ledger: Ledger, db: Db, late: LateCommits): Verbs {
  const sound: Verbs = {
    claim: (request) => ledger.claim(request),
    commit: (request) => ledger.commit(request),
    record: (run) => ledger.record(run),
  };
  const runs = db.collection<Stored>('runs');
  if (plant === 'fencing-off') {
    // Whoever commits last wins, whether or not the run is still theirs.
    const commit: Verbs['commit'] = async ({ runKey, fence: _fence, ...rest }) => {
      await runs.updateOne(
        { _id: runKey },
        { $set: { followed: false, ...rest, state: 'committed', endedAt: Date.now() } },
      );
      return true;
    };
    return { ...sound, commit };
  }
  if (plant === 'ledger-off') {
    // Nobody remembers that a run has ended: what is delivered again is done again.
    const claim: Verbs['claim'] = async (request) => {
      await runs.updateOne({ _id: request.runKey, state: { $ne: 'running' } }, { $set: { state: 'running' } });
      return ledger.claim(request);
    };
    const record: Verbs['record'] = async (run) => {
      if (!(await ledger.record(run))) await ledger.record({ ...run, runKey: `${run.runKey}#${randomUUID()}` });
      return true;
    };
    return { ...sound, claim, record };
  }
  if (plant === 'ack-before-commit') {
    return {
      ...sound,
      commit: async (request) => late.put(request.runKey, () => ledger.commit(request)),
      record: async (run) => late.put(run.runKey, () => ledger.record(run)),
    };
  }
  return sound;
}

export interface HitLedger {
  readonly ledger: Ledger;
  /** To be called once BullMQ has acknowledged the job of a run. */
  readonly acknowledged: (runKey: string) => void;
}

/** The ledger with a planted bug, if any, which announces the places around its verbs. */
export function hitLedger(ledger: Ledger, plant: Plant | undefined, db: Db, points: Points): HitLedger {
  const late = new LateCommits();
  const verbs = planted(plant, ledger, db, late);
  const hit: Partial<Ledger> = {
    claim: async (request) => {
      await points.reach(request.runKey, 'before-claim');
      const claimed = await verbs.claim(request);
      await points.reach(request.runKey, 'claimed');
      return claimed;
    },
    commit: async (request) => {
      await points.reach(request.runKey, 'before-commit');
      const committed = await verbs.commit(request);
      await points.reach(request.runKey, 'after-commit');
      return committed;
    },
    record: async (run) => {
      await points.reach(run.runKey, 'before-commit');
      const recorded = await verbs.record(run);
      await points.reach(run.runKey, 'after-commit');
      return recorded;
    },
    markFollowed: async (runKey, output) => {
      await ledger.markFollowed(runKey, output);
      await points.reach(runKey, 'marked');
    },
  };
  const wrapped = new Proxy(ledger, {
    get: (target, name) => {
      const own: unknown = Reflect.get(hit, name);
      const value: unknown = own ?? Reflect.get(target, name);
      return typeof value === 'function' && own === undefined ? value.bind(target) : value;
    },
  });
  return { ledger: wrapped, acknowledged: (runKey) => late.acknowledged(runKey) };
}
