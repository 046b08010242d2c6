/** What the gateway has taken in is written down before it is enqueued, so that Redis may forget it. */
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { outboxEntrySchema } from '../../shared/contract-kit/outbox.ts';
import { mongodbUrl } from '../../test/services.ts';
import { setQueueLimit } from '../client/queue-limits.ts';
import { type GatewayFixture, gatewayFixture } from './gateway-fixture.ts';

let gateway: GatewayFixture;
let client: MongoClient;
beforeAll(async () => {
  gateway = await gatewayFixture();
  client = await MongoClient.connect(mongodbUrl);
});
afterAll(async () => {
  await client.close();
  await gateway[Symbol.asyncDispose]();
});
const journal = () => client.db(gateway.services.database).collection<{ _id: string; millrace: unknown }>('outbox');
beforeEach(async () => {
  await journal().deleteMany({});
});

it('an accepted job lies in the journal as an entry that a relay can read', async () => {
  const { body } = await gateway.post('/v1/jobs/segmentation', { input: { features: 'f1' } });
  const [written] = await journal().find().toArray();
  expect(written?._id).toBe(body.runKey);
  const { jobs, due } = outboxEntrySchema.parse(written?.millrace);
  expect(due).toBe(true);
  expect(jobs).toMatchObject([{ priority: 3, envelope: { runKey: body.runKey, input: { features: 'f1' } } }]);
});

it('each part of a batch does, sealed', async () => {
  const events = [{ type: 'view', user: 'Asha Rao', item: 'i1', value: 10, occurredAt: '2026-01-01T00:00:00Z' }];
  const { body } = await gateway.post('/v1/events', { source: 'web', events });
  const written = await journal().find().toArray();
  expect(written.map(({ _id }) => _id)).toEqual(body.runKeys);
  expect(JSON.stringify(written)).not.toContain('Asha');
});

it('a key that comes again is written once, and a refused job not at all', async () => {
  const train = (dataset: string, key: string) =>
    gateway.post('/v1/jobs/embedding-training', { input: { dataset }, key });
  await train('d', 'once');
  await train('d', 'once');
  const { redis, prefix } = gateway.services;
  await setQueueLimit(redis, prefix, 'embedding-training', { tenant: 'main', backlogMax: 1 });
  expect((await train('d', 'another')).status).toBe(429);
  expect((await train('d', 'once')).status).toBe(202);
  expect(await journal().countDocuments()).toBe(1);
});
