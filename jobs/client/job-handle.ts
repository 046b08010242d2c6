/** Owns the handle of one job: wait for it, follow it, cancel it, read it. It is a name, not a resource: nothing to close. */
import { z } from 'zod';
import type { ContractOutput } from '../../shared/contract-kit/define-job.ts';
import { AppError } from '../../shared/errors.ts';
import { CONTRACTS, type JobKind, type OutputOf } from '../registry.ts';
import { errorOfReason, isCancelled } from './failure.ts';
import { latestOf } from './latest.ts';
import { issuesOf } from './make-job.ts';
import type { JobEnd, JobState, Transport } from './transport.ts';
import { type WaitOptions, waitFor } from './wait.ts';

const progressSchema = z.object({
  /** Units done, 0..total; `label` names the unit. */
  done: z.number(),
  total: z.number(),
  label: z.string(),
  metrics: z.record(z.string(), z.number()).optional(),
});
export interface JobProgress {
  readonly done: number;
  readonly total: number;
  readonly label: string;
  readonly metrics?: Readonly<Record<string, number>> | undefined;
}

export class JobHandle<K extends JobKind = JobKind> {
  readonly kind: K;
  /** BullMQ's job id, a hash of the run key; `get(id)` finds the job again. */
  readonly id: string;
  readonly runKey: string;
  readonly #transport: Transport;

  constructor(transport: Transport, kind: K, id: string, runKey: string) {
    this.#transport = transport;
    this.kind = kind;
    this.id = id;
    this.runKey = runKey;
  }

  /** The job's output. Rejects with the AppError it failed with, CANCELLED, WAIT_TIMEOUT, or NOT_FOUND when it was removed. */
  done(options: WaitOptions = {}): Promise<OutputOf<K>> {
    return waitFor(`The ${this.kind} job`, options, (settle) =>
      this.#transport.watch(this.kind, this.id, {
        end: (end) => {
          try {
            settle.resolve(this.#outputOf(end));
          } catch (error) {
            settle.reject(error);
          }
        },
        failed: (error) => settle.reject(error),
      }),
    );
  }

  /** The progress from now on, newest only; ends when the job ends, however it ends. */
  progress(): AsyncGenerator<JobProgress, void, undefined> {
    return latestOf((latest) =>
      this.#transport.watch(this.kind, this.id, {
        progress(candidate) {
          const parsed = progressSchema.safeParse(candidate);
          if (parsed.success) latest.push(parsed.data);
        },
        end: () => latest.end(),
        failed: (error) => latest.fail(error),
      }),
    );
  }

  /** Asks for the run to end, wherever it is; a job that waits ends when its turn comes. `done()` then rejects with CANCELLED. */
  cancel(): Promise<void> {
    return this.#transport.cancel(this.runKey);
  }

  /** The output if the job has completed, else undefined. */
  async result(): Promise<OutputOf<K> | undefined> {
    const stored = await this.#transport.read(this.kind, this.id);
    if (stored?.state !== 'completed') return undefined;
    return this.#outputOf({ how: 'completed', returnValue: stored.returnValue });
  }

  async state(): Promise<JobState> {
    const stored = await this.#transport.read(this.kind, this.id);
    if (stored === undefined) return 'gone';
    return stored.state === 'failed' && isCancelled(stored.failedReason) ? 'cancelled' : stored.state;
  }

  #outputOf(end: JobEnd): OutputOf<K> {
    if (end.how === 'failed') throw errorOfReason(end.failedReason);
    if (end.how === 'gone')
      throw new AppError('NOT_FOUND', {
        message: `The ${this.kind} job ${this.id} is not in the queue (any more).`,
        details: { kind: this.kind, id: this.id },
      });
    return parseOutput(this.kind, end.returnValue);
  }
}

/** Parses an output by its contract; throws OUTPUT_INVALID. */
export function parseOutput<K extends JobKind>(kind: K, value: unknown): OutputOf<K> {
  const parsed = CONTRACTS[kind].output.safeParse(value);
  if (parsed.success) return parsed.data as ContractOutput<(typeof CONTRACTS)[K]>;
  throw new AppError('OUTPUT_INVALID', {
    message: `The output of ${kind} does not fit its contract.`,
    details: { kind, issues: issuesOf(parsed.error) },
  });
}
