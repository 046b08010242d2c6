/** Facts about what the gateway serves: recommendations with their exposure, segments, and the consent that both need. */
import { describe, expect, it } from 'vitest';
import { type Published, publishSomething, TENANT } from '../../test/published.ts';
import { FALLBACK, ITEMS } from '../../test/published-content.ts';
import { connect } from '../client/index.ts';
import { ALL_SCOPES, type GatewayFixture, gatewayFixture } from './gateway-fixture.ts';

interface Serving extends AsyncDisposable {
  readonly gateway: GatewayFixture;
  readonly published: Published;
}

async function serving(): Promise<Serving> {
  const gateway = await gatewayFixture();
  const published = await publishSomething(gateway.services.store);
  return { gateway, published, [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose]() };
}

const titles = (body: Record<string, unknown>) => (body.items as { title: string }[]).map(({ title }) => title);
const popular = FALLBACK.map((index) => ITEMS[index]?.title);

async function withdraw({ gateway }: Serving, user: string, purpose: 'recommendation' | 'segmentation') {
  await gateway.services.store.consents.record(TENANT, `withdrawal-${user}-${purpose}`, [
    { user, purposes: [purpose], source: '*', state: 'withdrawn', basis: 'consent', at: Date.now() },
  ]);
}

describe('recommendations', () => {
  it('are NOT_PUBLISHED before anything is', async () => {
    await using gateway = await gatewayFixture();
    const { status, body } = await gateway.get('/v1/recommendations/asha');
    expect([status, body.code]).toEqual([404, 'NOT_PUBLISHED']);
    expect((await gateway.get('/v1/segments/asha')).body.code).toBe('NOT_PUBLISHED');
  });

  it("are the person's list with titles, best first, and name the release and the model", async () => {
    await using set = await serving();
    const { status, body } = await set.gateway.get('/v1/recommendations/asha?k=2');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      user: 'asha',
      release: set.published.release,
      model: set.published.versions.embeddings,
      origin: 'model',
      items: [
        { item: 'video-1', title: 'Googly school', score: 1, position: 1 },
        { item: 'video-2', title: 'Dal in ten minutes', score: 0.75, position: 2 },
      ],
    });
  });

  it('name what the person liked that an item resembles, where something does, and never to newcomers', async () => {
    await using set = await serving();
    const because = async (user: string) => {
      const { body } = await set.gateway.get(`/v1/recommendations/${user}`);
      return (body.items as { because?: unknown }[]).map((item) => item.because);
    };
    expect(await because('asha')).toEqual([{ item: 'video-2', title: 'Dal in ten minutes' }, undefined, undefined]);
    expect(await because('nobody-yet')).toEqual(FALLBACK.map(() => undefined));
    await withdraw(set, 'asha', 'recommendation');
    expect(await because('asha')).toEqual(FALLBACK.map(() => undefined));
  });

  it('of somebody unknown are what is popular', async () => {
    await using set = await serving();
    const { body } = await set.gateway.get('/v1/recommendations/nobody-yet');
    expect(body).toMatchObject({ origin: 'popularity', model: set.published.versions.candidates });
    expect(titles(body)).toEqual(popular);
  });

  it('leave an exposure with positions, release and request id behind, also those of newcomers', async () => {
    await using set = await serving();
    const { store } = set.gateway.services;
    for (const user of ['asha', 'nobody-yet']) {
      const { body } = await set.gateway.get(`/v1/recommendations/${user}`);
      const exposure = await store.exposures.read(TENANT, body.requestId as string);
      expect(exposure).toMatchObject({ release: set.published.release, model: body.model, policy: body.policy });
      const [subject] = store.people.keys(TENANT, [user]);
      expect(Buffer.from(exposure?.subject ?? [])).toEqual(Buffer.from(subject ?? []));
      const shown = store.items.keys(
        TENANT,
        (body.items as { item: string }[]).map(({ item }) => item),
      );
      expect(exposure?.items.map(({ item }) => Buffer.from(item))).toEqual(shown.map((key) => Buffer.from(key)));
      expect(exposure?.items.every(({ propensity }) => propensity === null)).toBe(true);
    }
  });

  it('are not answered when the exposure cannot be written', async () => {
    await using set = await serving();
    const { store } = set.gateway.services;
    const broken = { ...store, exposures: { ...store.exposures, write: () => Promise.reject(new Error('disk full')) } };
    await using own = await gatewayFixture({ store: broken });
    const secret = (await store.apiKeys.create(TENANT, 'test', ALL_SCOPES)).secret;
    const { status, body } = await own.get('/v1/recommendations/asha', secret);
    expect([status, body.code]).toEqual([500, 'INTERNAL']);
    expect(JSON.stringify(body)).not.toContain('disk full');
  });

  it('stop being personal the moment the person withdraws, and for nobody else', async () => {
    await using set = await serving();
    expect((await set.gateway.get('/v1/recommendations/asha')).body.origin).toBe('model');
    await withdraw(set, 'asha', 'recommendation');
    const { body } = await set.gateway.get('/v1/recommendations/asha');
    expect(body.origin).toBe('popularity');
    expect(titles(body)).toEqual(popular);
    expect((await set.gateway.get('/v1/recommendations/ravi')).body.origin).toBe('model');
  });

  it('do not stop for a withdrawal of another purpose', async () => {
    await using set = await serving();
    await withdraw(set, 'asha', 'segmentation');
    expect((await set.gateway.get('/v1/recommendations/asha')).body.origin).toBe('model');
  });

  it('belong to the tenant of the key: another tenant has published nothing', async () => {
    await using set = await serving();
    const stranger = await set.gateway.key(ALL_SCOPES, 'other');
    expect((await set.gateway.get('/v1/recommendations/asha', stranger)).body.code).toBe('NOT_PUBLISHED');
  });

  it.each(['0', '501', 'many', '1.5'])('with k=%s are INPUT_INVALID', async (k) => {
    await using gateway = await gatewayFixture();
    const { status, body } = await gateway.get(`/v1/recommendations/asha?k=${k}`);
    expect([status, body.code]).toEqual([422, 'INPUT_INVALID']);
    expect(body.details).toMatchObject({ issues: [{ path: ['k'] }] });
  });
});

