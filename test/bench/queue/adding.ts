/** Owns the benchmark of enqueueing through the client, beside raw BullMQ with the same options. */
import { randomBytes } from 'node:crypto';
import { Queue } from 'bullmq';
import { RedisTransport } from '../../../jobs/client/redis-transport.ts';
import { backlogKey } from '../../../shared/contract-kit/names.ts';
import { redisUrl, type TestServices } from '../../services.ts';
import { type Comparison, interleave, type Work } from '../interleave.ts';
import { BULK, inBulks, jobOptions, madeJob, type NoopContract, noop, text } from './kind.ts';

const BULKS = 20;

/** The client's own way of enqueueing, with a kind of the benchmark. */
class ClientQueue implements AsyncDisposable {
  readonly #transport: RedisTransport;
  readonly #contract: NoopContract;
  readonly queue: Queue;

  constructor(prefix: string, contract: NoopContract) {
    this.#transport = new RedisTransport({ url: redisUrl, prefix, tenant: 'main' });
    this.#contract = contract;
    this.queue = new Queue(contract.kind, { connection: { url: redisUrl }, prefix });
  }

  async enqueue(jobs: number): Promise<void> {
    const made = Array.from({ length: jobs }, () => madeJob(this.#contract));
    await this.#transport.add(this.#contract.kind as never, made);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.queue.close();
    await this.#transport.close();
  }
}

const rawJob = () => ({ data: { text }, opts: { ...jobOptions, jobId: `r${randomBytes(16).toString('hex')}` } });

/** Adds jobs in bulks with a queue of BullMQ itself. */
export async function rawAdd(queue: Queue, jobs: number): Promise<void> {
  await inBulks(jobs, (bulk) => queue.addBulk(Array.from({ length: bulk }, () => ({ name: queue.name, ...rawJob() }))));
}

/** Times work and empties both queues after it. */
async function emptied(
  { prefix, redis }: TestServices,
  units: number,
  queues: readonly Queue[],
  work: () => Promise<unknown>,
): ReturnType<Work> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  await work();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  await Promise.all(queues.map((queue) => queue.drain()));
  await redis.del(backlogKey(prefix, noop('none').contract.kind));
  return { units, seconds, cpuSeconds: (user + system) / 1e6 };
}

export async function benchEnqueue(services: TestServices): Promise<Comparison> {
  const { prefix, redis: connection } = services;
  const queue = new Queue('raw-enqueue', { connection, prefix });
  await using client = new ClientQueue(prefix, noop('none').contract);
  const units = BULK * BULKS;
  const queues = [queue, client.queue];
  return await interleave({
    name: 'client enqueue, 200 bytes, bulks of 100',
    unit: 'jobs',
    pairs: 21,
    target: 0.9,
    ours: {
      name: 'millrace enqueueMany',
      work: () => emptied(services, units, queues, () => inBulks(units, (bulk) => client.enqueue(bulk))),
    },
    peer: { name: 'bullmq addBulk', work: () => emptied(services, units, queues, () => rawAdd(queue, units)) },
  });
}

/** Single additions by so many callers at once, each waiting for its answer. */
export async function benchAdd(services: TestServices, concurrency: number): Promise<Comparison> {
  const { prefix, redis: connection } = services;
  const queue = new Queue('raw-add', { connection, prefix });
  await using client = new ClientQueue(prefix, noop('none').contract);
  const units = concurrency === 1 ? 1_000 : 4_000;
  const each = async (add: () => Promise<unknown>): Promise<void> => {
    let next = 0;
    const caller = async (): Promise<void> => {
      while (next++ < units) await add();
    };
    await Promise.all(Array.from({ length: concurrency }, caller));
  };
  const raw = (): Promise<unknown> => {
    const { data, opts } = rawJob();
    return queue.add(queue.name, data, opts);
  };
  const work = (add: () => Promise<unknown>) => emptied(services, units, [queue, client.queue], () => each(add));
  return await interleave({
    name: `client add, 200 bytes, c = ${concurrency}`,
    unit: 'jobs',
    pairs: 21,
    target: 0.9,
    ours: { name: 'millrace enqueue', work: () => work(() => client.enqueue(1)) },
    peer: { name: 'bullmq add', work: () => work(raw) },
  });
}
