/** What Redis decides when jobs are added: bounds, rates and the place in the queue, for every producer alike. */
import { Queue } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { backlogKey } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';
import { setQueueLimit } from './queue-limits.ts';
import { UNDECLARED } from '../../shared/sources/registry.ts';
import { declareSourceRates } from '../../workers/runtime/source-rates.ts';
import { REDIS_URL, RedisFixture } from './redis-fixture.ts';

const CLASS = 2 ** 18;
const inputs = (count: number) => Array.from({ length: count }, (_, index) => ({ features: `f${index}` }));
const limit = ({ redis, prefix }: RedisFixture, of: Parameters<typeof setQueueLimit>[3]) =>
  setQueueLimit(redis, prefix, 'segmentation', of);
const jobsOf = ({ redis, prefix }: RedisFixture, tenant: string) =>
  redis.hget(backlogKey(prefix, 'segmentation'), `jobs:${tenant}`);
const failure = (work: Promise<unknown>): Promise<AppError> =>
  work.then(
    () => expect.fail('should have been refused'),
    (error: AppError) => error,
  );

describe.skipIf(REDIS_URL === undefined)('a queue', () => {
  it('takes as many jobs of a tenant as it may have, however many callers ask at once, and says when to come back', async () => {
    await using fixture = new RedisFixture();
    await limit(fixture, { tenant: 'main', backlogMax: 25 });
    const [first, second] = [fixture.connect(), fixture.connect()];
    const answers = await Promise.allSettled(
      inputs(60).map((input, index) => (index % 2 === 0 ? first : second).segmentation.enqueue(input)),
    );
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(25);
    const refused = answers.find((answer) => answer.status === 'rejected')?.reason as AppError;
    expect(refused).toBeInstanceOf(AppError);
    expect(refused).toMatchObject({
      code: 'LIMIT_QUEUE_FULL',
      status: 429,
      details: { kind: 'segmentation', tenant: 'main', backlog: 25, backlogMax: 25, retryAfterMs: 1_000, accepted: 0 },
    });
    const queue = new Queue('segmentation', { connection: fixture.redis, prefix: fixture.prefix });
    expect(await queue.getPrioritizedCount()).toBe(25);
    await fixture.connect('other').segmentation.enqueue({ features: 'f' });
    expect([await jobsOf(fixture, 'main'), await jobsOf(fixture, 'other')]).toEqual(['25', '1']);
    await queue.close();
  });

  it('counts a job once however often its key comes, and tells how many of a call are in when it is full', async () => {
    await using fixture = new RedisFixture();
    await limit(fixture, { tenant: '*', backlogMax: 70 });
    const { segmentation } = fixture.connect();
    const many = inputs(100);
    const refused = await failure(segmentation.enqueueMany(many, { key: 'batch' }));
    expect(refused).toMatchObject({ code: 'LIMIT_QUEUE_FULL', details: { accepted: 70 } });
    expect((await failure(segmentation.enqueueMany(many, { key: 'batch' }))).details.accepted).toBe(70);
    await limit(fixture, { tenant: 'main', backlogMax: 100 });
    expect(await segmentation.enqueueMany(many, { key: 'batch' })).toHaveLength(100);
    expect(await jobsOf(fixture, 'main')).toBe('100');
  });

  it('orders by class, then by how many unfinished jobs the tenant has', async () => {
    await using fixture = new RedisFixture();
    const [busy, quiet] = [fixture.connect('busy'), fixture.connect('quiet')];
    await busy.segmentation.enqueueMany(inputs(5));
    await quiet.segmentation.enqueueMany(inputs(2));
    await quiet.segmentation.enqueue({ features: 'late' }, { priority: 6 });
    await busy.segmentation.enqueue({ features: 'urgent' }, { priority: 0 });
    const queue = new Queue('segmentation', { connection: fixture.redis, prefix: fixture.prefix });
    const jobs = await queue.getJobs(['prioritized'], 0, -1, true);
    expect(jobs.map(({ data, opts, priority }) => [data.tenant, priority, opts.priority === priority])).toEqual([
      ['busy', 6, true],
      ['busy', 3 * CLASS + 1, true],
      ['quiet', 3 * CLASS + 1, true],
      ['busy', 3 * CLASS + 2, true],
      ['quiet', 3 * CLASS + 2, true],
      ['busy', 3 * CLASS + 3, true],
      ['busy', 3 * CLASS + 4, true],
      ['busy', 3 * CLASS + 5, true],
      ['quiet', 6 * CLASS + 3, true],
    ]);
    await queue.close();
  });

  it('never leaves its class, however many jobs the tenant has', async () => {
    await using fixture = new RedisFixture();
    const { segmentation } = fixture.connect();
    await limit(fixture, { tenant: 'main', backlogMax: 10_000_000 });
    await fixture.redis.hset(backlogKey(fixture.prefix, 'segmentation'), 'jobs:main', 5_000_000);
    const job = await segmentation.enqueue({ features: 'f' }, { priority: 2 });
    expect(await fixture.redis.hget(`${fixture.prefix}:segmentation:${job.id}`, 'priority')).toBe(String(3 * CLASS));
  });

  it('refuses a tenant that asks faster than its rate, and each source by its own', async () => {
    await using fixture = new RedisFixture();
    const { segmentation, ingestion } = fixture.connect();
    await limit(fixture, { tenant: 'main', rate: { perSecond: 0.001, burst: 3 } });
    await segmentation.enqueueMany(inputs(3));
    const refused = await failure(segmentation.enqueue({ features: 'f' }));
    expect(refused).toMatchObject({ code: 'LIMIT_RATE', status: 429, details: { perSecond: 0.001, burst: 3 } });
    expect(refused.details.retryAfterMs).toBeGreaterThan(900_000);
    await fixture.connect('other').segmentation.enqueueMany(inputs(4));
    await limit(fixture, { tenant: 'main', rate: null });
    await segmentation.enqueueMany(inputs(4));

    const { redis, prefix } = fixture;
    await setQueueLimit(redis, prefix, 'ingestion', {
      tenant: 'main',
      source: 'web',
      rate: { perSecond: 0.001, burst: 1 },
    });
    const batch = (source: string) =>
      ingestion.enqueue({ source, consents: [{ user: 'p', purposes: ['recommendation'], at: 1 }] });
    await batch('web');
    expect(await failure(batch('web'))).toMatchObject({ code: 'LIMIT_RATE' });
    const app = { ...UNDECLARED, name: 'app' };
    await declareSourceRates(redis, prefix, [{ ...app, rate: { perSecond: 0.001, burst: 1 } }]);
    await batch('app');
    // A rate of a source holds for each tenant without one of its own.
    expect(await failure(batch('app'))).toMatchObject({ code: 'LIMIT_RATE' });
    await setQueueLimit(redis, prefix, 'ingestion', {
      tenant: 'main',
      source: 'app',
      rate: { perSecond: 9, burst: 9 },
    });
    await batch('app');
  });

  it('refuses limits that make no sense', async () => {
    await using fixture = new RedisFixture();
    for (const wrong of [{ tenant: 'main', backlogMax: 0 }, { tenant: '*', source: 'No name' }, { tenant: 'A B' }])
      await expect(limit(fixture, wrong)).rejects.toMatchObject({ code: 'INPUT_INVALID' });
  });
});
