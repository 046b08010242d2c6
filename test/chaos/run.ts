/** Owns one chaos run from its first process to its judgement: jobs asked for, faults dealt, everything healed, quiet awaited, judged. */
import { mkdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { MongoClient } from 'mongodb';
import { DEFAULT_TENANT } from '../../shared/contract-kit/names.ts';
import { openStore } from '../../shared/store/mongo/open.ts';
import { TEST_KEYS } from '../services.ts';
import { check, type Violation } from './check.ts';
import { Fleet, type FleetCounts } from './fleet.ts';
import { judgePlain, PlainProducer } from './plain.ts';
import type { Plant } from './plants.ts';
import { Producer } from './producer.ts';
import { Dealer } from './dealer.ts';
import { GatewayCaller } from './gateway-caller.ts';
import { type FaultCounts, type FaultName, planFaults } from './faults.ts';
import { type JobPlan, planJobs, type Strike } from './schedule.ts';
import type { ChaosServers } from './servers.ts';
import type { Planned, StrikeTimes } from './strikes.ts';
import type { ChaosWorkerOptions } from './worker-options.ts';

export interface ChaosOptions {
  readonly seed: number;
  /** How long jobs are asked for and faults are dealt. */
  readonly seconds: number;
  readonly counts: FaultCounts;
  readonly workers: number;
  readonly jobsPerSecond: number;
  /** As `planJobs` has it. */
  readonly strikes?: readonly Strike[];
  readonly strikeTimes?: StrikeTimes;
  /** How long what is wrong may last once nothing is queued; absent: 15 s, three sweeps. */
  readonly hopelessMs?: number;
  /** Longest wait, after everything is healed, without one more job that ends. */
  readonly settleMsMax: number;
  readonly subject: 'millrace' | 'plain';
  readonly plant?: Plant;
  readonly servers: ChaosServers;
  /** Scratch space of this run alone. */
  readonly folder: string;
  /** Prefix in Redis and name of the database. */
  readonly name: string;
  readonly verbose?: boolean;
  /** Told now and then how far it is, 0 to 1, and what is going on. */
  readonly onProgress?: (share: number, what: string) => void;
}

export interface ChaosReport {
  readonly jobs: number;
  readonly fleet: FleetCounts;
  readonly dealt: Readonly<Record<FaultName, number>>;
  /** Faults of the plan that could not be dealt here, and why. */
  readonly skipped: ReadonlyMap<FaultName, string>;
  readonly forgotten: number;
  readonly failovers: number;
  readonly strikes: readonly Planned[];
  /** Strikes whose jobs never came by the place: another blow was quicker. */
  readonly missed: readonly Planned[];
  readonly states: Readonly<Record<string, number>>;
  readonly violations: readonly Violation[];
  readonly recoveriesMs: readonly number[];
  readonly settledMs: number;
  readonly stderr: string;
}

interface Judged {
  readonly violations: readonly Violation[];
  readonly states: Readonly<Record<string, number>>;
  readonly queued: number;
  /** Jobs that Redis forgot, as it may. */
  readonly forgotten: number;
}

const POLL_MS = 500;
/** Share of a run that is over when the last fault has been dealt. */
const PROGRESS_STRIKING = 0.9;
/** What a sweeper has not healed after this long of empty queues will not heal, save what is stuck. */
const HOPELESS_MS = 15_000;

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { seed, seconds, servers, subject, name, folder } = options;
  mkdirSync(folder, { recursive: true });
  await using stack = new AsyncDisposableStack();
  const client = stack.adopt(new MongoClient(servers.mongodb.url, { connectTimeoutMS: 5_000 }), (c) => c.close());
  const db = client.db(name);
  stack.defer(async () => void (await db.dropDatabase()));
  const redis = stack.adopt(new Redis(servers.redis.url, { maxRetriesPerRequest: null }), (r) => r.disconnect());
  redis.on('error', () => {});
  const argument: ChaosWorkerOptions = {
    redisUrl: servers.redis.proxiedUrl,
    mongodbUrl: servers.mongodb.proxiedUrl,
    prefix: name,
    database: name,
    folder,
    plant: options.plant,
    verbose: options.verbose ?? false,
  };
  const entry = new URL(subject === 'plain' ? './plain-worker.ts' : './worker.ts', import.meta.url);
  const fleet = stack.use(
    new Fleet({ entry, argument, size: options.workers, folder, strikeTimes: options.strikeTimes }),
  );
  const gateway =
    subject === 'plain' || options.counts['gateway-kill'] === 0
      ? undefined
      : stack.use(new Fleet({ entry: new URL('./gateway.ts', import.meta.url), argument, size: 1, folder }));
  await Promise.all([fleet.ready(), gateway?.ready()]);
  const { jobsPerSecond: perSecond, strikes } = options;
  const plans = planJobs(seed, { seconds, perSecond, strikes });
  const dealer = new Dealer(fleet, servers, gateway);
  const failoversBefore = servers.redis.failovers;
  const { forgettings } = servers.redis;
  let judge: () => Promise<Judged>;
  let asked: () => number;
  if (subject === 'plain') {
    const producer = stack.use(new PlainProducer(servers.redis.url, name));
    await strike(plans, (plan) => producer.ask(plan, fleet.strikes), dealer, options);
    judge = () => judgePlain({ db, redis, prefix: name, asked: producer.asked, forgettings });
    asked = () => producer.asked.length;
  } else {
    const caller = gateway && new GatewayCaller(() => gateway.address, await gatewayKey(servers.mongodb.url, name));
    const producer = stack.use(new Producer({ redisUrl: servers.redis.url, prefix: name, db, gateway: caller }));
    await producer.prepare();
    await strike(plans, (plan) => producer.ask(plan, fleet.strikes), dealer, options);
    const { masterKey } = TEST_KEYS;
    const common = { db, redis, prefix: name, tenant: DEFAULT_TENANT, masterKey, heard: fleet.completed };
    judge = () => check({ ...common, asked: producer.asked, forgettings });
    asked = () => producer.asked.length;
  }
  const from = performance.now();
  const { violations, states, forgotten } = await settled(judge, fleet, options);
  const { dealt, skipped } = dealer;
  return {
    jobs: asked(),
    fleet: { ...fleet.counts, crashes: fleet.counts.crashes + (gateway?.counts.crashes ?? 0) },
    dealt,
    skipped,
    forgotten,
    failovers: servers.redis.failovers - failoversBefore,
    strikes: fleet.strikes.dealt,
    missed: fleet.strikes.missed,
    states,
    violations,
    recoveriesMs: fleet.recoveriesMs,
    settledMs: performance.now() - from,
    stderr: fleet.stderr + (gateway?.stderr ?? ''),
  };
}

