/** Owns dead letters in MongoDB: they are run documents of the ledger that ended without an effect. */
import type { Collection, Db, Filter } from 'mongodb';
import type { DeadLetterQuery, DeadLetters, RunDocument } from '../ports.ts';
import { toRun } from './ledger.ts';
import type { StoredRun } from './run-writes.ts';

/** Both ways to end that can be redriven; one index each. */
const STATES = ['dead-lettered', 'expired'] as const;
/** Earlier ends that a run document keeps. */
const ENDS_MAX = 10;

class MongoDeadLetters implements DeadLetters {
  readonly #runs: Collection<StoredRun>;

  constructor(db: Db) {
    this.#runs = db.collection<StoredRun>('runs');
  }

  async list(tenant: string, query: DeadLetterQuery, limit: number): Promise<RunDocument[]> {
    const found = await Promise.all(
      STATES.map((state) =>
        this.#runs
          .find(filterOf(tenant, state, query))
          .sort({ endedAt: -1, _id: -1 })
          .limit(limit)
          .toArray(),
      ),
    );
    return found
      .flat()
      .sort((a, b) => (b.endedAt ?? 0) - (a.endedAt ?? 0) || (a._id < b._id ? 1 : -1))
      .slice(0, limit)
      .map(toRun);
  }

  async redrive(run: RunDocument, nowMs: number): Promise<RunDocument | undefined> {
    const { runKey, state, fence, endedAt, error, earlierEnds = [] } = run;
    if (endedAt === undefined || (state !== 'dead-lettered' && state !== 'expired')) return undefined;
    const end = { state, endedAt, fence, code: error?.code ?? 'INTERNAL' };
    const found = await this.#runs.findOneAndUpdate(
      { _id: runKey, state, fence, endedAt },
      {
        $inc: { fence: 1 },
        $set: {
          state: 'running',
          unsettled: 0,
          followed: false,
          claimedAt: nowMs,
          redrivenAt: nowMs,
          earlierEnds: [...earlierEnds, end].slice(-ENDS_MAX),
        },
        $unset: { endedAt: '', error: '', endedBy: '' },
      },
      { returnDocument: 'after' },
    );
    return found === null ? undefined : toRun(found);
  }
}

function filterOf(tenant: string, state: (typeof STATES)[number], query: DeadLetterQuery): Filter<StoredRun> {
  const { kind, code, sinceMs, after } = query;
  const bounds: Filter<StoredRun>[] = [
    ...(sinceMs === undefined ? [] : [{ endedAt: { $gte: sinceMs } }]),
    ...(after === undefined
      ? []
      : [{ $or: [{ endedAt: { $lt: after.endedAt } }, { endedAt: after.endedAt, _id: { $lt: after.runKey } }] }]),
  ];
  return {
    state,
    tenant,
    ...(kind === undefined ? {} : { kind }),
    ...(code === undefined ? {} : { 'error.code': code }),
    ...(bounds.length === 0 ? {} : { $and: bounds }),
  };
}

export const mongoDeadLetters = (db: Db): DeadLetters => new MongoDeadLetters(db);

/** Only what ended so is in them: other runs pay nothing. */
export async function createDeadLetterIndexes(db: Db): Promise<void> {
  await db.collection('runs').createIndexes(
    STATES.map((state) => ({
      key: { state: 1 as const, tenant: 1 as const, endedAt: -1 as const },
      name: state === 'expired' ? 'expired' : 'dead_letters',
      partialFilterExpression: { state },
    })),
  );
}
