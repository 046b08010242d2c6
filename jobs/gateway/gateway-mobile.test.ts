/** What mobile apps carry and call: nothing before consent, nothing lost, nothing exact. */
import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PURPOSES } from '../../shared/contract-kit/purposes.ts';
import { randomisedAnswer } from '../../shared/contract-kit/randomised-response.ts';
import { contextOf } from '../../shared/sources/mobile/payload.ts';
import { middleOf, placeOf, type Point } from '../../shared/sources/mobile/place.ts';
import { startHost } from '../../workers/runtime/host.ts';
import { silentLog } from '../../test/services.ts';
import { type GatewayFixture, gatewayFixture } from './gateway-fixture.ts';
import { mobileSdk } from './mobile/script.ts';

interface Sdk {
  consent(purposes: readonly string[], more?: { receipt: string }): Promise<void>;
  withdraw(): Promise<void>;
  at(latitude: number, longitude: number): void;
  moving(window: { hz: number; x: number[]; y: number[]; z: number[] }): void;
  track(type: string, fields?: object): Promise<void>;
  answer(question: string, truth: number, how: { choices: number; epsilon: number }): Promise<void>;
  flush(): Promise<boolean>;
}

const NOW = 1_790_000_000_000;
const EXACT = { latitude: 52.52437, longitude: 13.41053 };

let gateway: GatewayFixture;
let key: string;
const stack = new AsyncDisposableStack();
beforeAll(async () => {
  gateway = stack.use(await gatewayFixture({ clock: { now: () => NOW } }));
  key = await gateway.key(['mobile:write']);
  stack.use(await startHost({ config: gateway.services.config, log: silentLog, kinds: ['ingestion'] }));
});
afterAll(() => stack.disposeAsync());

/** An app: what its device keeps, and all that it ever sent. */
function app(
  answers: readonly number[] = [],
  random: (bytes: Uint8Array) => void = (bytes) => void crypto.getRandomValues(bytes),
) {
  const kept = new Map<string, string>();
  const sent: string[] = [];
  const left = [...answers];
  const storage = {
    get: async (name: string) => kept.get(name),
    set: async (name: string, text: string) => void kept.set(name, text),
    remove: async (name: string) => void kept.delete(name),
  };
  const fetch = async (url: string, request: { body: string; headers: Record<string, string> }) => {
    sent.push(request.body);
    const status = left.shift();
    if (status === 0) throw new Error('no network');
    if (status !== undefined) return { status };
    const { pathname } = new URL(url);
    const answer = await gateway.app.inject({
      method: 'POST',
      url: pathname,
      headers: request.headers,
      payload: request.body,
    });
    return { status: answer.statusCode };
  };
  const make = runInNewContext(`${mobileSdk()}; millraceMobile`, { Date, URL }) as (options: object) => Sdk;
  const sdk = make({ url: 'http://gateway', key, device: 'phone', storage, fetch, random, now: () => NOW });
  return { sdk, kept, sent };
}

it('coarsens on the device as the gateway does', async () => {
  const { sdk, sent } = app(Array.from({ length: 500 }, () => 204));
  await sdk.consent(['recommendation']);
  const degrees = (max: number) => fc.double({ min: -max, max, noNaN: true });
  await fc.assert(
    fc.asyncProperty(degrees(90), degrees(180), async (latitude, longitude) => {
      sdk.at(latitude, longitude);
      await sdk.track('view', { item: 'v1', value: 80 });
      await sdk.flush();
      const { acts } = JSON.parse(sent.at(-1)!) as { acts: { context: { place: Point } }[] };
      const place = placeOf({ latitude, longitude });
      expect(acts[0]!.context.place).toEqual(middleOf(place));
      expect(placeOf(acts[0]!.context.place)).toBe(place);
    }),
    { numRuns: 300 },
  );
});

it('keeps and sends nothing before consent and nothing after a withdrawal, which it tells once', async () => {
  const { sdk, kept, sent } = app([204, 204]);
  sdk.at(EXACT.latitude, EXACT.longitude);
  await sdk.track('view', { item: 'v1', value: 80 });
  expect([await sdk.flush(), kept.size, sent]).toEqual([true, 0, []]);
  await sdk.consent(['recommendation']);
  await sdk.track('view', { item: 'v1', value: 80 });
  expect(await sdk.flush()).toBe(true);
  await sdk.track('view', { item: 'v2', value: 80 });
  await sdk.withdraw();
  expect(await sdk.flush()).toBe(true);
  await sdk.track('view', { item: 'v3', value: 80 });
  expect([await sdk.flush(), kept.size]).toEqual([true, 0]);
  expect(sent.map((body) => JSON.parse(body) as object)).toMatchObject([
    { consent: { state: 'given' }, acts: [{ item: 'v1' }] },
    { consent: { state: 'withdrawn' }, acts: [] },
  ]);
});

it('keeps acts until they are answered, and sends the same ones again', async () => {
  const { sdk, kept, sent } = app([0, 503, 429, 204]);
  await sdk.consent(['recommendation']);
  await sdk.track('like', { item: 'v1' });
  for (const ended of [false, false, false, true]) expect(await sdk.flush()).toBe(ended);
  expect(new Set(sent).size).toBe(1);
  expect(JSON.parse(kept.get('mr_acts')!)).toEqual([]);
});

