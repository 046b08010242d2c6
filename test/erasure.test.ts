/**
 * Owns the proof that erasure reaches everything: an independent reader opens every document, block, payload and Redis key afterwards and finds neither
 * what people call the person nor their pseudonym, and a training without them gives the bytes that it gives where they have never been.
 */
import { MongoClient } from 'mongodb';
import { expect, test } from 'vitest';
import { connect, type Millrace } from '../jobs/client/index.ts';
import { buildGateway } from '../jobs/gateway/build.ts';
import { isSignedBy } from '../shared/governance/signing.ts';
import type { Store, SubjectKey } from '../shared/store/ports.ts';
import { rollBack } from '../shared/store/release-pointer.ts';
import { startHost } from '../workers/runtime/host.ts';
import { decodedRedis, decodedStore } from './decoding.ts';
import { mongodbUrl, silentLog, TEST_KEYS, type TestServices, testServices } from './services.ts';

const TENANT = 'main';
const SOURCE = 'films';
const DAY_MS = 24 * 3600_000;
/** A whole week before: the same events whenever the test runs would not be accepted. */
const BEFORE = Date.now() - 30 * DAY_MS;
const PEOPLE = 40;
const ITEMS = 24;
/** The hub of the social network, the first who came in, and the only one who met the last item. */
const CANARY = 'canary-Quillfeather-7';
const ONLY_ITEM = `film-${ITEMS}`;

const userOf = (n: number): string => (n === 0 ? CANARY : `person-${n}`);

/** Everybody follows the canary; the canary alone has met the last item. */
function eventsOf(n: number): object[] {
  const user = userOf(n);
  const at = (m: number): number => BEFORE + m * 3600_000 + n * 60_000;
  const views = Array.from({ length: 10 }, (_, m) => ({
    id: `v-${n}-${m}`,
    type: 'view',
    user,
    item: `film-${(n * 5 + m * (1 + (n % 3))) % ITEMS}`,
    value: 40 + ((n + m) % 60),
    occurredAt: at(m),
  }));
  const own = [
    { id: `o-${n}`, type: 'purchase', user, item: ONLY_ITEM, occurredAt: at(20) },
    { id: `s-${n}`, type: 'search', user, text: `${CANARY} reads`, occurredAt: at(21) },
  ];
  const follow = { id: `f-${n}`, type: 'follow', user, target: CANARY, occurredAt: at(22) };
  return n === 0 ? [...views, ...own] : [...views, follow];
}

async function fill(client: Millrace, people: readonly number[], isReversed = false): Promise<void> {
  const source = SOURCE;
  const purposes = ['recommendation', 'segmentation', 'audit'] as const;
  const events = people.flatMap(eventsOf);
  const follows = people.filter((n) => n !== 0 && !people.includes(0)).map((n) => `f-${n}`);
  const kept = events.filter((event) => !follows.includes((event as { id: string }).id));
  const batches = [
    { source, items: Array.from({ length: ITEMS + 1 }, (_, n) => ({ id: `film-${n}`, title: `Film ${n}` })) },
    {
      source,
      consents: people.map((n) => ({ user: userOf(n), purposes, at: BEFORE, receipt: `receipt-${userOf(n)}` })),
    },
    { source, people: people.map((n) => ({ id: userOf(n), name: `Name of ${userOf(n)}` })) },
    { source, events: isReversed ? kept.toReversed() : kept },
  ];
  for (const batch of batches) {
    const { rejected } = await (await client.ingestion.enqueue(batch as never)).done();
    expect(rejected).toEqual([]);
  }
}

interface Deployment extends AsyncDisposable {
  readonly services: TestServices;
  readonly client: Millrace;
  readonly store: Store;
}

