/**
 * Owns the benchmark of the queue: enqueueing through the client and running through the executor, each beside raw BullMQ
 * with the same options; runs with ledger and commit beside the store's own raw writes.
 */
import { randomBytes } from 'node:crypto';
import { Queue, Worker } from 'bullmq';
import { MongoClient } from 'mongodb';
import { z } from 'zod';
import { AdmittingQueue } from '../../jobs/client/admitting-queue.ts';
import { RedisTransport } from '../../jobs/client/redis-transport.ts';
import { kindOptions, makeJob } from '../../jobs/client/make-job.ts';
import { systemClock } from '../../shared/clock.ts';
import { inlinePool } from '../../shared/compute/pool.ts';
import { defineJob, type EffectClass } from '../../shared/contract-kit/define-job.ts';
import { openLog } from '../../shared/telemetry/log.ts';
import { logEvents } from '../../shared/telemetry/log-events.ts';
import { openProcessTelemetry } from '../../shared/telemetry/open-telemetry.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import { backlogKey } from '../../shared/contract-kit/names.ts';
import { CancelWatch } from '../../workers/runtime/cancellation.ts';
import { WorkerPool } from '../../workers/runtime/pool.ts';
import { defineProcessor, type Processor } from '../../workers/runtime/processor.ts';
import { mongodbUrl, redisUrl, silentLog, type TestServices, testServices } from '../services.ts';
import { type Comparison, interleave, machine, report, type Work } from './interleave.ts';

const BULK = 100;
const BULKS = 20;

function noop(effect: EffectClass) {
  const contract = defineJob({
    kind: `bench-${effect}`,
    version: 1,
    title: 'Does nothing.',
    input: z.strictObject({ text: z.string() }),
    output: z.object({ ok: z.boolean() }),
    personal: false,
    effect,
    purposes: [],
  });
  const processor = defineProcessor({
    contract,
    load: async ({ text }) => text.length,
    compute: async (length: number) => length,
    write: async (length) => ({ output: { ok: length > 0 } }),
  });
  return { contract, processor: processor as unknown as Processor };
}

const text = 'x'.repeat(186); // {"text":"..."} is 200 bytes then
const jobOptions = { ...kindOptions(noop('none').contract) };

/** Adds jobs in bulks of 100 with a queue of BullMQ itself. */
async function rawAdd(queue: Queue, jobs: number): Promise<void> {
  for (let from = 0; from < jobs; from += BULK)
    await queue.addBulk(
      Array.from({ length: Math.min(BULK, jobs - from) }, () => ({
        name: queue.name,
        data: { text },
        opts: { ...jobOptions, jobId: `r${randomBytes(16).toString('hex')}` },
      })),
    );
}

/** Adds envelopes in bulks of 100, as the client does. */
async function ourAdd(
  queue: AdmittingQueue,
  jobs: number,
  contract: ReturnType<typeof noop>['contract'],
): Promise<void> {
  for (let from = 0; from < jobs; from += BULK) {
    const made = Array.from({ length: Math.min(BULK, jobs - from) }, () => {
      const one = makeJob(contract, { text }, { tenant: 'main', asOf: Date.now() });
      if (!one.fits) throw new Error('a 200 byte input must fit');
      return one.job;
    });
    await queue.add(made);
  }
}

async function benchEnqueue(services: TestServices): Promise<Comparison> {
  const { prefix } = services;
  const { contract } = noop('none');
  const queue = new Queue('raw-enqueue', { connection: services.redis, prefix });
  await using client = new ClientQueue(prefix, contract);
  const units = BULK * BULKS;
  const emptied = async (work: () => Promise<void>): ReturnType<Work> => {
    const started = performance.now();
    await work();
    const seconds = (performance.now() - started) / 1000;
    await Promise.all([queue.drain(), client.queue.drain(), services.redis.del(backlogKey(prefix, contract.kind))]);
    return { units, seconds };
  };
  return await interleave({
    name: 'client enqueue, 200 bytes, bulks of 100',
    unit: 'jobs',
    pairs: 21,
    target: 0.9,
    ours: { name: 'millrace enqueueMany', work: () => emptied(() => client.enqueueMany(units)) },
    peer: { name: 'bullmq addBulk', work: () => emptied(() => rawAdd(queue, units)) },
  });
}

