/** Owns carrying jobs in memory, for tests of services: jobs are opened and checked as a worker would, and run by handlers. */
import { pipelineCancelName } from '../../shared/contract-kit/names.ts';
import { hash, randomUUID } from 'node:crypto';
import type { ContractParsed } from '../../shared/contract-kit/define-job.ts';
import type { ClaimRef, ScheduleRecord } from '../../shared/contract-kit/envelope.ts';
import type { SealRing } from '../../shared/contract-kit/seal.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import { pipelineOf } from '../pipelines.ts';
import { CONTRACTS, type JobKind, type OutputOf } from '../registry.ts';
import { type JobProgress, parseOutput } from './job-handle.ts';
import { type MadeJob, parseInput, readInputText } from './make-job.ts';
import type { PipelineDocument } from './pipelines-client.ts';
import type { JobListener, StoredJob, StoredSchedule, Transport } from './transport.ts';

export interface HandlerContext {
  readonly id: string;
  readonly runKey: string;
  readonly progress: (progress: JobProgress) => void;
  /** Aborted by `cancel()`. */
  readonly signal: AbortSignal;
}

/** What stands in for the workers: returns the output, or throws an AppError. */
export type Handlers = {
  readonly [K in JobKind]?: (
    input: ContractParsed<(typeof CONTRACTS)[K]>,
    context: HandlerContext,
  ) => OutputOf<K> | Promise<OutputOf<K>>;
};

/** A job that the service under test enqueued. */
export interface EnqueuedJob {
  readonly kind: JobKind;
  readonly id: string;
  readonly runKey: string;
  /** Parsed and opened, as a processor would get it. */
  readonly input: unknown;
  readonly asOf: number;
  readonly priority: number | undefined;
  readonly delayMs: number | undefined;
}

type Mutable<T> = { -readonly [P in keyof T]: T[P] };
interface MemoryJob {
  readonly kind: JobKind;
  readonly stored: Mutable<StoredJob>;
  readonly abort: AbortController;
  readonly listeners: Set<JobListener>;
}

export class MemoryTransport implements Transport {
  readonly enqueued: EnqueuedJob[] = [];
  readonly #ring: SealRing;
  readonly #handlers: Handlers;
  readonly #tenant: string;
  readonly #jobs = new Map<string, MemoryJob>();
  readonly #claims = new Map<string, string>();
  readonly #pipelines = new Map<string, PipelineDocument>();
  readonly #mirrorListeners = new Map<string, Set<() => void>>();
  readonly #schedules = new Map<string, ScheduleRecord>();

  constructor(ring: SealRing, handlers: Handlers, tenant: string) {
    this.#ring = ring;
    this.#handlers = handlers;
    this.#tenant = tenant;
  }

  putClaim(body: string): ClaimRef {
    const id = randomUUID();
    this.#claims.set(id, body);
    return { id, sha256: hash('sha256', body), bytes: Buffer.byteLength(body) };
  }

