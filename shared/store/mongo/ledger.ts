/**
 * Owns the ledger of runs: claims with fences, the commit point, terminal states.
 *
 * Invariants
 * 1. `fence` only grows; a commit needs the fence of the newest claim and the state `running`.
 * 2. A terminal state is never left.
 * 3. The commit is one update of one document: it carries output, version, what follows and the intents.
 */
import { type Collection, type Db, type Document, type Filter, MongoServerError } from 'mongodb';
import { AppError } from '../../errors.ts';
import type { ClaimRequest, CommitRequest, Ledger, RunDocument, RunState } from '../ports.ts';

type Stored = Omit<RunDocument, 'runKey'> & { _id: string };

const DUPLICATE_KEY = 11_000;
/** FerretDB 2.7 answers an upserting findAndModify that meets its key with the code 1 and PostgreSQL's own words. */
const INTERNAL = 1;

export function isDuplicateKey(thrown: unknown): boolean {
  if (!(thrown instanceof MongoServerError)) return false;
  return (
    thrown.code === DUPLICATE_KEY || (thrown.code === INTERNAL && thrown.message.startsWith('duplicate key value'))
  );
}

/** The document without what is undefined: the store would keep it as null. */
function compact<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as T;
}

function toRun({ _id, ...rest }: Stored): RunDocument {
  return { runKey: _id, ...rest };
}

class MongoLedger implements Ledger {
  readonly #runs: Collection<Stored>;

  constructor(db: Db) {
    this.#runs = db.collection<Stored>('runs');
  }

  async claim(request: ClaimRequest): ReturnType<Ledger['claim']> {
    const run = await this.#claimOnce(request);
    if (run.inputHash !== request.inputHash)
      throw new AppError('KEY_REUSED', { details: { runKey: request.runKey, kind: request.kind } });
    return { state: run.state === 'running' ? 'claimed' : 'ended', run };
  }

  /** Two upserts of an absent document may meet; the loser's duplicate key means that the document is there now. */
  async #claimOnce(request: ClaimRequest): Promise<RunDocument> {
    const now = Date.now();
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        const found = await this.#runs.findOneAndUpdate(
          { _id: request.runKey, state: 'running', inputHash: request.inputHash },
          {
            $inc: { fence: 1, unsettled: 1 },
            $set: { claimedAt: now, codeVersion: request.codeVersion },
            $setOnInsert: compact({
              tenant: request.tenant,
              kind: request.kind,
              contractVersion: request.contractVersion,
              asOf: request.asOf,
              step: request.step,
              jobId: request.jobId,
              createdAt: now,
              next: [],
              followed: false,
            }) as Partial<Stored>,
          },
          { upsert: true, returnDocument: 'after' },
        );
        if (found !== null) return toRun(found);
      } catch (thrown) {
        // The document is there but ended, or holds another input, or somebody else has just inserted it.
        if (!isDuplicateKey(thrown)) throw thrown;
        const ended = await this.#runs.findOne({ _id: request.runKey });
        if (ended !== null && (ended.state !== 'running' || ended.inputHash !== request.inputHash)) return toRun(ended);
      }
    }
    throw new AppError('SERVICE_UNAVAILABLE', {
      message: 'The ledger did not settle a claim in three tries.',
      details: { runKey: request.runKey },
    });
  }

  async commit(request: CommitRequest): Promise<boolean> {
    const { runKey, fence, ...rest } = request;
    const result = await this.#runs.updateOne(
      { _id: runKey, fence, state: 'running' },
      { $set: compact({ ...rest, state: 'committed' as const, endedAt: Date.now() }) },
    );
    return result.matchedCount === 1;
  }

  async markFollowed(runKey: string, output?: unknown): Promise<void> {
    await this.#runs.updateOne({ _id: runKey, state: { $ne: 'running' } }, {
      $set: compact({ followed: true, output }),
      $unset: { plan: '' },
    } as Document);
  }

  async end(
    runKey: string,
    fence: number | undefined,
    state: Exclude<RunState, 'running' | 'committed'>,
    error: RunDocument['error'] & object,
  ): Promise<boolean> {
    const holder: Filter<Stored> = fence === undefined ? {} : { fence };
    const result = await this.#runs.updateOne(
      { _id: runKey, state: 'running', ...holder },
      { $set: { state, error, endedAt: Date.now(), followed: false } },
    );
    return result.matchedCount === 1;
  }

  async settle(runKey: string, fence: number, error: RunDocument['error'] & object): Promise<void> {
    await this.#runs.updateOne({ _id: runKey, fence, state: 'running' }, { $set: { unsettled: 0, error } });
  }

  async record(run: Parameters<Ledger['record']>[0]): Promise<boolean> {
    const { runKey, ...rest } = run;
    try {
      await this.#runs.insertOne(
        compact({
          _id: runKey,
          ...rest,
          state: 'committed' as const,
          fence: 0,
          unsettled: 0,
        }),
      );
      return true;
    } catch (thrown) {
      if (isDuplicateKey(thrown)) return false;
      throw thrown;
    }
  }

  async read(runKey: string): Promise<RunDocument | undefined> {
    const found = await this.#runs.findOne({ _id: runKey });
    return found === null ? undefined : toRun(found);
  }

  async latest(
    tenant: string,
    limit: number,
    filter: { kind?: string; state?: RunState } = {},
  ): Promise<RunDocument[]> {
    const found = await this.#runs
      .find(compact({ tenant, ...filter }))
      .sort({ createdAt: -1 })
      .limit(limit)
      .toArray();
    return found.map(toRun);
  }

  async unfollowed(olderThanMs: number, limit: number): Promise<RunDocument[]> {
    const before = Date.now() - olderThanMs;
    const found = await this.#runs
      .find({ state: { $ne: 'running' }, followed: false, endedAt: { $lt: before } })
      .sort({ endedAt: 1 })
      .limit(limit)
      .toArray();
    return found.map(toRun);
  }

  async running(claimedBeforeMs: number, limit: number): Promise<RunDocument[]> {
    const found = await this.#runs
      .find({ state: 'running', claimedAt: { $lt: claimedBeforeMs } })
      .sort({ claimedAt: 1 })
      .limit(limit)
      .toArray();
    return found.map(toRun);
  }
}

export function mongoLedger(db: Db): Ledger {
  return new MongoLedger(db);
}

/** Indexes of the ledger; portable ones only. */
export async function createLedgerIndexes(db: Db): Promise<void> {
  await db.collection('runs').createIndexes([
    { key: { tenant: 1, createdAt: -1 }, name: 'latest' },
    { key: { tenant: 1, kind: 1, createdAt: -1 }, name: 'latest_of_kind' },
    { key: { followed: 1, endedAt: 1 }, name: 'unfollowed', partialFilterExpression: { followed: false } },
    { key: { state: 1, claimedAt: 1 }, name: 'running', partialFilterExpression: { state: 'running' } },
  ]);
}
