/** Facts about the dashboard's pages and about Bull Board behind them. */
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { ingestion } from '../jobs/ingestion/contract.ts';
import { makeJob } from '../jobs/client/make-job.ts';
import { JOB_KINDS } from '../jobs/registry.ts';
import { sealRing } from '../shared/contract-kit/seal.ts';
import { AppError } from '../shared/errors.ts';
import type { Store } from '../shared/store/ports.ts';
import { PIPELINE_RUN, publishSomething } from '../test/published.ts';
import { type DashboardFixture, dashboardFixture, tokenOf, Visitor } from './dashboard-fixture.ts';
import { recordOf, SCHEDULES } from '../jobs/schedules.ts';
import { cancelChannel, cancelKey, schedulesKey, tickMirrorKey } from '../shared/contract-kit/names.ts';
import { openQueues } from './overview/queues.ts';

const SAME_SITE = { 'sec-fetch-site': 'same-origin', accept: 'application/json' };

async function enqueue({ services }: DashboardFixture, key: string): Promise<string> {
  const { redis, prefix, config } = services;
  const made = makeJob(ingestion, { compact: {} }, { tenant: 'main', key, ring: sealRing(config.sealKeys), asOf: 1 });
  if (!made.fits) throw new Error('too large for a test');
  const queue = openQueues(redis, prefix).find(({ name }) => name === 'ingestion');
  await queue?.add(made.job.name, made.job.data, made.job.opts);
  await queue?.close();
  return made.job.opts.jobId;
}

