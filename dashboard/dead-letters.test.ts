/** Facts about the page of dead letters and its buttons. */
import { Queue, UnrecoverableError, Worker } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { makeJob } from '../jobs/client/make-job.ts';
import { segmentation } from '../jobs/segmentation/contract.ts';
import { jobIdOf, runKeyOf } from '../shared/contract-kit/names.ts';
import { AppError } from '../shared/errors.ts';
import { type DashboardFixture, dashboardFixture, tokenOf } from './dashboard-fixture.ts';

describe('dead letters', () => {
  const RUN_KEY = runKeyOf('main', 'segmentation', 'dead');
  /** A job that has failed, and its run. */
  async function deadLetter({ services }: DashboardFixture): Promise<void> {
    const { redis, prefix, store } = services;
    const made = makeJob(segmentation, { features: 'f1' }, { tenant: 'main', asOf: 1, runKey: RUN_KEY });
    if (!made.fits) throw new Error('does not fit');
    const connection = redis.duplicate();
    const queue = new Queue('segmentation', { connection, prefix });
    await queue.add(made.job.name, made.job.data, made.job.opts);
    const worker = new Worker('segmentation', null, { connection, prefix });
    const error = new AppError('DATASET_EMPTY').toJSON();
    await (await worker.getNextJob('t'))?.moveToFailed(new UnrecoverableError(JSON.stringify(error)), 't', false);
    await Promise.all([worker.close(), queue.close()]);
    connection.disconnect();
    const { inputHash } = made.job.data;
    const place = { tenant: 'main', kind: 'segmentation', contractVersion: 1, inputHash, asOf: 1, codeVersion: 'c' };
    const { run } = await store.ledger.claim({ runKey: RUN_KEY, ...place });
    await store.ledger.end(RUN_KEY, run.fence, 'dead-lettered', error);
  }

  it('are listed with their reason, and redriven by operators from their own page', async () => {
    await using dashboard = await dashboardFixture();
    const operator = await dashboard.visitor('operator');
    expect((await operator.get('/dead-letters')).body).toContain('There is none.');
    await deadLetter(dashboard);
    const { body } = await operator.get('/dead-letters');
    expect(body).toContain('<code>DATASET_EMPTY</code>');
    expect(body).toContain('in its job');
    const action = `/runs/${RUN_KEY}/redrive`;
    expect((await operator.get(`/runs/${RUN_KEY}`)).body).toContain(`action="${action}"`);
    for (let click = 0; click < 2; click++) {
      const answer = await operator.post(action, { _csrf: tokenOf(body) });
      expect([answer.statusCode, answer.headers.location]).toEqual([303, `/runs/${RUN_KEY}`]);
    }
    expect(await dashboard.services.store.ledger.read(RUN_KEY)).toMatchObject({ state: 'running', fence: 2 });
    expect((await operator.get(`/runs/${RUN_KEY}`)).body).not.toContain(action);
  });

  it('are not redriven by viewers, nor when they cannot be', async () => {
    await using dashboard = await dashboardFixture();
    await deadLetter(dashboard);
    const viewer = await dashboard.visitor('viewer');
    const page = await viewer.get('/dead-letters');
    expect(page.body).toContain('DATASET_EMPTY');
    expect(page.body).not.toContain('/redrive');
    const action = `/runs/${RUN_KEY}/redrive`;
    expect((await viewer.post(action, { _csrf: tokenOf(page.body) })).statusCode).toBe(403);
    const { redis, prefix, store } = dashboard.services;
    await redis.del(`${prefix}:segmentation:${jobIdOf(RUN_KEY)}`);
    const operator = await dashboard.visitor('operator');
    const refusal = await operator.post(action, { _csrf: tokenOf((await operator.get('/dead-letters')).body) });
    expect(refusal.statusCode).toBe(409);
    expect(refusal.body).toContain('is gone from the queue');
    expect(await store.ledger.read(RUN_KEY)).toMatchObject({ state: 'dead-lettered' });
  });
});
