/** The outbox, over real servers: what a caller wrote with its own document runs once, also where Redis is away or forgets. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { MongoClient } from 'mongodb';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../docker/local/ports.mjs';
import { openStep } from '../../docker/local/progress.mjs';
import { redisProgram, startRedis } from '../../docker/local/redis.mjs';
import { makeJob } from '../../jobs/client/make-job.ts';
import { entryOfJob, OUTBOX_FIELD, outboxEntry, type OutboxOptions } from '../../jobs/client/outbox.ts';
import { setQueueLimit } from '../../jobs/client/queue-limits.ts';
import { CONTRACTS } from '../../jobs/registry.ts';
import { openJournalOutbox, openOutbox } from '../../shared/store/mongo/outbox.ts';
import { mongodbUrl, silentLog, TEST_KEYS, type TestServices, testServices } from '../../test/services.ts';
import { Enqueuer } from './enqueuer.ts';
import { OutboxRelay } from './outbox-relay.ts';

const SEAL = { seal: TEST_KEYS.sealKeys };
const event = { type: 'click' as const, user: 'Asha Rao', item: 'i1', occurredAt: 1 };

/** A caller's collection, and a relay whose passes the test makes. */
async function open(services: TestServices, redis = services.redis) {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const { prefix, database, store } = services;
  const client = await MongoClient.connect(mongodbUrl);
  stack.defer(() => client.close());
  const name = `orders_${randomBytes(4).toString('hex')}`;
  const orders = client.db(database).collection<{ _id: string }>(name);
  const outbox = stack.use(await openOutbox({ url: mongodbUrl, collections: [`${database}.${name}`] }));
  const enqueuer = stack.use(
    new Enqueuer({ redis, prefix, contracts: CONTRACTS, claims: store.claims, ring: undefined }),
  );
  let at = Date.now() + 60_000;
  const clock = { now: () => at };
  const relay = new OutboxRelay({ outbox, enqueuer, ports: { store, clock, log: silentLog } });
  await relay[Symbol.asyncDispose](); // no passes but the test's own
  return {
    orders,
    enqueuer,
    /** Time passes until every entry is due again, then one pass. */
    pass: async () => {
      at += 60_000;
      return relay.pass();
    },
    order: (_id: string, key: string, options: OutboxOptions = {}) =>
      orders.insertOne({
        _id,
        total: 3,
        [OUTBOX_FIELD]: outboxEntry('segmentation', { features: 'f' }, { key, ...options }),
      } as never),
    entryOf: async (_id: string) => ((await orders.findOne({ _id })) as Record<string, unknown> | null)?.[OUTBOX_FIELD],
    waiting: () => enqueuer.queue('segmentation').getPrioritized(),
  };
}

/** Ends the run of a job as a worker would. */
async function commit({ store }: TestServices, data: { runKey: string; inputHash: string }): Promise<void> {
  const place = { tenant: 'main', kind: 'segmentation', contractVersion: 1, asOf: 1, codeVersion: 'x' };
  const { run } = await store.ledger.claim({ ...place, runKey: data.runKey, inputHash: data.inputHash });
  await store.ledger.commit({ runKey: run.runKey, fence: run.fence, output: {}, next: [], lineage: { inputs: [] } });
}

test('an entry is enqueued once, stays until its run has ended, and leaves the rest of the document alone', async () => {
  await using services = await testServices();
  const { order, pass, entryOf, waiting, orders } = await open(services);
  await order('o1', 'k1');
  expect(await pass()).toBe(1);
  await pass();
  const [job, ...others] = await waiting();
  expect(others).toEqual([]);
  expect(job?.data).toMatchObject({ kind: 'segmentation', input: { features: 'f' } });
  expect(await entryOf('o1')).toMatchObject({ due: true });
  await commit(services, job?.data);
  await pass();
  expect(await orders.findOne({ _id: 'o1' })).toEqual({ _id: 'o1', total: 3 });
  expect(await pass()).toBe(0);
});

test('an entry whose write was not made enqueues nothing', async () => {
  await using services = await testServices();
  const { order, pass, waiting } = await open(services);
  await order('o1', 'k1');
  await expect(order('o1', 'k2')).rejects.toThrow(/duplicate key/i);
  await pass();
  expect(await waiting()).toHaveLength(1);
});

