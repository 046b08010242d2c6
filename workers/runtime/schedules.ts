/**
 * Owns what recurs: declares schedules as BullMQ job schedulers on the pipeline queue, and turns their ticks into envelopes.
 * The run key of a tick is `schedule.tick`, so a tick that is delivered twice starts one run.
 */
import { hash } from 'node:crypto';
import type { Job, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { kindOptions } from '../../jobs/client/make-job.ts';
import { pipeline } from '../../jobs/pipeline/contract.ts';
import { SCHEDULES, type Schedule } from '../../jobs/schedules.ts';
import { ENVELOPE_VERSION, tickSchema } from '../../shared/contract-kit/envelope.ts';
import { runKeyOf, schedulerId, TICK_NAME } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';

/** Set of the default schedules that were declared once. */
const declaredKey = (prefix: string): string => `${prefix}:declared-schedules`;

/** Declares a schedule; declaring the same again changes nothing. */
export async function declareSchedule(queue: Queue, tenant: string, schedule: Schedule): Promise<void> {
  const data = { schedule: schedule.name, tenant, pipeline: schedule.pipeline, params: schedule.params };
  const repeat = { pattern: schedule.cron, tz: schedule.timeZone };
  const there = await queue.getJobScheduler(schedulerId(tenant, schedule.name));
  if (
    there !== undefined &&
    there !== null &&
    there.pattern === repeat.pattern &&
    there.tz === repeat.tz &&
    JSON.stringify(there.template?.data) === JSON.stringify(data)
  )
    return;
  await queue.upsertJobScheduler(schedulerId(tenant, schedule.name), repeat, {
    name: TICK_NAME,
    data,
    opts: kindOptions(pipeline),
  });
}

/**
 * Declares the schedules of a fresh deployment, each once in its life: what an operator changed or removed stays so.
 * Redis remembers which were declared, in a set under the deployment's prefix.
 */
export async function declareDefaults(queue: Queue, redis: Redis, prefix: string, tenant: string): Promise<void> {
  for (const schedule of SCHEDULES) {
    const id = schedulerId(tenant, schedule.name);
    if ((await redis.sismember(declaredKey(prefix), id)) === 1) continue;
    // Declared first and noted then: killed in between, it is declared again, which changes nothing.
    if ((await queue.getJobScheduler(id)) == null) await declareSchedule(queue, tenant, schedule);
    await redis.sadd(declaredKey(prefix), id);
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
