/**
 * Owns the three ways an effect becomes true, one for each effect class: which verbs a run goes through, in which order, and where its
 * commit point lies. Nothing visible changes before it.
 */
import type { Contract, EffectClass } from '../../shared/contract-kit/define-job.ts';
import { jobIdOf } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';
import type { Ledger, RunDocument, RunLineage } from '../../shared/store/ports.ts';
import type { Attempt, ExecutorOptions } from './attempt.ts';
import { authoriseAgain } from './authorise.ts';
import { startEarly } from './early.ts';
import { SUSPECT_AFTER } from './isolation.ts';
import type { RunContext, Written } from './processor.ts';
import type { Verbs } from './verbs.ts';

export class Effects implements Readonly<Record<EffectClass, (attempt: Attempt) => Promise<unknown>>> {
  readonly #options: ExecutorOptions;
  readonly #verbs: Verbs;

  constructor(options: ExecutorOptions, verbs: Verbs) {
    this.#options = options;
    this.#verbs = verbs;
  }

  async none(attempt: Attempt): Promise<unknown> {
    const input = await this.#verbs.input(attempt);
    const context = await this.#verbs.authorise(attempt);
    const written = await this.#verbs.compute(attempt, input, context);
    attempt.events.completed();
    return written.output;
  }

  async record(attempt: Attempt): Promise<unknown> {
    const { ports, contract } = this.#options;
    const { envelope, job } = attempt;
    const input = await this.#verbs.input(attempt);
    const context = await this.#verbs.authorise(attempt);
    const startedAt = ports.clock.now();
    const written = await this.#verbs.compute(attempt, input, context);
    const consentEpoch = await authoriseAgain(context, written, this.#options.processor);
    await this.#options.cancels.refuseIfCancelled(attempt.envelope.runKey);
    attempt.controller.signal.throwIfAborted();
    const followed = await this.#verbs.nothingFollows(attempt, written);
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
    if (await this.#verbs.verb('commit', () => ports.store.ledger.record(run))) {
      attempt.events.committed(run.lineage.computeSeconds ?? 0);
      return this.#verbs.follow(attempt, { ...run, state: 'committed', fence: 0, unsettled: 0 });
    }
    return this.#recordAgain(attempt, run);
  }

  /** Its document is there: the run has ended, or was redriven and commits where it stands. */
  async #recordAgain(attempt: Attempt, run: Parameters<Ledger['record']>[0]): Promise<unknown> {
    const { ledger } = this.#options.ports.store;
    const recorded = await ledger.read(run.runKey);
    if (recorded === undefined) throw new AppError('INTERNAL', { message: 'A recorded run is gone.' });
    if (recorded.state !== 'running' || recorded.inputHash !== run.inputHash)
      return this.#verbs.ended(attempt, recorded);
    const { runKey, contractVersion, output, next, followed, version, plan, lineage = { inputs: [] } } = run;
    const commit = {
      contractVersion,
      output,
      next,
      followed,
      lineage,
      ...(version === undefined ? {} : { version }),
      ...(plan === undefined ? {} : { plan }),
    };
    if (!(await this.#verbs.verb('commit', () => ledger.commit({ runKey, fence: recorded.fence, ...commit }))))
      throw new AppError('LEASE_LOST', { details: { runKey, fence: recorded.fence } });
    attempt.events.committed(lineage.computeSeconds ?? 0);
    return this.#verbs.follow(attempt, { ...recorded, ...commit, state: 'committed' });
  }

  async dataset(attempt: Attempt): Promise<unknown> {
    const { ports, processor } = this.#options;
    const { job, envelope } = attempt;
    const claiming = this.#verbs.verb('claim', () => this.#claim(attempt));
    const early = startEarly({ job, envelope, processor, ports, open: () => this.#verbs.input(attempt) });
    const claimed = await claiming;
    if (claimed.state !== 'running') return this.#verbs.ended(attempt, claimed);
    const input = await (early.input ?? this.#verbs.input(attempt));
    const context = await this.#verbs.authorise(attempt, early.consents);
    const startedAt = ports.clock.now();
    const written = await this.#verbs.compute(attempt, input, context);
    const seconds = (ports.clock.now() - startedAt) / 1000;
    const committed = await this.#verbs.verb('commit', () => this.#commit(attempt, claimed, context, written, seconds));
    attempt.events.committed(seconds);
    return this.#verbs.follow(attempt, committed);
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
    // This claim is one of them.
    if (run.unsettled > SUSPECT_AFTER)
      await attempt.turn.alone(attempt.controller.signal, { unsettled: run.unsettled - 1 });
    return run;
  }

  async #commit(
    attempt: Attempt,
    claimed: RunDocument,
    context: RunContext,
    written: Written<Contract>,
    seconds: number,
  ): Promise<RunDocument> {
    const { ports, contract } = this.#options;
    const consentEpoch = await authoriseAgain(context, written, this.#options.processor);
    await this.#options.cancels.refuseIfCancelled(attempt.envelope.runKey);
    attempt.controller.signal.throwIfAborted();
    const commit = {
      contractVersion: contract.version,
      output: written.output,
      next: written.next ?? [],
      followed: await this.#verbs.nothingFollows(attempt, written),
      lineage: lineageOf(written, { ...context, consentEpoch }, seconds),
      ...(written.version === undefined ? {} : { version: written.version }),
      ...(written.plan === undefined ? {} : { plan: written.plan }),
    };
    if (!(await ports.store.ledger.commit({ runKey: claimed.runKey, fence: attempt.fence, ...commit })))
      throw new AppError('LEASE_LOST', { details: { runKey: claimed.runKey, fence: attempt.fence } });
    return { ...claimed, ...commit, state: 'committed', endedAt: ports.clock.now() };
  }
}

function lineageOf(
  written: Written<Contract>,
  context: Pick<RunContext, 'consentEpoch'>,
  computeSeconds: number,
): RunLineage {
  return { inputs: [], ...written.lineage, consentEpoch: context.consentEpoch, computeSeconds };
}
