/** Owns what the dashboard asks of BullMQ: counts and the oldest waiting job. */
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { JOB_KINDS } from '../../jobs/registry.ts';

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
