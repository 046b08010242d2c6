/** Owns what tests of the client stand on: a real Redis with a prefix of their own, and a raw BullMQ worker as the other side. */
import { randomBytes } from 'node:crypto';
import { type Job, type Processor, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import type { Envelope } from '../../shared/contract-kit/envelope.ts';
import { sealRing } from '../../shared/contract-kit/seal.ts';
import { contractOf, type JobKind } from '../registry.ts';
import { connect } from './connect.ts';
import { readInputText } from './make-job.ts';
import type { Millrace } from './millrace.ts';

export const REDIS_URL = process.env.REDIS_URL;

export class RedisFixture implements AsyncDisposable {
  readonly url = REDIS_URL ?? '';
  readonly prefix = `test-${randomBytes(6).toString('hex')}`;
  readonly seal = randomBytes(32).toString('hex');
  readonly redis = new Redis(this.url, { maxRetriesPerRequest: null });
  readonly #closing: (() => Promise<unknown>)[] = [];

  connect(tenant?: string): Millrace {
    const millrace = connect({ redis: this.url, prefix: this.prefix, seal: this.seal, tenant });
    this.#closing.push(() => millrace.close());
    return millrace;
  }

  /** Runs jobs of a kind with the opened input. */
  worker(kind: JobKind, work: (input: unknown, job: Job<Envelope>) => unknown): Worker {
    const contract = contractOf(kind);
    const ring = sealRing(this.seal);
    const processor: Processor<Envelope> = async (job) =>
      work(JSON.parse(readInputText(contract, job.data, ring)), job);
    const worker = new Worker(kind, processor, {
      connection: this.redis.duplicate(),
      prefix: this.prefix,
    });
    worker.on('error', () => {});
    this.#closing.push(async () => {
      const { connection } = worker.opts;
      await worker.close(true);
      (connection as Redis).disconnect();
    });
    return worker;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#closing.map((close) => close()));
    for await (const keys of this.redis.scanStream({ match: `${this.prefix}:*`, count: 1000 }))
      if (keys.length > 0) await this.redis.unlink(keys as string[]);
    this.redis.disconnect();
  }
}