  async add(kind: JobKind, jobs: readonly MadeJob[], signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    for (const job of jobs) if (!this.#jobs.has(this.#name(kind, job.opts.jobId))) this.#addOne(kind, job);
  }

  #addOne(kind: JobKind, { data, opts }: MadeJob): void {
    // What would reach a worker is the JSON of it.
    const envelope = JSON.parse(JSON.stringify(data)) as typeof data;
    const claim = envelope.claim === undefined ? undefined : this.#claims.get(envelope.claim.id);
    const contract = CONTRACTS[kind];
    const input: unknown = parseInput(contract, JSON.parse(readInputText(contract, envelope, this.#ring, claim)));
    const { asOf, runKey } = envelope;
    this.enqueued.push({ kind, id: opts.jobId, runKey, input, asOf, priority: opts.priority, delayMs: opts.delay });
    const stored: MemoryJob['stored'] = {
      id: opts.jobId,
      envelope,
      state: 'waiting',
      progress: 0,
      returnValue: undefined,
      failedReason: undefined,
    };
    const job = { kind, stored, abort: new AbortController(), listeners: new Set<JobListener>() };
    this.#jobs.set(this.#name(kind, opts.jobId), job);
    setImmediate(() => void this.#run(job, input));
  }

  async #run(job: MemoryJob, input: unknown): Promise<void> {
    const handler = this.#handlers[job.kind] as ((input: unknown, context: HandlerContext) => unknown) | undefined;
    if (job.stored.state !== 'waiting') return; // cancelled, or ended by the test
    if (handler === undefined) {
      if (job.kind === 'pipeline') this.#startPipeline(job, input);
      return; // waits for `complete` or `fail`
    }
    job.stored.state = 'active';
    try {
      const { id, envelope } = job.stored;
      const progress = (progress: JobProgress) => {
        job.stored.progress = progress;
        for (const listener of job.listeners) listener.progress?.(progress);
      };
      const output = await handler(input, { id, runKey: envelope.runKey, progress, signal: job.abort.signal });
      this.#end(job, { output: parseOutput(job.kind, output) });
    } catch (error) {
      this.#end(job, { error });
    }
  }

  /** Ends a job by hand; throws NOT_FOUND, and OUTPUT_INVALID for an output that a worker could not give. */
  complete(id: string, output: unknown): void {
    const job = this.#find(id);
    this.#end(job, { output: parseOutput(job.kind, output) });
  }

  fail(id: string, error: unknown): void {
    this.#end(this.#find(id), { error });
  }

  async storedHashes(kind: JobKind, ids: readonly string[]): Promise<(string | undefined)[]> {
    return ids.map((id) => this.#jobs.get(this.#name(kind, id))?.stored.envelope.inputHash);
  }

  async read(kind: JobKind, id: string): Promise<StoredJob | undefined> {
    return this.#jobs.get(this.#name(kind, id))?.stored;
  }

  watch(kind: JobKind, id: string, listener: JobListener): () => void {
    const job = this.#jobs.get(this.#name(kind, id));
    let stopped = false;
    queueMicrotask(() => {
      if (stopped) return;
      if (job === undefined) listener.end({ how: 'gone' });
      else if (!tellEnd(job, listener)) {
        job.listeners.add(listener);
        listener.progress?.(job.stored.progress);
      }
    });
    return () => {
      stopped = true;
      job?.listeners.delete(listener);
    };
  }

  async cancel(runKey: string): Promise<void> {
    for (const job of this.#jobs.values()) {
      if (job.stored.envelope.runKey !== runKey) continue;
      const error = new AppError('CANCELLED');
      job.abort.abort(error);
      this.#end(job, { error });
    }
    for (const document of this.#pipelines.values())
      if (pipelineCancelName(document.id) === runKey && document.state === 'running')
        this.writePipeline({ ...document, state: 'cancelled' });
  }

  /** Writes the mirror of a pipeline run, as the orchestrator would. */
  writePipeline(document: PipelineDocument): void {
    this.#pipelines.set(document.id, document);
    for (const changed of this.#mirrorListeners.get(document.id) ?? []) changed();
  }

  async readPipeline(id: string): Promise<unknown> {
    return this.#pipelines.get(id);
  }

  watchPipeline(id: string, changed: () => void): () => void {
    const listeners = this.#mirrorListeners.get(id) ?? new Set();
    this.#mirrorListeners.set(id, listeners.add(changed));
    queueMicrotask(changed);
    return () => {
      listeners.delete(changed);
    };
  }

  async readSchedule(id: string): Promise<ScheduleRecord | undefined> {
    return this.#schedules.get(id);
  }

  async listSchedules(): Promise<StoredSchedule[]> {
    return [...this.#schedules.values()].map((record) => ({ record, mirror: undefined }));
  }

  async writeSchedule(id: string, record: ScheduleRecord): Promise<void> {
    this.#schedules.set(id, record);
  }

  async removeSchedule(id: string): Promise<boolean> {
    return this.#schedules.delete(id);
  }

  async close(): Promise<void> {
    for (const { listeners } of this.#jobs.values())
      for (const listener of listeners)
        listener.failed(new AppError('SERVICE_UNAVAILABLE', { message: 'The client was closed.' }));
  }

  #startPipeline(job: MemoryJob, input: unknown): void {
    const asked = input as ContractParsed<typeof CONTRACTS.pipeline>;
    if ('publish' in asked) return;
    const id = `${this.#tenant}-${this.#pipelines.size + 1}`;
    const again = 'rerun' in asked ? this.#pipelines.get(asked.rerun.run) : undefined;
    if ('rerun' in asked && again === undefined) return this.#end(job, { error: new AppError('NOT_FOUND') });
    const pipeline = 'start' in asked ? asked.start.pipeline : (again?.pipeline ?? '');
    const done = Object.entries(again?.steps ?? {}).filter(([, step]) => step.state === 'committed');
    const waiting = Object.keys(pipelineOf(pipeline).steps).map((step) => [step, { state: 'waiting' }]);
    const steps = { ...Object.fromEntries(waiting), ...Object.fromEntries(done) };
    this.writePipeline({ id, pipeline, state: 'running', steps, ...('rerun' in asked ? { origin: asked.rerun } : {}) });
    this.#end(job, { output: { run: id } });
  }

  #end(job: MemoryJob, end: { readonly output: unknown } | { readonly error: unknown }): void {
    const { stored, listeners } = job;
    if (stored.state === 'completed' || stored.state === 'failed') return;
    if ('output' in end) {
      stored.state = 'completed';
      stored.returnValue = JSON.parse(JSON.stringify(end.output));
    } else {
      stored.state = 'failed';
      stored.failedReason = JSON.stringify(toAppError(end.error).toJSON());
    }
    for (const listener of listeners) {
      listeners.delete(listener);
      tellEnd(job, listener);
    }
  }

  #find(id: string): MemoryJob {
    const job = [...this.#jobs.values()].find((candidate) => candidate.stored.id === id);
    if (job === undefined) throw new AppError('NOT_FOUND', { message: `No job ${id} was enqueued.` });
    return job;
  }

  #name(kind: JobKind, id: string): string {
    return `${kind}/${id}`;
  }
}

function tellEnd({ stored }: MemoryJob, listener: JobListener): boolean {
  if (stored.state === 'completed') listener.end({ how: 'completed', returnValue: stored.returnValue });
  else if (stored.state === 'failed') listener.end({ how: 'failed', failedReason: stored.failedReason ?? '' });
  else return false;
  return true;
}
