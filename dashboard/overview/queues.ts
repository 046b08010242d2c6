/** Owns what the dashboard asks of BullMQ: counts, the oldest waiting job, and the ticks that are planned. */
import { getNextMillis, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { pipeline } from '../../jobs/pipeline/contract.ts';
import { JOB_KINDS } from '../../jobs/registry.ts';
import { SCHEDULES, type Schedule } from '../../jobs/schedules.ts';
import { tickSchema } from '../../shared/contract-kit/envelope.ts';

const TICKS_SHOWN = 5;
const SCHEDULES_SHOWN = 50;

export interface QueueLine {
  readonly kind: string;
  /** Ready and not yet begun. */
  readonly waiting: number;
  /** Not to begin before their time: retries that back off, ticks of schedules. */
  readonly later: number;
  readonly active: number;
  readonly failed: number;
  readonly completed: number;
  readonly paused: boolean;
  /** When the job that waits longest was added; absent: nothing waits. */
  readonly oldestWaitingAt?: number;
}

export interface ScheduleLine {
  readonly name: string;
  readonly pipeline: string;
  readonly cron: string;
  readonly timeZone: string;
  /** The next moments it is due, ms since 1970. */
  readonly ticks: readonly number[];
  /** Workers have put it into the queue: it will really run. */
  readonly armed: boolean;
}

/** One BullMQ queue a kind, on one connection that is the caller's to close. */
export function openQueues(connection: Redis, prefix: string): Queue[] {
  return JOB_KINDS.map((kind) => {
    const queue = new Queue(kind, { connection, prefix });
    queue.on('error', () => {}); // the connection's owner reports; a failed read rejects by itself
    return queue;
  });
}

async function readQueue(queue: Queue): Promise<QueueLine> {
  const [counts, paused, oldest] = await Promise.all([
    queue.getJobCounts('wait', 'prioritized', 'delayed', 'active', 'failed', 'completed'),
    queue.isPaused(),
    queue.getJobs(['wait', 'prioritized'], 0, 0, true),
  ]);
  const of = (state: string): number => counts[state] ?? 0;
  const oldestWaitingAt = oldest[0]?.timestamp;
  return {
    kind: queue.name,
    waiting: of('wait') + of('prioritized'),
    later: of('delayed'),
    active: of('active'),
    failed: of('failed'),
    completed: of('completed'),
    paused,
    ...(oldestWaitingAt === undefined ? {} : { oldestWaitingAt }),
  };
}

export const readQueues = (queues: readonly Queue[]): Promise<QueueLine[]> => Promise.all(queues.map(readQueue));

/** The next ticks of a cron pattern in its time zone, after `nowMs`. */
export function nextTicks(schedule: Pick<Schedule, 'cron' | 'timeZone'>, nowMs: number, limit = TICKS_SHOWN): number[] {
  const ticks: number[] = [];
  for (let from = nowMs; ticks.length < limit; ) {
    const next = getNextMillis(from, { pattern: schedule.cron, tz: schedule.timeZone });
    if (next === undefined || next <= from) break;
    ticks.push(next);
    from = next;
  }
  return ticks;
}

/** Id of a scheduler in BullMQ: `tenant.name`. */
const schedulerPrefix = (tenant: string): string => `${tenant}.`;

/**
 * The tenant's schedules with their ticks: first what is in the queue and will really run, then those of a fresh
 * deployment that no worker has put there yet (`armed: false`).
 */
export async function readSchedules(queues: readonly Queue[], tenant: string, nowMs: number): Promise<ScheduleLine[]> {
  const queue = queues.find(({ name }) => name === pipeline.kind);
  const found = (await queue?.getJobSchedulers(0, SCHEDULES_SHOWN - 1, true)) ?? [];
  const armed = found.flatMap(({ key, pattern, tz, template }) => {
    const data = tickSchema.safeParse(template?.data);
    if (!key.startsWith(schedulerPrefix(tenant)) || pattern === undefined || !data.success) return [];
    const schedule = { name: data.data.schedule, pipeline: data.data.pipeline, cron: pattern, timeZone: tz ?? 'UTC' };
    return [{ ...schedule, ticks: nextTicks(schedule, nowMs), armed: true }];
  });
  const missing = SCHEDULES.filter(({ name }) => !armed.some((line) => line.name === name));
  const lines = missing.map((schedule) => Object.assign({ ticks: nextTicks(schedule, nowMs), armed: false }, schedule));
  return [...armed, ...lines].toSorted((a, b) => (a.ticks[0] ?? Infinity) - (b.ticks[0] ?? Infinity));
}