describe('segments', () => {
  it('are told with their name', async () => {
    await using set = await serving();
    const { body } = await set.gateway.get('/v1/segments/ravi');
    expect(body).toEqual({ user: 'ravi', release: set.published.release, segment: 1, name: 'cricket first' });
  });

  it('of somebody unknown, or of somebody who withdrew, are null', async () => {
    await using set = await serving();
    await withdraw(set, 'mina', 'segmentation');
    for (const user of ['nobody-yet', 'mina'])
      expect((await set.gateway.get(`/v1/segments/${user}`)).body).toEqual({
        user,
        release: set.published.release,
        segment: null,
      });
  });
});

describe('the client', () => {
  it('reads through the gateway and sends through it what is too large for Redis', async () => {
    await using set = await serving();
    const url = await set.gateway.app.listen({ host: '127.0.0.1', port: 0 });
    const { config } = set.gateway.services;
    await using millrace = connect({
      redis: config.redisUrl,
      prefix: config.prefix,
      seal: config.sealKeys,
      gateway: { url, key: set.gateway.secret },
    });
    const { origin, items } = await millrace.recommendations.get('asha', { k: 1 });
    expect([origin, items]).toEqual([
      'model',
      [
        {
          item: 'video-1',
          title: 'Googly school',
          score: 1,
          position: 1,
          because: { item: 'video-2', title: 'Dal in ten minutes' },
        },
      ],
    ]);
    expect((await millrace.segments.get('ravi')).name).toBe('cricket first');
    const params = Object.fromEntries(Array.from({ length: 3_000 }, (_, index) => [`p${index}`, 'v'.repeat(30)]));
    const job = await millrace.embeddingTraining.enqueue({ dataset: set.published.versions.dataset, params });
    expect(await job.state()).toBe('waiting');
    await expect(millrace.recommendations.get('')).rejects.toThrow('INPUT_INVALID');
  });
});