/** Single additions by so many callers at once, each waiting for its answer. */
async function benchAdd(services: TestServices, concurrency: number): Promise<Comparison> {
  const { prefix, redis } = services;
  const { contract } = noop('none');
  const queue = new Queue('raw-add', { connection: redis, prefix });
  await using client = new ClientQueue(prefix, contract);
  const units = concurrency === 1 ? 500 : 2_000;
  const each = async (add: () => Promise<void>): ReturnType<Work> => {
    let next = 0;
    const started = performance.now();
    const caller = async (): Promise<void> => {
      while (next++ < units) await add();
    };
    await Promise.all(Array.from({ length: concurrency }, caller));
    const seconds = (performance.now() - started) / 1000;
    await Promise.all([queue.drain(), client.queue.drain(), redis.del(backlogKey(prefix, contract.kind))]);
    return { units, seconds };
  };
  const raw = async (): Promise<void> => {
    await queue.add(queue.name, { text }, { ...jobOptions, jobId: `r${randomBytes(16).toString('hex')}` });
  };
  return await interleave({
    name: `client add, 200 bytes, c = ${concurrency}`,
    unit: 'jobs',
    target: 0.9,
    ours: { name: 'millrace enqueue', work: () => each(() => client.enqueueMany(1)) },
    peer: { name: 'bullmq add', work: () => each(raw) },
  });
}

/** The client's own way of enqueueing many, with a kind of the benchmark. */
class ClientQueue implements AsyncDisposable {
  readonly #transport: RedisTransport;
  readonly #contract: ReturnType<typeof noop>['contract'];
  readonly queue: Queue;

  constructor(prefix: string, contract: ReturnType<typeof noop>['contract']) {
    this.#transport = new RedisTransport({ url: redisUrl, prefix, tenant: 'main' });
    this.#contract = contract;
    this.queue = new Queue(contract.kind, { connection: { url: redisUrl }, prefix });
  }

  async enqueueMany(jobs: number): Promise<void> {
    for (let from = 0; from < jobs; from += BULK) {
      const made = Array.from({ length: Math.min(BULK, jobs - from) }, () => {
        const one = makeJob(this.#contract, { text }, { tenant: 'main', asOf: Date.now() });
        if (!one.fits) throw new Error('a 200 byte input must fit');
        return one.job;
      });
      await this.#transport.add(this.#contract.kind as never, made);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.queue.close();
    await this.#transport.close();
  }
}

/** Resolves when a worker has completed `jobs` jobs. */
function drained(worker: Worker, jobs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let done = 0;
    worker.on('completed', () => {
      done += 1;
      if (done === jobs) resolve();
    });
    worker.on('failed', (_job, error) => reject(error));
  });
}

interface Runner extends AsyncDisposable {
  run(jobs: number): ReturnType<Work>;
}

/** Fills the queue first, then times a fresh worker until all is done. */
async function rawRunner({ redis, prefix }: TestServices, concurrency: number): Promise<Runner> {
  const queue = new Queue('raw-run', { connection: redis, prefix });
  return {
    async run(jobs) {
      await rawAdd(queue, jobs);
      const worker = new Worker(
        'raw-run',
        async (job: { data: { text: string } }) => ({ ok: job.data.text.length > 0 }),
        { connection: redis, prefix, concurrency, autorun: false },
      );
      await worker.waitUntilReady();
      const done = drained(worker, jobs);
      const started = performance.now();
      worker.run().catch(() => {}); // ends when it is closed
      await done;
      const seconds = (performance.now() - started) / 1000;
      await worker.close();
      await queue.obliterate({ force: true });
      return { units: jobs, seconds };
    },
    [Symbol.asyncDispose]: () => queue.close(),
  };
}

