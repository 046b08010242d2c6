/** Owns collection as a duty: once an hour one worker of the deployment removes from the store what nobody names, and from the ledger what ended long ago. */
import type { Redis } from 'ioredis';
import { COLLECTION_WINDOW_MS, RedisJobs } from '../../jobs/collection.ts';
import type { Config } from '../../shared/config.ts';
import { toAppError } from '../../shared/errors.ts';
import { COLLECTED, type Store } from '../../shared/store/ports.ts';
import type { Log } from '../../shared/telemetry/log.ts';
import type { Telemetry } from '../../shared/telemetry/stream.ts';
import { Duty } from './duty.ts';

/** Turns come more often than passes: a deployment whose processes live for minutes is collected too. */
const TURN_MS = 10 * 60_000;
const PASS_MS = 3600_000;

export function collecting({
  config,
  redis,
  store,
  telemetry,
  log,
}: {
  readonly config: Pick<
    Config,
    'prefix' | 'keepRunsMs' | 'keepReleases' | 'keepExposuresMs' | 'keepLineageMs' | 'keepTrailMs'
  >;
  readonly redis: Redis;
  readonly store: Pick<Store, 'collector' | 'trail' | 'personTokens'>;
  readonly telemetry: Telemetry;
  readonly log: Log;
}): Duty {
  const { prefix, keepRunsMs, keepReleases, keepExposuresMs, keepLineageMs, keepTrailMs } = config;
  const rules = { windowMs: COLLECTION_WINDOW_MS, keepRunsMs, keepReleases, keepExposuresMs, keepLineageMs };
  const jobs = new RedisJobs(redis, prefix);
  return new Duty({
    redis,
    prefix,
    name: 'collect',
    everyMs: TURN_MS,
    work: async (mayGoOn) => {
      if ((await redis.set(`${prefix}:duty:collected`, '1', 'PX', PASS_MS, 'NX')) === null) return;
      const startedAt = performance.now();
      await store.personTokens.forget();
      for (const tenant of await store.trail.tenants()) await store.trail.prune(tenant, Date.now() - keepTrailMs);
      const { tallies, whole, heldBy } = await store.collector.collect(rules, jobs, { mayGoOn });
      const gone = Object.fromEntries(COLLECTED.map((what) => [what, tallies[what].gone])) as Record<
        (typeof COLLECTED)[number],
        number
      >;
      telemetry.emit('collection.ended', { seconds: (performance.now() - startedAt) / 1000, whole, heldBy, ...gone });
    },
    onError: (thrown) =>
      log.warn({ error: toAppError(thrown).toJSON() }, 'a pass of collection did not finish; the next one goes on'),
  });
}