describe('the overview', () => {
  it('of an empty store says that nothing is published and what to run', async () => {
    await using dashboard = await dashboardFixture();
    const { body, statusCode } = await (await dashboard.visitor('viewer')).get('/');
    expect(statusCode).toBe(200);
    expect(body).toContain('Nothing is published yet');
    expect(body).toContain('millrace run refresh --wait');
    expect(body).toContain('No pipeline has run yet.');
  });

  it('shows what is published, in which quality, to whom, and that it is simulated', async () => {
    await using dashboard = await dashboardFixture();
    const { release } = await publishSomething(dashboard.services.store);
    const { body } = await (await dashboard.visitor('viewer')).get('/');
    for (const part of [
      release,
      'simulated data',
      '4,800',
      '0.247',
      'evening bingers',
      '64 %',
      'equal opportunity',
      'not estimable',
    ])
      expect(body).toContain(part);
    expect(body).toContain('refresh-candidates');
    expect(body).toContain('The model of 4,096 factors would need 9,216 MB');
  });

  it('counts what waits in the queues and says how old the oldest is', async () => {
    await using dashboard = await dashboardFixture();
    await enqueue(dashboard, 'one');
    await enqueue(dashboard, 'two');
    const { body } = await (await dashboard.visitor('viewer')).get('/');
    const row = /queue\/ingestion">.*?<\/tr>/s.exec(body)?.[0] ?? '';
    expect(row).toContain('<td class="number ">2</td>');
    expect(row).toMatch(/\d+ ms|\d\.\d s/);
  });

  it('keeps showing the queues while the store is away, with a coded failure in its place', async () => {
    await using dashboard = await dashboardFixture();
    const { store } = dashboard.services;
    const away = () => Promise.reject(new AppError('SERVICE_UNAVAILABLE', { message: 'MongoDB does not answer.' }));
    const broken: Store = { ...store, releases: { ...store.releases, live: away, pointer: away } };
    const visitor = await dashboard.visitor('viewer');
    const other = new Visitor(await dashboard.build({ store: broken }));
    other.cookie = visitor.cookie;
    const { body, statusCode } = await other.get('/');
    expect(statusCode).toBe(200);
    expect(body).toContain('SERVICE_UNAVAILABLE');
    expect(body).toContain('queue/segmentation');
  });

  it('lists the schedules of a fresh deployment with their next ticks, and that no worker has started them', async () => {
    await using dashboard = await dashboardFixture({ now: () => Date.UTC(2026, 10, 22, 10, 34) });
    const { body } = await (await dashboard.visitor('viewer')).get('/');
    expect(body).toContain('hourly candidates');
    expect(body).toContain('every hour at :10 UTC');
    expect(body).toContain('every day at 03:30 UTC');
    expect(body).toContain('not started');
    expect(body).not.toContain('Missed ticks');
  });

  it('shows the outcomes of the last ticks, what was missed, and what no worker takes', async () => {
    const now = Date.UTC(2026, 10, 22, 10, 34);
    await using dashboard = await dashboardFixture({ now: () => now });
    const { redis, prefix, store } = dashboard.services;
    await publishSomething(store);
    const [nightly] = SCHEDULES;
    if (nightly === undefined) throw new Error('no schedules');
    const id = `main.${nightly.name}`;
    const tick = now - 3 * 24 * 3600_000;
    await redis.hset(schedulesKey(prefix), id, JSON.stringify(recordOf('main', nightly, tick)));
    const recent = [
      { tick, did: 'on-time', run: PIPELINE_RUN },
      { tick: tick + 1, did: 'skipped' },
    ];
    const missed = { count: 4, from: tick, to: tick + 1, caughtUp: 1, seenAt: now - 1000 };
    await redis.hset(tickMirrorKey(prefix), id, JSON.stringify({ cursor: tick, recent, missed }));
    const { body } = await (await dashboard.visitor('viewer')).get('/');
    expect(body).toMatch(/skipped<\/small><\/li>\s*<li[^>]*><a href="\/pipelines/);
    expect(body).toContain('missed 4 ticks up to 2026-11-19 10:34:00 UTC; 1 run late.');
    expect(body).toContain('was due 2 d ago and no worker took it');
  });
});

describe('the page of a run', () => {
  it('shows lineage, output and the place in the pipeline', async () => {
    await using dashboard = await dashboardFixture();
    const { runs, versions } = await publishSomething(dashboard.services.store);
    const { body, statusCode } = await (await dashboard.visitor('viewer')).get(`/runs/${runs.candidates ?? ''}`);
    expect(statusCode).toBe(200);
    for (const part of [versions.candidates, PIPELINE_RUN, 'coverage', 'wasm', runs.embeddings ?? ''])
      expect(body).toContain(part);
  });

  it('that failed says why, what to do, and the facts', async () => {
    await using dashboard = await dashboardFixture();
    const { failedRun } = await publishSomething(dashboard.services.store);
    const { body } = await (await dashboard.visitor('viewer')).get(`/runs/${failedRun}`);
    for (const part of ['9,216 MB', 'Ask for fewer factors', 'NUMERICS_MEMORY_LIMIT', 'neededMb', 'dead-lettered'])
      expect(body).toContain(part);
  });

  it('of another tenant, or of nobody, is NOT_FOUND', async () => {
    await using dashboard = await dashboardFixture();
    const { runs } = await publishSomething(dashboard.services.store);
    const visitor = await dashboard.visitor('viewer');
    const { config } = dashboard.services;
    const elsewhere = new Visitor(await dashboard.build({ config: { ...config, tenant: 'other' } }));
    elsewhere.cookie = visitor.cookie;
    for (const answer of [
      await visitor.get('/runs/main.segmentation.00'),
      await elsewhere.get(`/runs/${runs.audit ?? ''}`),
    ]) {
      expect(answer.statusCode).toBe(404);
      expect(answer.body).toContain('There is no such run.');
    }
  });

  it('escapes what a job has written', async () => {
    await using dashboard = await dashboardFixture();
    const { ledger } = dashboard.services.store;
    const run = {
      runKey: 'main.segmentation.x',
      tenant: 'main',
      kind: 'segmentation',
      contractVersion: 1,
      inputHash: 'h',
      asOf: 1,
      codeVersion: 'c',
    };
    const { run: claimed } = await ledger.claim(run);
    await ledger.end(run.runKey, claimed.fence, 'dead-lettered', {
      code: 'INTERNAL',
      message: '<script>alert(1)</script>',
      details: {},
    });
    const { body } = await (await dashboard.visitor('viewer')).get(`/runs/${run.runKey}`);
    expect(body).toContain('&lt;script&gt;alert(1)');
    expect(body).not.toContain('<script>alert');
  });
});

describe('cancelling on the page of a run', () => {
  const RUN_KEY = 'main.segmentation.at-work';
  async function runAtWork({ services }: DashboardFixture) {
    const { ledger, pipelineRuns } = services.store;
    const about = { tenant: 'main', contractVersion: 1, inputHash: 'h', asOf: 1, codeVersion: 'c' };
    const { run } = await ledger.claim({ ...about, runKey: RUN_KEY, kind: 'segmentation' });
    const now = Date.now();
    await pipelineRuns.create({
      id: 'main.refresh.at-work',
      tenant: 'main',
      pipeline: 'refresh',
      params: {},
      asOf: now,
      live: {},
      state: 'running',
      seq: 1,
      steps: {},
      createdAt: now,
      changedAt: now,
    });
    return run;
  }

  it('marks it and announces it once, for operators', async () => {
    await using dashboard = await dashboardFixture();
    const run = await runAtWork(dashboard);
    const { redis, prefix, store } = dashboard.services;
    const heard: string[] = [];
    const subscriber = redis.duplicate();
    subscriber.on('message', (_channel: string, name: string) => heard.push(name));
    await subscriber.subscribe(cancelChannel(prefix));
    const visitor = await dashboard.visitor('operator');
    for (const [page, name] of [
      [`/runs/${RUN_KEY}`, RUN_KEY],
      ['/pipelines/main.refresh.at-work', 'pipeline:main.refresh.at-work'],
    ] as const) {
      const { body } = await visitor.get(page);
      expect(body).toContain('Cancel this');
      const answer = await visitor.post(`${page}/cancel`, { _csrf: tokenOf(body) });
      expect([answer.statusCode, answer.headers.location]).toEqual([303, page]);
      expect(await redis.get(cancelKey(prefix, name))).toBe('1');
    }
    await subscriber.unsubscribe(cancelChannel(prefix));
    expect(heard).toEqual([RUN_KEY, 'pipeline:main.refresh.at-work']);
    subscriber.disconnect();
    await store.ledger.end(RUN_KEY, run.fence, 'cancelled', { code: 'CANCELLED', message: 'x', details: {} });
    expect((await visitor.get(`/runs/${RUN_KEY}`)).body).not.toContain('Cancel this');
  });

  it('is not for viewers, nor for other sites, nor for what is not there', async () => {
    await using dashboard = await dashboardFixture();
    await runAtWork(dashboard);
    const { redis, prefix } = dashboard.services;
    const viewer = await dashboard.visitor('viewer');
    const { body } = await viewer.get(`/runs/${RUN_KEY}`);
    expect(body).not.toContain('Cancel this');
    const operator = await dashboard.visitor('operator');
    const token = tokenOf((await operator.get(`/runs/${RUN_KEY}`)).body);
    const refusals = [
      await viewer.post(`/runs/${RUN_KEY}/cancel`, { _csrf: tokenOf(body) }),
      await operator.post(`/runs/${RUN_KEY}/cancel`, { _csrf: 'x' }),
      await operator.post(`/runs/${RUN_KEY}/cancel`, { _csrf: token }, { origin: 'https://evil.example' }),
      await operator.post('/runs/main.segmentation.x/cancel', { _csrf: token }),
      await new Visitor(dashboard.app).post(`/pipelines/main.refresh.at-work/cancel`, { _csrf: token }),
    ];
    expect(refusals.map(({ statusCode }) => statusCode)).toEqual([403, 403, 403, 404, 401]);
    expect(await redis.keys(`${prefix}:cancel:*`)).toEqual([]);
  });
});

describe('the pages of a pipeline run and of the release', () => {
  it('show every step with its state and time', async () => {
    await using dashboard = await dashboardFixture();
    await publishSomething(dashboard.services.store);
    const visitor = await dashboard.visitor('viewer');
    const { body } = await visitor.get(`/pipelines/${PIPELINE_RUN}`);
    for (const step of ['compact', 'features', 'segments', 'embeddings', 'candidates', 'audit', 'publish'])
      expect(body).toContain(`>${step}</a>`);
    expect((await visitor.get('/pipelines/nothing')).statusCode).toBe(404);
  });

  it('let operators run again what did not finish: one job, however often they ask', async () => {
    await using dashboard = await dashboardFixture();
    const { store, redis, prefix } = dashboard.services;
    const id = 'main.refresh.failed';
    const ended = { id, tenant: 'main', pipeline: 'refresh', params: {}, asOf: 1, live: {}, state: 'failed' } as const;
    await store.pipelineRuns.create({ ...ended, seq: 1, steps: {}, createdAt: 1, changedAt: 1, endedAt: 2 });
    const operator = await dashboard.visitor('operator');
    const { body } = await operator.get(`/pipelines/${id}`);
    expect(body).toContain('Run again what did not finish');
    for (let click = 0; click < 2; click++)
      expect((await operator.post(`/pipelines/${id}/rerun`, { _csrf: tokenOf(body) })).statusCode).toBe(303);
    expect(await redis.zcard(`${prefix}:pipeline:prioritized`)).toBe(1);
    const viewer = await dashboard.visitor('viewer');
    const seen = (await viewer.get(`/pipelines/${id}`)).body;
    expect(seen).not.toContain('Run again');
    expect((await viewer.post(`/pipelines/${id}/rerun`, { _csrf: tokenOf(seen) })).statusCode).toBe(403);
  });

  it('show the audit group by group with cell counts and intervals', async () => {
    await using dashboard = await dashboardFixture();
    await publishSomething(dashboard.services.store);
    const { body } = await (await dashboard.visitor('viewer')).get('/release');
    for (const part of [
      '25-34',
      '113',
      '0.410 … 0.451',
      'not estimable',
      '0.061 … 0.164',
      'fewer than two groups are large enough',
      'on the holdout',
    ])
      expect(body).toContain(part);
  });

  it('let operators hold and let go of what is live, say who did, and show viewers no button', async () => {
    await using dashboard = await dashboardFixture();
    const { store } = dashboard.services;
    await publishSomething(store);
    const viewer = await dashboard.visitor('viewer');
    const seen = (await viewer.get('/release')).body;
    expect(seen).not.toContain('Hold this release');
    expect((await viewer.post('/release/hold', { _csrf: tokenOf(seen) })).statusCode).toBe(403);
    const operator = await dashboard.visitor('operator');
    const page = (await operator.get('/release')).body;
    expect(page).toContain('Hold this release');
    expect((await operator.post('/release/hold', { _csrf: tokenOf(page) })).statusCode).toBe(303);
    expect(await store.releases.pointer('main')).toMatchObject({ hold: true });
    const held = (await operator.get('/release')).body;
    expect(held).toContain('put on hold');
    expect((await operator.post('/release/unhold', { _csrf: tokenOf(held) })).statusCode).toBe(303);
    expect(await store.releases.pointer('main')).toMatchObject({ hold: false });
  });

  it('say NOT_PUBLISHED, as a page, when nothing is', async () => {
    await using dashboard = await dashboardFixture();
    const answer = await (await dashboard.visitor('viewer')).get('/release');
    expect(answer.statusCode).toBe(404);
    expect(answer.body).toContain('Nothing has been published yet.');
    expect(answer.body).toContain('<code>millrace run refresh --wait</code>');
  });

  it('send a policy that allows scripts of our own only, and are never cached', async () => {
    await using dashboard = await dashboardFixture();
    const { headers } = await (await dashboard.visitor('viewer')).get('/');
    expect(headers['content-security-policy']).toContain("script-src 'self';");
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(headers['cache-control']).toBe('no-store');
  });

  it('that do not exist are NOT_FOUND, for people as a page and for programs as JSON', async () => {
    await using dashboard = await dashboardFixture();
    const visitor = await dashboard.visitor('viewer');
    const page = await visitor.get('/nothing');
    expect(page.statusCode).toBe(404);
    expect(page.body).toContain('There is no such page.');
    expect((await visitor.get('/nothing', { accept: 'application/json' })).json().code).toBe('NOT_FOUND');
  });
});

describe('without Redis', () => {
  it('the login page is a coded failure in words, not a stack', async () => {
    await using dashboard = await dashboardFixture();
    const lost = new Redis('redis://127.0.0.1:1', { maxRetriesPerRequest: 0, retryStrategy: () => null });
    lost.on('error', () => {});
    const visitor = await dashboard.visitor('viewer');
    const other = new Visitor(await dashboard.build({ redis: lost }));
    other.cookie = visitor.cookie;
    const { statusCode, body } = await other.get('/');
    expect(statusCode).toBe(503);
    expect(body).toContain('SERVICE_UNAVAILABLE');
    expect(body).toContain('A service that is needed does not answer.');
    expect(body).not.toContain('node_modules');
  });
});

describe('Bull Board', () => {
  it('shows every queue and hides ciphertext behind its size', async () => {
    await using dashboard = await dashboardFixture();
    const id = await enqueue(dashboard, 'one');
    const visitor = await dashboard.visitor('operator');
    const { queues } = (await visitor.get('/queues/api/queues?activeQueue=ingestion&status=latest')).json();
    expect(queues).toHaveLength(JOB_KINDS.length);
    const { job } = (await visitor.get(`/queues/api/queues/ingestion/${id}`)).json();
    expect(job.data.sealed).toMatch(/^\d+ characters of ciphertext$/);
  });

  it('takes changes from its own page, and from no other', async () => {
    await using dashboard = await dashboardFixture();
    await enqueue(dashboard, 'one');
    const visitor = await dashboard.visitor('operator');
    const pause = (headers: Record<string, string>) =>
      dashboard.app.inject({
        method: 'PUT',
        url: '/queues/api/queues/ingestion/pause',
        headers: { cookie: visitor.cookie, host: 'dashboard.test', ...headers },
      });
    for (const headers of [
      {},
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example' },
    ]) {
      const refused = await pause(headers);
      expect([refused.statusCode, refused.json().code]).toEqual([403, 'AUTH_CSRF']);
    }
    expect((await pause(SAME_SITE)).statusCode).toBe(200);
    expect((await visitor.get('/')).body).toContain('paused');
  });

  it('is read-only for viewers, who are led to a board without buttons', async () => {
    await using dashboard = await dashboardFixture();
    const visitor = await dashboard.visitor('viewer');
    const led = await visitor.get('/queues/queue/ingestion');
    expect([led.statusCode, led.headers.location]).toEqual([303, '/queues-read-only/queue/ingestion']);
    expect((await visitor.get('/queues-read-only')).statusCode).toBe(200);
    const { queues } = (await visitor.get('/queues-read-only/api/queues')).json();
    expect(queues.every((queue: { readOnlyMode: boolean }) => queue.readOnlyMode)).toBe(true);
    for (const board of ['/queues', '/queues-read-only']) {
      const url = `${board}/api/queues/ingestion/pause`;
      const headers = { cookie: visitor.cookie, ...SAME_SITE };
      const refused = await dashboard.app.inject({ method: 'PUT', url, headers });
      expect([refused.statusCode, refused.json().code]).toEqual([403, 'AUTH_ROLE_MISSING']);
    }
  });
});
