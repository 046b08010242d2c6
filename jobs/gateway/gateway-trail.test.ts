/** Facts about what the gateway leaves in the audit trail. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TrailDesk } from '../../shared/governance/trail-desk.ts';
import type { TrailEntry } from '../../shared/store/ports.ts';
import { AppError } from '../../shared/errors.ts';
import { type GatewayFixture, gatewayFixture } from './gateway-fixture.ts';

let gateway: GatewayFixture;
beforeAll(async () => {
  gateway = await gatewayFixture();
});
afterAll(() => gateway[Symbol.asyncDispose]());

/** What was written since the entry of that number, in order. */
async function entriesAfter(n: number, tenant = 'main'): Promise<TrailEntry[]> {
  const entries = await gateway.services.store.trail.read(tenant, {}, 100);
  return entries.filter((entry) => entry.n > n).toReversed();
}
const lastN = async (): Promise<number> => (await gateway.services.store.trail.head('main'))?.head.n ?? 0;

describe('the audit trail', () => {
  it('has an entry of every look at a person, by key and pseudonym, before the answer is there', async () => {
    const { store } = gateway.services;
    await store.people.ensure('main', ['asha@example.org']);
    const key = await gateway.key(['people:read', 'trail:read']);
    const before = await lastN();
    expect((await gateway.get('/v1/people/asha@example.org', key)).status).toBe(200);
    expect((await gateway.get('/v1/people/stranger@example.org', key)).status).toBe(200);
    const [first, second] = await entriesAfter(before);
    expect(first).toMatchObject({
      actor: { kind: 'key', id: expect.stringMatching(/^[0-9a-f]{16}$/) },
      role: 'people:read trail:read',
      act: 'people:read',
      object: 'GET /v1/people/:user',
      person: expect.stringMatching(/^[0-9a-f]{32}$/),
      outcome: 'allowed',
      request: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(second?.person).toBe('unknown');
    expect(JSON.stringify([first, second])).not.toContain('example.org');
    const about = await gateway.get('/v1/trail?person=asha@example.org', key);
    expect((about.body.entries as TrailEntry[]).map(({ n }) => n)).toEqual([before + 1]);
    // Who reads the trail is in it, too.
    expect((await entriesAfter(before + 2))[0]).toMatchObject({ act: 'trail:read', object: 'GET /v1/trail' });
  });

  it('has every act with its outcome and the ids that were found, and none that a caller made up', async () => {
    const key = await gateway.key(['people:write', 'webhooks:write', 'jobs:write', 'people:read']);
    const before = await lastN();
    const { body } = await gateway.post('/v1/webhooks', { url: 'https://example.org/hook' }, key);
    await gateway.ask({ method: 'DELETE', url: `/v1/webhooks/${String(body.id)}` }, key);
    await gateway.ask({ method: 'DELETE', url: '/v1/webhooks/asha' }, key);
    await gateway.post('/v1/people/asha/erasure', { wrong: 1 }, key);
    await gateway.post('/v1/releases/hold', {}, key);
    const entries = await entriesAfter(before);
    expect(entries.map(({ object, outcome }) => [object, outcome])).toEqual([
      ['POST /v1/webhooks', 'allowed'],
      ['DELETE /v1/webhooks/:id', 'allowed'],
      ['DELETE /v1/webhooks/:id', 'NOT_FOUND'],
      ['POST /v1/people/:user/erasure', 'INPUT_INVALID'],
      ['POST /v1/releases/hold', 'AUTH_SCOPE_MISSING'],
    ]);
    expect(entries[1]?.ids).toEqual([body.id]);
    expect(entries[2]?.ids).toBeUndefined();
  });

  it('has nothing of routes that neither tell of people nor change anything', async () => {
    const before = await lastN();
    await gateway.get('/v1/releases');
    await gateway.get('/v1/healthz', null);
    await gateway.get('/v1/jobs/segmentation/x');
    expect(await entriesAfter(before)).toEqual([]);
  });

  it('counts what comes in often, and writes the count when the gateway ends', async () => {
    const before = await lastN();
    const { store } = gateway.services;
    const desk = new TrailDesk(store.trail);
    await using own = await gatewayFixture({ store, desk });
    const secret = (await store.apiKeys.create('main', 'own', ['events:write'])).secret;
    const event = { type: 'like', user: 'asha', item: 'i1', occurredAt: 1 };
    for (let n = 0; n < 3; n++) await own.post('/v1/events', { source: 'web', events: [event] }, secret);
    await own.post('/v1/consents', { source: 'web', consents: [{ user: 'asha', purposes: ['audit'] }] }, secret);
    for (let n = 0; n < 2; n++) await own.get('/v1/people/asha', 'mr_nobody');
    expect((await entriesAfter(before)).map(({ object }) => object)).toEqual(['POST /v1/consents']);
    await desk[Symbol.asyncDispose]();
    const [, events, guesses] = await entriesAfter(before);
    expect(events).toMatchObject({ object: 'POST /v1/events', count: 3, outcome: 'allowed' });
    expect(guesses).toMatchObject({ actor: { kind: 'nobody', id: '' }, count: 2, outcome: 'AUTH_KEY_INVALID' });
  });

  it('that cannot be written holds back what it would tell of', async () => {
    const { store } = gateway.services;
    const broken = {
      note: async (): Promise<never> => {
        throw new AppError('TRAIL_UNAVAILABLE');
      },
    };
    await store.people.ensure('main', ['asha']);
    await using desk = new TrailDesk(broken);
    await using own = await gatewayFixture({ store, desk });
    const { secret } = await store.apiKeys.create('main', 'own', ['people:read', 'segments:read']);
    const { status, body } = await own.get('/v1/people/asha', secret);
    expect([status, body.code]).toEqual([503, 'TRAIL_UNAVAILABLE']);
    expect(JSON.stringify(body)).not.toContain('consents');
    // A refusal stands as it is.
    expect((await own.get('/v1/segments/asha', secret)).body.code).toBe('NOT_PUBLISHED');
  });
});
