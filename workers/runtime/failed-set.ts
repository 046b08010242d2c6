/**
 * Owns the jobs that BullMQ gave up without the ledger having heard: those that failed before they could be claimed (an
 * envelope that no longer parses, a contract version that nobody knows, a store that was away on every attempt). Their runs
 * get the terminal state that every run has, so that whoever waits for them (a pipeline, a caller) hears of an end.
 */
import type { Job } from 'bullmq';
import { z } from 'zod';
import { parseFailure } from '../../jobs/client/failure.ts';
import { stepRefSchema } from '../../shared/contract-kit/envelope.ts';
import { tenantSchema } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';
import type { RunDocument, RunError } from '../../shared/store/ports.ts';
import type { Enqueuer } from './enqueuer.ts';
import type { Ports } from './processor.ts';

const PAGE_JOBS = 200;
/** More failed jobs than these between two sweeps: the oldest wait for the next process that starts. */
const PAGES_MAX = 500;
/** Clocks of machines differ: a job may be in the set with an earlier end than one that was seen before. */
const OVERLAP_MS = 60_000;

/** As much of an envelope as a run needs, whatever is wrong with the rest. */
const remainsSchema = z.object({
  tenant: tenantSchema,
  runKey: z.string().min(1),
  inputHash: z.string(),
  version: z.int().min(1).catch(1),
  asOf: z.int().catch(0),
  step: stepRefSchema.optional().catch(undefined),
});

/** What a failed job says of its failure. */
export function errorOfJob(job: Pick<Job, 'failedReason'> | undefined): RunError {
  const told = parseFailure(job?.failedReason);
  if (told !== undefined) return told;
  return new AppError('INTERNAL', { message: 'The job ended in the queue without telling the ledger.' }).toJSON();
}

export class FailedSet {
  readonly #enqueuer: Enqueuer;
  readonly #ports: Ports;
  /** By kind: the latest end that was looked at, ms since 1970. One entry a kind. */
  readonly #seen = new Map<string, number>();

  constructor(enqueuer: Enqueuer, ports: Ports) {
    this.#enqueuer = enqueuer;
    this.#ports = ports;
  }

  /** Ends the runs of failed jobs of which the ledger knows nothing; returns them. */
  async sweep(): Promise<RunDocument[]> {
    const ended: RunDocument[] = [];
    for (const kind of this.#enqueuer.kinds) {
      if (this.#enqueuer.contract(kind).effect === 'none') continue;
      const since = (this.#seen.get(kind) ?? 0) - OVERLAP_MS;
      let latest = this.#seen.get(kind) ?? 0;
      for await (const job of this.#failedSince(kind, since)) {
        const run = await this.#end(kind, job);
        if (run !== undefined) ended.push(run);
        latest = Math.max(latest, job.finishedOn ?? 0);
      }
      this.#seen.set(kind, latest);
    }
    return ended;
  }

  /** Failed jobs that ended since then, newest first. */
  async *#failedSince(kind: string, sinceMs: number): AsyncGenerator<Job> {
    const queue = this.#enqueuer.queue(kind);
    for (let page = 0; page < PAGES_MAX; page++) {
      const from = page * PAGE_JOBS;
      const jobs = (await queue.getFailed(from, from + PAGE_JOBS - 1)) as (Job | undefined)[];
      for (const job of jobs) {
        if (job === undefined) continue; // removed while the list was read
        if ((job.finishedOn ?? 0) < sinceMs) return;
        yield job;
      }
      if (jobs.length < PAGE_JOBS) return;
    }
  }

  async #end(kind: string, job: Job): Promise<RunDocument | undefined> {
    const { ledger } = this.#ports.store;
    const parsed = remainsSchema.safeParse(job.data);
    if (!parsed.success || !parsed.data.runKey.startsWith(`${parsed.data.tenant}.${kind}.`)) return undefined;
    const { runKey, tenant, inputHash, version, asOf, step } = parsed.data;
    if ((await ledger.read(runKey)) !== undefined) return undefined;
    const { codeVersion } = this.#ports;
    const { run, state } = await ledger.claim({
      runKey,
      tenant,
      kind,
      contractVersion: version,
      inputHash,
      asOf,
      codeVersion,
      ...(step === undefined ? {} : { step }),
    });
    if (state === 'ended' || !(await ledger.end(runKey, run.fence, 'dead-lettered', errorOfJob(job)))) return undefined;
    this.#ports.log.warn({ runKey, jobId: job.id }, 'a job that failed before its claim was dead-lettered');
    return ledger.read(runKey);
  }
}
