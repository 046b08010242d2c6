/**
 * Owns the benchmark of runs with ledger and commit: the executor beside the store alone, which makes the same writes of the same documents under the
 * same indexes, grouped in the same way, and beside raw BullMQ.
 */
import { randomBytes } from 'node:crypto';
import { type Collection, MongoClient } from 'mongodb';
import { answered, Gather } from '../../../shared/gather.ts';
import { createLedgerIndexes } from '../../../shared/store/mongo/ledger.ts';
import { mongodbUrl, type TestServices } from '../../services.ts';
import { type Comparison, interleave, type Side, type Work } from '../interleave.ts';
import { type Concurrency, ourRunner, rawRunner } from './running.ts';

const JOBS: Readonly<Record<Concurrency, number>> = { 1: 300, 10: 1_000, 100: 3_000 };
type Effect = 'record' | 'dataset';

/** Seconds of the store's writes that a run may add to plain BullMQ's when nothing else is at work. */
const ADDED_MAX = 1.3;
/** Share of what the store alone does, with a hundred at work. */
const SHARE_MIN = 0.7;

interface RawRun {
  readonly _id: string;
  readonly [field: string]: unknown;
}

const GROUP = { itemsMax: 128, flightsMax: 2 };

/** The writes of a run as the driver takes them: alone, or those that are there together as one command. */
function writesOf(runs: Collection<RawRun>, isGrouped: boolean) {
  const commit = (_id: string) => ({
    filter: { _id, fence: 1, state: 'running' },
    update: { $set: { ...ENDED, endedAt: Date.now() } },
  });
  if (!isGrouped)
    return {
      insert: async (run: RawRun) => void (await runs.insertOne(run)),
      commit: async (_id: string) => {
        const { filter, update } = commit(_id);
        await runs.updateOne(filter, update);
      },
    };
  const inserts = new Gather<RawRun, void>({
    ...GROUP,
    send: async (group) => {
      await runs.insertMany([...group], { ordered: false });
      return group.map(() => answered(undefined));
    },
  });
  const commits = new Gather<string, void>({
    ...GROUP,
    send: async (group) => {
      await runs.bulkWrite(
        group.map((_id) => ({ updateOne: commit(_id) })),
        { ordered: false },
      );
      return group.map(() => answered(undefined));
    },
  });
  return { insert: (run: RawRun) => inserts.add(run), commit: (_id: string) => commits.add(_id) };
}

const ENDED = {
  output: { ok: true },
  state: 'committed',
  followed: true,
  lineage: { inputs: [], consentEpoch: 0, computeSeconds: 0 },
};

/** A run as the executor writes it. */
function runOf(effect: Effect): RawRun {
  const now = Date.now();
  const begun = {
    _id: `main.bench-${effect}.${randomBytes(32).toString('hex')}`,
    tenant: 'main',
    kind: `bench-${effect}`,
    contractVersion: 1,
    inputHash: randomBytes(32).toString('hex'),
    asOf: now,
    codeVersion: 'bench',
    createdAt: now,
    claimedAt: now,
    next: [],
  };
  return effect === 'record'
    ? { ...begun, ...ENDED, endedAt: now, fence: 0, unsettled: 0 }
    : { ...begun, state: 'running', followed: false, fence: 1, unsettled: 1 };
}

async function storeAlone(client: MongoClient, effect: Effect, concurrency: Concurrency): ReturnType<Work> {
  const db = client.db(`bench_${randomBytes(6).toString('hex')}`);
  await createLedgerIndexes(db);
  const { insert, commit } = writesOf(db.collection<RawRun>('runs'), concurrency > 1);
  const units = JOBS[concurrency];
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next++ < units) {
      const run = runOf(effect);
      await insert(run);
      if (effect === 'dataset') await commit(run._id);
    }
  };
  const cpu = process.cpuUsage();
  const started = performance.now();
  await Promise.all(Array.from({ length: concurrency }, caller));
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  await db.dropDatabase();
  return { units, seconds, cpuSeconds: (user + system) / 1e6 };
}

export async function benchLedger(
  services: TestServices,
  effect: Effect,
  concurrency: Concurrency,
): Promise<Comparison> {
  await using ours = await ourRunner(services, effect, concurrency);
  await using raw = await rawRunner(services, concurrency);
  await using stack = new AsyncDisposableStack();
  const client = stack.adopt(await MongoClient.connect(mongodbUrl, { maxPoolSize: 20 }), (one) => one.close());
  const units = JOBS[concurrency];
  const emptied = async (): ReturnType<Work> => {
    const measured = await ours.run(units);
    // Each run of the benchmark meets a ledger of the same size.
    await client.db(services.database).collection('runs').deleteMany({});
    return measured;
  };
  const writes = effect === 'record' ? 'one insert' : 'claim, commit';
  const peer: Side = {
    name: `the store alone (${writes}${concurrency > 1 ? ', grouped' : ''})`,
    work: () => storeAlone(client, effect, concurrency),
  };
  const bar =
    concurrency === 1
      ? ({ of: 'added', target: ADDED_MAX } as const)
      : concurrency === 100
        ? { target: SHARE_MIN }
        : {};
  return await interleave({
    name: `no-op with ledger, class ${effect}, c = ${concurrency}`,
    unit: 'jobs',
    pairs: 15,
    ...bar,
    ours: { name: 'millrace executor', work: emptied },
    peer,
    beside: { name: 'bullmq worker', work: () => raw.run(units) },
  });
}
