/** Facts about asking through the gateway and the client: one suited question, held to limits and wishes, and what the answers changed. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Published, publishSomething, TENANT } from '../../test/published.ts';
import { eventKeyOf } from '../../shared/governance/keys.ts';
import type { Store } from '../../shared/store/ports.ts';
import { connect, type Millrace } from '../client/index.ts';
import { type GatewayFixture, gatewayFixture } from './gateway-fixture.ts';

const HOUR = 3600_000;
let gateway: GatewayFixture;
let published: Published;
let store: Store;
let client: Millrace;
let asOf: number;
const stack = new AsyncDisposableStack();

const subjectOf = (user: string) => store.people.keys(TENANT, [user])[0]!;

async function promptsFor(users: readonly string[], until: number): Promise<string> {
  const run = { runKey: `${TENANT}.asking.${randomUUID()}`, fence: 1 };
  const draft = await store.versions.draft(TENANT, run.runKey, run.fence, users.length, []);
  const about = { tenant: TENANT, kind: 'prompts' as const, asOf, consentEpoch: await store.consents.epoch(TENANT) };
  const rest = { inputs: [], codeVersion: 'test', meta: {} };
  const { version } = await store.versions.write({ ...draft, ...run, ...about, ...rest });
  const [item] = store.items.keys(TENANT, ['video-1']);
  const one = { item: item!, ask: 'stars', after: 'view', at: asOf - HOUR, until };
  await store.prompts.write(
    TENANT,
    version,
    users.map((user) => ({ subject: subjectOf(user), ...one })),
  );
  const limits = { perPersonMax: 2, withinDays: 30, pauseHours: 24 };
  await store.prompts.publish(TENANT, { version, asOf, madeAt: asOf, limits });
  return version;
}

beforeAll(async () => {
  gateway = stack.use(await gatewayFixture());
  ({ store } = gateway.services);
  published = await publishSomething(store);
  asOf = Date.now();
  const url = await gateway.app.listen({ host: '127.0.0.1', port: 0 });
  const { redisUrl, prefix, sealKeys } = gateway.services.config;
  client = stack.use(connect({ redis: redisUrl, prefix, seal: sealKeys, gateway: { url, key: gateway.secret } }));
});
afterAll(() => stack.disposeAsync());

it('has no question where none was picked', async () => {
  expect(await client.prompts.get('nobody')).toEqual({ user: 'nobody', prompt: null, because: 'no-moment' });
});

it('asks once, then pauses; asks nobody who opted out, has withdrawn, or whose moment is over', async () => {
  await promptsFor(['asha', 'ravi', 'mina'], asOf + HOUR);
  const question = { item: 'video-1', title: 'Googly school', ask: 'stars', after: 'view', until: asOf + HOUR };
  expect(await client.prompts.get('asha')).toMatchObject({ user: 'asha', prompt: question });
  expect(await client.prompts.shown('asha')).toEqual({ user: 'asha', prompt: null, because: 'asked-lately' });
  expect(await client.prompts.optOut('ravi')).toEqual({ user: 'ravi', prompt: null, because: 'opted-out' });
  expect(await client.prompts.optIn('ravi')).toMatchObject({ prompt: question });
  await store.consents.record(TENANT, 'withdrawal-mina', [
    { user: 'mina', purposes: ['recommendation'], source: '*', state: 'withdrawn', basis: 'consent', at: Date.now() },
  ]);
  expect(await client.prompts.get('mina')).toEqual({ user: 'mina', prompt: null, because: 'no-consent' });
  asOf += 1;
  await promptsFor(['ravi'], asOf - 1);
  expect((await client.prompts.get('ravi')).because).toBe('no-moment');
});

it('needs the scopes of reading, and of writing to note what was done', async () => {
  const reader = await gateway.key(['recommendations:read']);
  expect((await gateway.get('/v1/prompts/asha', reader)).status).toBe(200);
  expect((await gateway.post('/v1/prompts/asha', { did: 'shown' }, reader)).body.code).toBe('AUTH_SCOPE_MISSING');
  expect((await gateway.post('/v1/prompts/asha', { did: 'never' })).body.code).toBe('INPUT_INVALID');
});

/** The person says it wants no more of an item, through the feedback source. */
async function say(user: string, item: string, recordedAt: number): Promise<void> {
  const id = randomUUID();
  const [key] = store.items.keys(TENANT, [item]);
  const event = { id, type: 'not-interested' as const, user, item, occurredAt: recordedAt };
  const row = { eventId: eventKeyOf(TENANT, 'feedback', id), subject: subjectOf(user), item: key!, event };
  const rows = [{ ...row, source: 'feedback', recordedAt }];
  await store.events.follow(TENANT, await store.events.prepare(TENANT, `run-${id}`, 1, rows));
}

it('tells what an answer changes from the next refresh on, and after it what it changed', async () => {
  expect(await client.effects.get('asha')).toEqual({ user: 'asha', answers: [], before: [], after: [] });
  const { candidates } = published.versions;
  const { asOf: learned } = await store.versions.read(TENANT, candidates);
  await say('asha', 'video-1', learned + 1);
  const effect = { counts: 'against', weight: 0, shownAgain: false };
  const waiting = await client.effects.get('asha');
  expect(waiting.answers).toMatchObject([
    { type: 'not-interested', item: 'video-1', effect, release: null, position: { before: 1, after: 1 } },
  ]);
  expect(waiting.before.map(({ item }) => item).slice(0, 2)).toEqual(['video-1', 'video-2']);
  expect(waiting.after).toEqual(waiting.before);

  // Had it been said before the list was made, that list would be the one since.
  await say('ravi', 'video-2', learned - 1);
  const counted = await client.effects.get('ravi');
  expect(counted.answers).toMatchObject([{ item: 'video-2', release: published.release, position: { before: null } }]);
  expect(counted.before).toEqual([]);
  expect(counted.after.length).toBeGreaterThan(0);
});
