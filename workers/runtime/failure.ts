/**
 * Owns what an attempt's failure is told as: the code that BullMQ, the ledger and the log hear. Nothing that a foreign
 * error says leaves the process where the input is personal, since such messages quote what they choked on.
 */
import type { Contract } from '../../shared/contract-kit/define-job.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import type { RunDocument, RunError } from '../../shared/store/ports.ts';

/** A run that ended before, without an effect: the job is told again what it was told then. */
export class EndedRun extends AppError {
  readonly outcome: RunError;

  constructor(run: RunDocument) {
    const outcome = run.error ?? { code: 'CANCELLED', message: `The run ended as ${run.state}.`, details: {} };
    super('CANCELLED', { message: outcome.message });
    this.outcome = outcome;
  }
}

/** A thrown value as a coded error; of a foreign error in a personal kind only its name is told. */
export function codedFailure(thrown: unknown, { personal }: Pick<Contract, 'personal'>): AppError {
  if (thrown instanceof AppError || !personal) return toAppError(thrown);
  const name = thrown instanceof Error ? thrown.name : typeof thrown;
  return new AppError('INTERNAL', { message: `An unexpected ${name}.`, cause: thrown });
}

/** An aborted attempt failed because of what aborted it, whatever the processor made of that; a committed one only waits to be followed. */
export function reasonOf(
  attempt: { readonly controller: AbortController } | undefined,
  thrown: unknown,
  contract: Contract,
): AppError {
  const committed = thrown instanceof EndedRun || (thrown instanceof AppError && thrown.code === 'FOLLOW_PENDING');
  const signal = attempt?.controller.signal;
  if (!committed && signal?.aborted === true && signal.reason instanceof AppError) return signal.reason;
  return codedFailure(thrown, contract);
}

/** A job that this process cannot run waits so long for one that can. */
const LATER_DELAY_MS = 5_000;
/** A committed run whose pointers could not follow comes back after this long. */
const FOLLOW_DELAY_MS = 1_000;

/** How long a job waits that is put off instead of failed; undefined: it is not put off. */
export function delayOf({ code, retry, details }: AppError): number | undefined {
  if (code === 'ISOLATION_BUSY' && typeof details.retryAfterMs === 'number') return details.retryAfterMs;
  if (code === 'WORKER_STOPPING') return 0;
  if (code === 'FOLLOW_PENDING') return FOLLOW_DELAY_MS;
  return retry === 'later' ? LATER_DELAY_MS : undefined;
}

/** What the stream calls the end of a run that will not be tried again; only what a ledger keeps can be dead-lettered. */
export function endingOf({ code }: AppError, { effect }: Pick<Contract, 'effect'>) {
  if (code === 'CANCELLED') return 'job.cancelled';
  if (code === 'DEADLINE_EXCEEDED') return 'job.expired';
  return effect === 'dataset' && code !== 'KEY_REUSED' ? 'job.dead-lettered' : 'job.failed';
}
