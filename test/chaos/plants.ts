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

/** Long enough for the job to be acknowledged meanwhile. */
const COMMIT_LATE_MS = 2_000;

function planted(plant: Plant | undefined, ledger: Ledger, db: Db): Verbs {
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
    const late = (commit: () => Promise<unknown>): true => {
      setTimeout(() => void commit().catch(() => {}), COMMIT_LATE_MS);
      return true;
    };
    return {
      ...sound,
      commit: async (request) => late(() => ledger.commit(request)),
      record: async (run) => late(() => ledger.record(run)),
    };
  }
  return sound;
}

/** The ledger with a planted bug, if any, and with blows before and after the commit. */
export function hitLedger(ledger: Ledger, plant: Plant | undefined, db: Db, points: Points): Ledger {
  const verbs = planted(plant, ledger, db);
  const hit: Partial<Ledger> = {
    claim: verbs.claim,
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
  };
  return new Proxy(ledger, {
    get: (target, name) => {
      const own: unknown = Reflect.get(hit, name);
      const value: unknown = own ?? Reflect.get(target, name);
      return typeof value === 'function' && own === undefined ? value.bind(target) : value;
    },
  });
}
