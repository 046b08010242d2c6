/**
 * Owns the proof on the whole way: after ingestion, a refresh, refusals, failures and recommendations, no name, identifier or
 * free text of a person lies in the clear in Redis, in MongoDB or in a log.
 */
import { randomBytes } from 'node:crypto';
import { BSON, MongoClient } from 'mongodb';
import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { connect, type Millrace } from '../jobs/client/index.ts';
import { INLINE_BYTES_MAX, makeSerialisedJob } from '../jobs/client/make-job.ts';
import { buildGateway } from '../jobs/gateway/build.ts';
import { ingestion } from '../jobs/ingestion/contract.ts';
import { sealRing } from '../shared/contract-kit/seal.ts';
import type { Log } from '../shared/telemetry/log.ts';
import { startHost } from '../workers/runtime/host.ts';
import { mongodbUrl, TEST_KEYS, type TestServices, testServices } from './services.ts';

const PEOPLE = 60;
const ITEMS = 30;
const DAY_MS = 24 * 3600_000;
const SOURCE = 'films';

const userOf = (n: number): string => `Zuleika-${n}@example.org`;
const SECRETS = [
  'Zuleika',
  'example.org',
  'Quibbleton',
  'Vexford Lane',
  'marmalade recipes',
  'sess-wombat',
  'receipt-kx7',
];

/** The text of every key and value under a prefix. */
async function redisText(redis: Redis, prefix: string): Promise<string> {
  const texts: string[] = [];
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', `*${prefix}*`, 'COUNT', 1000);
    cursor = next;
    for (const key of keys) texts.push(key, JSON.stringify(await valueOf(redis, key)));
  } while (cursor !== '0');
  return texts.join('\n');
}

async function valueOf(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key);
  if (type === 'string') return redis.get(key);
  if (type === 'hash') return redis.hgetall(key);
  if (type === 'list') return redis.lrange(key, 0, -1);
  if (type === 'set') return redis.smembers(key);
  if (type === 'zset') return redis.zrange(key, '0', '-1');
  if (type === 'stream') return redis.xrange(key, '-', '+');
  if (type === 'none') return null; // gone since it was listed: locks come and go while workers run
  return expect.fail(`a key of type ${type}`);
}

async function mongoBytes(database: string): Promise<Buffer> {
  const client = await MongoClient.connect(mongodbUrl);
  try {
    const parts: Uint8Array[] = [];
    for (const { name } of await client.db(database).listCollections().toArray())
      for await (const document of client.db(database).collection(name).find()) parts.push(BSON.serialize(document));
    return Buffer.concat(parts);
  } finally {
    await client.close();
  }
}

/** Every way in which bytes are usually written down. */
const spellings = (secret: string): string[] => {
  const bytes = Buffer.from(secret);
  // Three base64 texts: one for each place within a group of three bytes, without the ends that depend on the neighbours.
  const shifted = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .slice(shift === 0 ? 0 : 4, -4),
  );
  return [secret, bytes.toString('hex'), ...shifted.filter((text) => text.length >= 8)];
};

const found = (haystack: Buffer | string): string[] =>
  SECRETS.filter((secret) => spellings(secret).some((spelling) => haystack.includes(spelling)));

async function ingest(client: Millrace): Promise<void> {
  const now = Date.now();
  const users = Array.from({ length: PEOPLE }, (_, n) => userOf(n));
  const batches = [
    {
      source: SOURCE,
      consents: users.map((user, n) => ({
        user,
        purposes: ['recommendation', 'segmentation', 'audit'] as const,
        at: now - 40 * DAY_MS,
        receipt: `receipt-kx7-${n}`,
      })),
    },
    {
      source: SOURCE,
      people: users.map((id, n) => ({
        id,
        name: `Quibbleton ${n}`,
        gender: n % 2 === 0 ? 'F' : 'M',
        ageGroup: n % 3 === 0 ? ('18-24' as const) : ('25-34' as const),
        attributes: { street: `${n} Vexford Lane` },
      })),
    },
    {
      source: SOURCE,
      items: Array.from({ length: ITEMS }, (_, n) => ({
        id: `film-${n}`,
        title: `Film ${n}`,
        topics: [`topic-${n % 5}`],
      })),
    },
    { source: SOURCE, events: users.flatMap((user, n) => eventsOf(user, n, now)) },
  ];
  for (const batch of batches) {
    const { rejected } = await (await client.ingestion.enqueue(batch as never)).done();
    expect(rejected).toEqual([]);
  }
}

