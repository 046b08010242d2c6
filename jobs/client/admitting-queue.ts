/**
 * Owns the adding of jobs to the queue of a kind: made jobs in, one round trip, coded refusals out. What callers add at the same
 * moment travels together.
 */
import { type JobJson, Queue, type RedisQueueBackend } from 'bullmq';
import type { Redis } from 'ioredis';
import { backlogKey } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';
import { type Adding, admittingScripts, refusalOf } from './admission.ts';
import type { MadeJob } from './make-job.ts';

/** Jobs of one script: Redis does nothing else meanwhile, about a millisecond. */
const CALL_JOBS_MAX = 32;

interface Waiting {
  readonly job: MadeJob;
  /** With an error: the job is not in. */
  readonly answer: (error?: unknown) => void;
}

export class AdmittingQueue {
  readonly queue: Queue;
  readonly #redis: Redis;
  readonly #backlogKey: string;
  readonly #backend: RedisQueueBackend;
  #waiting: Waiting[] = [];
  /** Scripts that are under way. */
  #calls = 0;

  constructor(kind: string, redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#backlogKey = backlogKey(prefix, kind);
    this.queue = new Queue(kind, { connection: redis, prefix });
    this.queue.on('error', () => {}); // the connection's owner reports; each command reports its own fault
    this.#backend = this.queue.getBackend();
    for (const [name, { lua }] of admittingScripts())
      if (!(commandOf(name) in redis)) redis.defineCommand(commandOf(name), { lua });
  }

  /**
   * Adds jobs; one whose id exists already changes nothing. Throws LIMIT_QUEUE_FULL and LIMIT_RATE with the number of jobs that
   * are in nevertheless, in `details.accepted`.
   */
  add(jobs: readonly MadeJob[]): Promise<void> {
    if (jobs.length === 0) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let left = jobs.length;
    let accepted = 0;
    let failure: { readonly error: unknown } | undefined;
    const answer = (error?: unknown): void => {
      left -= 1;
      if (error === undefined) accepted += 1;
      else failure ??= { error };
      if (left > 0) return;
      if (failure === undefined) resolve();
      else reject(isRefusal(failure.error) ? withAccepted(failure.error, accepted) : failure.error);
    };
    // After everything that callers who were woken together do at once.
    if (this.#waiting.length === 0) process.nextTick(() => this.#send());
    for (const job of jobs) this.#waiting.push({ job, answer });
    return promise;
  }

  #send(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    // With nothing under way in halves: Redis works on the second while the answers of the first are heard, and so on from then.
    const most = this.#calls > 0 ? CALL_JOBS_MAX : Math.min(CALL_JOBS_MAX, Math.ceil(waiting.length / 2));
    let from = 0;
    for (let to = 1; to <= waiting.length; to++) {
      const [first, next] = [waiting[from]?.job, waiting[to]?.job];
      if (to - from < most && first !== undefined && next !== undefined && goTogether(first, next)) continue;
      void this.#call(waiting.slice(from, to));
      from = to;
    }
  }

  /** Never rejects: whatever goes wrong is the answer of each job. */
  async #call(group: readonly Waiting[]): Promise<void> {
    this.#calls += 1;
    try {
      const call = new CollectedCall();
      for (const { job } of group) {
        const { data, opts, name } = job;
        const json = { id: opts.jobId, name, data: JSON.stringify(data), opts, timestamp: Date.now() };
        // Of a new job BullMQ reads no more than this. The call is collected before it returns.
        this.#backend.addJobToTransaction(call as never, json as JobJson, opts.jobId).catch(() => {});
      }
      const { name, queueKeys, args } = call.collected();
      const { tenant } = (group[0] as Waiting).job.data;
      const { backlogMax, source = '' } = (group[0] as Waiting).job;
      const keys = [...queueKeys, this.#backlogKey, ...group.map(({ job }) => this.queue.toKey(job.opts.jobId))];
      const commands = this.#redis as unknown as Record<string, (args: readonly unknown[]) => Promise<string[]>>;
      const answers = await commands[commandOf(name)]?.([keys.length, ...keys, tenant, backlogMax, source, ...args]);
      const about = { kind: this.queue.name, tenant };
      for (const [at, { answer }] of group.entries()) answer(refusalOf(answers?.[at] ?? '', about));
    } catch (error) {
      for (const { answer } of group) answer(error ?? new AppError('INTERNAL'));
    } finally {
      this.#calls -= 1;
    }
  }

  close(): Promise<void> {
    return this.queue.close();
  }
}

const commandOf = (name: Adding): string => `millrace:${name}`;
const isDelayed = ({ opts }: MadeJob): boolean => opts.delay !== undefined && opts.delay > 0;

/** One script adds jobs of one tenant and source, in one way. */
const goTogether = (a: MadeJob, b: MadeJob): boolean =>
  a.data.tenant === b.data.tenant &&
  a.backlogMax === b.backlogMax &&
  a.source === b.source &&
  isDelayed(a) === isDelayed(b);

/** Stands where BullMQ expects a transaction, and collects what it would write there. */
class CollectedCall {
  #name: Adding | undefined;
  #queueKeys: readonly (string | Buffer)[] = [];
  readonly #args: (string | Buffer)[] = [];

  runCommand(versioned: string, args: readonly (string | Buffer)[]): this {
    const name = versioned.split(':')[0] as Adding;
    const script = admittingScripts().get(name);
    if (script !== undefined) {
      this.#name = name;
      this.#queueKeys = args.slice(0, script.numberOfKeys);
      this.#args.push(...args.slice(script.numberOfKeys));
    }
    return this;
  }

  collected() {
    if (this.#name === undefined) throw new AppError('INTERNAL', { message: 'BullMQ adds jobs in an unknown way.' });
    return { name: this.#name, queueKeys: this.#queueKeys, args: this.#args };
  }
}

const isRefusal = (error: unknown): error is AppError =>
  error instanceof AppError && (error.code === 'LIMIT_QUEUE_FULL' || error.code === 'LIMIT_RATE');

function withAccepted(refusal: AppError, accepted: number): AppError {
  return new AppError(refusal.code, { details: { ...refusal.details, accepted } });
}
