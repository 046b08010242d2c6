/** Releases over HTTP and through the client, which asks the gateway. */
import { expect, test } from 'vitest';
import { connect } from '../client/index.ts';
import { publishSomething, TENANT } from '../../test/published.ts';
import { ALL_SCOPES, gatewayFixture } from './gateway-fixture.ts';

test('what is live is rolled back, held and let go, by whom is kept, and another tenant sees none of it', async () => {
  await using gateway = await gatewayFixture();
  const { store } = gateway.services;
  expect((await gateway.get('/v1/releases')).body).toEqual({ releases: [] });
  expect((await gateway.post('/v1/releases/hold', {})).body.code).toBe('NOT_PUBLISHED');
  const { release: first, versions } = await publishSomething(store);
  const pointer = await store.releases.pointer(TENANT);
  const second = { ...versions, version: 'r-0002', tenant: TENANT, asOf: Date.now(), createdAt: Date.now() };
  await store.releases.write({ ...second, runKey: 'k2', previous: first });
  await store.releases.move(TENANT, pointer?.seq ?? 0, { asOf: second.asOf, runKey: 'k2', version: 'r-0002' });

  const listed = (await gateway.get('/v1/releases')).body;
  expect(listed).toMatchObject({ pointer: { version: 'r-0002', hold: false }, releases: [{}, { version: first }] });
  const back = await gateway.post('/v1/releases/rollback', { version: first, reason: 'worse' });
  expect([back.status, back.body]).toEqual([200, expect.objectContaining({ version: first, hold: true })]);
  expect(back.body.changes).toContainEqual(expect.objectContaining({ did: 'roll-back', reason: 'worse' }));
  expect((await gateway.ask({ method: 'DELETE', url: '/v1/releases/hold' })).body).toMatchObject({ hold: false });
  expect((await gateway.post('/v1/releases/promote', { version: 'r-0002' })).body).toMatchObject({ version: 'r-0002' });
  expect((await gateway.get('/v1/releases/r-0002')).body).toMatchObject({ candidates: versions.candidates });
  expect((await gateway.post('/v1/releases/rollback', { version: 'r-9' })).body.code).toBe('NOT_FOUND');
  const stranger = await gateway.key(ALL_SCOPES, 'other');
  expect((await gateway.get('/v1/releases', stranger)).body).toEqual({ releases: [] });
  expect((await gateway.get('/v1/releases/r-0002', stranger)).body.code).toBe('NOT_FOUND');
});

test("the client asks the gateway, and says the gateway's refusals with their codes", async () => {
  await using gateway = await gatewayFixture();
  const { release, versions } = await publishSomething(gateway.services.store);
  const url = await gateway.app.listen({ host: '127.0.0.1', port: 0 });
  const { redisUrl, prefix, sealKeys } = gateway.services.config;
  await using millrace = connect({ redis: redisUrl, prefix, seal: sealKeys, gateway: { url, key: gateway.secret } });
  expect(await millrace.releases.hold({ reason: 'a look first' })).toMatchObject({ version: release, hold: true });
  const { pointer, releases } = await millrace.releases.list();
  expect(pointer?.hold).toBe(true);
  expect(releases[0]).toMatchObject({ version: release, audit: versions.audit });
  expect(await millrace.releases.unhold()).toMatchObject({ hold: false });
  await expect(millrace.releases.rollBack('r-9')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(millrace.releases.promote('r-9')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
