/**
 * Owns the make-up of one worker process: store, Redis, compute pool, and for some kinds a worker pool each,
 * with the orchestrator, the sweeper and the schedules beside them. main.ts and the tests start it; nothing else.
 */
import { pipelineOfCancelName } from '../../shared/contract-kit/names.ts';
import type { Meter } from '@opentelemetry/api';
import { Redis } from 'ioredis';
import { CONTRACTS, JOB_KINDS, type JobKind } from '../../jobs/registry.ts';
import { systemClock } from '../../shared/clock.ts';
import { computePool } from '../../shared/compute/pool.ts';
import type { Config } from '../../shared/config.ts';
import { REDRIVE_WINDOW_MS } from '../../shared/contract-kit/define-job.ts';
import { sealKeyIds, sealRing } from '../../shared/contract-kit/seal.ts';
import { REDIS_TLS_SETTINGS, redisTls, tlsFailure, type TlsTrust } from '../../shared/contract-kit/tls.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import { openJournalOutbox, openOutbox } from '../../shared/store/mongo/outbox.ts';
import { keepTrailHeads } from '../../shared/governance/trail-heads.ts';
import { openStore, storeAt } from '../../shared/store/mongo/open.ts';
import type { Store } from '../../shared/store/ports.ts';
import type { Log } from '../../shared/telemetry/log.ts';
import type { Health } from '../../shared/telemetry/health.ts';
import { logEvents } from '../../shared/telemetry/log-events.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import { Announcer } from './announcer.ts';
import { CancelWatch } from './cancellation.ts';
import { collecting } from './collecting.ts';
import { codeVersion } from './code-version.ts';
import { Duty } from './duty.ts';
import { Enqueuer } from './enqueuer.ts';
import { AloneCounts, Isolation } from './isolation.ts';
import { LineageRecorder } from './lineage-recorder.ts';
import { Orchestrator } from './orchestrator.ts';
import { OutboxRelay } from './outbox-relay.ts';
import { relayOf } from './relay.ts';
import { FETCH_MS_MAX, WorkerPool } from './pool.ts';
import type { AnyProcessor, Ports } from './processor.ts';
import { JobPayloads } from './payloads.ts';
import { Pruner } from './pruner.ts';
import { measureQueues } from './queue-gauges.ts';
import { adaptTick, adoptSchedulers, declareDefaults, restoreSchedules } from './schedules.ts';
import { declareSourceRates } from './source-rates.ts';
import { Sweeper } from './sweeper.ts';
import { threadEvents } from './thread-events.ts';
import { Ticker } from './ticker.ts';

export interface HostOptions {
  readonly config: Config;
  readonly log: Log;
  /** Kinds to work on; absent: all. */
  readonly kinds?: readonly JobKind[];
  /** Declare the default schedules. */
  readonly schedules?: boolean;
  /** What else listens to the stream; the log always does. */
  readonly telemetry?: Telemetry;
  /** Told how to ask the connections of the process whether they answer. */
  readonly health?: Health;
  /** Asked for the state of the queues. */
  readonly meter?: Meter;
}

export interface Host extends AsyncDisposable {
  readonly store: Store;
  readonly pools: readonly WorkerPool[];
  readonly sweeper: Sweeper;
}

/** Finds the processor of a kind by its name. */
async function processorOf(kind: JobKind): Promise<AnyProcessor> {
  const module = (await import(`../${kind}/processor.ts`)) as { default: AnyProcessor };
  return module.default;
}

/**
 * A connection that answers nothing for so long, with commands under way, is dropped (a half-open network path), and its commands
 * are sent again over a new one. Longer than BullMQ's longest blocking read, 10 s.
 */
const SILENCE_MS_MAX = 15_000;

/** Of the time that a stop may take, jobs at work get so much to end by themselves, and then so much to be given back. */
const FINISH_SHARE = 0.6;
const GIVE_BACK_SHARE = 0.25;

