/**
 * Owns what collection must know of jobs: how long one may last, and what those in the queues name. Worker and command ask Redis alike.
 */
import type { Redis } from 'ioredis';
import { REDRIVE_WINDOW_MS } from '../shared/contract-kit/define-job.ts';
import { jobIdOf, schedulesKey } from '../shared/contract-kit/names.ts';
import { CONTRACTS } from './registry.ts';

/** Keys that one step of a scan looks at; their jobs weigh at most 64 KiB each. */
const SCAN_KEYS = 200;

/** Nobody looks for what is older: the longest attempt of any kind, and the time in which a dead letter may come back. */
export const COLLECTION_WINDOW_MS =
  REDRIVE_WINDOW_MS + Math.max(...Object.values(CONTRACTS).map(({ limits }) => limits.durationMsMax));

interface JobPlace {
  readonly runKey: string;
  readonly kind: string;
  readonly jobId?: string;
}

export class RedisJobs {
  readonly #redis: Redis;
  readonly #prefix: string;

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  /**
   * By key, not by state: a scan gives every key that is there all the time, and a job keeps its key while it moves from state to state.
   * Of kinds that this process does not know too; and what schedules will enqueue.
   */
  async *texts(): AsyncGenerator<string, void> {
    yield* await this.#redis.hvals(schedulesKey(this.#prefix));
    let cursor = '0';
    do {
      const pattern = `${this.#prefix}:*:*`;
      const [next, keys] = await this.#redis.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_KEYS, 'TYPE', 'hash');
      cursor = next;
      for (const [finishedOn, failedReason, data] of await this.#read(keys, 'finishedOn', 'failedReason', 'data'))
        if (typeof data === 'string' && (finishedOn === null || failedReason !== null)) yield data;
    } while (cursor !== '0');
  }

  async unfinished(runs: readonly JobPlace[]): Promise<ReadonlySet<string>> {
    const keys = runs.map(({ runKey, kind, jobId }) => `${this.#prefix}:${kind}:${jobId ?? jobIdOf(runKey)}`);
    const found = await this.#read(keys, 'timestamp', 'finishedOn');
    return new Set(runs.flatMap(({ runKey }, n) => (found[n]![0] !== null && found[n]![1] === null ? [runKey] : [])));
  }

  async #read(keys: readonly string[], ...fields: string[]): Promise<(string | null)[][]> {
    const pipeline = this.#redis.pipeline();
    for (const key of keys) pipeline.hmget(key, ...fields);
    const answers = (await pipeline.exec()) ?? [];
    return answers.map(([error, values]) => {
      if (error !== null) throw error;
      return values as (string | null)[];
    });
  }
}
