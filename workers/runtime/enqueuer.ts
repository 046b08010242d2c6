/** Owns how the runtime itself enqueues jobs (steps, intents): the same making of jobs as the client's, payloads straight into the store. */
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { AdmittingQueue } from '../../jobs/client/admitting-queue.ts';
import { type JobPlace, type MadeJob, makeJob } from '../../jobs/client/make-job.ts';
import type { Contract } from '../../shared/contract-kit/define-job.ts';
import { jobIdOf } from '../../shared/contract-kit/names.ts';
import type { SealRing } from '../../shared/contract-kit/seal.ts';
import { AppError } from '../../shared/errors.ts';
import type { Telemetry } from '../../shared/telemetry/stream.ts';
import type { Claims } from '../../shared/store/ports.ts';
import { recountBacklog } from './backlog.ts';

export interface EnqueuerOptions {
  readonly redis: Redis;
  readonly prefix: string;
  readonly contracts: Readonly<Record<string, Contract>>;
  readonly claims: Claims;
  readonly ring: SealRing | undefined;
  readonly telemetry?: Telemetry;
}

export class Enqueuer implements AsyncDisposable {
  readonly #options: EnqueuerOptions;
  readonly #queues = new Map<string, AdmittingQueue>();

  constructor(options: EnqueuerOptions) {
    this.#options = options;
  }

  get kinds(): readonly string[] {
    return Object.keys(this.#options.contracts);
  }

  contract(kind: string): Contract {
    const found = this.#options.contracts[kind];
    if (found === undefined)
      throw new AppError('KIND_UNKNOWN', { details: { kind, known: Object.keys(this.#options.contracts) } });
    return found;
  }

  queue(kind: string): Queue {
    return this.#admitting(kind).queue;
  }

  #admitting(kind: string): AdmittingQueue {
    let queue = this.#queues.get(kind);
    if (queue === undefined) {
      const { redis, prefix } = this.#options;
      queue = new AdmittingQueue(kind, redis, prefix);
      this.#queues.set(kind, queue);
    }
    return queue;
  }

  /** Adds a job; adding the same run key again changes nothing. Returns its run key. */
  async enqueue(kind: string, input: unknown, place: Omit<JobPlace, 'ring'>): Promise<string> {
    const { ring, claims, telemetry } = this.#options;
    const made = makeJob(this.contract(kind), input, { trace: telemetry?.spans?.current(), ...place, ring });
    const queue = this.queue(kind);
    // A repair asks again and again: a payload is stored only where its job is not there yet.
    if (!made.fits && place.runKey !== undefined && (await queue.getJob(jobIdOf(place.runKey))) !== undefined)
      return place.runKey;
    const job: MadeJob = made.fits
      ? made.job
      : made.withClaim(await claims.put(place.tenant, Buffer.from(made.body), made.unclaimed.data.runKey));
    // What has begun is never refused: bounds hold for callers.
    await this.add({ ...job, backlogMax: 0 });
    return job.data.runKey;
  }

  /** Makes a job whose input is known to be small. */
  make(kind: string, input: unknown, place: Omit<JobPlace, 'ring'>): MadeJob {
    const made = makeJob(this.contract(kind), input, { ...place, ring: this.#options.ring });
    if (!made.fits) throw new AppError('INPUT_TOO_LARGE', { details: { kind } });
    return made.job;
  }

  /** Adds a job that is made already. Throws LIMIT_QUEUE_FULL and LIMIT_RATE. */
  async add(job: MadeJob): Promise<void> {
    await this.#admitting(job.name).add([job]);
    const { runKey } = job.data;
    this.#options.telemetry?.emit('job.enqueued', { kind: job.name, jobId: job.opts.jobId, runKey, by: 'runtime' });
  }

  /** Adds a job whose payload must lie in the store first, unless it is there already. */
  async addWithPayload(job: MadeJob, body: string): Promise<void> {
    if ((await this.queue(job.name).getJob(job.opts.jobId)) !== undefined) return;
    const claim = await this.#options.claims.put(job.data.tenant, Buffer.from(body), job.data.runKey);
    await this.add({ ...job, data: { ...job.data, claim } });
  }

  /** Mends the counters of unfinished jobs, should they have drifted. */
  async recount(kind: string): Promise<void> {
    await recountBacklog(this.#options.redis, this.#options.prefix, kind);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
  }
}
