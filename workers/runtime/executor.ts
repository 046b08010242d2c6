/**
 * Owns the way of every job, a list of verbs:
 * parse -> authorise -> claim -> load -> compute -> check output -> authorise again and commit -> record -> settle.
 *
 * Invariants
 * 1. Nothing visible changes before the commit; the commit is one update guarded by the fence.
 * 2. Every run ends in exactly one terminal state of the ledger (class `none`: of BullMQ).
 * 3. A run that ended is never computed again: a redelivered job gets the recorded outcome. One that ended without an effect may be
 *    redriven by somebody, which the ledger alone decides; it then is a run as any other.
 */
import type { Job } from 'bullmq';
import type { Envelope } from '../../shared/contract-kit/envelope.ts';
import { AppError } from '../../shared/errors.ts';
import type { Attempt, ExecutorOptions } from './attempt.ts';
import { Effects } from './effects.ts';
import { Deadlines } from './deadlines.ts';
import { reasonOf } from './failure.ts';
import { SUSPECT_AFTER } from './isolation.ts';
import { JobEvents, spanOf } from './job-events.ts';
import { parseEnvelope } from './parse.ts';
import { Settling } from './settling.ts';
import { Verbs } from './verbs.ts';

export class Executor {
  readonly #options: ExecutorOptions;
  readonly #attempts = new Map<string, AbortController>();
  #stopping = false;
  readonly #verbs: Verbs;
  readonly #effects: Effects;
  readonly #settling: Settling;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#verbs = new Verbs(options);
    this.#effects = new Effects(options, this.#verbs);
    this.#settling = new Settling(options);
  }

  /** Resolves once the ledger has been told, as far as it can be, of the runs that ended here. */
  async told(): Promise<void> {
    await this.#verbs.marks.arrived();
  }

  /** Runs one delivery of a job; its result is the contract's output. Throws what BullMQ should record. */
  readonly execute = async (job: Job, token?: string): Promise<unknown> => {
    const { contract, ports } = this.#options;
    const events = new JobEvents(ports.telemetry, contract, job);
    let attempt: Attempt | undefined;
    try {
      const envelope = this.#parse(job);
      const begun = this.#begin(job, envelope, events);
      attempt = begun;
      events.started(envelope);
      // A fetch that was under way when the worker closed may bring a job still, even one that was given back here.
      if (this.#stopping) throw new AppError('WORKER_STOPPING');
      const spanless = ports.telemetry.spans === undefined;
      const work = (): Promise<unknown> => this.#guarded(begun);
      const output = await (spanless ? work() : ports.telemetry.within(spanOf(contract, job, envelope), work));
      await begun.turn.settled();
      return output;
    } catch (thrown) {
      throw await this.#settling.failure(job, token, attempt, events, reasonOf(attempt, thrown, contract));
    } finally {
      attempt?.deadlines.end();
    }
  };

  /** Ends the attempts of these jobs: another worker may have them. */
  lose(jobIds: readonly string[]): void {
    for (const id of jobIds) this.#attempts.get(id)?.abort(new AppError('LEASE_LOST', { details: { jobId: id } }));
  }

  /** The process is about to end: the attempts at work, and jobs that still come, are given back for another worker to begin at once. */
  stop(): void {
    this.#stopping = true;
    for (const controller of this.#attempts.values()) controller.abort(new AppError('WORKER_STOPPING'));
  }

  #parse(job: Job): Envelope {
    const { adapt, contract } = this.#options;
    return parseEnvelope(adapt === undefined ? job : { id: job.id as string, data: adapt(job) }, contract);
  }

  #begin(job: Job, envelope: Envelope, events: JobEvents): Attempt {
    const { contract, isolation } = this.#options;
    const controller = new AbortController();
    const deadlines = new Deadlines(controller, contract.limits);
    return { job, envelope, controller, events, deadlines, turn: isolation.turn(envelope.runKey), fence: 0 };
  }

  /** Runs the verbs while cancel, deadline and lost locks can reach the attempt. */
  async #guarded(attempt: Attempt): Promise<unknown> {
    const { contract, cancels } = this.#options;
    const { job, controller, deadlines, turn } = attempt;
    const id = job.id as string;
    const unwatch = cancels.watch(attempt.envelope.runKey, controller);
    this.#attempts.set(id, controller);
    try {
      // Classes that claim nothing are suspected by their job: each worker that it was lost with.
      const stalls = contract.effect === 'dataset' ? 0 : job.stalledCounter;
      if (stalls >= SUSPECT_AFTER) await turn.alone(controller.signal, { stalls });
      else await turn.enter(controller.signal);
      return await deadlines.hold(this.#effects[contract.effect](attempt));
    } finally {
      turn.leave();
      unwatch();
      this.#attempts.delete(id);
    }
  }
}
