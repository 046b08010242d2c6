/** Owns carrying jobs over Redis: BullMQ queues on one shared producer connection, watches on connections of their own. */
import type { Job, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { type Envelope, type ScheduleRecord, scheduleRecordSchema } from '../../shared/contract-kit/envelope.ts';
import {
  pipelineChannel,
  pipelineKey,
  pipelineProgressField,
  removedSchedulesKey,
  schedulesKey,
} from '../../shared/contract-kit/names.ts';
import type { JobKind } from '../registry.ts';
import type { TlsTrust } from '../../shared/contract-kit/tls.ts';
import { AdmittingQueue } from './admitting-queue.ts';
import { markCancelled } from './cancel-mark.ts';
import { JobWatch } from './job-watch.ts';
import type { MadeJob } from './make-job.ts';
import { RedisConnection } from './redis-connection.ts';
import { parsedOrUndefined, readStoredSchedules } from './declared-schedules.ts';
import type { JobListener, StoredJob, StoredSchedule, Transport } from './transport.ts';

/** A pipeline's mirror is read again at least this often, should an announcement be lost. */
const MIRROR_SWEEP_MS = 5_000;

export interface RedisTransportOptions {
  readonly url: string;
  readonly tls?: TlsTrust | undefined;
  readonly prefix: string;
  readonly tenant: string;
  /** Keeps jobs that must outlive Redis. */
  readonly journal?: EnqueueJournal;
}

/** Where jobs are written down before they are added. */
export interface EnqueueJournal {
  /** Resolves to what takes them back, should they be refused. */
  write(jobs: readonly MadeJob[]): Promise<() => Promise<void>>;
}

export class RedisTransport implements Transport {
  readonly #journal: EnqueueJournal | undefined;
  readonly #prefix: string;
  readonly #tenant: string;
  readonly #connection: RedisConnection;
  readonly #queues = new Map<JobKind, Promise<AdmittingQueue>>();
  readonly #watches = new Map<JobKind, JobWatch>();
  readonly #mirrors = new Map<string, Set<() => void>>();
  #subscriber: Redis | undefined;

  constructor({ url, tls, prefix, tenant, journal }: RedisTransportOptions) {
    this.#journal = journal;
    this.#prefix = prefix;
    this.#tenant = tenant;
    this.#connection = new RedisConnection(url, tls);
  }

  async add(kind: JobKind, jobs: readonly MadeJob[], signal?: AbortSignal): Promise<void> {
    const takeBack = await this.#journal?.write(jobs);
    try {
      await this.#onAdmitting(kind, (queue) => {
        signal?.throwIfAborted();
        return queue.add(jobs);
      });
    } catch (error) {
      // Who is told that it failed must not find it done later; with a key it may ask again.
      await takeBack?.();
      throw error;
    }
  }

  storedHashes(kind: JobKind, ids: readonly string[]): Promise<(string | undefined)[]> {
    return this.#onQueue(kind, async (queue) => {
      const { redis } = this.#connection;
      const texts = await Promise.all(ids.map((id) => redis.hget(queue.toKey(id), 'data')));
      return texts.map((text) => (text === null ? undefined : (JSON.parse(text) as Envelope).inputHash));
    });
  }

  read(kind: JobKind, id: string): Promise<StoredJob | undefined> {
    return this.#onQueue(kind, async (queue) => {
      const job = (await queue.getJob(id)) as Job<Envelope, unknown> | undefined;
      if (job === undefined) return undefined;
      const state = stateOf(await job.getState());
      if (state === undefined) return undefined;
      // The end may have come between the two reads: read again, now that it is final.
      const ended = (state === 'completed' || state === 'failed') && job.finishedOn === undefined;
      const last = ended ? ((await queue.getJob(id)) as Job<Envelope, unknown> | undefined) : job;
      if (last === undefined) return undefined;
      const { data, progress, returnvalue, failedReason } = last;
      return { id, envelope: data, state, progress, returnValue: returnvalue, failedReason };
    });
  }

  watch(kind: JobKind, id: string, listener: JobListener): () => void {
    let watch = this.#watches.get(kind);
    if (watch === undefined) {
      const read = (jobId: string) => this.read(kind, jobId);
      watch = new JobWatch({ kind, prefix: this.#prefix, connection: this.#connection, read });
      this.#watches.set(kind, watch);
    }
    return watch.watch(id, listener);
  }

  async cancel(runKey: string): Promise<void> {
    await this.#connection.run((redis) => markCancelled(redis, this.#prefix, runKey));
  }

  async readPipeline(id: string): Promise<unknown> {
    const fields = await this.#connection.run((redis) => redis.hgetall(pipelineKey(this.#prefix, this.#tenant, id)));
    return fields.document === undefined ? undefined : withProgress(JSON.parse(fields.document), fields);
  }

  watchPipeline(id: string, changed: () => void): () => void {
    const channel = pipelineChannel(this.#prefix, this.#tenant, id);
    const listeners = this.#mirrors.get(channel) ?? new Set();
    this.#mirrors.set(channel, listeners.add(changed));
    const subscriber = (this.#subscriber ??= this.#subscribe());
    subscriber.subscribe(channel).then(changed, changed);
    const sweep = setInterval(changed, MIRROR_SWEEP_MS);
    return () => {
      clearInterval(sweep);
      listeners.delete(changed);
      if (listeners.size > 0) return;
      this.#mirrors.delete(channel);
      subscriber.unsubscribe(channel).catch(() => {});
    };
  }

  async readSchedule(id: string): Promise<ScheduleRecord | undefined> {
    const text = await this.#connection.run((redis) => redis.hget(schedulesKey(this.#prefix), id));
    return text === null ? undefined : parsedOrUndefined(scheduleRecordSchema, text);
  }

  listSchedules(): Promise<StoredSchedule[]> {
    return this.#connection.run((redis) => readStoredSchedules(redis, this.#prefix));
  }

  async writeSchedule(id: string, record: ScheduleRecord): Promise<void> {
    await this.#connection.run((redis) =>
      redis
        .multi()
        .hset(schedulesKey(this.#prefix), id, JSON.stringify(record))
        .hdel(removedSchedulesKey(this.#prefix), id)
        .exec(),
    );
  }

  async removeSchedule(id: string): Promise<boolean> {
    const removed = removedSchedulesKey(this.#prefix);
    const done = await this.#connection.run((redis) =>
      redis.multi().hsetnx(removed, id, '1').hdel(schedulesKey(this.#prefix), id).exec(),
    );
    const [noted, wasThere] = (done ?? []).map(([, result]) => result === 1);
    // There was none, and none was removed before: nothing to remember.
    if (noted === true && wasThere !== true) await this.#connection.run((redis) => redis.hdel(removed, id));
    return wasThere === true;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#watches.values()].map((watch) => watch.close()));
    this.#subscriber?.disconnect();
    const queues = await Promise.allSettled(this.#queues.values());
    await Promise.allSettled(queues.filter((queue) => queue.status === 'fulfilled').map(({ value }) => value.close()));
    this.#connection.close();
  }

  #subscribe(): Redis {
    const subscriber = this.#connection.dedicated();
    subscriber.on('message', (channel: string) => {
      for (const changed of this.#mirrors.get(channel) ?? []) changed();
    });
    return subscriber;
  }

  #onQueue<T>(kind: JobKind, commands: (queue: Queue) => Promise<T>): Promise<T> {
    return this.#onAdmitting(kind, ({ queue }) => commands(queue));
  }

  async #onAdmitting<T>(kind: JobKind, commands: (queue: AdmittingQueue) => Promise<T>): Promise<T> {
    return this.#connection.run(async (redis) => {
      let opening = this.#queues.get(kind);
      if (opening === undefined) {
        opening = openQueue(kind, redis, this.#prefix);
        this.#queues.set(kind, opening);
        opening.catch(() => this.#queues.delete(kind));
      }
      return commands(await opening);
    });
  }
}

async function openQueue(kind: JobKind, redis: Redis, prefix: string): Promise<AdmittingQueue> {
  const admitting = new AdmittingQueue(kind, redis, prefix);
  await admitting.queue.waitUntilReady();
  return admitting;
}

function stateOf(state: string): StoredJob['state'] | undefined {
  switch (state) {
    case 'completed':
    case 'failed':
    case 'active':
    case 'delayed':
      return state;
    case 'unknown':
      return undefined;
    default:
      return 'waiting'; // waiting, prioritized, waiting-children
  }
}

/** The mirrored document with the newest progress of its steps, which lies in fields of its own: it changes far more often. */
function withProgress(document: unknown, fields: Readonly<Record<string, string>>): unknown {
  if (typeof document !== 'object' || document === null || !('steps' in document)) return document;
  const steps = Object.entries(document.steps as Record<string, object>).map(([name, step]) => {
    const progress = fields[pipelineProgressField(name)];
    return [name, progress === undefined ? step : { ...step, progress: JSON.parse(progress) as unknown }];
  });
  return { ...document, steps: Object.fromEntries(steps) as unknown };
}
