/** Facts about people who come by themselves: with a token that a service made for them they see and change what is theirs, and nothing else. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobIdOf, runKeyOf } from '../../shared/contract-kit/names.ts';
import type { TrailEntry } from '../../shared/store/ports.ts';
import { testStore } from '../../shared/store/testing.ts';
import { type Answer, type GatewayFixture, gatewayFixture } from './gateway-fixture.ts';

let gateway: GatewayFixture;
let service: string;
beforeAll(async () => {
  gateway = await gatewayFixture();
  service = await gateway.key(['people:read', 'people:write']);
  await gateway.services.store.people.upsert('main', [{ id: 'asha', name: 'Asha' }, { id: 'ben' }], '');
});
afterAll(() => gateway[Symbol.asyncDispose]());

async function tokenFor(user: string, body: object = {}, key = service): Promise<string> {
  const { status, body: made } = await gateway.post(`/v1/people/${user}/tokens`, body, key);
  expect(status).toBe(201);
  return String(made.token);
}
const latest = async (count: number): Promise<TrailEntry[]> => gateway.services.store.trail.read('main', {}, count);

describe('with a token', () => {
  it('a person sees what is held about them, and only about them, from a page of any origin', async () => {
    const token = await tokenFor('asha');
    const { status, body, headers } = await gateway.get('/v1/me', token);
    expect([status, body.user, (body.person as { name: string }).name]).toEqual([200, 'asha', 'Asha']);
    expect(headers).toMatchObject({ 'access-control-allow-origin': '*', 'cache-control': 'no-store' });
    expect((await gateway.get('/v1/me/consents', token)).body).toMatchObject({ user: 'asha' });
    // The door is for tokens, and the routes of services are for keys.
    expect((await gateway.get('/v1/people/ben', token)).body.code).toBe('AUTH_KEY_INVALID');
    expect((await gateway.get('/v1/me', service)).body.code).toBe('AUTH_TOKEN_INVALID');
    expect((await gateway.get('/v1/me', null)).body.code).toBe('AUTH_TOKEN_INVALID');
    const preflight = await gateway.app.inject({ method: 'OPTIONS', url: '/v1/me/erasure' });
    expect([preflight.statusCode, preflight.headers['access-control-allow-headers']]).toEqual([
      204,
      'authorization, content-type',
    ]);
  });

  it('of another tenant they are somebody else', async () => {
    const other = await gateway.key(['people:write'], 'other');
    const { body } = await gateway.get('/v1/me', await tokenFor('asha', {}, other));
    expect([body.user, body.person]).toEqual(['asha', undefined]);
  });

  it('a person asks for erasure, once, and follows it to the signed report, also after their envelope is gone', async () => {
    const token = await tokenFor('asha');
    const asked = await gateway.post('/v1/me/erasure', {}, token);
    expect(asked.status).toBe(202);
    const { request, runKey } = asked.body as { request: string; runKey: string };
    const progress = async (by = token) => (await gateway.get(`/v1/me/requests/${request}`, by)).body;
    expect(await progress()).toMatchObject({ state: 'waiting', runKey });
    // Nobody else’s request can be asked for, whatever its name.
    expect((await progress(await tokenFor('ben'))).code).toBe('NOT_FOUND');

    const { store } = gateway.services;
    const subject = store.people.keys('main', ['asha'])[0]!;
    await store.erasures.keep({
      id: 'r1',
      tenant: 'main',
      person: store.erasures.mark('main', subject),
      requestedAt: 1,
      finishedAt: 2,
      consentEpoch: 3,
      artefacts: [],
      versions: [],
    });
    const worker = gateway.worker('governance', () => ({ act: 'erase', consentEpoch: 3, report: 'r1' }));
    const { id } = asked.body;
    await new Promise<void>((resolve) => {
      worker.on('completed', (job) => {
        if (job.id === id) resolve(); // others of this file may wait in the queue as well
      });
    });
    expect((await progress()).state).toBe('completed');
    expect(await progress()).toMatchObject({
      act: 'erase',
      report: { report: { id: 'r1' }, signature: expect.any(String) },
    });
  });

  it('of reading alone they change nothing', async () => {
    const token = await tokenFor('ben', { acts: ['read'] });
    expect((await gateway.get('/v1/me', token)).status).toBe(200);
    const { status, body } = await gateway.post('/v1/me/erasure', {}, token);
    expect([status, body.code]).toEqual([403, 'AUTH_TOKEN_ACT']);
  });
});

describe('a token', () => {
  it('is good for one change, whichever process sees it again; a slip costs nothing, and looking is free', async () => {
    const token = await tokenFor('ben');
    await using second = await gatewayFixture({ store: gateway.services.store });
    expect((await gateway.post('/v1/me/withdrawals', { purposes: 'all' }, token)).body.code).toBe('INPUT_INVALID');
    expect((await gateway.post('/v1/me/erasure', {}, token)).status).toBe(202);
    const again: Answer[] = [
      await gateway.post('/v1/me/erasure', {}, token),
      await second.post('/v1/me/withdrawals', {}, token),
    ];
    expect(again.map(({ status, body }) => [status, body.code])).toEqual([
      [409, 'AUTH_TOKEN_REPLAYED'],
      [409, 'AUTH_TOKEN_REPLAYED'],
    ]);
    expect((await gateway.get('/v1/me', token)).status).toBe(200);
  });

  it('that is spent twice at once is spent once', async () => {
    const token = await tokenFor('ben');
    const answers = await Promise.all([1, 2, 3, 4].map(() => gateway.post('/v1/me/erasure', {}, token)));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(3);
  });

  it('is asked for in bounds, by who may', async () => {
    const ask = async (body: object, key: string): Promise<unknown> =>
      (await gateway.post('/v1/people/ben/tokens', body, key)).body.code;
    expect(await ask({ seconds: 86_400 }, service)).toBe('INPUT_INVALID');
    expect(await ask({ acts: [] }, service)).toBe('INPUT_INVALID');
    expect(await ask({ acts: ['everything'] }, service)).toBe('INPUT_INVALID');
    expect(await ask({}, await gateway.key(['people:read']))).toBe('AUTH_SCOPE_MISSING');
  });

  it('is in the audit trail as the person, by pseudonym, with its refusals', async () => {
    const { store } = gateway.services;
    await store.people.ensure('main', ['cleo']);
    const token = await tokenFor('cleo', { acts: ['read'] });
    await gateway.get('/v1/me', token);
    await gateway.post('/v1/me/erasure', {}, token);
    await gateway.get('/v1/me', `${token.slice(0, -4)}AAAA`);
    const [seen, minted] = await latest(2);
    expect(minted).toMatchObject({
      actor: { kind: 'key' },
      act: 'people:write',
      object: 'POST /v1/people/:user/tokens',
    });
    expect(seen).toMatchObject({ act: 'people:read', object: 'GET /v1/me', outcome: 'allowed' });
    expect(seen?.actor).toEqual({ kind: 'person', id: minted?.person });
    expect(seen?.person).toBe(minted?.person);
    expect(JSON.stringify(await latest(100))).not.toMatch(/asha|ben"|cleo/);
  });
});

describe('what was spent', () => {
  it('is forgotten once it has expired, and not before', async () => {
    let now = 1_700_000_000_000;
    await using own = await testStore({ clock: () => now });
    const { personTokens } = own.store;
    const { token } = await personTokens.mint('main', 'asha', { acts: ['change'], seconds: 60 });
    const person = await personTokens.read(token);
    expect([await personTokens.spend(person), await personTokens.spend(person)]).toEqual([true, false]);
    now += 59_000;
    expect(await personTokens.forget()).toBe(0);
    expect(await (await own.another()).personTokens.spend(person)).toBe(false);
    now += 2_000;
    await expect(personTokens.read(token)).rejects.toMatchObject({ code: 'AUTH_TOKEN_EXPIRED' });
    expect(await personTokens.forget()).toBe(1);
  });
});

it('a request of a service for a person is found by its key, whoever asks again', async () => {
  const { store } = gateway.services;
  const body = { key: 'ticket 7' };
  const first = await gateway.post('/v1/people/dan/erasure', body, service);
  expect((await gateway.post('/v1/people/dan/erasure', body, service)).body).toEqual(first.body);
  const subject = Buffer.from(store.people.keys('main', ['dan'])[0]!).toString('hex');
  expect(first.body).toEqual({
    id: jobIdOf(runKeyOf('main', 'governance', `${subject}.ticket 7`)),
    runKey: runKeyOf('main', 'governance', `${subject}.ticket 7`),
    request: 'ticket 7',
  });
  const found = await gateway.get(`/v1/people/dan/requests/${encodeURIComponent('ticket 7')}`, service);
  expect(found.body).toMatchObject({ runKey: first.body.runKey });
  expect((await gateway.post('/v1/people/eva/erasure', body, service)).body.runKey).not.toBe(first.body.runKey);
});
