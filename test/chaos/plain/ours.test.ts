/** Millrace under what fails plain BullMQ in the tests beside this one, as far as no other test shows it. */
import { Queue, Worker } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { makeJob } from '../../../jobs/client/make-job.ts';
import { computePool } from '../../../shared/compute/pool.ts';
import type { Task } from '../../../shared/compute/task.ts';
import { CancelWatch } from '../../../workers/runtime/cancellation.ts';
import { contractOf, failureOf, probe, runOf, start } from '../../../workers/runtime/runtime-fixture.ts';
import { testServices } from '../../services.ts';
import { SHORT } from './plain-fixture.ts';

/** Longer than the lock of a worker pool, 6 s. */
const LOCK_MS = 6_500;
const module = new URL('../../../shared/compute/pool.fixture.ts', import.meta.url).href;
const task = (name: string, payload: unknown): Task => ({ module, name, payload });

test('a job that computes for longer than its lock is run once', async () => {
  await using services = await testServices();
  await using threads = computePool({ threads: 1 });
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const { processor, calls } = probe(contractOf('dataset'), {
    compute: async (n, { pool, signal }) => {
      await pool.runPhase([task('waitFor', { flag: flag.buffer })], signal);
      return n * n;
    },
  });
  const host = await start(services, processor, { threads });
  const begun = performance.now();
  const outlived = new Promise<void>((resolve) => {
    host.workers.worker.on('locksRenewed', () => performance.now() - begun > LOCK_MS && resolve());
  });
  const { done, runKey } = await host.enqueue(5);
  await outlived;
  Atomics.store(flag, 0, 1);
  Atomics.notify(flag, 0);
  expect(await done()).toEqual({ square: 25 });
  expect(calls.load).toBe(1);
  expect(await runOf(services, runKey)).toMatchObject({ state: 'committed', fence: 1 });
});

test('a cancel reaches a busy loop in another process, and the job ends as cancelled', async () => {
  await using services = await testServices();
  await using threads = computePool({ threads: 1 });
  const started = new Int32Array(new SharedArrayBuffer(8));
  const { processor, calls } = probe(contractOf('dataset'), {
    compute: async (n, { pool, signal }) => {
      await pool.runPhase([task('spin', { started: started.buffer })], signal);
      return n;
    },
  });
  const host = await start(services, processor, { threads });
  const { done, runKey } = await host.enqueue(5);
  const failure = failureOf(done());
  await Atomics.waitAsync(started, 0, 0).value;
  const elsewhere = services.redis.duplicate();
  await using another = await CancelWatch.open(elsewhere, services.prefix);
  onTestFinished(() => elsewhere.disconnect());
  await another.cancel(runKey);
  expect(await failure).toMatchObject({ code: 'CANCELLED' });
  expect(calls.load).toBe(1);
  expect(await runOf(services, runKey)).toMatchObject({ state: 'cancelled' });
});

test('a job whose process was killed twice is run a third time', async () => {
  await using services = await testServices();
  const { redis: connection, prefix } = services;
  const { processor } = probe(contractOf('dataset', { attemptsMax: 1 }));
  const { contract } = processor;
  const made = makeJob(contract, { n: 5 }, { tenant: 'main', asOf: 1 });
  if (!made.fits) throw new Error('does not fit');
  const queue = new Queue(contract.kind, { connection, prefix });
  const job = await queue.add(made.job.name, made.job.data, made.job.opts);
  for (const token of ['first', 'second']) {
    const doomed = new Worker(contract.kind, null, {
      connection,
      prefix,
      autorun: false,
      ...SHORT,
      maxStalledCount: 9,
    });
    expect((await doomed.getNextJob(token))?.id).toBe(job.id); // and never heard of again
    const stalled = new Promise<void>((resolve) => void doomed.on('stalled', () => resolve()));
    await doomed.startStalledCheckTimer();
    await stalled;
    await doomed.close(true);
  }
  await queue.close();
  const host = await start(services, processor);
  expect(await job.waitUntilFinished(host.events)).toEqual({ square: 25 });
});
