/**
 * Owns one worker process on plain BullMQ: a Worker whose processor writes its effect, and nothing else. It has
 * Millrace's short lock, so that it recovers as fast; everything else is BullMQ's default.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { MongoClient } from 'mongodb';
import { type ChaosInput, PLAIN_QUEUE } from './contracts.ts';
import { Points, tell } from './points.ts';
import type { ChaosWorkerOptions } from './worker-options.ts';

async function main({ redisUrl, mongodbUrl, database, prefix, folder }: ChaosWorkerOptions): Promise<void> {
  const points = new Points(folder);
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
  redis.on('error', () => {});
  const client = await new MongoClient(mongodbUrl, { serverSelectionTimeoutMS: 5_000 }).connect();
  const effects = client.db(database).collection('plain_effects');
  const worker = new Worker<ChaosInput>(
    PLAIN_QUEUE,
    async (job) => {
      const key = job.id!;
      await points.reach(key, 'loaded');
      await pause(job.data.workMs);
      if (job.data.fail === 'once' && points.isFirst(`failed-${key}`)) throw new Error('failed once, as asked');
      for (const at of ['written', 'before-commit'] as const) await points.reach(key, at);
      await effects.insertOne({ key, square: job.data.n ** 2 });
      for (const at of ['after-commit', 'followed'] as const) await points.reach(key, at);
      return { square: job.data.n ** 2 };
    },
    { connection: redis, prefix, concurrency: 12, lockDuration: 6_000, stalledInterval: 3_000 },
  );
  worker.on('error', () => {});
  worker.on('completed', (job) => {
    void points.reach(job.id!, 'completed').then(() => tell({ type: 'ended', id: job.id! }));
  });
  worker.on('failed', (job) => void tell({ type: 'ended', id: job?.id ?? '' }));
  await worker.waitUntilReady();
  await tell({ type: 'ready' });
}

process.once('disconnect', () => process.exit(0)); // the harness is gone
await main(JSON.parse(process.argv[2] ?? '') as ChaosWorkerOptions);