async function gatewayKey(url: string, database: string): Promise<string> {
  const { masterKey, tenantKey } = TEST_KEYS;
  await using store = await openStore({ url, database, masterKey, tenantKey });
  return (await store.apiKeys.create(DEFAULT_TENANT, 'chaos', ['events:write'])).secret;
}

/** Asks for the jobs and deals the faults, each at its time; ends with everything healed. */
async function strike(
  plans: readonly JobPlan[],
  ask: (plan: JobPlan) => Promise<void>,
  dealer: Dealer,
  { seed, seconds, counts, onProgress }: ChaosOptions,
): Promise<void> {
  const from = performance.now();
  let dealt = 0;
  const until = (atMs: number) => pause(Math.max(0, from + atMs - performance.now()));
  const asking = plans.map(async (plan) => {
    await until(plan.atMs);
    await ask(plan);
  });
  for (const fault of planFaults(seed, seconds, counts)) {
    await until(fault.atMs);
    dealer.deal(fault);
    onProgress?.((PROGRESS_STRIKING * fault.atMs) / (seconds * 1000), `${++dealt} faults dealt`);
  }
  await until(seconds * 1000);
  await dealer.healed();
  await Promise.all(asking);
}

/** Judges again and again until nothing is wrong; gives up at the limit, or once all has ended and what is wrong cannot heal. */
async function settled(judge: () => Promise<Judged>, fleet: Fleet, options: ChaosOptions): Promise<Judged> {
  const { settleMsMax, hopelessMs = HOPELESS_MS, onProgress } = options;
  let from = performance.now();
  let fewest = Number.POSITIVE_INFINITY;
  let emptySince: number | undefined;
  for (;;) {
    const judged = await judge();
    const now = performance.now();
    const isQuiet = fleet.frozen === 0 && judged.queued === 0;
    if (isQuiet && judged.violations.length === 0) return judged;
    onProgress?.(PROGRESS_STRIKING, `healed; ${judged.violations.length} not settled, ${judged.queued} queued`);
    emptySince = isQuiet ? (emptySince ?? now) : undefined;
    const isHopeless = judged.violations.some(({ sort }) => sort !== 'stuck');
    if (judged.violations.length < fewest) {
      fewest = judged.violations.length;
      from = now;
    }
    if (now - from > settleMsMax) return judged;
    if (isHopeless && emptySince !== undefined && now - emptySince > hopelessMs) return judged;
    await pause(POLL_MS);
  }
}
