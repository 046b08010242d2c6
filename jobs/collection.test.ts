import { Queue, Worker } from 'bullmq';
import { expect, test } from 'vitest';
import { jobIdOf, schedulesKey } from '../shared/contract-kit/names.ts';
import { testServices } from '../test/services.ts';
import { RedisJobs } from './collection.ts';

const read = async (jobs: RedisJobs): Promise<string[]> => (await Array.fromAsync(jobs.texts())).sort();

test('jobs of any kind are read in every state but completed, and schedules with them', async () => {
  await using services = await testServices();
  const { redis, prefix } = services;
  const queue = new Queue('of-a-newer-process', { connection: redis, prefix });
  const ended = Promise.withResolvers<void>();
  let left = 2;
  const worker = new Worker(
    queue.name,
    async ({ data }) => {
      if (data === 'fails') throw new Error('as asked');
    },
    { connection: redis.duplicate(), prefix },
  );
  for (const event of ['completed', 'failed'] as const) worker.on(event, () => void (--left === 0 && ended.resolve()));
  await queue.add('x', 'completes', { jobId: jobIdOf('run-1') });
  await queue.add('x', 'fails', { jobId: jobIdOf('run-2') });
  await ended.promise;
  await worker.close();
  await queue.pause();
  await queue.add('x', 'paused', { jobId: jobIdOf('run-3') });
  await queue.add('x', 'delayed', { jobId: 'own-id', delay: 3600_000 });
  await queue.add('x', 'prioritised', { priority: 5 });
  await redis.hset(schedulesKey(prefix), 'main.nightly', '"scheduled"');
  const jobs = new RedisJobs(redis, prefix);
  const texts = ['delayed', 'fails', 'paused', 'prioritised', 'scheduled'].map((text) => JSON.stringify(text));
  expect(await read(jobs)).toEqual(texts);
  const kind = queue.name;
  const runs = ['run-1', 'run-2', 'run-3', 'run-4'].map((runKey) => ({ runKey, kind }));
  const unfinished = await jobs.unfinished([...runs, { runKey: 'run-5', kind, jobId: 'own-id' }]);
  expect([...unfinished]).toEqual(['run-3', 'run-5']);
  await queue.close();
});

test('a scan finds every job among others that come and go', async () => {
  await using services = await testServices();
  const { redis, prefix } = services;
  const keyOf = (id: string): string => `${prefix}:many:${id}`;
  const add = async (from: string): Promise<void> => {
    const pipeline = redis.pipeline();
    for (let n = 0; n < 1500; n++) pipeline.hset(keyOf(`${from}${n}`), 'data', JSON.stringify(`${from}${n}`));
    await pipeline.exec();
  };
  await add('stays');
  await add('goes');
  const seen = new Set<string>();
  let read = 0;
  for await (const text of new RedisJobs(redis, prefix).texts()) {
    seen.add(JSON.parse(text) as string);
    if (++read % 500 !== 0 || read > 2000) continue;
    await add(`comes${read}-`);
    await redis.del(...Array.from({ length: 1500 }, (_, n) => keyOf(`goes${n}`)));
  }
  expect(Array.from({ length: 1500 }, (_, n) => `stays${n}`).filter((id) => !seen.has(id))).toEqual([]);
});
