/** Connections that have gone half-open (nothing arrives, nobody is told) are given up by the runtime itself, and work goes on over new ones. */
import { expect, test, type TestContext } from 'vitest';
import { openStore } from '../../shared/store/mongo/open.ts';
import { openRedis } from '../../workers/runtime/host.ts';
import { mongodbUrl, redisUrl, TEST_KEYS, testServices } from '../services.ts';
import { ChaosProxy } from './proxy.ts';

async function proxied(url: string, { onTestFinished }: TestContext) {
  const target = new URL(url);
  const proxy = await ChaosProxy.open({ host: target.hostname, port: Number(target.port) });
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  target.port = String(proxy.port);
  return { proxy, url: target.href };
}

test.concurrent('a command to Redis on a half-open connection is answered over a new one', async (context) => {
  const { proxy, url } = await proxied(redisUrl, context);
  const redis = await openRedis(url);
  context.onTestFinished(() => redis.disconnect());
  expect(await redis.ping()).toBe('PONG');
  proxy.halfOpen();
  const answer = redis.ping();
  proxy.heal();
  expect(await answer).toBe('PONG');
}, 60_000);

test.concurrent('a read of the store on half-open connections is answered over new ones', async (context) => {
  const { proxy, url } = await proxied(mongodbUrl, context);
  await using services = await testServices();
  const { masterKey, tenantKey } = TEST_KEYS;
  await using store = await openStore({ url, database: services.database, masterKey, tenantKey });
  expect(await store.ledger.read('nobody')).toBeUndefined();
  proxy.halfOpen();
  const answer = store.ledger.read('nobody');
  proxy.heal();
  expect(await answer).toBeUndefined();
}, 60_000);