function eventsOf(user: string, n: number, now: number): object[] {
  const session = `sess-wombat-${n}`;
  const views = Array.from({ length: 12 }, (_, m) => ({
    type: 'view',
    user,
    item: `film-${(n * 7 + m * (1 + (n % 3))) % ITEMS}`,
    value: 40 + ((n + m) % 60),
    occurredAt: now - (m + 1) * DAY_MS - n * 1000,
    session,
  }));
  const search = { type: 'search', user, text: `marmalade recipes ${n}`, occurredAt: now - DAY_MS, session };
  const follow = { type: 'follow', user, target: userOf((n + 1) % PEOPLE), occurredAt: now - DAY_MS };
  return [...views, search, follow];
}

/** Records that only a careless producer sends: refused by the worker, with reasons that are stored. */
async function enqueueCareless(services: TestServices): Promise<void> {
  const { store, redis, prefix } = services;
  const { Queue, QueueEvents } = await import('bullmq');
  const queue = new Queue('ingestion', { connection: redis, prefix });
  const events = new QueueEvents('ingestion', { connection: redis.duplicate(), prefix, lastEventId: '0' });
  const bodies = [
    {
      source: SOURCE,
      events: [
        { 'Zuleika-9@example.org': 1, type: 'view' },
        { type: 'Quibbleton', user: userOf(1) },
      ],
    },
    {
      source: SOURCE,
      people: [{ id: userOf(1), attributes: { 'Vexford Lane': { deep: 'Quibbleton' } } }, 'Quibbleton'],
    },
    // Larger than what travels in Redis: a payload claim.
    {
      source: SOURCE,
      people: Array.from({ length: 3000 }, (_, n) => ({
        id: userOf(1000 + n),
        name: randomBytes(90).toString('base64'),
      })),
    },
  ];
  for (const body of bodies) {
    const text = JSON.stringify(body);
    const place = { tenant: 'main', asOf: Date.now(), ring: sealRing(TEST_KEYS.sealKeys) };
    const made = makeSerialisedJob(ingestion, text, place);
    expect(made.fits).toBe(text.length < INLINE_BYTES_MAX); // random names do not deflate
    const job = made.fits ? made.job : made.withClaim(await store.claims.put('main', Buffer.from(made.body)));
    const added = await queue.add(job.name, job.data, job.opts);
    const output = (await added.waitUntilFinished(events)) as { accepted: number; rejected: unknown[] };
    expect(made.fits ? output.rejected.length : output.accepted).toBe(made.fits ? 2 : 3000);
  }
  const broken = makeSerialisedJob(ingestion, JSON.stringify({ source: 'Zuleika Quibbleton', [userOf(2)]: [] }), {
    tenant: 'main',
    asOf: 1,
    ring: sealRing(TEST_KEYS.sealKeys),
  });
  if (!broken.fits) throw new Error('does not fit');
  const added = await queue.add(broken.job.name, broken.job.data, broken.job.opts);
  await expect(added.waitUntilFinished(events)).rejects.toThrow('INPUT_INVALID');
  await events.close();
  await queue.close();
}

test('after a whole refresh nothing personal is in the clear: not in Redis, not in MongoDB, not in the logs', async () => {
  await using services = await testServices();
  const lines: string[] = [];
  const write = (fields: object, message: string): void => void lines.push(JSON.stringify({ ...fields, message }));
  const log: Log = { debug: write, info: write, warn: write, error: write, child: () => log };
  await using host = await startHost({ config: services.config, log });
  await using client = connect({
    redis: services.config.redisUrl,
    prefix: services.prefix,
    seal: TEST_KEYS.sealKeys,
  });
  await ingest(client);
  await enqueueCareless(services);
  const { state } = await (await client.pipelines.refresh.start({})).done();
  expect(state).toBe('committed');

  const gateway = await buildGateway({ store: host.store, config: services.config });
  const { secret } = await host.store.apiKeys.create('main', 'test', ['recommendations:read']);
  const answer = await gateway.inject({
    url: `/v1/recommendations/${encodeURIComponent(userOf(3))}`,
    headers: { authorization: `Bearer ${secret}` },
  });
  expect(answer.statusCode).toBe(200);
  await gateway.close();

  const inRedis = await redisText(services.redis, services.prefix);
  const inMongo = await mongoBytes(services.database);
  const inLogs = lines.join('\n');
  // The scan does see what is there: catalogue titles, and the codes of refusals.
  expect(inMongo.includes('Film 3')).toBe(true);
  expect(inRedis).toContain('INPUT_INVALID');
  expect(inLogs).toContain('INPUT_INVALID');
  expect({ redis: found(inRedis), mongo: found(inMongo), logs: found(inLogs) }).toEqual({
    redis: [],
    mongo: [],
    logs: [],
  });
  expect(inMongo.includes(secret)).toBe(false);
}, 120_000);
