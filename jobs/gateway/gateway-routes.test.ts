/** Facts about what the gateway takes in and hands over: records, claims, jobs, pipeline runs. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Envelope, envelopeSchema } from '../../shared/contract-kit/envelope.ts';
import { pipelineKey, runKeyOf } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';
import { ALL_SCOPES, type GatewayFixture, gatewayFixture } from './gateway-fixture.ts';

let gateway: GatewayFixture;
beforeAll(async () => {
  gateway = await gatewayFixture();
});
afterAll(() => gateway[Symbol.asyncDispose]());

const view = (user: string, item = 'i1') => ({
  type: 'view',
  user,
  item,
  value: 80,
  occurredAt: '2026-01-02T03:04:05Z',
});

async function envelopeOf(kind: string, id: string): Promise<Envelope> {
  const { redis, prefix } = gateway.services;
  return envelopeSchema.parse(JSON.parse((await redis.hget(`${prefix}:${kind}:${id}`, 'data')) ?? 'null'));
}

describe('records', () => {
  it('are handed over one by one: good ones go in, bad ones come back with index, code and field', async () => {
    const { status, body } = await gateway.post('/v1/events', {
      source: 'web',
      events: [
        view('asha'),
        { ...view('asha'), value: 400 },
        'no event',
        { ...view('ravi'), surprise: 1 },
        view('ravi'),
      ],
    });
    expect(status).toBe(202);
    expect(body).toMatchObject({ state: 'enqueued', accepted: 2 });
    expect(body.rejected).toEqual([
      { index: 1, code: 'EVENT_INVALID', field: 'value', reason: 'must be 0..100' },
      expect.objectContaining({ index: 2, code: 'EVENT_INVALID' }),
      { index: 3, code: 'EVENT_INVALID', field: 'surprise', reason: 'unknown field' },
    ]);
  });

  it('travel sealed: Redis never sees who did what', async () => {
    const { body } = await gateway.post('/v1/events', { source: 'web', events: [view('secret-person')] });
    const [id] = body.ids as string[];
    const envelope = await envelopeOf('ingestion', id ?? '');
    expect(envelope.sealed?.box).toEqual(expect.any(String));
    expect(JSON.stringify(envelope)).not.toContain('secret-person');
  });

  it.each([
    ['items', { id: 'i1', title: 'Googly school' }],
    ['people', { id: 'asha', ageGroup: '25-34' }],
    ['consents', { user: 'asha', purposes: ['recommendation'], at: 1_700_000_000_000 }],
  ])('of the list %s go in by a route of their own', async (list, record) => {
    const { status, body } = await gateway.post(`/v1/${list}`, { source: 'web', [list]: [record, {}] });
    expect(status).toBe(202);
    expect(body).toMatchObject({ accepted: 1, rejected: [{ index: 1, code: 'INPUT_INVALID' }] });
    expect(body.ids).toHaveLength(1);
  });

  it('that are all bad enqueue nothing and are done at once', async () => {
    const { status, body } = await gateway.post('/v1/items', { source: 'web', items: [{}, 3] });
    expect(status).toBe(200);
    expect(body).toMatchObject({ state: 'done', ids: [], accepted: 0 });
    expect(body.rejected).toHaveLength(2);
  });

  it('under one key are one job, and other records under it are KEY_REUSED', async () => {
    const batch = { source: 'web', key: 'batch-7', events: [view('asha')] };
    const first = await gateway.post('/v1/events', batch);
    const again = await gateway.post('/v1/events', batch);
    expect(again.body.ids).toEqual(first.body.ids);
    const other = await gateway.post('/v1/events', { ...batch, events: [view('ravi')] });
    expect([other.status, other.body.code]).toEqual([409, 'KEY_REUSED']);
  });

  it.each([
    ['no source', { events: [view('asha')] }],
    ['a source that is no name', { source: 'My Site', events: [view('asha')] }],
    ['no records', { source: 'web', events: [] }],
    ['records that are no list', { source: 'web', events: 'many' }],
    ['a field that nobody knows', { source: 'web', events: [view('asha')], evnets: [] }],
    ['an empty key', { source: 'web', events: [view('asha')], key: '' }],
  ])('in a batch with %s are INPUT_INVALID with the issue', async (_, payload) => {
    const { status, body } = await gateway.post('/v1/events', payload);
    expect([status, body.code]).toEqual([422, 'INPUT_INVALID']);
    expect((body.details as { issues: unknown[] }).issues.length).toBeGreaterThan(0);
  });

  it('larger than 16 MiB together are INPUT_TOO_LARGE', async () => {
    const payload = { source: 'web', events: [{ ...view('asha'), text: 'x'.repeat(17 * 1024 * 1024) }] };
    const { status, body } = await gateway.post('/v1/events', payload);
    expect([status, body.code]).toEqual([413, 'INPUT_TOO_LARGE']);
  });

  it('are answered with their final counts when the caller waits', async () => {
    await using own = await gatewayFixture();
    const rejected = [{ index: 1, code: 'EVENT_UNKNOWN_ITEM', field: 'item', reason: 'not in the catalogue' }];
    own.worker('ingestion', () => ({ accepted: 1, duplicates: 3, rejected }));
    const { status, body } = await own.post('/v1/events?wait=20000', {
      source: 'web',
      events: [view('asha'), view('ravi')],
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ state: 'done', accepted: 1, duplicates: 3, rejected });
  });

  it('are answered with 202 when the wait ends first, and refuse to be waited for longer than the bound', async () => {
    const { status, body } = await gateway.post('/v1/events?wait=1', { source: 'web', events: [view('asha')] });
    expect([status, body.state]).toEqual([202, 'enqueued']);
    expect((await gateway.post('/v1/events?wait=30001', { source: 'web', events: [view('asha')] })).status).toBe(422);
  });
});

describe('claims', () => {
  const put = (payload: Buffer) =>
    gateway.ask({
      method: 'POST',
      url: '/v1/claims',
      payload,
      headers: { 'content-type': 'application/octet-stream' },
    });

  it('keep their bytes as they are and answer id, hash and size', async () => {
    const bytes = Buffer.from([0, 1, 2, 255, 254, 10, 13]);
    const { status, body } = await put(bytes);
    expect(status).toBe(201);
    expect(body).toMatchObject({ sha256: createHash('sha256').update(bytes).digest('hex'), bytes: 7 });
    const stored = await gateway.services.store.claims.get('main', body.id as string, body.sha256 as string);
    expect(Buffer.from(stored)).toEqual(bytes);
  });

  it('of another type are bytes all the same', async () => {
    const answer = await gateway.ask({ method: 'POST', url: '/v1/claims', payload: { a: 1 } });
    expect([answer.status, answer.body.bytes]).toEqual([201, 7]);
  });

  it('without a payload are INPUT_INVALID, above 16 MiB INPUT_TOO_LARGE', async () => {
    expect((await put(Buffer.alloc(0))).body.code).toBe('INPUT_INVALID');
    const { status, body } = await put(Buffer.alloc(16 * 1024 * 1024 + 1));
    expect([status, body.code]).toEqual([413, 'INPUT_TOO_LARGE']);
  });

  it('of one tenant are not found by another', async () => {
    const { body } = await put(Buffer.from('mine'));
    const { claims } = gateway.services.store;
    await expect(claims.get('other', body.id as string, body.sha256 as string)).rejects.toThrow('CLAIM_NOT_FOUND');
  });
});

describe('jobs', () => {
  it('are enqueued once per key and carry tenant, run key and parsed input', async () => {
    const input = { features: 'v1', k: 3 };
    const first = await gateway.post('/v1/jobs/segmentation', { input, key: 'nightly' });
    expect(first.status).toBe(202);
    expect(first.body.runKey).toBe(runKeyOf('main', 'segmentation', 'nightly'));
    const envelope = await envelopeOf('segmentation', first.body.id as string);
    expect(envelope).toMatchObject({ tenant: 'main', input: { features: 'v1', k: 3, restarts: 8, seed: 1 } });
    expect((await gateway.post('/v1/jobs/segmentation', { input, key: 'nightly' })).body).toEqual(first.body);
    const other = await gateway.post('/v1/jobs/segmentation', { input: { features: 'v2' }, key: 'nightly' });
    expect(other.body.code).toBe('KEY_REUSED');
  });

  it('of a personal kind are sealed by the gateway', async () => {
    const { body } = await gateway.post('/v1/jobs/ingestion', { input: { compact: {} } });
    const envelope = await envelopeOf('ingestion', body.id as string);
    expect(envelope.sealed).toBeDefined();
    expect(envelope.input).toBeUndefined();
  });

  it('too large for Redis travel as a claim that the gateway stores itself', async () => {
    const params = Object.fromEntries(Array.from({ length: 3_000 }, (_, index) => [`p${index}`, 'v'.repeat(30)]));
    const { status, body } = await gateway.post('/v1/jobs/embedding-training', { input: { dataset: 'd', params } });
    expect(status).toBe(202);
    const { claim } = await envelopeOf('embedding-training', body.id as string);
    const bytes = await gateway.services.store.claims.get('main', claim?.id ?? '', claim?.sha256 ?? '');
    expect(JSON.parse(Buffer.from(bytes).toString())).toMatchObject({ dataset: 'd', params });
  });

  it.each([
    ['a wrong type', { input: { features: 7 } }, ['input', 'features']],
    ['a value out of range', { input: { features: 'v', k: 1 } }, ['input', 'k']],
    ['no input', {}, ['input']],
  ])('with %s are INPUT_INVALID with the path of the field', async (_, payload, path) => {
    const { status, body } = await gateway.post('/v1/jobs/segmentation', payload);
    expect([status, body.code]).toEqual([422, 'INPUT_INVALID']);
    expect(body.details).toMatchObject({ where: 'body', issues: [{ path }] });
  });

  it('of an unknown kind are KIND_UNKNOWN, and so is a kind that callers may not enqueue', async () => {
    for (const kind of ['nonsense', 'pipeline']) {
      const { status, body } = await gateway.post(`/v1/jobs/${kind}`, { input: {} });
      expect([status, body.code]).toEqual([404, 'KIND_UNKNOWN']);
    }
    expect((await gateway.get('/v1/jobs/nonsense/x')).body.code).toBe('KIND_UNKNOWN');
    expect((await gateway.ask({ method: 'DELETE', url: '/v1/jobs/nonsense/x' })).body.code).toBe('KIND_UNKNOWN');
  });

  it('are read by id and by run key; those of other tenants are NOT_FOUND', async () => {
    const { body } = await gateway.post('/v1/jobs/segmentation', { input: { features: 'v9' } });
    const byId = await gateway.get(`/v1/jobs/segmentation/${String(body.id)}`);
    expect(byId.body).toEqual({ ...body, kind: 'segmentation', state: 'waiting' });
    expect((await gateway.get(`/v1/jobs/segmentation/${String(body.runKey)}`)).body).toEqual(byId.body);
    const stranger = await gateway.key(ALL_SCOPES, 'other');
    for (const name of [body.id, body.runKey]) {
      const { status, body: refused } = await gateway.get(`/v1/jobs/segmentation/${String(name)}`, stranger);
      expect([status, refused.code]).toEqual([404, 'NOT_FOUND']);
    }
  });

  it('show output when they are done and the coded error when they failed', async () => {
    await using own = await gatewayFixture();
    const output = { version: 'f1', rows: 2, features: ['views'], consentEpoch: 4 };
    const failure = new AppError('DATASET_EMPTY');
    const done = own.worker('feature-build', () => output);
    const failed = own.worker('segmentation', () => {
      throw Object.assign(new Error(JSON.stringify(failure.toJSON())), { name: 'UnrecoverableError' });
    });
    const ended = Promise.all([
      new Promise((resolve) => done.once('completed', resolve)),
      new Promise((resolve) => failed.once('failed', resolve)),
    ]);
    const good = await own.post('/v1/jobs/feature-build', { input: { dataset: 'd' } });
    const bad = await own.post('/v1/jobs/segmentation', { input: { features: 'f1' } });
    await ended;
    const goodNow = await own.get(`/v1/jobs/feature-build/${String(good.body.id)}`);
    expect(goodNow.body).toMatchObject({ state: 'completed', output });
    const badNow = await own.get(`/v1/jobs/segmentation/${String(bad.body.id)}`);
    expect(badNow.body).toMatchObject({ state: 'failed', error: { code: 'DATASET_EMPTY' } });
  });

  it('that Redis has forgotten are read from the ledger by their run key', async () => {
    const { ledger } = gateway.services.store;
    const runKey = runKeyOf('main', 'feature-build', 'old');
    const claimed = await ledger.claim({
      runKey,
      tenant: 'main',
      kind: 'feature-build',
      contractVersion: 1,
      inputHash: 'h',
      asOf: 1,
      codeVersion: 'c',
    });
    const output = { version: 'f1', rows: 2, features: [], consentEpoch: 0 };
    await ledger.commit({ runKey, fence: claimed.run.fence, output, next: [], lineage: { inputs: [] } });
    const { body } = await gateway.get(`/v1/jobs/feature-build/${runKey}`);
    expect(body).toMatchObject({ runKey, state: 'completed', output });
  });

  it('are asked to end by DELETE, which leaves a mark that workers find', async () => {
    const { body } = await gateway.post('/v1/jobs/segmentation', { input: { features: 'v5' } });
    const { status } = await gateway.ask({ method: 'DELETE', url: `/v1/jobs/segmentation/${String(body.id)}` });
    expect(status).toBe(202);
    const { redis, prefix } = gateway.services;
    expect(await redis.get(`${prefix}:cancel:${String(body.runKey)}`)).toBe('1');
    const unknown = await gateway.ask({ method: 'DELETE', url: '/v1/jobs/segmentation/r00' });
    expect([unknown.status, unknown.body.code]).toEqual([404, 'NOT_FOUND']);
  });
});

describe('pipelines', () => {
  it('are started by name with checked parameters', async () => {
    const { status, body } = await gateway.post('/v1/pipelines/refresh', { params: { model: 'two-tower' }, key: 'p1' });
    expect(status).toBe(202);
    const { input } = await envelopeOf('pipeline', body.id as string);
    expect(input).toMatchObject({ start: { pipeline: 'refresh', params: { model: 'two-tower', seed: 1 } } });
    expect((await gateway.ask({ method: 'POST', url: '/v1/pipelines/audit-live' })).status).toBe(202);
  });

  it('with an unknown name or parameter are refused', async () => {
    expect((await gateway.post('/v1/pipelines/nonsense', {})).body.code).toBe('PIPELINE_UNKNOWN');
    const { status, body } = await gateway.post('/v1/pipelines/refresh', { params: { model: 'oracle' } });
    expect([status, body.code]).toEqual([422, 'INPUT_INVALID']);
  });

  it('tell the id of their run to a caller who waits for the start', async () => {
    await using own = await gatewayFixture();
    own.worker('pipeline', () => ({ run: 'run-1' }));
    const { body } = await own.post('/v1/pipelines/refresh?wait=20000', {});
    expect(body.run).toBe('run-1');
  });

  it('are run for each moment of a span, which must be in the past', async () => {
    const asked = { from: '2026-10-01', to: '2026-10-03', parallel: 3, key: 'october' };
    const { status, body } = await gateway.post('/v1/pipelines/refresh/backfill', asked);
    expect(status).toBe(202);
    const { input } = await envelopeOf('pipeline', body.id as string);
    const [from, to] = [Date.UTC(2026, 9, 1), Date.UTC(2026, 9, 3)];
    const params = { pipeline: 'refresh', from, to, every: 'day', parallel: 3 };
    expect(input).toMatchObject({ start: { pipeline: 'backfill', params } });
    expect((await gateway.post('/v1/pipelines/refresh/backfill', asked)).body.id).toBe(body.id);
    for (const wrong of [{ to: '2999-01-01' }, { from: '2026-10-04' }, { from: 'long ago' }, { from: '1990-01-01' }]) {
      const refused = await gateway.post('/v1/pipelines/refresh/backfill', { ...asked, ...wrong, key: 'other' });
      expect([refused.status, refused.body.code]).toEqual([422, 'INPUT_INVALID']);
    }
  });

  it('are run again once they have ended, by their own tenant only', async () => {
    const { redis, prefix } = gateway.services;
    const document = { id: 'run-8', pipeline: 'refresh', state: 'running', steps: { compact: { state: 'enqueued' } } };
    const write = (state: string) =>
      redis.hset(pipelineKey(prefix, 'main', 'run-8'), 'document', JSON.stringify({ ...document, state }));
    await write('running');
    const early = await gateway.post('/v1/pipelines/runs/run-8/rerun', {});
    expect([early.status, early.body.code]).toEqual([409, 'PIPELINE_RUNNING']);
    await write('failed');
    const { status, body } = await gateway.post('/v1/pipelines/runs/run-8/rerun', { from: 'compact' });
    expect(status).toBe(202);
    expect((await envelopeOf('pipeline', body.id as string)).input).toEqual({
      rerun: { run: 'run-8', from: 'compact' },
    });
    // A second click is the same job.
    expect((await gateway.post('/v1/pipelines/runs/run-8/rerun', { from: 'compact' })).body.id).toBe(body.id);
    const stranger = await gateway.key(ALL_SCOPES, 'other');
    expect((await gateway.post('/v1/pipelines/runs/run-8/rerun', {}, stranger)).body.code).toBe('NOT_FOUND');
  });

  it('are read from their mirror, by their own tenant only, and ended by DELETE', async () => {
    const { redis, prefix } = gateway.services;
    const document = { id: 'run-7', pipeline: 'refresh', state: 'running', steps: { compact: { state: 'enqueued' } } };
    await redis.hset(pipelineKey(prefix, 'main', 'run-7'), 'document', JSON.stringify(document));
    expect((await gateway.get('/v1/pipelines/runs/run-7')).body).toEqual(document);
    const stranger = await gateway.key(ALL_SCOPES, 'other');
    expect((await gateway.get('/v1/pipelines/runs/run-7', stranger)).body.code).toBe('NOT_FOUND');
    const ended = await gateway.ask({ method: 'DELETE', url: '/v1/pipelines/runs/run-7' });
    expect([ended.status, ended.body]).toEqual([202, { id: 'run-7' }]);
  });
});

describe('webhooks', () => {
  it('are registered with a secret that is shown once, listed without it, and removed', async () => {
    const body = { url: 'https://example.com/hook', kinds: ['segmentation'], states: ['dead-lettered'] };
    const made = await gateway.post('/v1/webhooks', body);
    expect([made.status, made.body.secret]).toEqual([201, expect.stringMatching(/^whsec_/)]);
    const { secret: _, ...listed } = made.body;
    expect(listed).toMatchObject(body);
    expect((await gateway.get('/v1/webhooks')).body).toEqual([listed]);
    const other = await gateway.key(['webhooks:write'], 'other');
    const url = `/v1/webhooks/${String(made.body.id)}`;
    expect((await gateway.ask({ method: 'DELETE', url }, other)).status).toBe(404);
    expect((await gateway.ask({ method: 'DELETE', url })).status).toBe(200);
    expect((await gateway.get('/v1/webhooks')).body).toEqual([]);
  });

  it('to an address inside the house, of an unknown kind, or enqueued by hand are refused', async () => {
    const inside = await gateway.post('/v1/webhooks', { url: 'https://127.0.0.1/hook' });
    expect([inside.status, inside.body.code]).toEqual([422, 'WEBHOOK_ADDRESS_REFUSED']);
    const unknown = await gateway.post('/v1/webhooks', { url: 'https://example.com/', kinds: ['segments'] });
    expect(unknown.body.code).toBe('INPUT_INVALID');
    expect((await gateway.post('/v1/jobs/webhook-delivery', { input: {} })).body.code).toBe('KIND_UNKNOWN');
  });
});
