import { expect, onTestFinished, test } from 'vitest';
import { AdmittingQueue } from '../../jobs/client/admitting-queue.ts';
import { type MadeJob, makeJob } from '../../jobs/client/make-job.ts';
import { backlogKey } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';
import { type TestServices, testServices } from '../../test/services.ts';
import { recountBacklog } from './backlog.ts';
import { contractOf, probe, start } from './runtime-fixture.ts';

const contract = contractOf('none');

function jobsOf(tenant: string, count: number): MadeJob[] {
  return Array.from({ length: count }, (_, n) => {
    const made = makeJob(contract, { n }, { tenant, asOf: 1 });
    if (!made.fits) throw new Error('does not fit');
    return made.job;
  });
}

async function addAll(queue: AdmittingQueue, jobs: readonly MadeJob[]): Promise<void> {
  for (let from = 0; from < jobs.length; from += 500) await queue.add(jobs.slice(from, from + 500));
}

function open({ redis, prefix }: TestServices): AdmittingQueue {
  const queue = new AdmittingQueue(contract.kind, redis, prefix);
  onTestFinished(() => queue.close());
  return queue;
}

const counters = ({ redis, prefix }: TestServices) => redis.hgetall(backlogKey(prefix, contract.kind));

test('twenty thousand jobs of one tenant do not delay ten of another', { timeout: 60_000 }, async () => {
  await using services = await testServices();
  const queue = open(services);
  await addAll(queue, jobsOf('busy', 20_000));
  const waiting = 10;
  const done = { busy: 0, quiet: 0 };
  const quietDone = Promise.withResolvers<void>();
  const host = await start(services, probe(contract).processor);
  await host.workers.worker.pause();
  host.workers.worker.on('completed', ({ data }: { data: { tenant: keyof typeof done } }) => {
    done[data.tenant] += 1;
    if (done.quiet === waiting) quietDone.resolve();
  });
  const before = done.busy;
  await queue.add(jobsOf('quiet', waiting));
  await host.workers.worker.resume();
  await quietDone.promise;
  // Those at work, and those of the same rank: a job of the busy tenant for each of the quiet one's.
  expect(done.busy - before).toBeLessThanOrEqual(waiting + 2 * contract.limits.concurrency);
  expect(await queue.queue.getPrioritizedCount()).toBeGreaterThan(19_000);
});

test('jobs that end are no longer counted, whether they committed or failed for good; one that is tried again is', async () => {
  await using services = await testServices();
  const queue = open(services);
  const faulty = new Map([
    [1, 1],
    [2, 99],
  ]);
  const { processor } = probe(contract, {
    compute: async (n) => {
      const left = faulty.get(n) ?? 0;
      faulty.set(n, left - 1);
      if (left > 0) throw new AppError('SERVICE_UNAVAILABLE');
      return n;
    },
  });
  await queue.add(jobsOf('main', 3));
  expect(await counters(services)).toMatchObject({ 'jobs:main': '3' });
  const host = await start(services, processor);
  const ends = Promise.withResolvers<void>();
  let ended = 0;
  const end = (): void => {
    ended += 1;
    if (ended === 3) ends.resolve();
  };
  host.workers.worker.on('completed', end);
  host.workers.worker.on('failed', (job) => {
    if (job?.finishedOn !== undefined) end();
  });
  await ends.promise;
  await host.workers.told();
  expect(await counters(services)).toEqual({});
});

test('the count mends counters that jobs left by another way, that were lost, or that never were', async () => {
  await using services = await testServices();
  const { redis, prefix } = services;
  const queue = open(services);
  const jobs = jobsOf('main', 5);
  await queue.add(jobs);
  await queue.add(jobsOf('other', 2));
  await queue.queue.remove(jobs[0]?.opts.jobId ?? '');
  expect(await counters(services)).toMatchObject({ 'jobs:main': '5', 'jobs:other': '2' });
  expect(await recountBacklog(redis, prefix, contract.kind)).toBe(true);
  expect(await counters(services)).toMatchObject({ 'jobs:main': '4', 'jobs:other': '2' });
  expect(await recountBacklog(redis, prefix, contract.kind)).toBe(false); // somebody counted just now
  await redis.del(backlogKey(prefix, contract.kind));
  await recountBacklog(redis, prefix, contract.kind, true);
  expect(await counters(services)).toEqual({ 'jobs:main': '4', 'jobs:other': '2' });
  await queue.queue.obliterate({ force: true });
  await recountBacklog(redis, prefix, contract.kind, true);
  expect(await counters(services)).toEqual({});
});

test('a large queue is counted only when its counters are off, and in pieces', async () => {
  await using services = await testServices();
  const { redis, prefix } = services;
  const queue = open(services);
  await addAll(queue, jobsOf('main', 1_500));
  expect(await recountBacklog(redis, prefix, contract.kind, true)).toBe(false);
  await redis.hincrby(backlogKey(prefix, contract.kind), 'jobs:main', 700);
  expect(await recountBacklog(redis, prefix, contract.kind, true)).toBe(true);
  expect(await counters(services)).toMatchObject({ 'jobs:main': '1500' });
});