it('what an app sends is stored with its cell, hour and motion in the envelope; the exact place is nowhere', async () => {
  const { sdk, kept, sent } = app();
  const { store } = gateway.services;
  await sdk.consent([...PURPOSES], { receipt: 'r-1' });
  sdk.at(EXACT.latitude, EXACT.longitude);
  const z = Array.from({ length: 200 }, (_, n) => 1 + 0.3 * Math.sin((2 * Math.PI * 1.8 * n) / 50));
  sdk.moving({ hz: 50, x: z.map(() => 0), y: z.map(() => 0), z });
  await sdk.track('view', { item: 'v1', value: 80 });
  await sdk.track('search', { text: 'cats' });
  expect(await sdk.flush()).toBe(true);
  const { user } = JSON.parse(kept.get('mr_person')!) as { user: string };
  expect([...sent, ...kept.values()].join()).not.toMatch(/52\.524|13\.410/);
  const [subject] = store.people.keys('main', [user]);
  await expect.poll(() => store.events.count('main'), { timeout: 30_000 }).toBe(2);
  const texts = (await store.people.texts('main', subject!)).map(({ text }) => text);
  expect(texts).toContain('cats');
  const context = texts.map(contextOf).find((one) => one !== undefined);
  expect(context).toMatchObject({ place: placeOf(EXACT), motion: { motion: 'walking', seconds: 4 } });
});

it('coarsens what an app sends by itself, and repeats nothing of it in a refusal', async () => {
  const user = `mb-${'a1'.repeat(16)}`;
  const act = { id: 'x', type: 'view', item: 'v', value: 1, occurredAt: NOW };
  const post = (body: object) => gateway.post('/v1/mobile', body, key);
  for (const wrong of [
    { user, acts: [{ ...act, latitude: 52.52437 }] },
    { user, acts: [{ ...act, context: { place: { latitude: 152.52437, longitude: 0 } } }] },
    { user: 'asha', acts: [act] },
  ]) {
    const { status, body } = await post(wrong);
    expect([status, body.code]).toEqual([422, 'INPUT_INVALID']);
    expect(JSON.stringify(body)).not.toContain('52437');
  }
  expect((await gateway.post('/v1/events', { source: 'web', events: [act] }, key)).body.code).toBe(
    'AUTH_SCOPE_MISSING',
  );
  expect((await gateway.post('/v1/mobile', { user, acts: [act] })).body.code).toBe('AUTH_SCOPE_MISSING');
});

const QUESTION = { choices: 3, epsilon: 1.5 };

it('answers by chance on the device, once: asked again and again it says the same, and the truth never leaves', async () => {
  const { answers, people } = gateway.services.store;
  const tenant = 'main';
  await answers.declare(tenant, { question: 'commutes', choices: ['a', 'b', 'c'], epsilon: 1.5, declaredAt: NOW });
  const { sdk, sent, kept } = app();
  await sdk.consent([...PURPOSES]);
  for (let again = 0; again < 50; again++) await sdk.answer('commutes', 2, QUESTION);
  expect(await sdk.flush()).toBe(true);
  await sdk.answer('commutes', 0, QUESTION);
  expect(await sdk.flush()).toBe(true);
  const told = sent.flatMap((body) => (JSON.parse(body) as { answers?: { choice: number }[] }).answers ?? []);
  expect(told).toHaveLength(1);
  expect(JSON.stringify([...kept])).not.toMatch(/truth/);
  const { user } = JSON.parse(kept.get('mr_person')!) as { user: string };
  const [subject] = people.keys(tenant, [user]);
  expect(await answers.given(tenant, subject!)).toMatchObject([
    { question: 'commutes', choice: told[0]!.choice, source: 'mobile' },
  ]);
});

it('says what the declared chances say, word for word of randomness', async () => {
  for (const words of [
    [0, 0],
    [2 ** 32 - 1, 0],
    [2 ** 32 - 1, 2 ** 32 - 1],
    [2_900_000_000, 1_500_000_000],
  ] as const)
    for (const truth of [0, 1, 2]) {
      const left = [...words];
      const { sdk, kept } = app([], (bytes) =>
        bytes.length === 4
          ? new DataView(bytes.buffer).setUint32(0, left.shift()!)
          : void crypto.getRandomValues(bytes),
      );
      await sdk.consent(['measurement']);
      await sdk.answer('q', truth, QUESTION);
      const said = JSON.parse(kept.get('mr_answers')!) as { q: { choice: number } };
      expect(said.q.choice).toBe(randomisedAnswer(truth, QUESTION, Uint32Array.from(words)));
    }
});

it('refuses an answer to what is not declared so, and keeps none of who does not allow it', async () => {
  const { answers, people } = gateway.services.store;
  await answers.declare('main', { question: 'walks', choices: ['yes', 'no'], epsilon: 1, declaredAt: NOW });
  const user = `mb-${'b2'.repeat(16)}`;
  const post = async (answer: object) => {
    const body = {
      user,
      device: 'phone',
      acts: [],
      answers: [{ question: 'walks', choice: 1, choices: 2, epsilon: 1, at: NOW, ...answer }],
    };
    const headers = { authorization: `Bearer ${key}` };
    return gateway.app.inject({ method: 'POST', url: '/v1/mobile', headers, payload: body });
  };
  expect((await post({ epsilon: 2 })).json().code).toBe('ANSWER_INVALID');
  expect((await post({ choice: 2 })).json().code).toBe('ANSWER_INVALID');
  expect((await post({ question: 'unasked' })).json().code).toBe('QUESTION_UNKNOWN');
  expect((await post({})).statusCode).toBe(204);
  expect(await answers.given('main', people.keys('main', [user])[0]!)).toEqual([]);
});
