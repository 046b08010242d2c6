/**
 * Owns following jobs of one kind over BullMQ's event stream: one blocking connection per kind, however many handles wait.
 *
 * No end is missed: the stream is read from the last entry seen before the first listener's job was read, and each
 * listener reads its job once after it is registered. A stream that was trimmed past us, or a lost connection, is made
 * good by reading the watched jobs again from time to time.
 */
import { QueueEvents } from 'bullmq';
import type { Redis } from 'ioredis';
import type { RedisConnection } from './redis-connection.ts';
import type { JobEnd, JobListener, StoredJob } from './transport.ts';

/** The connection is kept this long after the last listener left. */
const IDLE_MS = 5_000;
const SWEEP_MS = 10_000;
/** Jobs that one sweep reads at most. */
const SWEEP_JOBS_MAX = 500;

export interface JobWatchOptions {
  readonly kind: string;
  readonly prefix: string;
  readonly connection: RedisConnection;
  readonly read: (id: string) => Promise<StoredJob | undefined>;
}

/** What a look at a job tells without its payload, which may be as large as an envelope. */
type Glance = { readonly ended: false; readonly progress: unknown } | { readonly ended: true };

interface Running {
  readonly events: QueueEvents;
  readonly connection: Redis;
  readonly sweep: NodeJS.Timeout;
}

export class JobWatch {
  readonly #options: JobWatchOptions;
  readonly #listeners = new Map<string, Set<JobListener>>();
  #running: Promise<Running> | undefined;
  #idle: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: JobWatchOptions) {
    this.#options = options;
  }

  watch(id: string, listener: JobListener): () => void {
    clearTimeout(this.#idle);
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners.add(listener));
    this.#running ??= this.#start();
    this.#running.then(
      () => this.#look(id, listener),
      (error: unknown) => {
        this.#running = undefined;
        if (this.#drop(id, listener)) listener.failed(error);
      },
    );
    return () => {
      this.#drop(id, listener);
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#idle);
    const abandoned = [...this.#listeners.values()];
    this.#listeners.clear();
    const error = this.#options.connection.unavailable(new Error('the client was closed'));
    for (const listeners of abandoned) for (const listener of listeners) listener.failed(error);
    await this.#stop();
  }

  /** Reads the job once, to tell what happened before the listener came. */
  async #look(id: string, listener: JobListener): Promise<void> {
    if (this.#listeners.get(id)?.has(listener) !== true) return;
    try {
      const glance = await this.#glance(id);
      const end = glance.ended ? endOf(await this.#options.read(id)) : undefined;
      if (this.#listeners.get(id)?.has(listener) !== true) return;
      if (end === undefined) {
        if (!glance.ended) listener.progress?.(glance.progress);
        return;
      }
      if (this.#drop(id, listener)) listener.end(end);
    } catch (error) {
      if (this.#drop(id, listener)) listener.failed(error);
    }
  }

  /** One round trip without the payload. `ended` also stands for jobs that are not there: the whole job then tells. */
  async #glance(id: string): Promise<Glance> {
    const { kind, prefix, connection } = this.#options;
    const fields = ['timestamp', 'finishedOn', 'progress'] as const;
    const [made, finished, progress] = await connection.run((redis) =>
      redis.hmget(`${prefix}:${kind}:${id}`, ...fields),
    );
    if (typeof made !== 'string' || typeof finished === 'string') return { ended: true };
    return { ended: false, progress: typeof progress === 'string' ? (JSON.parse(progress) as unknown) : 0 };
  }

  async #start(): Promise<Running> {
    const { kind, prefix, connection } = this.#options;
    const last = await connection.run((redis) => redis.xrevrange(`${prefix}:${kind}:events`, '+', '-', 'COUNT', 1));
    const blocking = connection.dedicated();
    const events = new QueueEvents(kind, { connection: blocking, prefix, lastEventId: last[0]?.[0] ?? '0' });
    events.on('error', () => {}); // it reconnects by itself; the sweep covers the gap
    events.on('progress', ({ jobId, data }) => {
      for (const listener of this.#listeners.get(jobId) ?? []) listener.progress?.(data);
    });
    events.on('completed', ({ jobId, returnvalue }) =>
      this.#end(jobId, { how: 'completed', returnValue: returnvalue }),
    );
    events.on('failed', ({ jobId, failedReason }) => this.#end(jobId, { how: 'failed', failedReason }));
    const sweep = setInterval(() => void this.#sweep(), SWEEP_MS).unref();
    return { events, connection: blocking, sweep };
  }

  #end(id: string, end: JobEnd): void {
    const listeners = this.#listeners.get(id);
    if (listeners === undefined) return;
    this.#listeners.delete(id);
    for (const listener of listeners) listener.end(end);
    this.#restWhenIdle();
  }

  #drop(id: string, listener: JobListener): boolean {
    const listeners = this.#listeners.get(id);
    if (listeners?.delete(listener) !== true) return false;
    if (listeners.size === 0) this.#listeners.delete(id);
    this.#restWhenIdle();
    return true;
  }

  #restWhenIdle(): void {
    if (this.#listeners.size > 0 || this.#closed) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.#stop(), IDLE_MS).unref();
  }

  async #stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    if (running === undefined) return;
    const started = await running.catch(() => undefined);
    if (started === undefined) return;
    clearInterval(started.sweep);
    started.connection.disconnect();
    await started.events.close().catch(() => {});
  }

  async #sweep(): Promise<void> {
    for (const id of [...this.#listeners.keys()].slice(0, SWEEP_JOBS_MAX)) {
      try {
        const end = (await this.#glance(id)).ended ? endOf(await this.#options.read(id)) : undefined;
        if (end !== undefined) this.#end(id, end);
      } catch {
        return; // Redis is away: the next sweep tries again
      }
    }
  }
}

function endOf(stored: StoredJob | undefined): JobEnd | undefined {
  if (stored === undefined) return { how: 'gone' };
  if (stored.state === 'completed') return { how: 'completed', returnValue: stored.returnValue };
  if (stored.state === 'failed') return { how: 'failed', failedReason: stored.failedReason ?? '' };
  return undefined;
}
