/**
 * Owns the way of every job, a list of verbs:
 * parse -> authorise -> claim -> load -> compute -> check output -> authorise again and commit -> record -> settle.
 *
 * Invariants
 * 1. Nothing visible changes before the commit; the commit is one update guarded by the fence.
 * 2. Every run ends in exactly one terminal state of the ledger (class `none`: of BullMQ).
 * 3. A run that ended is never computed again: a redelivered job gets the recorded outcome.
 */
import { DelayedError, type Job, UnrecoverableError } from 'bullmq';
import { type OnProgress, scopedPool } from '../../shared/compute/task.ts';
import type { Contract } from '../../shared/contract-kit/define-job.ts';
import type { Envelope } from '../../shared/contract-kit/envelope.ts';
import { jobIdOf } from '../../shared/contract-kit/names.ts';
import type { SealRing } from '../../shared/contract-kit/seal.ts';
import { AppError } from '../../shared/errors.ts';
import type { ConsentSnapshot, RunDocument, RunLineage } from '../../shared/store/ports.ts';
import { authoriseAgain } from './authorise.ts';
import type { CancelWatch } from './cancellation.ts';
import { startEarly } from './early.ts';
import { codedFailure, delayOf, EndedRun, endingOf, reasonOf, refusePoison, UNSETTLED_MAX } from './failure.ts';
import { follow, nothingFollows, type Relay } from './follow.ts';
import { JobEvents, spanOf } from './job-events.ts';
import { parseEnvelope, parseInput } from './parse.ts';
import { PendingMarks } from './pending-marks.ts';
import type { AnyProcessor, Ports, Processor, RunContext, Written } from './processor.ts';
import { progressReporter } from './progress.ts';

/** A job that this process cannot run is put off so often: ten minutes at least. */
export const LATER_TURNS_MAX = 120;

export interface ExecutorOptions {
  readonly contract: Contract;
  readonly processor: AnyProcessor;
  readonly ports: Ports;
  readonly ring: SealRing | undefined;
  readonly cancels: CancelWatch;
  readonly relay: Relay;
  /** Turns the data of jobs that schedulers made into an envelope. */
  readonly adapt?: (job: Job) => unknown;
  /** Told of the progress of steps, for the pipeline's mirror. */
  readonly onStepProgress?: (envelope: Envelope, progress: Parameters<OnProgress>[0]) => void;
}

/** One attempt at one run; `abort` reaches it through its controller. */
interface Attempt {
  readonly job: Job;
  readonly envelope: Envelope;
  readonly controller: AbortController;
  readonly events: JobEvents;
  fence: number;
}

