/** Owns the same scenario on plain BullMQ: who asks, and what the effects say afterwards. */
import { setTimeout as pause } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import type { Db } from 'mongodb';
import type { Violation } from './check.ts';
import { PLAIN_QUEUE, type PointName } from './contracts.ts';
import type { Forgetting } from './redis-pair.ts';
import type { JobPlan } from './schedule.ts';
import type { Strikes } from './strikes.ts';

const AGAIN_MS = 200;

/** Plain BullMQ has no ledger: the place nearest to that of ours. */
function placeOf(at: PointName): PointName {
  if (at === 'before-claim' || at === 'claimed') return 'loaded';
  return at === 'marked' ? 'followed' : at;
}

export class PlainProducer implements AsyncDisposable {
  readonly asked: { readonly jobId: string; readonly at: number }[] = [];
  readonly #redis: Redis;
  readonly #queue: Queue;

  constructor(redisUrl: string, prefix: string) {
    this.#redis = new Redis(redisUrl, { maxRetriesPerRequest: 0, enableOfflineQueue: false });
    this.#redis.on('error', () => {});
    this.#queue = new Queue(PLAIN_QUEUE, { connection: this.#redis, prefix });
    this.#queue.on('error', () => {});
  }

  /** The jobs of the chaos kinds; the others have no counterpart. */
  async ask(plan: JobPlan, strikes: Strikes): Promise<void> {
    if (!('input' in plan) || plan.isCancelled || plan.input.fail === 'always') return;
    const jobId = `job-${plan.n}`;
    if (plan.strike !== undefined) strikes.plan({ ...plan.strike, at: placeOf(plan.strike.at), key: jobId });
    const options = { jobId, attempts: 5, backoff: { type: 'exponential', delay: 1_000 } };
    for (let left = plan.isRepeated ? 2 : 1; left > 0; ) {
      try {
        await this.#queue.add('plain', plan.input, options);
        left--;
      } catch {
        await pause(AGAIN_MS);
      }
    }
    this.asked.push({ jobId, at: Date.now() });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.close();
    this.#redis.disconnect();
  }
}

export interface PlainJudgement {
  readonly violations: readonly Violation[];
  readonly states: Readonly<Record<string, number>>;
  readonly queued: number;
  readonly forgotten: number;
}

export interface PlainRun {
  readonly db: Db;
  readonly redis: Redis;
  readonly prefix: string;
  readonly asked: readonly { readonly jobId: string; readonly at: number }[];
  readonly forgettings: readonly Forgetting[];
}

export async function judgePlain({ db, redis, prefix, asked, forgettings }: PlainRun): Promise<PlainJudgement> {
  const key = (name: string): string => `${prefix}:${PLAIN_QUEUE}:${name}`;
  const completed = new Set(await redis.zrange(key('completed'), '0', '-1'));
  const failed = new Set(await redis.zrange(key('failed'), '0', '-1'));
  const there = new Set(await redis.keys(key('job-*')));
  const effects = await db.collection<{ key: string }>('plain_effects').find().toArray();
  const times = Map.groupBy(effects, (effect) => effect.key);
  const violations: Violation[] = [];
  let queued = 0;
  let forgotten = 0;
  for (const { jobId, at } of asked) {
    const violate = (sort: Violation['sort'], what: string) => violations.push({ sort, what: `${jobId}: ${what}` });
    const count = times.get(jobId)?.length ?? 0;
    const mayBeForgotten = forgettings.some(({ from, until }) => from <= at && at <= until);
    if (count > 1) violate('doubled', `${count} effects`);
    else if (failed.has(jobId) && count === 1) violate('doubled', 'failed, with an effect');
    else if (completed.has(jobId) && count === 0) violate('lost', 'completed without an effect');
    else if (failed.has(jobId)) {
      const reason = (await redis.hget(key(jobId), 'failedReason')) ?? '';
      if (/stalled/.test(reason)) violate('lost', `given up unasked (${reason})`);
    }
    if (completed.has(jobId) || failed.has(jobId)) continue;
    if (there.has(key(jobId)) || !mayBeForgotten) {
      queued++;
      violate('stuck', 'has not ended');
    } else if (count === 0) forgotten++;
  }
  return { violations, states: { completed: completed.size, failed: failed.size }, queued, forgotten };
}
