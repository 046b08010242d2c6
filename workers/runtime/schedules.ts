/**
 * Owns what recurs at the start of a worker: the schedules of a fresh deployment, and those of earlier versions, which BullMQ's
 * job schedulers carried: they are taken over, and ticks of theirs that are in the queue already are turned into envelopes.
 */
import { hash } from 'node:crypto';
import type { Job, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { pipeline } from '../../jobs/pipeline/contract.ts';
import { recordOf, SCHEDULES } from '../../jobs/schedules.ts';
import {
  CATCH_UP_DEFAULT,
  ENVELOPE_VERSION,
  type ScheduleRecord,
  tickSchema,
} from '../../shared/contract-kit/envelope.ts';
import {
  removedSchedulesKey,
  runKeyOf,
  schedulerId,
  schedulesKey,
  TICK_NAME,
} from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';
import type { Store } from '../../shared/store/ports.ts';

const SCHEDULERS_MAX = 1_000;
/** Schedules of a deployment, all tenants together, that are given back. */
const SCHEDULES_MAX = 10_000;
/** Set of the default schedules that were declared once. */
const declaredKey = (prefix: string): string => `${prefix}:declared-schedules`;

/**
 * Gives back to an emptied Redis what the store knows to be declared, and lets the store know what was removed. Returns the ids of all
 * schedules that were ever declared.
 */
export async function restoreSchedules(
  { ticks }: Pick<Store, 'ticks'>,
  redis: Redis,
  prefix: string,
): Promise<ReadonlySet<string>> {
  const known = new Set<string>();
  const removed = new Set(await redis.hkeys(removedSchedulesKey(prefix)));
  for (const { tenant, schedule, record = null } of await ticks.kept(SCHEDULES_MAX)) {
    const id = schedulerId(tenant, schedule);
    known.add(id);
    if (removed.has(id)) {
      await ticks.keep(tenant, schedule, null);
      await redis.hdel(removedSchedulesKey(prefix), id);
    } else if (record !== null) await redis.hsetnx(schedulesKey(prefix), id, JSON.stringify(record));
  }
  return known;
}

/**
 * Declares the schedules of a fresh deployment, each once in its life: what an operator changed or removed stays so.
 * Redis remembers which were declared, in a set under the deployment's prefix; the store, if Redis was emptied (`known`).
 */
export async function declareDefaults(
  redis: Redis,
  prefix: string,
  tenant: string,
  nowMs: number,
  known: ReadonlySet<string> = new Set(),
): Promise<void> {
  for (const schedule of SCHEDULES) {
    const id = schedulerId(tenant, schedule.name);
    if (known.has(id)) continue;
    if ((await redis.sismember(declaredKey(prefix), id)) === 1) continue;
    // Declared first and noted then: killed in between, it is declared again, which changes nothing.
    await redis.hsetnx(schedulesKey(prefix), id, JSON.stringify(recordOf(tenant, schedule, nowMs)));
    await redis.sadd(declaredKey(prefix), id);
  }
}

/** Takes over the schedules that an earlier version kept as BullMQ's job schedulers, with the ticks they still owe. */
export async function adoptSchedulers(queue: Queue, redis: Redis, prefix: string): Promise<void> {
  for (const { key, pattern, tz, next, template } of await queue.getJobSchedulers(0, SCHEDULERS_MAX - 1, true)) {
    const tick = tickSchema.safeParse(template?.data);
    if (!tick.success || pattern === undefined) continue;
    const record: ScheduleRecord = {
      cron: pattern,
      timeZone: tz ?? 'UTC',
      catchUp: 'latest',
      catchUpMax: CATCH_UP_DEFAULT,
      declaredAt: (next ?? Date.now()) - 1,
      tick: tick.data,
    };
    await redis.hsetnx(schedulesKey(prefix), key, JSON.stringify(record));
    await queue.removeJobScheduler(key);
  }
}

/** The tick of a scheduler's job: the last part of its id, ms since 1970. */
function tickOf(job: Job): number {
  const tick = Number((job.id ?? '').split(':').at(-1));
  if (!Number.isSafeInteger(tick))
    throw new AppError('INPUT_INVALID', { message: `The id of a tick does not end with its time: ${job.id}.` });
  return tick;
}

/** Data of jobs on the pipeline queue as an envelope: ticks are translated, everything else is taken as it is. */
export function adaptTick(job: Job): unknown {
  if (job.name !== TICK_NAME) return job.data;
  const parsed = tickSchema.safeParse(job.data);
  if (!parsed.success) throw new AppError('INPUT_INVALID', { message: 'The data of a schedule is not valid.' });
  const { schedule, tenant, pipeline: name, params } = parsed.data;
  const input = { start: { pipeline: name, params } };
  const tick = tickOf(job);
  return {
    v: ENVELOPE_VERSION,
    kind: pipeline.kind,
    version: pipeline.version,
    tenant,
    runKey: runKeyOf(tenant, pipeline.kind, `${schedule}.${tick}`),
    inputHash: hash('sha256', JSON.stringify(input)),
    asOf: tick,
    input,
  };
}
