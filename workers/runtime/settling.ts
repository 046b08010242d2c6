/** Owns the last verb: how an attempt that failed is settled with BullMQ and the ledger, which hears of an end first. */
import { DelayedError, type Job, UnrecoverableError } from 'bullmq';
import type { AppError } from '../../shared/errors.ts';
import type { Attempt, ExecutorOptions } from './attempt.ts';
import { codedFailure, delayOf, EndedRun, endingOf } from './failure.ts';
import { follow } from './follow.ts';
import type { JobEvents } from './job-events.ts';

/** A job that this process cannot run is put off so often: ten minutes at least. */
const LATER_TURNS_MAX = 120;

export class Settling {
  readonly #options: ExecutorOptions;

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  /** Decides what BullMQ is told: retry, wait, or the end; the ledger hears of an end first. */
  async failure(
    job: Job,
    token: string | undefined,
    attempt: Attempt | undefined,
    events: JobEvents,
    failure: AppError,
  ): Promise<Error> {
    const { ports, contract } = this.#options;
    if (failure.code !== 'LEASE_LOST' && failure.code !== 'ISOLATION_BUSY') await attempt?.turn.settled();
    if (failure instanceof EndedRun) return new UnrecoverableError(JSON.stringify(failure.outcome));
    if (failure.code === 'LEASE_LOST') {
      events.failed('job.lost', failure);
      return new Error(JSON.stringify(failure));
    }
    const delayMs = delayOf(failure);
    // The job's own age says nothing: it may have waited long in a backlog, and a tick is made a period ahead.
    const isWaiting = failure.code === 'ISOLATION_BUSY'; // as long as its neighbours work: their deadlines bound it
    if (delayMs !== undefined && (isWaiting || job.attemptsStarted - job.attemptsMade < LATER_TURNS_MAX)) {
      if (!isWaiting) await this.#settle(attempt, failure);
      await job.moveToDelayed(ports.clock.now() + delayMs, token);
      events.deferred(failure, delayMs);
      return new DelayedError();
    }
    if (failure.code === 'FOLLOW_PENDING') return new Error(JSON.stringify(failure));
    if (failure.retry === 'backoff' && job.attemptsMade + 1 < (job.opts.attempts ?? 1)) {
      events.failed('job.retried', failure);
      await this.#settle(attempt, failure);
      return new Error(JSON.stringify(failure));
    }
    events.failed(endingOf(failure, contract), failure);
    if (attempt !== undefined) await this.#end(attempt, failure);
    return new UnrecoverableError(JSON.stringify(failure));
  }

  /** An attempt that ended in words did not kill its process. */
  async #settle(attempt: Attempt | undefined, failure: AppError): Promise<void> {
    if (attempt === undefined || attempt.fence === 0) return;
    const { ledger } = this.#options.ports.store;
    await this.#tellLedger(() => ledger.settle(attempt.envelope.runKey, attempt.fence, failure.toJSON()));
  }

  async #end(attempt: Attempt, failure: AppError): Promise<void> {
    const { contract, ports, relay } = this.#options;
    // Of class `record` a run that was redriven is there; of any other the sweeper tells the ledger.
    if (contract.effect === 'none' || failure.code === 'KEY_REUSED') return;
    const state =
      failure.code === 'CANCELLED' ? 'cancelled' : failure.code === 'DEADLINE_EXCEEDED' ? 'expired' : 'dead-lettered';
    await this.#tellLedger(async () => {
      await ports.store.ledger.end(
        attempt.envelope.runKey,
        attempt.fence > 0 ? attempt.fence : undefined,
        state,
        failure.toJSON(),
      );
      const run = await ports.store.ledger.read(attempt.envelope.runKey);
      // One that has committed all the same is followed by whoever claims it next, or by the sweeper: with its processor.
      const ended = run !== undefined && run.state !== 'running' && run.state !== 'committed';
      if (ended) await follow(run, undefined, ports, relay);
    });
  }

  /** The store may be away while a failure is settled; the sweeper reconciles BullMQ with the ledger later. */
  async #tellLedger(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      this.#options.ports.log.warn(
        { error: codedFailure(thrown, this.#options.contract).toJSON() },
        'the ledger could not be told; the sweeper will',
      );
    }
  }
}