async function deployment(): Promise<Deployment> {
  await using stack = new AsyncDisposableStack();
  const services = stack.use(await testServices());
  const { config, prefix } = services;
  const host = stack.use(await startHost({ config, log: silentLog }));
  const client = stack.use(connect({ redis: config.redisUrl, prefix, seal: TEST_KEYS.sealKeys }));
  const owned = stack.move();
  return { services, client, store: host.store, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function refresh({ client, store }: Deployment): Promise<string> {
  const { state } = await (await client.pipelines.refresh.start({})).done();
  expect(state).toBe('committed');
  return (await store.releases.live(TENANT))!.version;
}

/** Places that hold any of the needles. */
async function placesOf({ services }: Deployment, needles: readonly (string | Uint8Array)[]): Promise<string[]> {
  const places: string[] = [];
  const look = ({ place, bytes }: { place: string; bytes: Buffer }): void => {
    if (needles.some((needle) => bytes.includes(typeof needle === 'string' ? needle : Buffer.from(needle))))
      places.push(place);
  };
  const mongo = await MongoClient.connect(mongodbUrl);
  try {
    for await (const decoded of decodedStore(mongo.db(services.database))) look(decoded);
  } finally {
    await mongo.close();
  }
  for await (const decoded of decodedRedis(services.redis, services.prefix)) look(decoded);
  return places;
}

const needlesOf = (subject: SubjectKey): (string | Uint8Array)[] => [
  CANARY,
  subject,
  Buffer.from(subject).toString('hex'),
];

async function parametersOf({ client, store }: Deployment): Promise<Record<string, string>> {
  const compacted = await (await client.ingestion.enqueue({ compact: {} } as never)).done();
  const dataset = (compacted as unknown as { dataset: { version: string } }).dataset.version;
  const params = { factors: 8, epochs: 4 };
  const { version } = await (await client.job('embedding-training').enqueue({ dataset, model: 'ials', params })).done();
  const arrays = await store.versions.arrays(TENANT, await store.versions.read(TENANT, version));
  return Object.fromEntries(
    [...arrays].map(([name, data]) => [
      name,
      Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex'),
    ]),
  );
}

test('an erased person is nowhere, others are served, and models are what they are where the person has never been', async () => {
  await using mill = await deployment();
  const { client, store, services } = mill;
  const everybody = Array.from({ length: PEOPLE }, (_, n) => n);
  await fill(client, everybody);
  const first = await refresh(mill);
  const live = await refresh(mill);
  const [subject] = store.people.keys(TENANT, [CANARY]);
  const needles = needlesOf(subject!);
  // The reader does see what is there: envelopes, blocks, inputs of jobs.
  const before = await placesOf(mill, needles);
  for (const place of ['people/', 'blocks/', 'consent_log/', 'candidates/', `${services.prefix}:ingestion:`])
    expect(before.some((one) => one.startsWith(place))).toBe(true);

  const erasing = await client.governance.enqueue({ act: 'erase', user: CANARY });
  const { report: id, events, versions, payloads } = await erasing.done();
  expect(events).toBe(12 + PEOPLE - 1);
  expect([versions! > 0, payloads! > 0]).toEqual([true, true]);
  expect(await placesOf(mill, needles)).toEqual([]);

  const signed = (await store.erasures.read(TENANT, id!))!;
  expect(isSignedBy(signed.report, signed.signature, signed.publicKey)).toBe(true);
  const forged = { ...signed.report, versions: [] };
  expect(isSignedBy(forged, signed.signature, signed.publicKey)).toBe(false);
  expect(signed.report.artefacts.every(({ left }) => left === 0)).toBe(true);

  for (const version of [first, live])
    await expect(rollBack(store, TENANT, { by: 'test' }, version)).rejects.toMatchObject({ code: 'DATASET_ERASED' });
  const gateway = await buildGateway({ store, config: services.config });
  const { secret } = await store.apiKeys.create(TENANT, 'test', ['recommendations:read']);
  const ask = async (user: string) => {
    const headers = { authorization: `Bearer ${secret}` };
    return (await gateway.inject({ url: `/v1/recommendations/${user}`, headers })).json();
  };
  expect((await ask('person-1')).origin).toBe('model');
  expect((await ask(CANARY)).origin).toBe('popularity');
  await gateway.close();

  await using other = await deployment();
  await fill(other.client, everybody.slice(1), true);
  expect(await parametersOf(mill)).toEqual(await parametersOf(other));
}, 180_000);

test('nothing about an erased person goes in until they come back, and then only what they allow anew', async () => {
  await using mill = await deployment();
  const { client, store } = mill;
  await fill(client, [0, 1, 2]);
  await (await client.governance.enqueue({ act: 'erase', user: CANARY })).done();
  const source = SOURCE;
  const late = [
    { source, events: [{ type: 'click', user: CANARY, item: 'film-1', occurredAt: BEFORE }] },
    { source, events: [{ type: 'follow', user: 'person-1', target: CANARY, occurredAt: BEFORE }] },
    { source, people: [{ id: CANARY, name: 'again' }] },
    { source, consents: [{ user: CANARY, purposes: ['audit'], at: BEFORE }] },
  ];
  for (const batch of late) {
    const { accepted, rejected } = await (await client.ingestion.enqueue(batch as never)).done();
    expect([accepted, rejected.map(({ code }) => code)]).toEqual([0, ['PERSON_ERASED']]);
  }
  const [subject] = store.people.keys(TENANT, [CANARY]);
  expect((await store.people.open(TENANT, [subject!])).size).toBe(0);

  await (await client.governance.enqueue({ act: 'readmit', user: CANARY })).done();
  const refused = await (await client.ingestion.enqueue(late[0] as never)).done();
  expect(refused.rejected.map(({ code }) => code)).toEqual(['EVENT_NO_CONSENT']);
  expect((await (await client.ingestion.enqueue(late[3] as never)).done()).accepted).toBe(1);
  expect((await (await client.ingestion.enqueue(late[0] as never)).done()).accepted).toBe(1);
}, 60_000);

test('an opt-out takes what that source gave and leaves the rest; a purpose that is withdrawn is no longer served', async () => {
  await using mill = await deployment();
  const { client, store } = mill;
  await fill(client, [0, 1, 2, 3]);
  const more = [{ id: 'w-1', type: 'click', user: CANARY, item: 'film-2', occurredAt: BEFORE }];
  const purposes = ['recommendation', 'segmentation', 'audit'];
  await (
    await client.ingestion.enqueue({ source: 'web', consents: [{ user: CANARY, purposes, at: BEFORE }] } as never)
  ).done();
  await (await client.ingestion.enqueue({ source: 'web', events: more } as never)).done();
  const [subject] = store.people.keys(TENANT, [CANARY]);
  expect(await store.events.sourcesOf(TENANT, subject!)).toEqual([SOURCE, 'web']);
  const optOut = await (await client.governance.enqueue({ act: 'withdraw', user: CANARY, source: 'web' })).done();
  expect(optOut.events).toBe(1);
  expect(await store.events.sourcesOf(TENANT, subject!)).toEqual([SOURCE]);
  const all = await (await client.governance.enqueue({ act: 'withdraw', user: CANARY })).done();
  expect(all.events).toBe(12);
  expect(await store.events.sourcesOf(TENANT, subject!)).toEqual([]);
  expect((await store.people.open(TENANT, [subject!])).size).toBe(1);
}, 60_000);

test('an erasure ends after the runs that had begun before it, and one that was cut off in the middle goes on', async () => {
  await using mill = await deployment();
  const { client, store, services } = mill;
  await fill(client, [0, 1, 2]);
  const older = {
    runKey: `${TENANT}.segmentation.older`,
    tenant: TENANT,
    kind: 'segmentation',
    contractVersion: 1,
    inputHash: 'x',
    asOf: BEFORE,
    codeVersion: 'test',
  };
  const { run } = await store.ledger.claim(older);
  // What the older run has written and nobody names yet.
  const [subject] = store.people.keys(TENANT, [CANARY]);
  await store.versions.draft(TENANT, older.runKey, run.fence, 1, [
    { name: 'subjects', data: Uint8Array.from(subject!) },
  ]);
  const erasing = await client.governance.enqueue({ act: 'erase', user: CANARY });
  const pending = Promise.withResolvers<void>();
  const { QueueEvents } = await import('bullmq');
  const heard = new QueueEvents('governance', {
    connection: services.redis.duplicate(),
    prefix: services.prefix,
    lastEventId: '0',
  });
  heard.on('delayed', () => pending.resolve());
  await pending.promise;
  await heard.close();
  expect(await store.erasures.list(TENANT, 1)).toEqual([]);
  // All that is named is gone already; what only the older run knows of is not.
  expect((await placesOf(mill, [subject!])).map((place) => place.split('/')[0])).toEqual(['blocks']);
  await store.ledger.end(older.runKey, run.fence, 'cancelled', { code: 'CANCELLED', message: '', details: {} });
  await store.ledger.markFollowed(older.runKey);
  // What went in the first pass counts, though the last one found nothing of it.
  expect((await erasing.done()).events).toBe(14);
  expect(await placesOf(mill, needlesOf(subject!))).toEqual([]);
}, 60_000);
