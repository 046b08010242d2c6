import { type Job, Worker } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { pipeline } from '../../jobs/pipeline/contract.ts';
import { runKeyOf } from '../../shared/contract-kit/names.ts';
import { testServices } from '../../test/services.ts';
import { Enqueuer } from './enqueuer.ts';
import { parseEnvelope } from './parse.ts';
import { adaptTick, declareDefaults, declareSchedule } from './schedules.ts';

test('the job of each tick names its moment: one run key a tick, and the tick is what the run speaks of', async () => {
  await using services = await testServices();
  const { redis, prefix, store } = services;
  await using enqueuer = new Enqueuer({
    redis,
    prefix,
    contracts: { pipeline },
    claims: store.claims,
    ring: undefined,
  });
  const queue = enqueuer.queue('pipeline');
  const schedule = {
    name: 'each-second',
    pipeline: 'refresh',
    cron: '* * * * * *',
    timeZone: 'Asia/Kolkata',
    params: {},
  };
  const startedAt = Date.now();
  await declareSchedule(queue, 'main', schedule as never);
  await declareSchedule(queue, 'main', schedule as never);
  const taken: Job[] = [];
  const three = Promise.withResolvers<void>();
  const connection = redis.duplicate();
  const worker = new Worker(
    'pipeline',
    async (job) => {
      taken.push(job);
      if (taken.length === 3) three.resolve();
    },
    { connection, prefix },
  );
  onTestFinished(async () => {
    await worker.close();
    connection.disconnect();
  });
  await three.promise;
  const envelopes = taken
    .slice(0, 3)
    .map((job) => parseEnvelope({ id: job.id as string, data: adaptTick(job) }, pipeline));
  const ticks = envelopes.map(({ asOf }) => asOf);
  expect(ticks.every((tick) => tick % 1000 === 0 && tick > startedAt && tick <= Date.now())).toBe(true);
  expect(new Set(ticks).size).toBe(3);
  expect(ticks).toEqual(ticks.toSorted((a, b) => a - b));
  expect(envelopes.map(({ runKey }) => runKey)).toEqual(
    ticks.map((tick) => runKeyOf('main', 'pipeline', `each-second.${tick}`)),
  );
});

test('a default schedule is declared once: what an operator changed or removed stays so', async () => {
  await using services = await testServices();
  const { redis, prefix, store } = services;
  await using enqueuer = new Enqueuer({
    redis,
    prefix,
    contracts: { pipeline },
    claims: store.claims,
    ring: undefined,
  });
  const queue = enqueuer.queue('pipeline');
  await declareDefaults(queue, redis, prefix, 'main');
  const [removed, changed] = (await queue.getJobSchedulers()).map(({ key }) => key);
  await queue.removeJobScheduler(removed as string);
  await queue.upsertJobScheduler(changed as string, { pattern: '5 5 * * *' }, { name: 'tick', data: {} });
  await declareDefaults(queue, redis, prefix, 'main');
  const after = await queue.getJobSchedulers();
  expect(after.map(({ key }) => key)).not.toContain(removed);
  expect(after.find(({ key }) => key === changed)?.pattern).toBe('5 5 * * *');
});
