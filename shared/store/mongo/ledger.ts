/**
 * Owns the ledger of runs: claims with fences, the commit point, terminal states.
 *
 * Invariants
 * 1. `fence` only grows; a commit needs the fence of the newest claim and the state `running`.
 * 2. A terminal state is never left, but by a redrive (see dead-letters): from dead-lettered or expired back to running, guarded by the end that was
 *    read, with a higher fence. A committed or cancelled run stays so for ever.
 * 3. The commit is one update of one document: it carries output, version, what follows and the intents.
 */
import { randomUUID } from 'node:crypto';
import type { Collection, Db } from 'mongodb';
import { AppError } from '../../errors.ts';
import type { ClaimRequest, CommitRequest, Ledger, RunDocument, RunState } from '../ports.ts';
import { RunWrites, type StoredRun } from './run-writes.ts';

const CLAIM_TRIES_MAX = 3;

/** The document without what is undefined: the store would keep it as null. */
function compact<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as T;
}

export function toRun({ _id, endedBy: _endedBy, ...rest }: StoredRun): RunDocument {
  return { runKey: _id, ...rest };
}

class MongoLedger implements Ledger {
  readonly #runs: Collection<StoredRun>;
  readonly #writes: RunWrites;

  constructor(db: Db) {
    this.#runs = db.collection<StoredRun>('runs');
    this.#writes = new RunWrites(this.#runs);
  }

  /**
   * A first claim is an insert: many of them are one command, at a fifth of what upserts cost. Where the run is there already, it is read (those
   * that have ended are many after a replay, and travel together) and taken again by itself, as only that answers with the fence.
   */
  async claim(request: ClaimRequest): ReturnType<Ledger['claim']> {
    for (let tries = 0; tries < CLAIM_TRIES_MAX; tries++) {
      const fresh = firstClaim(request);
      if (await this.#writes.insert(fresh)) return { state: 'claimed', run: toRun(fresh) };
      const found = await this.#writes.read(request.runKey);
      if (found === undefined) continue; // collected meanwhile
      if (found.inputHash !== request.inputHash)
        throw new AppError('KEY_REUSED', { details: { runKey: request.runKey, kind: request.kind } });
      if (found.state !== 'running') return { state: 'ended', run: toRun(found) };
      const taken = await this.#runs.findOneAndUpdate(
        { _id: request.runKey, state: 'running', inputHash: request.inputHash },
        { $inc: { fence: 1, unsettled: 1 }, $set: { claimedAt: Date.now(), codeVersion: request.codeVersion } },
        { returnDocument: 'after' },
      );
      if (taken !== null) return { state: 'claimed', run: toRun(taken) };
    }
    throw new AppError('SERVICE_UNAVAILABLE', {
      message: `The ledger did not settle a claim in ${CLAIM_TRIES_MAX} tries.`,
      details: { runKey: request.runKey },
    });
  }

  commit({ runKey, fence, ...rest }: CommitRequest): Promise<boolean> {
    return this.#writes.update({
      filter: { _id: runKey, fence, state: 'running' },
      update: { $set: compact({ ...rest, state: 'committed' as const, endedAt: Date.now() }) },
      tookEffect: (run) => run.state === 'committed' && run.fence === fence,
    });
  }

  async markFollowed(runKey: string, output?: unknown, contractVersion?: number): Promise<void> {
    await this.#writes.update({
      filter: { _id: runKey, state: { $ne: 'running' } },
      update: {
        $set: compact({ followed: true, output, contractVersion }) as Partial<StoredRun>,
        $unset: { plan: '' },
      },
    });
  }

  end(
    runKey: string,
    fence: number | undefined,
    state: Exclude<RunState, 'running' | 'committed'>,
    error: RunDocument['error'] & object,
  ): Promise<boolean> {
    const endedBy = randomUUID();
    const holder = fence === undefined ? {} : { fence };
    return this.#writes.update({
      filter: { _id: runKey, state: 'running', ...holder },
      update: { $set: { state, error, endedAt: Date.now(), followed: false, endedBy } },
      tookEffect: (run) => run.endedBy === endedBy,
    });
  }

  async settle(runKey: string, fence: number, error: RunDocument['error'] & object): Promise<void> {
    await this.#writes.update({
      filter: { _id: runKey, fence, state: 'running' },
      update: { $set: { unsettled: 0, error } },
    });
  }

  record({ runKey, ...rest }: Parameters<Ledger['record']>[0]): Promise<boolean> {
    return this.#writes.insert(compact({ _id: runKey, ...rest, state: 'committed', fence: 0, unsettled: 0 }));
  }

  async read(runKey: string): Promise<RunDocument | undefined> {
    const found = await this.#writes.read(runKey);
    return found === undefined ? undefined : toRun(found);
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

function firstClaim(request: ClaimRequest): StoredRun {
  const now = Date.now();
  return compact({
    _id: request.runKey,
    tenant: request.tenant,
    kind: request.kind,
    contractVersion: request.contractVersion,
    inputHash: request.inputHash,
    asOf: request.asOf,
    step: request.step,
    jobId: request.jobId,
    codeVersion: request.codeVersion,
    state: 'running',
    fence: 1,
    unsettled: 1,
    createdAt: now,
    claimedAt: now,
    next: [],
    followed: false,
  }) as StoredRun;
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
