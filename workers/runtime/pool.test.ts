import { Queue } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../shared/clock.ts';
import { inlinePool } from '../../shared/compute/pool.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import { silentLog, testServices } from '../../test/services.ts';
import { CancelWatch } from './cancellation.ts';
import { WorkerPool } from './pool.ts';
import { contractOf, probe } from './runtime-fixture.ts';
import { makeJob } from '../../jobs/client/make-job.ts';

test('a worker that is not told whether there is a job looks dead, unless its hands are full; BullMQ has it running all the same', async () => {
  await using services = await testServices();
  const { redis, prefix, store } = services;
  const contract = contractOf('none');
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const { processor } = probe(contract, {
    compute: async (n) => {
      begun.resolve();
      await go.promise;
      return n;
    },
  });
  await using cancels = await CancelWatch.open(redis, prefix);
  await using pool = inlinePool();
  await using workers = new WorkerPool({
    contract,
    processor,
    ports: { store, pool, clock: systemClock, log: silentLog, telemetry: new Telemetry(), codeVersion: 'test' },
    ring: undefined,
    cancels,
    relay: async () => {},
    redis,
    prefix,
    concurrency: 1,
    autorun: false,
  });
  onTestFinished(() => go.resolve());
  const { worker } = workers;
  await worker.waitUntilReady();
  const before = worker.fetchedAt;
  await redis.ping();
  expect(worker.fetchedAt).toBe(before); // Redis answers, and yet nobody fetches

  const queue = new Queue(contract.kind, { connection: redis, prefix });
  onTestFinished(() => queue.close());
  const made = makeJob(contract, { n: 1 }, { tenant: 'main', asOf: 1 });
  if (!made.fits) throw new Error('does not fit');
  await queue.add(made.job.name, made.job.data, made.job.opts);
  const completed = new Promise<void>((resolve) => worker.once('completed', () => resolve()));
  worker.run().catch(() => {}); // ends when it is closed
  await begun.promise;
  expect(worker.isRunning()).toBe(true);
  expect(worker.active).toBe(1);
  const busy = performance.now();
  expect(worker.fetchedAt).toBeGreaterThanOrEqual(busy); // hands full
  go.resolve();
  await completed;
  expect(worker.fetchedAt).toBeGreaterThan(before);
  expect(worker.fetchedAt).toBeLessThanOrEqual(performance.now());
});
