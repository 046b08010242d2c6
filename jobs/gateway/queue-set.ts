/** Owns the queues of a process that now and then looks into them: opened when first asked for, over one connection that fails fast. */
import { Queue } from 'bullmq';
import type { Config } from '../../shared/config.ts';
import { RedisConnection } from '../client/redis-connection.ts';

export class QueueSet implements AsyncDisposable {
  readonly #connection: RedisConnection;
  readonly #prefix: string;
  readonly #queues = new Map<string, Queue>();

  constructor({ redisUrl, redisTls, prefix }: Pick<Config, 'redisUrl' | 'redisTls' | 'prefix'>) {
    this.#connection = new RedisConnection(redisUrl, redisTls);
    this.#prefix = prefix;
  }

  /** Throws SERVICE_UNAVAILABLE while Redis is away: queues would wait for it for ever. */
  readonly get = async (kind: string): Promise<Queue> => {
    const redis = await this.#connection.ready();
    let queue = this.#queues.get(kind);
    if (queue === undefined) {
      queue = new Queue(kind, { connection: redis, prefix: this.#prefix });
      queue.on('error', () => {}); // each command reports its own fault
      this.#queues.set(kind, queue);
    }
    return queue;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([...this.#queues.values()].map((queue) => queue.close()));
    this.#connection.close();
  }
}
