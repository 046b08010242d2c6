/** Plain BullMQ at work, beside the guarantees of the same rows in docs/guarantees.md: each test shows what it does not give. */
import { Worker as Thread } from 'node:worker_threads';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { redisUrl } from '../../services.ts';
import { ChaosProxy } from '../proxy.ts';
import type { BusyThreadData } from './busy-thread.ts';
import { plainBullMq, QUEUE, SHORT } from './plain-fixture.ts';

test('a job that computes for longer than its lock is run twice at once', async () => {
  const { prefix, queue, worker } = await plainBullMq();
  const starts = new SharedArrayBuffer(4);
  const begun = new Int32Array(starts);
  const workerData: BusyThreadData = { url: redisUrl, prefix, queue: QUEUE, options: SHORT, starts };
  const thread = new Thread(new URL('./busy-thread.ts', import.meta.url), { workerData });
  onTestFinished(async () => void (await thread.terminate()));
  await queue.add('busy', {});
  await (Atomics.waitAsync(begun, 0, 0).value as Promise<string>);
  const again = new Promise<number>((resolve) => {
    worker(async () => resolve(Atomics.add(begun, 0, 1) + 1));
  });
  expect(await again).toBe(2); // the first is still computing: it ends only now
});

test('a process that wakes after its lock has gone writes its effect a second time', async () => {
  const { queue, worker } = await plainBullMq();
  const effects: string[] = [];
  const othersDone = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const asleepDone = Promise.withResolvers<void>();
  worker(
    async () => {
      begun.resolve();
      await othersDone.promise;
      effects.push('asleep');
      asleepDone.resolve();
    },
    { skipLockRenewal: true }, // as a frozen process does
  );
  await queue.add('job', {});
  await begun.promise;
  worker(async () => {
    effects.push('awake');
    othersDone.resolve();
  });
  await asleepDone.promise;
  expect(effects).toEqual(['awake', 'asleep']);
});

test('a cancel reaches jobs of its own worker alone', async () => {
  const { queue, events, worker } = await plainBullMq();
  const begun = Promise.withResolvers<void>();
  const release = Promise.withResolvers<string>();
  worker(async () => {
    begun.resolve();
    return release.promise;
  });
  const job = await queue.add('job', {});
  await begun.promise;
  const another = worker(null, { autorun: false });
  expect(another.cancelJob(job.id!)).toBe(false);
  release.resolve('ended as if nothing had been asked');
  expect(await job.waitUntilFinished(events)).toBe('ended as if nothing had been asked');
});

test('there is no deadline: a job ends when it likes', async () => {
  const { queue, events, worker } = await plainBullMq();
  worker(async () => {
    await new Promise((resolve) => setTimeout(resolve, 400));
    return 'late';
  });
  const unknown = { timeout: 10 } as object;
  const job = await queue.add('job', {}, { ...unknown });
  expect(await job.waitUntilFinished(events)).toBe('late');
});

test('a job whose process was killed twice is failed without asking its processor, whatever attempts it has left', async () => {
  const { queue, events, worker } = await plainBullMq();
  const job = await queue.add('job', {}, { attempts: 5 });
  const asked: string[] = [];
  const checker = worker(null, { autorun: false });
  for (const token of ['first', 'second']) {
    const doomed = worker(null, { autorun: false });
    expect((await doomed.getNextJob(token))?.id).toBe(job.id); // and never heard of again
    const stalled = new Promise<void>((resolve) => void events.once('stalled', () => resolve()));
    if (token === 'first') {
      await checker.startStalledCheckTimer();
      await stalled;
    }
  }
  worker(async ({ id }) => void asked.push(id!));
  await expect(job.waitUntilFinished(events)).rejects.toThrow(/stalled more than allowable limit/);
  expect(asked).toEqual([]);
});

test('with its defaults a job of a killed process is looked for after 30 s at the earliest', async () => {
  const { connection, stack } = await plainBullMq();
  const own = new Worker(QUEUE, null, { connection, autorun: false });
  stack.defer(() => own.close(true));
  expect(own.opts).toMatchObject({ lockDuration: 30_000, stalledInterval: 30_000, maxStalledCount: 1 });
});

test('a worker whose connection is half-open calls itself running', async () => {
  const { worker } = await plainBullMq();
  const target = new URL(redisUrl);
  const proxy = await ChaosProxy.open({ host: target.hostname, port: Number(target.port) });
  target.port = String(proxy.port);
  const connection = new Redis(target.href, { maxRetriesPerRequest: null });
  onTestFinished(async () => {
    connection.disconnect();
    await proxy[Symbol.asyncDispose]();
  });
  const cutOff = worker(async () => {}, { connection });
  await cutOff.waitUntilReady();
  proxy.halfOpen();
  const answered = await Promise.race([
    connection.ping().then(() => true),
    new Promise((resolve) => setTimeout(() => resolve(false), 500)),
  ]);
  expect({ answered, isRunning: cutOff.isRunning() }).toEqual({ answered: false, isRunning: true });
});

test('closing waits for a job as long as that likes', async () => {
  const { queue, worker } = await plainBullMq();
  const begun = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const own = worker(async () => {
    begun.resolve();
    await release.promise;
  });
  await queue.add('job', {});
  await begun.promise;
  const closing = own.close();
  const late = new Promise((resolve) => setTimeout(resolve, 1_000, 'still open'));
  expect(await Promise.race([closing, late])).toBe('still open');
  release.resolve();
  await closing;
});