export class Executor {
  readonly #options: ExecutorOptions;
  readonly #processor: Processor;
  readonly #attempts = new Map<string, AbortController>();
  #stopping = false;
  /** What the ledger is still to be told of runs that ended here. */
  readonly marks: PendingMarks;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#processor = options.processor;
    this.marks = new PendingMarks(options.ports.log);
  }

  /** Runs one delivery of a job; its result is the contract's output. Throws what BullMQ should record. */
  readonly execute = async (job: Job, token?: string): Promise<unknown> => {
    const { contract, ports } = this.#options;
    const events = new JobEvents(ports.telemetry, contract, job);
    let attempt: Attempt | undefined;
    try {
      const envelope = this.#parse(job);
      const begun: Attempt = { job, envelope, controller: new AbortController(), events, fence: 0 };
      attempt = begun;
      events.started(envelope);
      // A fetch that was under way when the worker closed may bring a job still, even one that was given back here.
      if (this.#stopping) throw new AppError('WORKER_STOPPING');
      refusePoison(job, this.#options.contract);
      if (ports.telemetry.spans === undefined) return await this.#guarded(begun);
      return await ports.telemetry.within(spanOf(contract, job, envelope), () => this.#guarded(begun));
    } catch (thrown) {
      throw await this.#settleFailure(job, token, attempt, events, reasonOf(attempt, thrown, contract));
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

  /** Runs the verbs while cancel, deadline and lost locks can reach the attempt. */
  async #guarded(attempt: Attempt): Promise<unknown> {
    const { contract, cancels } = this.#options;
    const id = attempt.job.id as string;
    const unwatch = cancels.watch(attempt.envelope.runKey, attempt.controller);
    const deadline = setTimeout(() => {
      attempt.controller.abort(
        new AppError('DEADLINE_EXCEEDED', { details: { limitMs: contract.limits.durationMsMax } }),
      );
    }, contract.limits.durationMsMax);
    this.#attempts.set(id, attempt.controller);
    try {
      if (contract.effect === 'dataset') return await this.#runDataset(attempt);
      return contract.effect === 'record' ? await this.#runRecord(attempt) : await this.#runNone(attempt);
    } finally {
      clearTimeout(deadline);
      unwatch();
      this.#attempts.delete(id);
    }
  }

  /** A span of its own for each verb, where spans are wanted. */
  #verb<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.#options.ports.telemetry.within({ name }, work);
  }

  async #runNone(attempt: Attempt): Promise<unknown> {
    const input = await this.#input(attempt);
    const context = await this.#authorise(attempt);
    const written = await this.#compute(attempt, input, context);
    attempt.events.completed();
    return written.output;
  }

  async #runRecord(attempt: Attempt): Promise<unknown> {
    const { ports, contract } = this.#options;
    const { envelope, job } = attempt;
    const input = await this.#input(attempt);
    const context = await this.#authorise(attempt);
    const startedAt = ports.clock.now();
    const written = await this.#compute(attempt, input, context);
    const consentEpoch = await authoriseAgain(context, written, this.#processor);
    await this.#options.cancels.refuseIfCancelled(attempt.envelope.runKey);
    attempt.controller.signal.throwIfAborted();
    const followed = await this.#nothingFollows(attempt, written);
    const run = {
      runKey: envelope.runKey,
      tenant: envelope.tenant,
      kind: contract.kind,
      contractVersion: contract.version,
      inputHash: envelope.inputHash,
      asOf: envelope.asOf,
      ...(envelope.step === undefined ? {} : { step: envelope.step }),
      codeVersion: ports.codeVersion,
      createdAt: startedAt,
      claimedAt: startedAt,
      endedAt: ports.clock.now(),
      output: written.output,
      next: written.next ?? [],
      followed,
      ...(written.version === undefined ? {} : { version: written.version }),
      ...(written.plan === undefined ? {} : { plan: written.plan }),
      ...(job.id === jobIdOf(envelope.runKey) ? {} : { jobId: job.id as string }),
      lineage: lineageOf(written, { ...context, consentEpoch }, (ports.clock.now() - startedAt) / 1000),
    };
    if (await this.#verb('commit', () => ports.store.ledger.record(run))) {
      attempt.events.committed(run.lineage.computeSeconds ?? 0);
      return this.#follow(attempt, { ...run, state: 'committed', fence: 0, unsettled: 0 });
    }
    const recorded = await ports.store.ledger.read(envelope.runKey);
    if (recorded === undefined) throw new AppError('INTERNAL', { message: 'A recorded run is gone.' });
    return this.#ended(attempt, recorded);
  }

  async #runDataset(attempt: Attempt): Promise<unknown> {
    const { ports, processor } = this.#options;
    const { job, envelope } = attempt;
    const claiming = this.#verb('claim', () => this.#claim(attempt));
    const early = startEarly({ job, envelope, processor, ports, open: () => this.#input(attempt) });
    const claimed = await claiming;
    if (claimed.state !== 'running') return this.#ended(attempt, claimed);
    const input = await (early.input ?? this.#input(attempt));
    const context = await this.#authorise(attempt, early.consents);
    const startedAt = ports.clock.now();
    const written = await this.#compute(attempt, input, context);
    const seconds = (ports.clock.now() - startedAt) / 1000;
    const committed = await this.#verb('commit', () => this.#commit(attempt, claimed, context, written, seconds));
    attempt.events.committed(seconds);
    return this.#follow(attempt, committed);
  }

  async #follow(attempt: Attempt, run: RunDocument): Promise<unknown> {
    const output = run.followed ? run.output : await this.#verb('follow', () => this.#record(attempt, run));
    attempt.events.completed();
    return output;
  }

  async #input(attempt: Attempt): Promise<unknown> {
    const { contract, ring, ports } = this.#options;
    return parseInput(attempt.envelope, contract, ring, ports.store.claims);
  }

  /** Takes the consent epoch before anything is loaded. */
  async #authorise(attempt: Attempt, consents?: Promise<ConsentSnapshot>): Promise<RunContext> {
    const { ports, contract } = this.#options;
    const { envelope } = attempt;
    const consentEpoch = contract.purposes.length === 0 ? 0 : await ports.store.consents.epoch(envelope.tenant);
    return {
      ...ports,
      pool: scopedPool(ports.pool, { label: contract.kind, memoryMbMax: contract.limits.memoryMbMax }),
      tenant: envelope.tenant,
      runKey: envelope.runKey,
      fence: attempt.fence,
      asOf: envelope.asOf,
      consentEpoch,
      ...(consents === undefined ? {} : { consents }),
      signal: attempt.controller.signal,
      progress: progressReporter(attempt.job, (progress) => {
        attempt.events.progressed(progress);
        this.#options.onStepProgress?.(envelope, progress);
      }),
    };
  }

  async #claim(attempt: Attempt): Promise<RunDocument> {
    const { ports, contract } = this.#options;
    const { envelope, job } = attempt;
    // Read while the claim is answered: of what comes later the announcement tells, and the read at the commit.
    const unmarked = this.#options.cancels.refuseIfCancelled(envelope.runKey);
    unmarked.catch(() => {});
    const { run } = await ports.store.ledger.claim({
      runKey: envelope.runKey,
      tenant: envelope.tenant,
      kind: contract.kind,
      contractVersion: contract.version,
      inputHash: envelope.inputHash,
      asOf: envelope.asOf,
      codeVersion: ports.codeVersion,
      ...(envelope.step === undefined ? {} : { step: envelope.step }),
      ...(job.id === jobIdOf(envelope.runKey) ? {} : { jobId: job.id as string }),
    });
    attempt.fence = run.fence;
    if (run.state !== 'running') return run;
    attempt.events.claimed(run);
    await unmarked;
    if (run.unsettled > UNSETTLED_MAX)
      throw new AppError('RUN_POISONOUS', { details: { runKey: run.runKey, claims: run.unsettled } });
    return run;
  }

  /** load -> compute -> write -> check output. */
  async #compute(attempt: Attempt, input: unknown, context: RunContext): Promise<Written<Contract>> {
    const { signal } = attempt.controller;
    signal.throwIfAborted();
    const loaded = await this.#verb('load', () => this.#processor.load(input, context));
    signal.throwIfAborted();
    const computed = await this.#verb('compute', () => this.#processor.compute(loaded, context));
    signal.throwIfAborted();
    const written = await this.#verb('write', () => this.#processor.write(computed, context));
    signal.throwIfAborted();
    const output = this.#options.contract.output.safeParse(written.output);
    if (output.success) return { ...written, output: output.data };
    const issues = output.error.issues.map(({ path, message }) => ({ path, message }));
    throw new AppError('OUTPUT_INVALID', { details: { kind: this.#options.contract.kind, issues } });
  }

  async #commit(
    attempt: Attempt,
    claimed: RunDocument,
    context: RunContext,
    written: Written<Contract>,
    seconds: number,
  ): Promise<RunDocument> {
    const { ports } = this.#options;
    const consentEpoch = await authoriseAgain(context, written, this.#processor);
    await this.#options.cancels.refuseIfCancelled(attempt.envelope.runKey);
    attempt.controller.signal.throwIfAborted();
    const commit = {
      output: written.output,
      next: written.next ?? [],
      followed: await this.#nothingFollows(attempt, written),
      lineage: lineageOf(written, { ...context, consentEpoch }, seconds),
      ...(written.version === undefined ? {} : { version: written.version }),
      ...(written.plan === undefined ? {} : { plan: written.plan }),
    };
    if (!(await ports.store.ledger.commit({ runKey: claimed.runKey, fence: attempt.fence, ...commit })))
      throw new AppError('LEASE_LOST', { details: { runKey: claimed.runKey, fence: attempt.fence } });
    return { ...claimed, ...commit, state: 'committed', endedAt: ports.clock.now() };
  }

  #nothingFollows({ envelope }: Attempt, { next = [] }: Written<Contract>): Promise<boolean> {
    return nothingFollows(envelope, this.#processor, this.#options.ports, next);
  }

  /** Once a run has ended nothing may change how: what does not follow now is followed by the job's next turn or the sweeper. */
  async #record({ events }: Attempt, run: RunDocument): Promise<unknown> {
    const { ports, relay, processor, contract } = this.#options;
    try {
      return await follow(run, processor, ports, relay, this.marks);
    } catch (thrown) {
      events.failed('job.unfollowed', codedFailure(thrown, contract));
      throw new AppError('FOLLOW_PENDING', { cause: thrown, details: { runKey: run.runKey } });
    }
  }

  /** A redelivered job of a run that has ended: its outcome, without computing again. */
  async #ended(attempt: Attempt, run: RunDocument): Promise<unknown> {
    if (run.inputHash !== attempt.envelope.inputHash)
      throw new AppError('KEY_REUSED', { details: { runKey: run.runKey } });
    const output = await this.#record(attempt, run);
    attempt.events.repeated();
    if (run.state === 'committed') return output;
    throw new EndedRun(run);
  }

  /** Decides what BullMQ is told: retry, wait, or the end; the ledger hears of an end first. */
  async #settleFailure(
    job: Job,
    token: string | undefined,
    attempt: Attempt | undefined,
    events: JobEvents,
    failure: AppError,
  ): Promise<Error> {
    const { ports, contract } = this.#options;
    if (failure instanceof EndedRun) return new UnrecoverableError(JSON.stringify(failure.outcome));
    if (failure.code === 'LEASE_LOST') {
      events.failed('job.lost', failure);
      return new Error(JSON.stringify(failure));
    }
    const delayMs = delayOf(failure);
    // The job's own age says nothing: it may have waited long in a backlog, and a tick is made a period ahead.
    if (delayMs !== undefined && job.attemptsStarted - job.attemptsMade < LATER_TURNS_MAX) {
      await this.#settle(attempt, failure);
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
    if (contract.effect !== 'dataset' || failure.code === 'KEY_REUSED') return;
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

function lineageOf(
  written: Written<Contract>,
  context: Pick<RunContext, 'consentEpoch'>,
  computeSeconds: number,
): RunLineage {
  return { inputs: [], ...written.lineage, consentEpoch: context.consentEpoch, computeSeconds };
}