async function ourRunner(
  services: TestServices,
  effect: EffectClass,
  concurrency: number,
  telemetry = new Telemetry(),
): Promise<Runner> {
  const { redis, prefix, store } = services;
  const stack = new AsyncDisposableStack();
  const { contract, processor } = noop(effect);
  const queue = new AdmittingQueue(contract.kind, redis, prefix);
  stack.defer(() => queue.close());
  const cancels = stack.use(await CancelWatch.open(redis, prefix));
  const pool = stack.use(inlinePool());
  const ports = { store, pool, clock: systemClock, log: silentLog, telemetry, codeVersion: 'bench' };
  return {
    async run(jobs) {
      await ourAdd(queue, jobs, contract);
      await using workers = new WorkerPool({
        contract,
        processor,
        ports,
        ring: undefined,
        cancels,
        relay: async () => {},
        redis,
        prefix,
        concurrency,
        autorun: false,
      });
      await workers.worker.waitUntilReady();
      const done = drained(workers.worker, jobs);
      const started = performance.now();
      workers.worker.run().catch(() => {}); // ends when it is closed
      await done;
      const seconds = (performance.now() - started) / 1000;
      await workers.worker.close();
      await queue.queue.obliterate({ force: true });
      return { units: jobs, seconds };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function benchExecutor(services: TestServices, concurrency: number, jobs: number): Promise<Comparison> {
  await using ours = await ourRunner(services, 'none', concurrency);
  await using peer = await rawRunner(services, concurrency);
  return await interleave({
    name: `no-op through the executor, class none, c = ${concurrency}`,
    unit: 'jobs',
    target: 0.7,
    ours: { name: 'millrace executor', work: () => ours.run(jobs) },
    peer: { name: 'bullmq worker', work: () => peer.run(jobs) },
  });
}

/** As a worker process has it: logs and metrics listen. */
async function benchObserved(services: TestServices, concurrency: number, jobs: number): Promise<Comparison> {
  await using observed = await openProcessTelemetry({ name: 'bench', environment: {} });
  observed.telemetry.subscribe(logEvents(openLog('info')));
  await using ours = await ourRunner(services, 'none', concurrency, observed.telemetry);
  await using peer = await ourRunner(services, 'none', concurrency);
  return await interleave({
    name: `no-op with logs and metrics listening, class none, c = ${concurrency}`,
    unit: 'jobs',
    ours: { name: 'listening', work: () => ours.run(jobs) },
    peer: { name: 'nobody listening', work: () => peer.run(jobs) },
  });
}

interface RawRun {
  _id: string;
  text?: string;
  state?: string;
  fence?: number;
}

/** The writes of a run without the run: what the store alone can do at the same concurrency. */
async function rawWrites(database: string, effect: EffectClass, concurrency: number, jobs: number): ReturnType<Work> {
  const client = await MongoClient.connect(mongodbUrl, { maxPoolSize: 20 });
  const runs = client.db(database).collection<RawRun>('raw_runs');
  let next = 0;
  const one = async (): Promise<void> => {
    while (next++ < jobs) {
      const _id = randomBytes(32).toString('hex');
      if (effect === 'record') {
        await runs.insertOne({ _id, text, state: 'committed' });
        continue;
      }
      await runs.findOneAndUpdate(
        { _id, state: 'running' },
        { $inc: { fence: 1 }, $setOnInsert: { text } },
        { upsert: true, returnDocument: 'after' },
      );
      await runs.updateOne({ _id, fence: 1 }, { $set: { state: 'committed', text } });
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: concurrency }, one));
  const seconds = (performance.now() - started) / 1000;
  await runs.drop();
  await client.close();
  return { units: jobs, seconds };
}

async function benchLedger(
  services: TestServices,
  effect: 'record' | 'dataset',
  concurrency: number,
  jobs: number,
): Promise<Comparison> {
  await using ours = await ourRunner(services, effect, concurrency);
  return await interleave({
    name: `no-op with ledger, class ${effect}, c = ${concurrency}`,
    unit: 'jobs',
    ours: { name: 'millrace executor', work: () => ours.run(jobs) },
    peer: {
      name: `the store alone (${effect === 'record' ? 'one insert' : 'claim, commit'})`,
      work: () => rawWrites(services.database, effect, concurrency, jobs),
    },
  });
}

const BENCHES: readonly { readonly name: string; readonly run: (services: TestServices) => Promise<Comparison> }[] = [
  { name: 'enqueue', run: benchEnqueue },
  ...[1, 10, 100].map((concurrency) => ({
    name: `add-${concurrency}`,
    run: (services: TestServices) => benchAdd(services, concurrency),
  })),
  ...([1, 10, 100] as const).map((concurrency) => ({
    name: `none-${concurrency}`,
    run: (services: TestServices) =>
      benchExecutor(services, concurrency, { 1: 1_000, 10: 3_000, 100: 5_000 }[concurrency]),
  })),
  ...([1, 10, 100] as const).map((concurrency) => ({
    name: `observed-${concurrency}`,
    run: (services: TestServices) =>
      benchObserved(services, concurrency, { 1: 1_000, 10: 3_000, 100: 5_000 }[concurrency]),
  })),
  ...(['record', 'dataset'] as const).flatMap((effect) =>
    ([1, 10, 100] as const).map((concurrency) => ({
      name: `${effect}-${concurrency}`,
      run: (services: TestServices) =>
        benchLedger(services, effect, concurrency, { 1: 200, 10: 500, 100: 1_000 }[concurrency]),
    })),
  ),
];

/** All of them, or those whose names start with one of the words given. */
export async function main(words: readonly string[] = []): Promise<void> {
  console.log(`queue benchmark on ${machine()}`);
  await using services = await testServices();
  const results: Comparison[] = [];
  for (const { name, run } of BENCHES) {
    if (words.length > 0 && !words.some((word) => name.startsWith(word))) continue;
    const comparison = await run(services);
    results.push(comparison);
    report(comparison);
  }
  console.log(JSON.stringify(results));
}
