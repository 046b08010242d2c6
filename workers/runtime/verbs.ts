/** Owns the verbs that every effect class shares: open, authorise, load, compute, write, check the output, record. */
import { type OnProgress, scopedPool } from '../../shared/compute/task.ts';
import type { Contract } from '../../shared/contract-kit/define-job.ts';
import { AppError } from '../../shared/errors.ts';
import type { ConsentSnapshot, RunDocument } from '../../shared/store/ports.ts';
import type { Attempt, ExecutorOptions } from './attempt.ts';
import { codedFailure, EndedRun } from './failure.ts';
import { follow, nothingFollows } from './follow.ts';
import { parseInput } from './parse.ts';
import { PendingMarks } from './pending-marks.ts';
import type { Processor, RunContext, Written } from './processor.ts';
import { progressReporter } from './progress.ts';

export class Verbs {
  readonly #options: ExecutorOptions;
  readonly #processor: Processor;
  /** What the ledger is still to be told of runs that ended here. */
  readonly marks: PendingMarks;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#processor = options.processor;
    this.marks = new PendingMarks(options.ports.log);
  }

  /** A span of its own for each verb, where spans are wanted. */
  verb<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.#options.ports.telemetry.within({ name }, work);
  }

  async input(attempt: Attempt): Promise<unknown> {
    const { contract, ring, ports } = this.#options;
    return parseInput(attempt.envelope, contract, ring, ports.store.claims);
  }

  /** Takes the consent epoch before anything is loaded. */
  async authorise(attempt: Attempt, consents?: Promise<ConsentSnapshot>): Promise<RunContext> {
    const { ports, contract } = this.#options;
    const { envelope } = attempt;
    const consentEpoch = contract.purposes.length === 0 ? 0 : await ports.store.consents.epoch(envelope.tenant);
    return {
      ...ports,
      pool: scopedPool(ports.pool, {
        label: contract.kind,
        memoryMbMax: contract.limits.memoryMbMax,
        beat: attempt.deadlines.beat,
      }),
      tenant: envelope.tenant,
      runKey: envelope.runKey,
      fence: attempt.fence,
      asOf: envelope.asOf,
      consentEpoch,
      authorisedAt: ports.clock.now(),
      ...(consents === undefined ? {} : { consents }),
      signal: attempt.controller.signal,
      progress: this.#progressOf(attempt),
    };
  }

  #progressOf(attempt: Attempt): OnProgress {
    return beating(
      attempt,
      progressReporter(attempt.job, (progress) => {
        attempt.events.progressed(progress);
        this.#options.onStepProgress?.(attempt.envelope, progress);
      }),
    );
  }

  /** load -> compute -> write -> check output. */
  async compute(attempt: Attempt, input: unknown, context: RunContext): Promise<Written<Contract>> {
    const next = (): void => {
      attempt.controller.signal.throwIfAborted();
      attempt.deadlines.beat();
    };
    next();
    const loaded = await this.verb('load', () => this.#processor.load(input, context));
    next();
    const computed = await this.verb('compute', () => this.#processor.compute(loaded, context));
    next();
    const written = await this.verb('write', () => this.#processor.write(computed, context));
    next();
    const output = this.#options.contract.output.safeParse(written.output);
    if (output.success) return { ...written, output: output.data };
    const issues = output.error.issues.map(({ path, message }) => ({ path, message }));
    throw new AppError('OUTPUT_INVALID', { details: { kind: this.#options.contract.kind, issues } });
  }

  async follow(attempt: Attempt, run: RunDocument): Promise<unknown> {
    const output = run.followed ? run.output : await this.verb('follow', () => this.record(attempt, run));
    attempt.events.completed();
    return output;
  }

  nothingFollows({ envelope }: Attempt, { next = [] }: Written<Contract>): Promise<boolean> {
    return nothingFollows(envelope, this.#processor, this.#options.ports, next);
  }

  /** Once a run has ended nothing may change how: what does not follow now is followed by the job's next turn or the sweeper. */
  async record(attempt: Attempt, run: RunDocument): Promise<unknown> {
    const { ports, relay, processor, contract } = this.#options;
    const { events, controller } = attempt;
    const following = { signal: controller.signal, progress: this.#progressOf(attempt) };
    try {
      return await follow(run, processor, ports, relay, { marks: this.marks, following });
    } catch (thrown) {
      events.failed('job.unfollowed', codedFailure(thrown, contract));
      throw new AppError('FOLLOW_PENDING', { cause: thrown, details: { runKey: run.runKey } });
    }
  }

  /** A redelivered job of a run that has ended: its outcome, without computing again. */
  async ended(attempt: Attempt, run: RunDocument): Promise<unknown> {
    if (run.inputHash !== attempt.envelope.inputHash)
      throw new AppError('KEY_REUSED', { details: { runKey: run.runKey } });
    const output = await this.record(attempt, run);
    attempt.events.repeated();
    if (run.state === 'committed') return output;
    throw new EndedRun(run);
  }
}

/** Progress is a sign of life. */
function beating({ deadlines }: Attempt, report: OnProgress): OnProgress {
  return (progress) => {
    deadlines.beat();
    report(progress);
  };
}
