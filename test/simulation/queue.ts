/** Owns the queue of a simulated world: jobs in their states, as BullMQ keeps them, and what becomes of a delivery. A lock that was lost settles nothing. */
import { DelayedError, type Job, UnrecoverableError } from 'bullmq';
import type { MadeJob } from '../../jobs/client/make-job.ts';
import type { Envelope } from '../../shared/contract-kit/envelope.ts';
import type { Enqueuer } from '../../workers/runtime/enqueuer.ts';
import type { Contract } from '../../shared/contract-kit/define-job.ts';

export type JobState = 'waiting' | 'active' | 'delayed' | 'completed' | 'failed';

export interface SimulatedJob {
  readonly id: string;
  readonly kind: string;
  data: Envelope;
  readonly attempts: number;
  state: JobState;
  attemptsMade: number;
  attemptsStarted: number;
  stalledCounter: number;
  /** Of a delayed one. */
  dueAt: number;
  /** Who holds its lock. */
  token: number;
  /** The moment it was asked for. */
  readonly addedAt: number;
}

/** BullMQ's names of states. */
const STATES: Readonly<Record<string, JobState>> = {
  wait: 'waiting',
  delayed: 'delayed',
  active: 'active',
  completed: 'completed',
  failed: 'failed',
};

export class SimulatedQueue {
  readonly jobs = new Map<string, SimulatedJob>();
  readonly #now: () => number;
  #tokens = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Adding what is there changes nothing. */
  add({ data, opts }: MadeJob, addedAt: number): SimulatedJob {
    const id = `${data.kind}:${opts.jobId}`;
    const there = this.jobs.get(id);
    if (there !== undefined) return there;
    const counts = { attemptsMade: 0, attemptsStarted: 0, stalledCounter: 0 };
    const dueAt = opts.delay === undefined ? 0 : this.#now() + opts.delay;
    const state = dueAt > 0 ? ('delayed' as const) : ('waiting' as const);
    const attempts = opts.attempts ?? 1;
    const job = { id: opts.jobId, kind: data.kind, data, attempts, ...counts, state, dueAt, token: 0, addedAt };
    this.jobs.set(id, job);
    return job;
  }

  in(...states: readonly JobState[]): SimulatedJob[] {
    return [...this.jobs.values()].filter(({ state }) => states.includes(state));
  }

  /** Delayed jobs whose time has come wait again. */
  promote(): void {
    for (const job of this.in('delayed')) if (job.dueAt <= this.#now()) job.state = 'waiting';
  }

  /** Begins a delivery: the job as the executor sees it, and the lock that it holds. */
  take(job: SimulatedJob): { readonly delivered: Job; readonly token: number } {
    const token = ++this.#tokens;
    Object.assign(job, { state: 'active', token, attemptsStarted: job.attemptsStarted + 1 });
    const { id, data, attemptsMade, attemptsStarted, stalledCounter, attempts } = job;
    const delivered = {
      id,
      data,
      attemptsMade,
      attemptsStarted,
      stalledCounter,
      opts: { attempts },
      timestamp: 0,
      updateProgress: async () => {},
      moveToDelayed: async (dueAt: number) => {
        if (job.token !== token) throw new Error('Missing lock');
        Object.assign(job, { state: 'delayed', dueAt, token: 0 });
      },
    };
    return { delivered: delivered as unknown as Job, token };
  }

  /** Its worker is gone, or taken for gone: somebody else may have it. */
  lose(job: SimulatedJob): void {
    if (job.state === 'active')
      Object.assign(job, { state: 'waiting', token: 0, stalledCounter: job.stalledCounter + 1 });
  }

  /** What a delivery ended with; only the holder of the lock is heard. */
  settle(job: SimulatedJob, token: number, failure: unknown): void {
    if (job.token !== token || failure instanceof DelayedError) return;
    job.token = 0;
    if (failure === undefined) job.state = 'completed';
    else {
      job.attemptsMade += 1;
      const isOver = failure instanceof UnrecoverableError || job.attemptsMade >= job.attempts;
      job.state = isOver ? 'failed' : 'waiting';
    }
  }

  /** Gives a failed job back. */
  retry(job: SimulatedJob): void {
    Object.assign(job, { state: 'waiting', attemptsMade: 0, attemptsStarted: 0, stalledCounter: 0 });
  }

  /** As what takes people out of payloads sees it. */
  enqueuer(contracts: ReadonlyMap<string, Contract>): Enqueuer {
    const seen = (job: SimulatedJob) => ({
      data: job.data,
      getState: async () => job.state,
      updateData: async (data: Envelope) => {
        job.data = data;
      },
    });
    return {
      kinds: [...contracts.keys()],
      contract: (kind: string) => contracts.get(kind),
      queue: (kind: string) => ({
        getJobs: async ([state]: [string], from: number, to: number) =>
          this.in(STATES[state] ?? 'waiting')
            .filter((job) => job.kind === kind && STATES[state] !== undefined)
            .slice(from, to + 1)
            .map(seen),
        getJob: async (id: string) => {
          const job = this.jobs.get(`${kind}:${id}`);
          return job === undefined ? undefined : seen(job);
        },
      }),
    } as unknown as Enqueuer;
  }
}
