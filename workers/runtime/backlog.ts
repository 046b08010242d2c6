/**
 * Owns the counters of unfinished jobs once jobs are in the queue: lowered in batches as jobs end here, and counted again from time
 * to time, since jobs also leave in other ways (removed by hand, ended by a worker that was killed before it could tell).
 */
import type { Job, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { backlogKey } from '../../shared/contract-kit/names.ts';

/** Ends are told together after this long at most, and at this many. */
const FLUSH_MS = 100;
const FLUSH_JOBS = 1_000;
/** A queue of at most so many jobs is counted each time. */
const COUNT_ALWAYS_MAX = 1_000;
/** Jobs that one call reads of a larger queue. */
const COUNT_CHUNK = 500;
/** A larger queue is counted when its counters are off by more than this share of it. */
const DRIFT_SHARE_MAX = 0.01;
/** One process counts a queue, once in this time. */
const COUNT_INTERVAL_MS = 30_000;
/** Seconds over which the rate of ending jobs is smoothed. */
const DRAIN_SMOOTHING_S = 10;

/** KEYS[1] counters; ARGV pairs of tenant and ended jobs. */
const RELEASE = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for i = 1, #ARGV, 2 do
  local tenant, ended = ARGV[i], tonumber(ARGV[i + 1])
  if redis.call('HINCRBY', KEYS[1], 'jobs:' .. tenant, -ended) <= 0 then
    redis.call('HDEL', KEYS[1], 'jobs:' .. tenant, 'drain:' .. tenant)
  else
    local rate, at = string.match(redis.call('HGET', KEYS[1], 'drain:' .. tenant) or '', '^([%d.]+) (%d+)$')
    local seconds = math.max(${FLUSH_MS / 1000}, (now - (tonumber(at) or now)) / 1000)
    local weight = 1 - math.exp(-seconds / ${DRAIN_SMOOTHING_S})
    local old = tonumber(rate) or ended / seconds
    redis.call('HSET', KEYS[1], 'drain:' .. tenant, string.format('%.3f %d', old + weight * (ended / seconds - old), now))
  end
end`;

/**
 * KEYS[1] prioritized or delayed or a list of ids, KEYS[2] prefix of jobs; ARGV first and last. Tenants of the jobs that were
 * counted when they were added (a priority above 0), each as often as it has jobs there.
 */
const TENANTS = `
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then return {} end
local ids = redis.call(kind == 'list' and 'LRANGE' or 'ZRANGE', KEYS[1], ARGV[1], ARGV[2])
local found = {}
for _, id in ipairs(ids) do
  local job = redis.call('HMGET', KEYS[2] .. id, 'priority', 'data')
  if (tonumber(job[1]) or 0) > 0 then
    local tenant = string.match(job[2] or '', '"tenant":"([^"]*)"')
    if tenant then found[tenant] = (found[tenant] or 0) + 1 end
  end
end
local answer = {}
for tenant, jobs in pairs(found) do
  answer[#answer + 1] = tenant
  answer[#answer + 1] = jobs
end
return answer`;

/** Tells the counters of the jobs that end in one worker. */
export class BacklogRelease implements AsyncDisposable {
  readonly #redis: Redis;
  readonly #key: string;
  #ended = new Map<string, number>();
  #count = 0;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<unknown> = Promise.resolve();

  constructor(redis: Redis, prefix: string, worker: Worker) {
    this.#redis = redis;
    this.#key = backlogKey(prefix, worker.name);
    worker.on('completed', (job) => this.#add(job));
    worker.on('failed', (job) => {
      if (job?.finishedOn !== undefined) this.#add(job);
    });
  }

  #add({ opts, data }: Job): void {
    if ((opts.priority ?? 0) === 0) return; // never counted
    const tenant = tenantOf(data);
    if (tenant === undefined) return;
    this.#ended.set(tenant, (this.#ended.get(tenant) ?? 0) + 1);
    this.#count += 1;
    if (this.#count >= FLUSH_JOBS) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref();
  }

  /** Resolves once all that ended before is told, or could not be: the next count mends it. Never rejects. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const ended = this.#ended;
    this.#ended = new Map();
    this.#count = 0;
    if (ended.size > 0) {
      const told = [...ended].flatMap(([tenant, jobs]) => [tenant, String(jobs)]);
      this.#flushing = this.#redis.eval(RELEASE, 1, this.#key, ...told).catch(() => {});
    }
    await this.#flushing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.flush();
  }
}

function tenantOf(data: unknown): string | undefined {
  const tenant = typeof data === 'object' && data !== null && 'tenant' in data ? data.tenant : undefined;
  return typeof tenant === 'string' ? tenant : undefined;
}

const STATES = ['wait', 'paused', 'active', 'prioritized', 'delayed'] as const;

/** Counts the queue's jobs a tenant and sets the counters right. True: this call counted. */
export async function recountBacklog(redis: Redis, prefix: string, kind: string, force = false): Promise<boolean> {
  const key = backlogKey(prefix, kind);
  const lock = `${key}:counted`;
  if (!force && (await redis.set(lock, '1', 'PX', COUNT_INTERVAL_MS, 'NX')) === null) return false;
  const place = `${prefix}:${kind}:`;
  const counters = await readCounters(redis, key);
  const lengths = await Promise.all(
    STATES.map((state) =>
      state === 'prioritized' || state === 'delayed' ? redis.zcard(place + state) : redis.llen(place + state),
    ),
  );
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const counted = [...counters.values()].reduce((sum, jobs) => sum + jobs, 0);
  if (total > COUNT_ALWAYS_MAX && Math.abs(total - counted) <= DRIFT_SHARE_MAX * total) return false;
  const found = new Map<string, number>();
  for (const [at, state] of STATES.entries())
    for (let from = 0; from < (lengths[at] ?? 0); from += COUNT_CHUNK) {
      const answer = await redis.eval(TENANTS, 2, place + state, place, from, from + COUNT_CHUNK - 1);
      const pairs = answer as (string | number)[];
      for (let pair = 0; pair < pairs.length; pair += 2)
        found.set(String(pairs[pair]), (found.get(String(pairs[pair])) ?? 0) + Number(pairs[pair + 1]));
    }
  await mend(redis, key, counters, found);
  return true;
}

async function readCounters(redis: Redis, key: string): Promise<Map<string, number>> {
  const counters = new Map<string, number>();
  for (const [field, text] of Object.entries(await redis.hgetall(key)))
    if (field.startsWith('jobs:')) counters.set(field.slice('jobs:'.length), Number(text));
  return counters;
}

/** Adds differences instead of setting values: jobs that came or ended meanwhile stay counted. */
async function mend(redis: Redis, key: string, before: Map<string, number>, found: Map<string, number>): Promise<void> {
  const differences: string[] = [];
  for (const tenant of new Set([...before.keys(), ...found.keys()])) {
    const difference = (found.get(tenant) ?? 0) - (before.get(tenant) ?? 0);
    if (difference !== 0) differences.push(tenant, String(-difference));
  }
  if (differences.length > 0) await redis.eval(MEND, 1, key, ...differences);
}

/** As RELEASE, without a thought for the rate. */
const MEND = `
for i = 1, #ARGV, 2 do
  if redis.call('HINCRBY', KEYS[1], 'jobs:' .. ARGV[i], -tonumber(ARGV[i + 1])) <= 0 then
    redis.call('HDEL', KEYS[1], 'jobs:' .. ARGV[i], 'drain:' .. ARGV[i])
  end
end`;
