/** Runs told as OpenLineage: one start and one end of each, whoever tells it, whatever dies meanwhile; sent in order to an address that may fail. */
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { QueueEvents } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { CONTRACTS } from '../../jobs/registry.ts';
import { webhookDelivery } from '../../jobs/webhook-delivery/contract.ts';
import { systemClock } from '../../shared/clock.ts';
import { inlinePool } from '../../shared/compute/pool.ts';
import { AppError } from '../../shared/errors.ts';
import type { RunEvent } from '../../shared/governance/open-lineage/facets.ts';
import { eventsOfRun, pipelineRunIdOf, runIdOf } from '../../shared/governance/open-lineage/run-events.ts';
import type { PipelineRunDocument, RunDocument } from '../../shared/store/ports.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import { lineageChecker } from '../../test/open-lineage.ts';
import { silentLog, type TestServices, testServices } from '../../test/services.ts';
import deliver from '../webhook-delivery/processor.ts';
import { CancelWatch } from './cancellation.ts';
import { Enqueuer } from './enqueuer.ts';
import { LineageRecorder } from './lineage-recorder.ts';
import { Orchestrator } from './orchestrator.ts';
import { WorkerPool } from './pool.ts';
import type { Ports } from './processor.ts';
import { contractOf, probe } from './runtime-fixture.ts';
import { Sweeper } from './sweeper.ts';

const TENANT = 'main';
/** Where the published schemas lie, for whoever has them: they are asked too. */
const problemsOf = lineageChecker(process.env.OPENLINEAGE_SPEC);

const run = (over: Partial<RunDocument> = {}): RunDocument => ({
  runKey: `main.segmentation.${'ab'.repeat(32)}`,
  tenant: TENANT,
  kind: 'segmentation',
  contractVersion: 1,
  inputHash: 'h',
  state: 'running',
  fence: 1,
  asOf: 1_000,
  codeVersion: 'c0de',
  createdAt: 2_000,
  claimedAt: 2_000,
  next: [],
  unsettled: 1,
  followed: false,
  ...over,
});

const told = async ({ store }: TestServices): Promise<RunEvent[]> =>
  (await store.lineageEvents.list(TENANT, {}, 1_000)).events.map((one) => JSON.parse(one.text) as RunEvent);

const typesOf = (events: readonly RunEvent[]): string[] => events.map(({ eventType }) => eventType);

