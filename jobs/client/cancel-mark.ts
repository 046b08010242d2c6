/** Owns how a cancel is said: a durable mark, for runs that wait or are between attempts, and an announcement for those at work. */
import type { Redis } from 'ioredis';
import { CANCEL_TTL_S, cancelChannel, cancelKey } from '../../shared/contract-kit/names.ts';

/** `name`: the run key of a job, or `pipelineCancelName` of a pipeline run. */
export async function markCancelled(redis: Redis, prefix: string, name: string): Promise<void> {
  // The mark first: a worker that hears the announcement, or starts the run now, finds it.
  await redis.set(cancelKey(prefix, name), '1', 'EX', CANCEL_TTL_S);
  await redis.publish(cancelChannel(prefix), name);
}
