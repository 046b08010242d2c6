/** Owns what the tests of plain BullMQ stand on: a queue of their own on the real Redis, workers with short locks, and their removal. */
import { randomBytes } from 'node:crypto';
import { Queue, QueueEvents, Worker, type Processor, type WorkerOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import { redisUrl } from '../../services.ts';

export const QUEUE = 'plain';
/** Locks and checks so short that a test need not wait long. */
export const SHORT = { lockDuration: 300, stalledInterval: 200 } as const;

export async function plainBullMq() {
  const prefix = `plain_${randomBytes(6).toString('hex')}`;
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const connection = stack.adopt(new Redis(redisUrl, { maxRetriesPerRequest: null }), (redis) => redis.disconnect());
  const queue = new Queue(QUEUE, { connection, prefix });
  stack.defer(async () => {
    await queue.obliterate({ force: true });
    await queue.close();
  });
  const events = new QueueEvents(QUEUE, { connection: connection.duplicate(), prefix, lastEventId: '0' });
  stack.defer(() => events.close());
  await events.waitUntilReady();
  return {
    prefix,
    connection,
    queue,
    events,
    stack,
    worker: (processor: Processor | null, options: Partial<WorkerOptions> = {}): Worker => {
      const worker = new Worker(QUEUE, processor, { connection, prefix, ...SHORT, ...options });
      worker.on('error', () => {}); // lost locks are the point of some tests
      stack.defer(() => worker.close(true));
      return worker;
    },
  };
}
