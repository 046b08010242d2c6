/**
 * Owns one worker process of a chaos run: the parts of workers/runtime as a host puts them together, with the kinds
 * `ingestion` and `pipeline` and the chaos kinds. Its argument is JSON; what started it hears of jobs over IPC.
 */
import { MongoClient } from 'mongodb';
import { CONTRACTS } from '../../jobs/registry.ts';
import { systemClock } from '../../shared/clock.ts';
import { computePool } from '../../shared/compute/pool.ts';
import type { Contract } from '../../shared/contract-kit/define-job.ts';
import { sealRing } from '../../shared/contract-kit/seal.ts';
import { openStore } from '../../shared/store/mongo/open.ts';
import { openJournalOutbox, openOutbox } from '../../shared/store/mongo/outbox.ts';
import type { Store } from '../../shared/store/ports.ts';
import { openLog } from '../../shared/telemetry/log.ts';
import { logEvents } from '../../shared/telemetry/log-events.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import ingestion from '../../workers/ingestion/processor.ts';
import pipeline from '../../workers/pipeline/processor.ts';
import { CancelWatch } from '../../workers/runtime/cancellation.ts';
import { Enqueuer } from '../../workers/runtime/enqueuer.ts';
import type { Relay } from '../../workers/runtime/follow.ts';
import { openRedis } from '../../workers/runtime/host.ts';
import { AloneCounts, Isolation } from '../../workers/runtime/isolation.ts';
import { Orchestrator } from '../../workers/runtime/orchestrator.ts';
import { OutboxRelay } from '../../workers/runtime/outbox-relay.ts';
import { WorkerPool } from '../../workers/runtime/pool.ts';
import type { AnyProcessor, Ports } from '../../workers/runtime/processor.ts';
import { Sweeper } from '../../workers/runtime/sweeper.ts';
import { TEST_KEYS } from '../services.ts';
import { CHAOS_CONTRACTS, DIAMOND, ORDERS } from './contracts.ts';
import { hitLedger } from './plants.ts';
import { Points, tell } from './points.ts';
import type { ChaosWorkerOptions } from './worker-options.ts';
import { chaosProcessors } from './processors.ts';

async function openChaosStore(options: ChaosWorkerOptions, points: Points, pool: Ports['pool']) {
  const { mongodbUrl: url, database } = options;
  const { masterKey, tenantKey } = TEST_KEYS;
  const client = await new MongoClient(url, { socketTimeoutMS: 20_000, connectTimeoutMS: 5_000 }).connect();
  const db = client.db(database);
  const store = await openStore({ url, database, masterKey, tenantKey, compute: pool });
  const { ledger, acknowledged } = hitLedger(store.ledger, options.plant, db, points);
  const hit: Store = { ...store, ledger };
  return { store: hit, db, acknowledged };
}

async function main(options: ChaosWorkerOptions): Promise<void> {
  const { prefix } = options;
  const points = new Points(options.folder);
  const log = openLog(options.verbose === true ? 'info' : 'silent', { pid: process.pid });
  const telemetry = new Telemetry();
  telemetry.subscribe(logEvents(log));
  const ring = sealRing(TEST_KEYS.sealKeys);
  const redis = await openRedis(options.redisUrl);
  const pool = computePool({ threads: 1 });
  const { store, db, acknowledged } = await openChaosStore(options, points, pool);
  const ports: Ports = { store, pool, clock: systemClock, log, telemetry, codeVersion: 'chaos' };
  const contracts: Readonly<Record<string, Contract>> = { ...CONTRACTS, ...CHAOS_CONTRACTS };
  const enqueuer = new Enqueuer({ redis, prefix, contracts, claims: store.claims, ring });
  const cancels = await CancelWatch.open(redis, prefix);
  const pipelineOf = () => DIAMOND;
  const orchestrator = new Orchestrator({ store, redis, prefix, enqueuer, cancels, log, pipelineOf });
  const relay: Relay = async (intent, run) => {
    if (intent.type === 'advance') return orchestrator.advance(intent.run);
    await enqueuer.enqueue(intent.kind, intent.input, { tenant: run.tenant, key: intent.key, asOf: run.asOf });
  };
  const processors: Readonly<Record<string, AnyProcessor>> = {
    ingestion,
    pipeline,
    ...chaosProcessors(db, points),
  };
  const isolation = new Isolation(new AloneCounts(redis, prefix));
  for (const [kind, processor] of Object.entries(processors)) {
    const contract = contracts[kind]!;
    const { worker } = new WorkerPool({ contract, processor, ports, ring, cancels, relay, redis, prefix, isolation });
    worker.on('completed', (job) => {
      const { runKey } = job.data as { readonly runKey: string };
      void points.reach(runKey, 'completed').then(() => {
        acknowledged(runKey);
        return tell({ type: 'ended', id: runKey });
      });
    });
    worker.on('failed', (job) => void tell({ type: 'ended', id: job?.data.runKey ?? '' }));
    await worker.waitUntilReady();
  }
  const { mongodbUrl: url, database } = options;
  const outboxes = [
    await openOutbox({ url, collections: [`${database}.${ORDERS}`] }),
    await openJournalOutbox(url, database),
  ];
  const outboxRelays = outboxes.map((outbox) => new OutboxRelay({ outbox, ports, enqueuer }));
  const sweeper = new Sweeper({ ports, enqueuer, orchestrator, relay, processorOf: (kind) => processors[kind] });
  process.once('disconnect', () => {
    for (const one of [...outboxRelays, sweeper]) void one[Symbol.asyncDispose](); // the harness is gone
    process.exit(0);
  });
  await tell({ type: 'ready' });
}

process.on('unhandledRejection', (thrown) => {
  console.error('unhandled', thrown);
  process.exit(1);
});
await main(JSON.parse(process.argv[2] ?? '') as ChaosWorkerOptions);