/** A connection for BullMQ's workers: waits out failovers instead of failing commands. Throws SERVICE_UNAVAILABLE and TLS_FAILED when Redis does not answer at the start. */
export async function openRedis(url: string, tls?: TlsTrust): Promise<Redis> {
  const redis = new Redis(url, {
    ...redisTls(url, tls),
    maxRetriesPerRequest: null,
    lazyConnect: true,
    socketTimeout: SILENCE_MS_MAX,
  });
  let last: unknown;
  redis.on('error', (error) => {
    last = error;
  });
  try {
    await Promise.race([
      redis.connect(),
      new Promise((_resolve, reject) =>
        redis.once('close', () => reject(last instanceof Error ? last : new Error('closed'))),
      ),
    ]);
    return redis;
  } catch (cause) {
    redis.disconnect();
    const { hostname, port } = new URL(url);
    const address = `${hostname}:${port || 6379}`;
    const distrusted = tlsFailure(last ?? cause, {
      service: 'Redis',
      address,
      settings: REDIS_TLS_SETTINGS,
      atFirst: url.startsWith('rediss:'),
    });
    throw distrusted ?? new AppError('SERVICE_UNAVAILABLE', { message: `Redis at ${address} does not answer.`, cause });
  }
}

/** Starts a worker process. Whatever was opened is closed again, in reverse, when it is disposed or fails to start. */
export async function startHost({
  config,
  log,
  kinds = JOB_KINDS,
  schedules = false,
  telemetry = new Telemetry(),
  health,
  meter,
}: HostOptions): Promise<Host> {
  await using stack = new AsyncDisposableStack();
  stack.defer(telemetry.subscribe(logEvents(log)));
  const redis = stack.adopt(await openRedis(config.redisUrl, config.redisTls), async (connection) =>
    connection.disconnect(),
  );
  const pool = stack.use(
    computePool({
      observer: threadEvents(telemetry),
      ...(config.threads === undefined ? {} : { threads: config.threads }),
    }),
  );
  const { mongodbUrl: url, mongodbTls: tls, database, prefix } = config;
  const store = stack.use(await openStore({ ...storeAt(config), compute: pool, telemetry }));
  keepTrailHeads(store.trail, redis, prefix);
  const ring = sealRing(config.sealKeys);
  await store.keyring.admitSeals(sealKeyIds(config.sealKeys));
  const processors = new Map<string, AnyProcessor>();
  for (const kind of kinds) processors.set(kind, await processorOf(kind));
  const enqueuer = stack.use(
    new Enqueuer({ redis, prefix, contracts: CONTRACTS, claims: store.claims, ring, telemetry }),
  );
  const ports: Ports = {
    store,
    pool,
    clock: systemClock,
    log,
    telemetry,
    codeVersion: codeVersion(),
    announcer: new Announcer(store, enqueuer, systemClock),
    payloads: new JobPayloads(enqueuer, store.claims, ring),
    lineage: new LineageRecorder({
      store,
      enqueuer,
      clock: systemClock,
      namespace: config.lineageNamespace,
      sends: config.openLineage !== undefined,
    }),
    ...(config.openLineage === undefined ? {} : { openLineage: config.openLineage }),
    webhookPrivate: config.webhookPrivate,
    holdsAccounts: config.quality === 'hold',
    checkpoints: config.checkpoints,
    ...(config.tfjsNative === undefined ? {} : { tfjsNative: config.tfjsNative }),
  };
  let orchestrator: Orchestrator | undefined;
  const cancels = stack.use(
    await CancelWatch.open(redis, prefix, (name) => {
      const run = pipelineOfCancelName(name);
      if (run !== undefined) void orchestrator?.advance(run).catch(() => {}); // the sweeper advances too
    }),
  );
  const { lineage } = ports;
  orchestrator = new Orchestrator({
    store,
    redis,
    prefix,
    enqueuer,
    cancels,
    log,
    telemetry,
    ...(lineage === undefined ? {} : { lineage }),
  });
  const relay = relayOf({ orchestrator, enqueuer, ledger: store.ledger, clock: systemClock });
  await adoptSchedulers(enqueuer.queue('pipeline'), redis, prefix);
  await declareSourceRates(redis, prefix);
  const known = await restoreSchedules(store, redis, prefix);
  if (schedules) await declareDefaults(redis, prefix, config.tenant, systemClock.now(), known);
  const isolation = new Isolation(new AloneCounts(redis, prefix));
  const pools: WorkerPool[] = [];
  // All at once: while one pool finishes its jobs, another must not take new ones.
  stack.defer(async () => {
    await Promise.all(pools.map((one) => one[Symbol.asyncDispose]()));
  });
  for (const kind of kinds)
    pools.push(
      new WorkerPool({
        contract: CONTRACTS[kind],
        processor: processors.get(kind) as AnyProcessor,
        ports: { ...ports, log: log.child({ kind }) },
        ring,
        cancels,
        isolation,
        relay,
        redis,
        prefix,
        finishMs: config.stopMs * FINISH_SHARE,
        giveBackMs: config.stopMs * GIVE_BACK_SHARE,
        ...(kind === 'pipeline' ? { adapt: adaptTick } : {}),
        onStepProgress: ({ tenant, step }, progress) => {
          if (step !== undefined) orchestrator.stepProgress(tenant, step.run, step.step, progress);
        },
      }),
    );
  const sweeper = stack.use(
    new Sweeper({ ports, enqueuer, orchestrator, relay, processorOf: (kind) => processors.get(kind) }),
  );
  const ticker = stack.use(new Ticker({ store, redis, prefix, enqueuer, clock: systemClock, log }));
  stack.use(pruning({ config, redis, enqueuer, log }));
  if (config.collect) stack.use(collecting({ config, redis, store, telemetry, log }));
  const outboxes = [stack.use(await openJournalOutbox(url, database, tls))];
  if (config.outbox.collections.length > 0) outboxes.push(stack.use(await openOutbox(config.outbox)));
  for (const outbox of outboxes) stack.use(new OutboxRelay({ outbox, ports, enqueuer }));
  await Promise.all(pools.map(({ worker }) => worker.waitUntilReady()));
  const queues = kinds.map((kind) => enqueuer.queue(kind));
  if (meter !== undefined) stack.defer(measureQueues(meter, queues, pools));
  if (health !== undefined) watch(health, config.healthWindowMs, { redis, store, pools });
  ticker.start();
  const owned = stack.move();
  return { store, pools, sweeper, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const PRUNE_EVERY_MS = 30_000;

function pruning({
  config: { prefix, keepCompletedMs: completedMs, keepCompletedMax: completedMax },
  redis,
  enqueuer,
  log,
}: {
  readonly config: Config;
  readonly redis: Redis;
  readonly enqueuer: Enqueuer;
  readonly log: Log;
}): Duty {
  const queues = enqueuer.kinds.map((kind) => enqueuer.queue(kind));
  const pruner = new Pruner(queues, { completedMs, completedMax, failedMs: REDRIVE_WINDOW_MS });
  return new Duty({
    redis,
    prefix,
    name: 'prune',
    everyMs: PRUNE_EVERY_MS,
    work: async (mayGoOn) => {
      const removed = await pruner.prune(mayGoOn);
      if (removed > 0) log.debug({ removed }, 'finished jobs were removed from Redis');
    },
    onError: (thrown) =>
      log.warn({ error: toAppError(thrown).toJSON() }, 'finished jobs were not all removed; the next turn goes on'),
  });
}

/** A worker lives while its own connection and the store answer, and while each pool is told whether there is a job. */
function watch(
  health: Health,
  windowMs: number,
  { redis, store, pools }: { readonly redis: Redis; readonly store: Store; readonly pools: readonly WorkerPool[] },
): void {
  health.watch({ name: 'redis', needed: 'live', windowMs, ask: () => redis.ping() });
  health.watch({ name: 'store', needed: 'live', windowMs, ask: () => store.ping() });
  for (const { kind, worker } of pools)
    health.watch({
      name: `fetch ${kind}`,
      needed: 'live',
      windowMs: windowMs + FETCH_MS_MAX,
      answeredAt: () => worker.fetchedAt,
    });
}
