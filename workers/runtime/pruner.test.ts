import { Queue, Worker } from 'bullmq';
import { expect, test, vi } from 'vitest';
import { type TestServices, testServices } from '../../test/services.ts';
import { Duty } from './duty.ts';
import { type KeptJobs, Pruner } from './pruner.ts';

const HOUR_MS = 3600_000;
const KEPT: KeptJobs = { completedMs: HOUR_MS, completedMax: 1000, failedMs: 24 * HOUR_MS };
const always = async (): Promise<boolean> => true;

/** Runs jobs, every third of which fails, and dates their ends back. */
async function finished(services: TestServices, jobs: number, agoMs: (n: number) => number): Promise<Queue> {
  const { redis, prefix } = services;
  const queue = new Queue('pruned', { connection: redis, prefix });
  const ended = Promise.withResolvers<void>();
  let left = jobs;
  const worker = new Worker(
    'pruned',
    async (job) => {
      if (job.data.n % 3 === 0) throw new Error('one that fails');
    },
    { connection: redis.duplicate(), prefix, concurrency: 10 },
  );
  for (const event of ['completed', 'failed'] as const) worker.on(event, () => void (--left === 0 && ended.resolve()));
  await queue.addBulk(Array.from({ length: jobs }, (_, n) => ({ name: 'x', data: { n }, opts: { jobId: `j${n}` } })));
  await ended.promise;
  await worker.close();
  const now = Date.now();
  for (let n = 0; n < jobs; n++)
    await redis.zadd(queue.toKey(n % 3 === 0 ? 'failed' : 'completed'), 'XX', now - agoMs(n), `j${n}`);
  return queue;
}

test('prunes completed jobs by age and failed ones by the redrive window, with all keys of theirs', async () => {
  await using services = await testServices();
  const queue = await finished(services, 300, (n) => (n < 150 ? 2 * HOUR_MS : 1000));
  expect(await new Pruner([queue], KEPT).prune(always)).toBe(100);
  expect(await queue.getJobCounts('completed', 'failed')).toEqual({ completed: 100, failed: 100 });
  expect(await queue.getJob('j1')).toBeUndefined();
  expect(await queue.getJob('j0')).toBeDefined();
  expect(await new Pruner([queue], { ...KEPT, failedMs: HOUR_MS }).prune(always)).toBe(50);
  expect(await services.redis.keys(`${services.prefix}:pruned:j*`)).toHaveLength(150);
  await queue.close();
});

test('many jobs go by many commands, each of a few: others are answered in between', async () => {
  await using services = await testServices();
  const queue = await finished(services, 600, () => 2 * HOUR_MS);
  const completed: number[] = [await queue.getCompletedCount()];
  const clean = queue.clean.bind(queue);
  vi.spyOn(queue, 'clean').mockImplementation(async (...asked) => {
    const sent = vi.spyOn(services.redis, 'sendCommand');
    const gone = await clean(...asked);
    expect(sent.mock.calls.filter(([{ name }]) => name.startsWith('eval')).length).toBeLessThanOrEqual(1);
    sent.mockRestore();
    completed.push(await queue.getCompletedCount());
    return gone;
  });
  await new Pruner([queue], KEPT).prune(always);
  expect(completed.at(-1)).toBe(0);
  const steps = completed.slice(1).map((count, n) => completed[n]! - count);
  expect(Math.max(...steps)).toBeLessThanOrEqual(50);
  await queue.close();
});

test('prunes the oldest completed jobs down to their bound, but no result of the last minute', async () => {
  await using services = await testServices();
  const queue = await finished(services, 300, (n) => (n < 240 ? 120_000 + 1000 * (300 - n) : 0));
  expect(await new Pruner([queue], { ...KEPT, completedMax: 120 }).prune(always)).toBe(80);
  expect(await queue.getJob('j1')).toBeUndefined();
  expect(await queue.getJob('j238')).toBeDefined();
  await new Pruner([queue], { ...KEPT, completedMax: 0 }).prune(always);
  expect(await queue.getCompletedCount()).toBe(40);
  await queue.close();
});

test('a duty is done by one process at a time, and by another once its holder is gone', async () => {
  await using services = await testServices();
  const done: string[] = [];
  const dutyOf = (who: string): Duty =>
    new Duty({
      ...services,
      name: 'test',
      everyMs: HOUR_MS,
      work: async (mayGoOn) => {
        done.push(who);
        expect(await mayGoOn()).toBe(true);
      },
      onError: (thrown) => expect.fail(String(thrown)),
    });
  const first = dutyOf('first');
  await using second = dutyOf('second');
  expect(await first.attend()).toBe(true);
  expect(await second.attend()).toBe(false);
  expect(await first.attend()).toBe(true);
  await first[Symbol.asyncDispose]();
  expect(await first.attend()).toBe(false);
  expect(await second.attend()).toBe(true);
  expect(done).toEqual(['first', 'first', 'second']);
});

test('a duty whose process is asked to stop ends before its next part', async () => {
  await using services = await testServices();
  const { redis, prefix } = services;
  const [began, stopping] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let went: boolean | undefined;
  const duty = new Duty({
    redis,
    prefix,
    name: 'stop',
    everyMs: HOUR_MS,
    work: async (mayGoOn) => {
      began.resolve();
      await stopping.promise;
      went = await mayGoOn();
    },
    onError: (thrown) => expect.fail(String(thrown)),
  });
  const turn = duty.attend();
  await began.promise;
  const stopped = duty[Symbol.asyncDispose]();
  stopping.resolve();
  await Promise.all([turn, stopped]);
  expect(went).toBe(false);
  expect(await redis.exists(`${prefix}:duty:stop`)).toBe(0);
});
