/** Owns giving a failed job back to its queue as if it had never been tried; its data, id and place in line stay. */
import type { Job, Queue } from 'bullmq';

/** False: it is not in the failed set (any more). Moved by one script, so that it is in the one set or in the other. */
export async function retryFailed(queue: Queue, job: Job): Promise<boolean> {
  const id = job.id as string;
  const redis = await queue.getBackend().client;
  // Stalls of earlier attempts must not count again; nobody reads them while it is failed.
  await redis.hdel(queue.toKey(id), 'stc');
  try {
    await job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true });
    return true;
  } catch (error) {
    const state = await job.getState();
    if (state === 'failed') throw error;
    return false;
  }
}
