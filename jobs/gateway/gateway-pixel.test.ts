/** What web pages load and call: its size, who it may speak for, and what it honours. */
import { Script } from 'node:vm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type GatewayFixture, gatewayFixture } from './gateway-fixture.ts';

const USER = `px-${'a1'.repeat(16)}`;
const EVENT = { id: 'e1', type: 'view', item: 'v1', value: 80, occurredAt: 1_700_000_000_000 };

let gateway: GatewayFixture;
let key: string;
beforeAll(async () => {
  gateway = await gatewayFixture();
  key = await gateway.key(['pixel:write']);
});
afterAll(() => gateway[Symbol.asyncDispose]());

const beacon = (body: object, headers: Record<string, string> = {}, k = key) =>
  gateway.app.inject({
    method: 'POST',
    url: `/v1/pixel?k=${k}`,
    headers: { 'content-type': 'text/plain;charset=UTF-8', ...headers },
    payload: JSON.stringify(body),
  });
const waiting = async (): Promise<number> => {
  const { redis, prefix } = gateway.services;
  return redis.zcard(`${prefix}:ingestion:prioritized`);
};

it('is a script under 3 KB that any page may load and that still parses', async () => {
  const answer = await gateway.app.inject({ url: '/v1/pixel.js?k=page' });
  expect(answer.statusCode).toBe(200);
  expect(answer.headers['content-type']).toMatch(/javascript/);
  expect(answer.headers['cross-origin-resource-policy']).toBe('cross-origin');
  expect(Buffer.byteLength(answer.body)).toBeLessThan(3 * 1024);
  expect(answer.body).not.toMatch(/\/\*/);
  expect(() => new Script(answer.body)).not.toThrow();
});

it('takes in events of an id that it drew itself, and of nobody else', async () => {
  const before = await waiting();
  expect((await beacon({ user: USER, events: [EVENT] })).statusCode).toBe(204);
  expect(await waiting()).toBe(before + 1);
  const other = await beacon({ user: 'asha', events: [EVENT] });
  expect([other.statusCode, other.json().code]).toEqual([422, 'INPUT_INVALID']);
  expect(other.headers['access-control-allow-origin']).toBe('*');
});

it('answers with a pixel where there is no script', async () => {
  const url = `/v1/pixel.gif?k=${key}&u=${USER}&e=${encodeURIComponent(JSON.stringify(EVENT))}`;
  const answer = await gateway.app.inject({ url });
  expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, 'image/gif']);
  expect(answer.rawPayload.subarray(0, 10)).toEqual(Buffer.from('GIF89a\u0001\0\u0001\0', 'latin1'));
  expect((await gateway.app.inject({ url: url.replace(/e=.*/, 'e=%7B') })).json().code).toBe('INPUT_INVALID');
});

it('takes in nothing under Sec-GPC, and says no word of it', async () => {
  const before = await waiting();
  expect((await beacon({ user: USER, events: [EVENT] }, { 'sec-gpc': '1' })).statusCode).toBe(204);
  const url = `/v1/pixel.gif?k=${key}&u=${USER}&e=${encodeURIComponent(JSON.stringify(EVENT))}`;
  expect((await gateway.app.inject({ url, headers: { 'sec-gpc': '1' } })).statusCode).toBe(200);
  expect(await waiting()).toBe(before);
});

it('lets the key of a page do nothing else, and no other key do this by its address', async () => {
  const events = await gateway.post('/v1/events', { source: 'web', events: [EVENT] }, key);
  expect(events.body.code).toBe('AUTH_SCOPE_MISSING');
  expect(
    (await gateway.app.inject({ method: 'POST', url: `/v1/events?k=${gateway.secret}`, payload: {} })).statusCode,
  ).toBe(401);
  expect((await beacon({ user: USER, events: [] }, {}, 'nobody')).statusCode).toBe(401);
});