test('the id of a run is the UUIDv5 of its key and life, as the page on lineage says', () => {
  const uuid5 = (namespace: string, name: string): string => {
    const bytes = createHash('sha1')
      .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
      .update(name)
      .digest();
    const hex = bytes.subarray(0, 16).toString('hex').split('');
    hex[12] = '5';
    hex[16] = '89ab'[Number.parseInt(hex[16]!, 16) % 4]!;
    return hex.join('').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  };
  const urls = '6ba7b811-9dad-11d1-80b4-00c04fd430c8';
  // The value that RFC 9562 gives for the namespace of names.
  expect(uuid5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')).toBe('2ed6657d-e927-568b-95e1-2665a8aea6a2');
  const { runKey } = run();
  expect(runIdOf(runKey, 0)).toBe(uuid5(uuid5(urls, 'https://openlineage.io/millrace'), `run/${runKey}/0`));
});

test('retries and zombies are no events; each redrive is a run of its own, whose end is told once', () => {
  const about = { namespace: 'millrace', title: 'Groups.' };
  const later = { state: 'committed', fence: 7, endedAt: 9_000, redrivenAt: 6_000 } as const;
  const earlier = { state: 'dead-lettered', endedAt: 5_000, fence: 4, code: 'RUN_POISONOUS' } as const;
  const events = eventsOfRun(run({ ...later, earlierEnds: [earlier] }), about);
  expect(events.map(({ event, order, at }) => [event.eventType, order, at])).toEqual([
    ['START', 0, 2_000],
    ['FAIL', 1, 5_000],
    ['START', 0, 6_000],
    ['COMPLETE', 1, 9_000],
  ]);
  expect(new Set(events.map(({ runId }) => runId))).toEqual(
    new Set([runIdOf(run().runKey, 0), runIdOf(run().runKey, 5)]),
  );
  expect(events.flatMap(({ event }) => problemsOf(event))).toEqual([]);
  expect(events[1]?.event.run.facets.errorMessage).toMatchObject({ message: 'RUN_POISONOUS' });
  const ends = { cancelled: 'ABORT', expired: 'FAIL', 'dead-lettered': 'FAIL', committed: 'COMPLETE' } as const;
  for (const [state, type] of Object.entries(ends))
    expect(
      typesOf(
        eventsOfRun(run({ state: state as RunDocument['state'], endedAt: 3_000 }), about).map((one) => one.event),
      ),
    ).toEqual(['START', type]);
});

test('what an error says is in no event', () => {
  const error = { code: 'INPUT_INVALID', message: 'about asha@example.com', details: { user: 'asha@example.com' } };
  const events = eventsOfRun(run({ state: 'dead-lettered', endedAt: 3_000, error }), { namespace: 'millrace' });
  expect(JSON.stringify(events)).not.toContain('asha');
  expect(JSON.stringify(events)).toContain('INPUT_INVALID');
});

async function open({ url, attemptsMax = 1 }: { readonly url?: string; readonly attemptsMax?: number } = {}) {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const services = stack.use(await testServices());
  const { redis, prefix, store } = services;
  const contract = contractOf('dataset', { attemptsMax });
  const { processor } = probe(contract, {
    compute: async (n) => {
      if (n === 13) throw new AppError('NUMERICS_INPUT_INVALID');
      return n * n;
    },
  });
  const limits = { ...webhookDelivery.limits, attemptsMax: 4, backoffMs: 5 };
  const delivery = { ...webhookDelivery, limits };
  const contracts = { [contract.kind]: contract, [delivery.kind]: delivery };
  const enqueuer = stack.use(new Enqueuer({ redis, prefix, contracts, claims: store.claims, ring: undefined }));
  const sends = url !== undefined;
  const recorder = new LineageRecorder({ store, enqueuer, clock: systemClock, namespace: 'millrace', sends });
  const ports: Ports = {
    store,
    pool: stack.use(inlinePool()),
    clock: systemClock,
    log: silentLog,
    telemetry: new Telemetry(),
    codeVersion: 'test',
    lineage: recorder,
    ...(url === undefined ? {} : { openLineage: { url, token: 'secret-token' } }),
  };
  const cancels = stack.use(await CancelWatch.open(redis, prefix));
  const shared = { ports, ring: undefined, cancels, relay: async () => {}, redis, prefix };
  const delivered = new QueueEvents(delivery.kind, { connection: redis.duplicate(), prefix, lastEventId: '0' });
  stack.defer(() => delivered.close());
  await delivered.waitUntilReady();
  const pool = (what: typeof processor | typeof deliver, of: typeof contract | typeof delivery) =>
    stack.use(new WorkerPool({ ...shared, contract: of, processor: what }));
  const orchestrator = new Orchestrator({ store, redis, prefix, enqueuer, cancels, log: silentLog, lineage: recorder });
  const processorOf = () => processor as never;
  const sweeper = stack.use(new Sweeper({ ports, enqueuer, orchestrator, relay: async () => {}, processorOf }));
  return {
    ...services,
    contract,
    delivery,
    recorder,
    sweeper,
    enqueuer,
    work: () => pool(processor, contract),
    deliver: () => pool(deliver, delivery),
    ended: (count: number) =>
      new Promise<void>((resolve) => {
        let seen = 0;
        const hear = (): void => {
          seen += 1;
          if (seen === count) resolve();
        };
        delivered.on('completed', hear);
        delivered.on('failed', hear);
      }),
    enqueue: (n: number) => enqueuer.enqueue(contract.kind, { n }, { tenant: TENANT, key: `n${n}`, asOf: 7 }),
  };
}

const followed = (services: TestServices, runKey: string) =>
  expect.poll(async () => (await services.store.ledger.read(runKey))?.followed, { timeout: 30_000 }).toBe(true);

test('every run of an executor is told of with one start and one end, and following again tells nothing more', async () => {
  const house = await open();
  house.work();
  const [good, bad] = [await house.enqueue(3), await house.enqueue(13)];
  await followed(house, good);
  await followed(house, bad);
  const events = await told(house);
  expect(events.flatMap(problemsOf)).toEqual([]);
  const of = (runKey: string) => typesOf(events.filter(({ run: { runId } }) => runId === runIdOf(runKey, 0))).sort();
  expect([of(good), of(bad)]).toEqual([
    ['COMPLETE', 'START'],
    ['FAIL', 'START'],
  ]);
  for (const runKey of [good, bad]) {
    const document = (await house.store.ledger.read(runKey))!;
    await Promise.all([house.recorder.ended(document), house.recorder.ended(document)]);
  }
  expect(await told(house)).toHaveLength(4);
});

test('a run whose worker was killed for good is told of by the sweeper, once, and a zombie’s commit is none', async () => {
  const house = await open();
  const { ledger } = house.store;
  const claim = {
    tenant: TENANT,
    kind: house.contract.kind,
    contractVersion: 1,
    inputHash: 'h',
    asOf: 1,
    codeVersion: 'c',
  };
  const { run: first } = await ledger.claim({ runKey: 'main.probe-dataset.killed', ...claim });
  await house.recorder.started(first);
  // Another attempt takes it, and its job is given up.
  const { run: second } = await ledger.claim({ runKey: first.runKey, ...claim });
  const error = { code: 'RUN_POISONOUS', message: 'its process died', details: {} };
  expect(await ledger.end(first.runKey, second.fence, 'dead-lettered', error)).toBe(true);
  const zombie = { runKey: first.runKey, fence: first.fence, output: {}, next: [], lineage: { inputs: [] } };
  expect(await ledger.commit(zombie)).toBe(false);
  await house.recorder.ended((await ledger.read(first.runKey))!);
  const events = await told(house);
  expect(typesOf(events)).toEqual(['START', 'FAIL']);
  expect(new Set(events.map((one) => one.run.runId))).toEqual(new Set([runIdOf(first.runKey, 0)]));
});

const pipelineRun = (over: Partial<PipelineRunDocument> = {}): PipelineRunDocument => ({
  id: 'main.refresh.0123456789ab',
  tenant: TENANT,
  pipeline: 'refresh',
  params: {},
  asOf: 1_000,
  live: {},
  state: 'running',
  seq: 1,
  steps: {},
  createdAt: 1_500,
  changedAt: 1_500,
  ...over,
});

test('a pipeline run is the parent of its steps’ runs; one that nobody told of is found by the sweeper', async () => {
  const house = await open();
  const { store, recorder, sweeper } = house;
  const before = await store.pipelineRuns.create(pipelineRun());
  await recorder.startedPipeline(before);
  // As a process leaves it that dies between the document and the telling.
  await store.pipelineRuns.advance(before, { ...before, state: 'cancelled', endedAt: 9_000, told: false });
  await sweeper.sweep();
  await sweeper.sweep();
  await recorder.ended(run({ state: 'committed', endedAt: 8_000, step: { run: before.id, step: 'segments' } }));
  expect(await store.pipelineRuns.untold(10)).toEqual([]);
  const events = await told(house);
  expect(events.flatMap(problemsOf)).toEqual([]);
  expect(typesOf(events)).toEqual(['START', 'ABORT', 'START', 'COMPLETE']);
  const parent = pipelineRunIdOf(before.id);
  expect(events.slice(0, 2).map((one) => one.run.runId)).toEqual([parent, parent]);
  expect(events[3]?.run.facets.parent).toMatchObject({ run: { runId: parent }, job: { name: 'pipeline.refresh' } });
});

/** An address that answers with the statuses given, then with 200. */
async function receiver(...statuses: number[]) {
  const received: { readonly token: string | undefined; readonly event: RunEvent }[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      received.push({ token: request.headers.authorization, event: JSON.parse(body) as RunEvent });
      return response.writeHead(statuses.shift() ?? 200).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/lineage` };
}

test('events are sent with the token, the start before the end, again until the address takes them', async () => {
  const { url, received } = await receiver(503, 200, 500);
  const house = await open({ url });
  house.work();
  house.deliver();
  const ended = house.ended(1);
  await house.enqueue(4);
  await ended;
  expect(received.map(({ event }) => event.eventType)).toEqual(['START', 'START', 'COMPLETE', 'START', 'COMPLETE']);
  expect(new Set(received.map(({ token }) => token))).toEqual(new Set(['Bearer secret-token']));
  // Deliveries are not told of: they would be told for ever.
  expect(await told(house)).toHaveLength(2);
});

test('a run at work for long has its start sent at once; the end waits for it, and goes alone', async () => {
  const { url, received } = await receiver();
  const house = await open({ url });
  const document = run({ runKey: `main.segmentation.${randomUUID()}` });
  await house.recorder.started(document);
  await house.recorder.started(document);
  await house.recorder.ended({ ...document, state: 'committed', endedAt: 9_000 });
  expect(await house.enqueuer.queue(house.delivery.kind).getPrioritizedCount()).toBe(2);
  const ended = house.ended(2);
  house.deliver();
  await ended;
  expect(received.map(({ event }) => event.eventType)).toEqual(['START', 'COMPLETE']);
});

test('a start that the address never took goes with the end', async () => {
  const { url, received } = await receiver(500, 500, 500, 500);
  const house = await open({ url });
  const document = run({ runKey: `main.segmentation.${randomUUID()}` });
  await house.recorder.started(document);
  const lost = house.ended(1);
  house.deliver();
  await lost;
  await house.sweeper.sweep();
  const ended = house.ended(1);
  await house.recorder.ended({ ...document, state: 'cancelled', endedAt: 9_000 });
  await ended;
  expect(received.map(({ event }) => event.eventType)).toEqual(['START', 'START', 'START', 'START', 'START', 'ABORT']);
});

test('the list goes on behind what an answer named, and refuses what is no such place', async () => {
  const house = await open();
  for (let n = 0; n < 5; n++)
    await house.recorder.ended(run({ runKey: `main.audit.${n}`, state: 'committed', endedAt: 3_000 }));
  const { lineageEvents } = house.store;
  const seen: string[] = [];
  let after: string | undefined;
  do {
    const page = await lineageEvents.list(TENANT, after === undefined ? {} : { after }, 3);
    seen.push(...page.events.map(({ runId, order }) => `${runId}.${order}`));
    after = page.next;
  } while (after !== undefined);
  expect(seen).toHaveLength(10);
  expect(new Set(seen).size).toBe(10);
  expect((await lineageEvents.list(TENANT, { sinceMs: Date.now() + 60_000 }, 3)).events).toEqual([]);
  expect((await lineageEvents.list('other', {}, 3)).events).toEqual([]);
  await expect(lineageEvents.list(TENANT, { after: 'x' }, 3)).rejects.toMatchObject({ code: 'INPUT_INVALID' });
});

test('every kind of the registry but deliveries is told of', () => {
  const recorder = new LineageRecorder({ sends: false, namespace: 'n', clock: systemClock } as never);
  expect(Object.keys(CONTRACTS).filter((kind) => !recorder.isWanted(kind))).toEqual(['webhook-delivery']);
});
