/** What web pages load and call: its size, who it may speak for, and what it honours. */
import { Script } from 'node:vm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { randomisedAnswer } from '../../shared/contract-kit/randomised-response.ts';
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

/** A page that runs the script as it is served, and what it posts. */
function page(script: string, words: readonly number[] = []) {
  const kept = new Map<string, string>();
  const sent: { events: { type: string; choice?: number }[] }[] = [];
  const left = [...words];
  const getRandomValues = <T extends Uint8Array | Uint32Array>(array: T): T => {
    if (array instanceof Uint8Array || left.length === 0) return crypto.getRandomValues(array as Uint8Array) as T;
    array.set(left.splice(0, array.length));
    return array;
  };
  const timers: (() => void)[] = [];
  const window: Record<string, unknown> = {
    localStorage: {
      getItem: (name: string) => kept.get(name) ?? null,
      setItem: (name: string, text: string) => void kept.set(name, text),
      removeItem: (name: string) => void kept.delete(name),
    },
    crypto: { getRandomValues },
    fetch: async (_: string, { body }: { body: string }) => {
      sent.push(JSON.parse(body));
      return { status: 204 };
    },
    addEventListener: () => undefined,
  };
  const document = { currentScript: { src: 'https://gateway/v1/pixel.js?k=page' }, addEventListener: () => undefined };
  const globals = { window, document, navigator: {}, URL, Uint8Array, Uint32Array, Math, JSON, Date };
  new Script(script).runInNewContext({ ...globals, setTimeout: (run: () => void) => timers.push(run) });
  const millrace = (...words: unknown[]): void => (window.millrace as (...args: unknown[]) => void)(...words);
  return { millrace, kept, sent, timers };
}

it('answers a declared question by chance and once, by the chances that are declared', async () => {
  const { body: script } = await gateway.app.inject({ url: '/v1/pixel.js?k=page' });
  const question = { choices: 3, epsilon: 1.5 };
  for (const words of [
    [0, 0],
    [2 ** 32 - 1, 0],
    [2 ** 32 - 1, 2 ** 32 - 1],
    [2_900_000_000, 1_500_000_000],
  ] as const)
    for (const truth of [0, 1, 2]) {
      const { millrace, kept } = page(script, words);
      millrace('answer', 'q', truth, 3, 1.5);
      expect(kept.get('mr_a')).toBeUndefined(); // nothing before consent
      millrace('consent', ['measurement']);
      for (let again = 0; again < 20; again++) millrace('answer', 'q', truth, 3, 1.5);
      const expected = randomisedAnswer(truth, question, Uint32Array.from(words));
      expect(JSON.parse(kept.get('mr_a')!)).toEqual({ q: expected });
      const queue = JSON.parse(kept.get('mr_q')!) as object[];
      expect(queue).toMatchObject([{ type: 'answer', question: 'q', choice: expected, choices: 3, epsilon: 1.5 }]);
    }
});

it('refuses an answer to a question that is not declared so', async () => {
  const answer = { id: 'a1', type: 'answer', occurredAt: 1, question: 'unasked', choice: 0, choices: 2, epsilon: 1 };
  expect((await beacon({ user: USER, events: [answer] })).json().code).toBe('QUESTION_UNKNOWN');
  expect((await beacon({ user: USER, events: [{ ...answer, choices: 1 }] })).json().code).toBe('INPUT_INVALID');
});
