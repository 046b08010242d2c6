/** Webhooks from the end of a run to a real server: signed, told again until taken, dead-lettered in the end. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type Queue, QueueEvents } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { makeJob } from '../../jobs/client/make-job.ts';
import { webhookDelivery } from '../../jobs/webhook-delivery/contract.ts';
import { systemClock } from '../../shared/clock.ts';
import { inlinePool } from '../../shared/compute/pool.ts';
import type { Contract } from '../../shared/contract-kit/define-job.ts';
import { AppError } from '../../shared/errors.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import { silentLog, testServices } from '../../test/services.ts';
import { Announcer } from '../runtime/announcer.ts';
import { CancelWatch } from '../runtime/cancellation.ts';
import { Enqueuer } from '../runtime/enqueuer.ts';
import { Orchestrator } from '../runtime/orchestrator.ts';
import { WorkerPool } from '../runtime/pool.ts';
import type { AnyProcessor, Ports } from '../runtime/processor.ts';
import { contractOf, probe } from '../runtime/runtime-fixture.ts';
import { Sweeper } from '../runtime/sweeper.ts';
import processor from './processor.ts';

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A server that answers with the statuses given, then with 204. */
async function receiver(...statuses: number[]) {
  const received: Received[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    received.push({ headers: request.headers, body: await text(request) });
    response.writeHead(statuses.shift() ?? 204, { location: 'http://127.0.0.1:1/' }).end('answer');
  };
  const server = createServer((request, response) => {
    void take(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook` };
}

/** The way that docs/webhooks.md describes, written anew. */
function isGenuine({ headers, body }: Received, secret: string): boolean {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
  const expected = Buffer.from(createHmac('sha256', key).update(signed).digest('base64'));
  return String(headers['webhook-signature'])
    .split(' ')
    .some((one) => {
      const given = Buffer.from(one.replace('v1,', ''));
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
}

const delivery = { ...webhookDelivery, limits: { ...webhookDelivery.limits, attemptsMax: 3, backoffMs: 5 } };

async function open({ allowPrivate = true } = {}) {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const services = stack.use(await testServices());
  const { redis, prefix, store } = services;
  const contract = contractOf('dataset', { attemptsMax: 1 });
  const { processor: probing } = probe(contract, {
    compute: async (n) => {
      if (n === 13) throw new AppError('NUMERICS_INPUT_INVALID');
      return n * n;
    },
    follow: async () => undefined,
  });
  const contracts: Record<string, Contract> = { [contract.kind]: contract, [delivery.kind]: delivery };
  const enqueuer = stack.use(new Enqueuer({ redis, prefix, contracts, claims: store.claims, ring: undefined }));
  const telemetry = new Telemetry();
  const ports: Ports = {
    store,
    pool: stack.use(inlinePool()),
    clock: systemClock,
    log: silentLog,
    telemetry,
    codeVersion: 'test',
    announcer: new Announcer(store, enqueuer, systemClock),
    webhookPrivate: allowPrivate,
  };
  const cancels = stack.use(await CancelWatch.open(redis, prefix));
  const events = new QueueEvents(delivery.kind, { connection: redis.duplicate(), prefix, lastEventId: '0' });
  stack.defer(() => events.close());
  await events.waitUntilReady();
  const shared = { ports, ring: undefined, cancels, relay: async () => {}, redis, prefix };
  const processors: Record<string, AnyProcessor> = {
    [contract.kind]: probing,
    [delivery.kind]: processor,
  };
  for (const one of Object.values(contracts))
    stack.use(new WorkerPool({ ...shared, contract: one, processor: processors[one.kind] as AnyProcessor }));
  const orchestrator = new Orchestrator({ store, redis, prefix, enqueuer, cancels, log: silentLog, telemetry });
  const sweeper = stack.use(
    new Sweeper({ ports, enqueuer, orchestrator, relay: async () => {}, processorOf: (kind) => processors[kind] }),
  );
  const queue: Queue = enqueuer.queue(delivery.kind);
  /** The next deliveries that end, for good or in vain. */
  const ends = (count: number): Promise<{ jobId: string; failedReason?: string }[]> => {
    const { promise, resolve } = Promise.withResolvers<{ jobId: string; failedReason?: string }[]>();
    const seen: { jobId: string; failedReason?: string }[] = [];
    const hear = (end: { jobId: string; failedReason?: string }): void => {
      seen.push(end);
      if (seen.length === count) resolve(seen);
    };
    events.on('completed', hear);
    events.on('failed', hear);
    return promise;
  };
  return {
    ...services,
    sweeper,
    queue,
    ends,
    run: async (n: number) => {
      const made = makeJob(contract, { n }, { tenant: 'main', asOf: 7 });
      if (!made.fits) throw new Error('fits');
      await enqueuer.add(made.job);
      return made.job.data.runKey;
    },
  };
}

test('a committed run is told of, signed, and told again with the same id until the address takes it', async () => {
  const { url, received } = await receiver(500, 302);
  const { store, ends, run } = await open();
  const { secret } = await store.webhooks.create('main', { url, kinds: [], states: [] });
  const ended = ends(1);
  const runKey = await run(5);
  await ended;
  expect(received).toHaveLength(3);
  expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  expect(received.map((one) => isGenuine(one, secret))).toEqual([true, true, true]);
  expect(isGenuine({ ...(received[0] as Received), body: '{}' }, secret)).toBe(false);
  expect(JSON.parse(received[2]?.body ?? '')).toMatchObject({
    type: 'run.committed',
    data: { tenant: 'main', kind: 'probe-dataset', runKey, state: 'committed', asOf: 7 },
  });
});

test('who asks for failures alone hears of them alone, with the code; other tenants hear nothing', async () => {
  const [failures, others, elsewhere] = [await receiver(), await receiver(), await receiver()];
  const { store, ends, run } = await open();
  await store.webhooks.create('main', { url: failures.url, kinds: ['probe-dataset'], states: ['dead-lettered'] });
  await store.webhooks.create('main', { url: others.url, kinds: ['segmentation'], states: [] });
  await store.webhooks.create('other', { url: elsewhere.url, kinds: [], states: [] });
  const ended = ends(1);
  await run(3);
  await run(13);
  await ended;
  expect([failures, others, elsewhere].map(({ received }) => received.length)).toEqual([1, 0, 0]);
  expect(JSON.parse(failures.received[0]?.body ?? '')).toMatchObject({
    type: 'run.dead-lettered',
    data: { state: 'dead-lettered', code: 'NUMERICS_INPUT_INVALID' },
  });
});

test('an address that never takes it gets a dead letter after the last attempt', async () => {
  const { url, received } = await receiver(500, 500, 500, 500);
  const { store, ends, run, sweeper, queue } = await open();
  await store.webhooks.create('main', { url, kinds: [], states: [] });
  const ended = ends(1);
  await run(5);
  const [end] = await ended;
  expect(received).toHaveLength(3);
  expect(end?.failedReason).toContain('WEBHOOK_FAILED');
  await sweeper.sweep();
  const job = await queue.getJob(end?.jobId ?? '');
  expect(await store.ledger.read(String(job?.data.runKey))).toMatchObject({
    state: 'dead-lettered',
    error: { code: 'WEBHOOK_FAILED', details: { status: 500 } },
  });
});

test('an address inside the house is not called, and a removed one is passed over', async () => {
  const { url, received } = await receiver();
  const { store, ends, run, queue } = await open({ allowPrivate: false });
  const { webhook } = await store.webhooks.create('main', {
    url: url.replace('http:', 'https:'),
    kinds: [],
    states: [],
  });
  const refused = ends(1);
  await run(5);
  expect((await refused)[0]?.failedReason).toContain('WEBHOOK_ADDRESS_REFUSED');
  await queue.pause();
  const passed = ends(1);
  await run(6);
  await expect.poll(() => queue.getPrioritizedCount()).toBe(1);
  await store.webhooks.remove('main', webhook.id);
  await queue.resume();
  const [end] = await passed;
  expect((await queue.getJob(end?.jobId ?? ''))?.returnvalue).toEqual({ delivered: false });
  expect(received).toEqual([]);
});

test('a secret is kept encrypted and comes back to sign with', async () => {
  await using services = await testServices();
  const { webhooks } = services.store;
  const { webhook, secret } = await webhooks.create('main', { url: 'https://example.com/', kinds: [], states: [] });
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(await webhooks.read('main', webhook.id)).toEqual({ webhook, secret });
  expect(await webhooks.read('other', webhook.id)).toBeUndefined();
  expect(await webhooks.list('main')).toEqual([webhook]);
  expect(await webhooks.remove('other', webhook.id)).toBe(false);
});
