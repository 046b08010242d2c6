/** Owns the proof that two tenants with the same names for everything never meet: not in runs, people, events, claims or what is served. */
import { expect, test } from 'vitest';
import { connect } from '../jobs/client/index.ts';
import { buildGateway } from '../jobs/gateway/build.ts';
import { startHost } from '../workers/runtime/host.ts';
import { silentLog, TEST_KEYS, testServices } from './services.ts';

const AT = Date.UTC(2025, 0, 1);

test('two tenants with the same keys, people and items never see anything of each other', async () => {
  await using services = await testServices();
  await using host = await startHost({ config: services.config, log: silentLog, kinds: ['ingestion', 'pipeline'] });
  const { store } = host;
  const open = (tenant: string) =>
    connect({ redis: services.config.redisUrl, prefix: services.prefix, seal: TEST_KEYS.sealKeys, tenant });
  await using one = open('one');
  await using two = open('two');
  const source = 'films';
  for (const [client, name] of [
    [one, 'One'],
    [two, 'Two'],
  ] as const) {
    const key = (what: string) => ({ key: what });
    const all = ['recommendation', 'segmentation', 'audit'] as const;
    await (
      await client.ingestion.enqueue({ source, items: [{ id: 'i', title: `Film ${name}` }] }, key('items'))
    ).done();
    await (await client.ingestion.enqueue({ source, people: [{ id: 'asha', name }] }, key('people'))).done();
    if (name === 'Two') continue; // nobody of the second tenant consents
    await (
      await client.ingestion.enqueue({ source, consents: [{ user: 'asha', purposes: [...all], at: AT }] }, key('c'))
    ).done();
  }
  const events = [{ type: 'click' as const, user: 'asha', item: 'i', occurredAt: AT + 1 }];
  const [inOne, inTwo] = await Promise.all(
    [one, two].map(async (client) => (await client.ingestion.enqueue({ source, events }, { key: 'events' })).done()),
  );
  expect(inOne).toMatchObject({ accepted: 1, rejected: [] });
  expect(inTwo).toMatchObject({ accepted: 0, rejected: [{ code: 'EVENT_NO_CONSENT' }] });
  expect([await store.events.count('one'), await store.events.count('two')]).toEqual([1, 0]);
  for (const [tenant, name] of [
    ['one', 'One'],
    ['two', 'Two'],
  ] as const) {
    const [subject] = store.people.keys(tenant, ['asha']);
    const [item] = store.items.keys(tenant, ['i']);
    expect([...(await store.people.open(tenant, [subject!])).values()]).toEqual([{ id: 'asha', name }]);
    expect([...(await store.items.read(tenant, [item!])).values()]).toMatchObject([{ title: `Film ${name}` }]);
    const other = tenant === 'one' ? 'two' : 'one';
    expect((await store.people.open(other, [subject!])).size).toBe(0);
    expect((await store.items.read(other, [item!])).size).toBe(0);
  }

  const claim = await store.claims.put('one', Buffer.from('payload'));
  await expect(store.claims.get('two', claim.id, claim.sha256)).rejects.toMatchObject({ code: 'CLAIM_NOT_FOUND' });

  const gateway = await buildGateway({ store, config: services.config });
  const keyOf = async (tenant: string): Promise<string> =>
    (await store.apiKeys.create(tenant, 'test', ['jobs:read', 'jobs:write'])).secret;
  const [oneKey, twoKey] = [await keyOf('one'), await keyOf('two')];
  const [run] = await store.ledger.latest('one', 1);
  const ask = async (method: 'GET' | 'DELETE', url: string, secret: string): Promise<number> =>
    (await gateway.inject({ method, url, headers: { authorization: `Bearer ${secret}` } })).statusCode;
  const url = `/v1/jobs/ingestion/${run?.runKey ?? ''}`;
  expect([await ask('GET', url, oneKey), await ask('GET', url, twoKey), await ask('DELETE', url, twoKey)]).toEqual([
    200, 404, 404,
  ]);
  await gateway.close();
}, 60_000);