test('a Redis that was emptied, and one that was away, are healed: every entry runs, none that has ended runs again', async () => {
  await using services = await testServices();
  const folder = await mkdtemp(join(tmpdir(), 'millrace-outbox-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const program = await redisProgram(openStep('Redis'));
  const port = await freePort();
  const start = () => startRedis({ program, port, folder, durable: false });
  let server = await start();
  onTestFinished(async () => {
    for (const service of server.services) await service.stop();
  });
  const redis = new Redis(server.url, { maxRetriesPerRequest: null });
  redis.on('error', () => {});
  onTestFinished(() => redis.disconnect());
  const { order, pass, waiting, entryOf } = await open(services, redis);
  await order('done', 'k1');
  await pass();
  await commit(services, (await waiting())[0]?.data);
  await order('lost', 'k2');
  await pass();
  await redis.flushall();
  expect(await waiting()).toEqual([]);
  await pass();
  expect((await waiting()).map(({ data }) => data.runKey)).toHaveLength(1);
  expect(await entryOf('done')).toBeUndefined();
  for (const service of server.services) await service.stop();
  await order('meanwhile', 'k3');
  const passing = pass(); // waits for its Redis
  server = await start();
  await passing;
  await pass();
  const keys = (await waiting()).map(({ data }) => data.runKey);
  expect(new Set(keys).size).toBe(2);
});

test('personal input lies sealed in the document, and what is too large for a job becomes a claim', async () => {
  await using services = await testServices();
  const { orders, pass, enqueuer } = await open(services);
  const personal = outboxEntry('ingestion', { source: 'web', events: [event] }, { ...SEAL, key: 'b' });
  expect(JSON.stringify(personal)).not.toContain('Asha');
  expect(() => outboxEntry('ingestion', { source: 'web', events: [event] })).toThrow(/CONFIG_INVALID/);
  const large = outboxEntry('segmentation', { features: 'x'.repeat(100_000) }, { key: 'c' });
  await orders.insertMany([
    { _id: 'small', [OUTBOX_FIELD]: personal },
    { _id: 'large', [OUTBOX_FIELD]: large },
  ] as never[]);
  await pass();
  const [sealed] = await enqueuer.queue('ingestion').getPrioritized();
  expect(sealed?.data).toMatchObject({ sealed: { box: expect.any(String) } });
  const [claimed] = await enqueuer.queue('segmentation').getPrioritized();
  const { id, sha256 } = claimed?.data.claim ?? {};
  const body = Buffer.from(await services.store.claims.get('main', id, sha256)).toString();
  expect(JSON.parse(body)).toMatchObject({ features: 'x'.repeat(100_000) });
});

test('what can never run is parked in its document with the reason, and keeps no other from running', async () => {
  await using services = await testServices();
  const { order, orders, pass, entryOf, waiting } = await open(services);
  await orders.insertOne({ _id: 'odd', [OUTBOX_FIELD]: { due: true, nextAt: 1, v: 9 } } as never);
  await order('first', 'same');
  await pass();
  await commit(services, (await waiting())[0]?.data);
  const other = outboxEntry('segmentation', { features: 'another' }, { key: 'same' });
  await orders.insertOne({ _id: 'second', [OUTBOX_FIELD]: other } as never);
  await order('third', 'k3');
  await pass();
  expect(await entryOf('odd')).toMatchObject({ due: false, error: { code: 'INPUT_INVALID' } });
  expect(await entryOf('second')).toMatchObject({ due: false, error: { code: 'KEY_REUSED' } });
  expect(await waiting()).toHaveLength(2);
  expect(await pass()).toBe(1);
});

test('a full queue puts entries off, and a batch with a record that is not valid is refused at once', async () => {
  await using services = await testServices();
  const { order, pass, waiting, entryOf } = await open(services);
  await setQueueLimit(services.redis, services.prefix, 'segmentation', { tenant: 'main', backlogMax: 1 });
  await order('o1', 'k1');
  await order('o2', 'k2');
  await pass();
  expect(await waiting()).toHaveLength(1);
  expect([await entryOf('o1'), await entryOf('o2')]).toMatchObject([{ due: true }, { due: true }]);
  await setQueueLimit(services.redis, services.prefix, 'segmentation', { tenant: 'main', backlogMax: 2 });
  await pass();
  expect(await waiting()).toHaveLength(2);
  const wrong = [event, { type: 'click' }] as never[];
  expect(() => outboxEntry('ingestion', { source: 'web', events: wrong }, SEAL)).toThrow(/INPUT_INVALID.*record 1/);
});

test('what the journal keeps is enqueued again by another process, and goes with its run', async () => {
  await using services = await testServices();
  const { enqueuer, waiting } = await open(services);
  const { store, database } = services;
  const made = makeJob(CONTRACTS.segmentation, { features: 'f' }, { tenant: 'main', asOf: 1, priority: 1 });
  if (!made.fits) throw new Error('fits');
  const { runKey } = made.job.data;
  await store.journal.write([{ runKey, entry: entryOfJob(made.job, Date.now()) }]);
  const outbox = await openJournalOutbox(mongodbUrl, database);
  onTestFinished(() => outbox[Symbol.asyncDispose]());
  let at = Date.now() + 10_000;
  const relay = new OutboxRelay({ outbox, enqueuer, ports: { store, clock: { now: () => at }, log: silentLog } });
  await relay[Symbol.asyncDispose]();
  expect(await relay.pass()).toBe(1);
  const [job] = await waiting();
  expect(job?.data.runKey).toBe(runKey);
  expect(job?.priority).toBe(2 ** 18 + 1);
  await commit(services, job?.data);
  at += 60_000;
  await relay.pass();
  expect(await outbox.due(at + 600_000, 10)).toEqual([]);
});

test('the index on a collection of a caller holds due entries alone', async () => {
  await using services = await testServices();
  const { orders } = await open(services);
  const index = (await orders.indexes()).find(({ name }) => name === 'millrace_outbox');
  expect(index).toMatchObject({ key: { 'millrace.nextAt': 1 }, partialFilterExpression: { 'millrace.due': true } });
});
