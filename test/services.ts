/**
 * Owns what a test that needs real servers takes: its own Redis prefix, its own database, and their removal afterwards.
 * `npm test` starts the servers and sets REDIS_URL and MONGODB_URL.
 */
import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { MongoClient } from 'mongodb';
import type { ComputePool } from '../shared/compute/task.ts';
import type { Config } from '../shared/config.ts';
import { openStore } from '../shared/store/mongo/open.ts';
import type { Store } from '../shared/store/ports.ts';
import { openLog } from '../shared/telemetry/log.ts';

export const redisUrl = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379';
export const mongodbUrl = process.env.MONGODB_URL ?? 'mongodb://127.0.0.1:27017';
export const silentLog = openLog('silent');

export const TEST_KEYS = {
  masterKey: Buffer.alloc(32, 1),
  tenantKey: Buffer.alloc(32, 2),
  sealKeys: '03'.repeat(32),
} as const;

export interface TestServices extends AsyncDisposable {
  readonly redis: Redis;
  readonly prefix: string;
  readonly database: string;
  readonly store: Store;
  readonly config: Config;
}

/** Removes every key under a prefix, in batches. */
async function removeKeys(redis: Redis, prefix: string): Promise<void> {
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', `${prefix}:*`, 'COUNT', 1000);
    cursor = next;
    if (keys.length > 0) await redis.unlink(...keys);
  } while (cursor !== '0');
}

export async function testServices(options: { readonly compute?: ComputePool } = {}): Promise<TestServices> {
  await using stack = new AsyncDisposableStack();
  const name = `test_${randomBytes(6).toString('hex')}`;
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
  stack.defer(async () => {
    await removeKeys(redis, name);
    redis.disconnect();
  });
  stack.defer(async () => {
    const client = await MongoClient.connect(mongodbUrl);
    await client.db(name).dropDatabase();
    await client.close();
  });
  const { masterKey, tenantKey } = TEST_KEYS;
  const store = stack.use(await openStore({ url: mongodbUrl, database: name, masterKey, tenantKey, ...options }));
  const config: Config = {
    redisUrl,
    mongodbUrl,
    database: name,
    prefix: name,
    tenant: 'main',
    masterKeys: [TEST_KEYS.masterKey],
    tenantKey,
    sealKeys: TEST_KEYS.sealKeys,
    keyProviders: { master: 'environment', tenant: 'environment', seal: 'environment' },
    host: '127.0.0.1',
    gatewayPort: 0,
    dashboardPort: 0,
    healthHost: '127.0.0.1',
    healthPort: 0,
    healthWindowMs: 15_000,
    stopMs: 15_000,
    collect: false,
    keepRunsMs: 14 * 24 * 3600_000,
    keepReleases: 10,
    keepExposuresMs: 400 * 24 * 3600_000,
    keepLineageMs: 400 * 24 * 3600_000,
    keepTrailMs: 1_095 * 24 * 3600_000,
    keepCompletedMs: 24 * 3600_000,
    keepCompletedMax: 10_000,
    threads: 2,
    modelAgeMsMax: 72 * 3600_000,
    checkpoints: { everyEpochs: 1, everyMs: 30_000, bytesMax: 2 ** 30 },
    log: 'silent',
    outbox: { url: mongodbUrl, collections: [] },
    lineageNamespace: 'millrace',
    webhookPrivate: false,
    quality: 'observe',
    demo: false,
    stateDir: '.millrace',
  };
  const owned = stack.move();
  return { redis, prefix: name, database: name, store, config, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
