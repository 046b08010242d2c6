/** Facts about keys, limits and malformed requests at the gateway. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setQueueLimit } from '../client/queue-limits.ts';
import { ALL_SCOPES, type GatewayFixture, gatewayFixture } from './gateway-fixture.ts';

let gateway: GatewayFixture;
beforeAll(async () => {
  gateway = await gatewayFixture();
});
afterAll(() => gateway[Symbol.asyncDispose]());

const ROUTES = [
  ['POST', '/v1/events', 'events:write'],
  ['POST', '/v1/items', 'events:write'],
  ['POST', '/v1/people', 'events:write'],
  ['POST', '/v1/consents', 'events:write'],
  ['POST', '/v1/claims', 'claims:write'],
  ['GET', '/v1/lineage/events', 'lineage:read'],
  ['POST', '/v1/webhooks', 'webhooks:write'],
  ['GET', '/v1/webhooks', 'webhooks:write'],
  ['DELETE', '/v1/webhooks/w1', 'webhooks:write'],
  ['POST', '/v1/jobs/segmentation', 'jobs:write'],
  ['GET', '/v1/jobs/segmentation/x', 'jobs:read'],
  ['DELETE', '/v1/jobs/segmentation/x', 'jobs:write'],
  ['GET', '/v1/dead-letters', 'jobs:read'],
  ['GET', '/v1/dead-letters/x', 'jobs:read'],
  ['POST', '/v1/dead-letters/redrive', 'jobs:redrive'],
  ['POST', '/v1/pipelines/refresh', 'jobs:write'],
  ['POST', '/v1/pipelines/refresh/backfill', 'jobs:write'],
  ['POST', '/v1/pipelines/runs/x/rerun', 'jobs:write'],
  ['GET', '/v1/pipelines/runs/x', 'jobs:read'],
  ['DELETE', '/v1/pipelines/runs/x', 'jobs:write'],
  ['GET', '/v1/releases', 'releases:read'],
  ['POST', '/v1/releases/rollback', 'releases:write'],
  ['POST', '/v1/releases/promote', 'releases:write'],
  ['POST', '/v1/releases/hold', 'releases:write'],
  ['DELETE', '/v1/releases/hold', 'releases:write'],
  ['GET', '/v1/recommendations/u1', 'recommendations:read'],
  ['GET', '/v1/segments/u1', 'segments:read'],
  ['GET', '/v1/people/u1', 'people:read'],
  ['POST', '/v1/people/u1/erasure', 'people:write'],
  ['POST', '/v1/people/u1/withdrawals', 'people:write'],
  ['POST', '/v1/people/u1/readmission', 'people:write'],
  ['GET', '/v1/people/u1/consents', 'people:read'],
  ['POST', '/v1/people/u1/consents', 'people:write'],
  ['GET', '/v1/organisation', 'people:read'],
  ['PUT', '/v1/organisation', 'people:write'],
  ['GET', '/v1/erasures', 'people:read'],
  ['GET', '/v1/erasures/x', 'people:read'],
] as const;

describe('keys', () => {
  it.each(ROUTES)('%s %s without a key is AUTH_KEY_INVALID', async (method, url) => {
    const { status, body } = await gateway.ask({ method, url }, null);
    expect([status, body.code]).toEqual([401, 'AUTH_KEY_INVALID']);
  });

  it.each(ROUTES)(
    '%s %s with every scope but its own is AUTH_SCOPE_MISSING and says which',
    async (method, url, scope) => {
      const key = await gateway.key(ALL_SCOPES.filter((one) => one !== scope));
      const { status, body } = await gateway.ask({ method, url }, key);
      expect([status, body.code]).toEqual([403, 'AUTH_SCOPE_MISSING']);
      expect(body.details).toMatchObject({ needed: scope });
    },
  );

  it('that are unknown, malformed or too long are refused alike', async () => {
    for (const secret of ['mk_unknown', 'x'.repeat(5_000), 'a b'])
      expect((await gateway.get('/v1/segments/u1', secret)).body.code).toBe('AUTH_KEY_INVALID');
  });

  it('that are revoked stop working once the cache lets go of them', async () => {
    let at = Date.now();
    await using own = await gatewayFixture({ clock: { now: () => at } });
    const { store } = own.services;
    const { key, secret } = await store.apiKeys.create('main', 'short-lived', ['segments:read']);
    expect((await own.get('/v1/segments/u1', secret)).body.code).toBe('NOT_PUBLISHED');
    expect(await store.apiKeys.revoke('main', key.id)).toBe(true);
    at += 5_001;
    expect((await own.get('/v1/segments/u1', secret)).body.code).toBe('AUTH_KEY_INVALID');
  });

  it('that ask too fast get LIMIT_RATE with a time to wait', async () => {
    await using own = await gatewayFixture({ requestsPerMinuteMax: 3 });
    const answers = [];
    for (let index = 0; index < 4; index++) answers.push(await own.get('/v1/segments/u1'));
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 429]);
    const last = answers[3];
    expect(last?.body.code).toBe('LIMIT_RATE');
    expect(Number(last?.headers['retry-after'])).toBeGreaterThan(0);
  });

  it('whose tenant has a full queue get LIMIT_QUEUE_FULL with a time to wait, and others do not', async () => {
    await using own = await gatewayFixture();
    const { redis, prefix } = own.services;
    await setQueueLimit(redis, prefix, 'segmentation', { tenant: 'main', backlogMax: 1 });
    const body = { input: { features: 'f' } };
    expect((await own.post('/v1/jobs/segmentation', body)).status).toBe(202);
    const full = await own.post('/v1/jobs/segmentation', body);
    expect([full.status, full.body.code, full.headers['retry-after']]).toEqual([429, 'LIMIT_QUEUE_FULL', '1']);
    expect(full.body.details).toMatchObject({ backlog: 1, backlogMax: 1, retryAfterMs: 1_000 });
    expect((await own.post('/v1/jobs/segmentation', body, await own.key(['jobs:write'], 'other'))).status).toBe(202);
  });

  it('are guessed at most sixty times a minute from one address', async () => {
    await using own = await gatewayFixture();
    let code: unknown;
    for (let tries = 0; tries <= 60; tries++) code = (await own.get('/v1/segments/u1', `guess-${tries}`)).body.code;
    expect(code).toBe('LIMIT_RATE');
  });
});

describe('requests', () => {
  it('to an unknown address are NOT_FOUND and lead to the documentation', async () => {
    const { status, body } = await gateway.get('/v1/nothing');
    expect([status, body.code]).toEqual([404, 'NOT_FOUND']);
    expect(body.message).toContain('/docs');
  });

  it('that are not JSON are INPUT_INVALID and do not come back in the answer', async () => {
    const payload = '{"source": "web", "events": [{"user": "mallory@example.org"';
    const { status, body } = await gateway.ask({
      method: 'POST',
      url: '/v1/events',
      payload,
      headers: { 'content-type': 'application/json' },
    });
    expect([status, body.code]).toEqual([422, 'INPUT_INVALID']);
    expect(JSON.stringify(body)).not.toContain('mallory');
  });

  it('of another content type are INPUT_INVALID', async () => {
    const { status, body } = await gateway.ask({
      method: 'POST',
      url: '/v1/events',
      payload: '<events/>',
      headers: { 'content-type': 'text/xml' },
    });
    expect([status, body.code]).toEqual([422, 'INPUT_INVALID']);
  });

  it('larger than the route takes are INPUT_TOO_LARGE and name the limit', async () => {
    const { status, body } = await gateway.ask({
      method: 'POST',
      url: '/v1/pipelines/refresh',
      payload: { params: { modelParams: { x: 'y'.repeat(80 * 1024) } } },
    });
    expect([status, body.code]).toEqual([413, 'INPUT_TOO_LARGE']);
    expect(body.details).toEqual({ bytesMax: 64 * 1024 });
  });

  it('for health need no key and name the store', async () => {
    const { status, body } = await gateway.get('/v1/healthz', null);
    expect(status).toBe(200);
    expect(body).toMatchObject({ ok: true, store: expect.any(String) });
  });
});

describe('a lost service', () => {
  const NOBODY = 'redis://127.0.0.1:1';

  it('is SERVICE_UNAVAILABLE without a word about the request', async () => {
    const { config } = gateway.services;
    await using own = await gatewayFixture({ config: { ...config, redisUrl: NOBODY } });
    const event = { type: 'like', user: 'somebody', item: 'i1', occurredAt: 1 };
    const { status, body } = await own.post('/v1/events', { source: 'web', events: [event] });
    expect([status, body.code]).toEqual([503, 'SERVICE_UNAVAILABLE']);
    expect(JSON.stringify(body)).not.toContain('somebody');
  });
});

describe('the documentation', () => {
  it('is made from the schemas: every route, every kind, the shape of an event', async () => {
    const { status, body } = await gateway.get('/openapi.json', null);
    expect(status).toBe(200);
    const paths = body.paths as Record<string, Record<string, unknown>>;
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining([
        '/v1/events',
        '/v1/claims',
        '/v1/jobs/embedding-training',
        '/v1/jobs/embedding-training/{id}',
        '/v1/pipelines/refresh',
        '/v1/pipelines/runs/{id}',
        '/v1/recommendations/{user}',
        '/v1/segments/{user}',
      ]),
    );
    expect(Object.keys(paths)).not.toContain('/v1/jobs/{kind}');
    const text = JSON.stringify(paths['/v1/events']);
    expect(text).toContain('occurredAt');
    expect(text).toContain('not-interested');
    expect(JSON.stringify(paths['/v1/jobs/embedding-training'])).toContain('two-tower');
  });

  it('can be read in a browser at /docs', async () => {
    const answer = await gateway.app.inject({ url: '/docs/', headers: { accept: 'text/html' } });
    expect(answer.statusCode).toBe(200);
    expect(answer.body).toContain('swagger');
  });
});
