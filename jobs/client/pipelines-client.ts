/** Owns starting and following pipeline runs: the start is a job, the run is read from its mirror in Redis. */
import { z } from 'zod';
import { pipelineCancelName } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';
import type { BackfillEvery } from '../backfill.ts';
import { PIPELINE_NAMES, type PipelineName, type PipelineParams, pipelineOf } from '../pipelines.ts';
import { errorOfFailure } from './failure.ts';
import { type ClientCore, type EnqueueOptions, KindClient } from './job-client.ts';
import type { JobHandle } from './job-handle.ts';
import { latestOf } from './latest.ts';
import { issuesOf } from './make-job.ts';
import type { JobState } from './transport.ts';
import { type WaitOptions, waitFor } from './wait.ts';

export const PIPELINE_STATES = ['running', 'committed', 'failed', 'cancelled'] as const;
export type PipelineState = (typeof PIPELINE_STATES)[number];

const failureSchema = z.object({
  code: z.string(),
  message: z.string().optional(),
  details: z.record(z.string(), z.unknown()).optional(),
});

/** The mirror of a pipeline run, as the orchestrator writes it into the field `document` of `pipelineKey`. */
export const pipelineDocumentSchema = z.object({
  id: z.string(),
  pipeline: z.string(),
  state: z.enum(PIPELINE_STATES),
  error: failureSchema.nullish(),
  /** The run of which this one is a step. */
  parent: z.string().nullish(),
  /** The run that this one runs again, and from which step. */
  origin: z.object({ run: z.string(), from: z.string().nullish() }).nullish(),
  /** Of all steps, those that a large run leaves out of `steps` included. */
  counts: z.object({ all: z.number(), atWork: z.number(), ended: z.number(), failed: z.number() }).optional(),
  steps: z.record(
    z.string(),
    z.object({
      /** waiting, enqueued, expanded (a group that has become further steps), committed, skipped or failed. */
      state: z.string(),
      /** Of a group: rounds so far. */
      rounds: z.number().nullish(),
      /** Of a step that is a pipeline run: its id. */
      run: z.string().nullish(),
      /** Kept from the run that this one is a re-run of. */
      reused: z.boolean().nullish(),
      /** ms since 1970. */
      startedAt: z.number().nullish(),
      endedAt: z.number().nullish(),
      error: failureSchema.nullish(),
      progress: z
        .object({
          done: z.number(),
          total: z.number(),
          label: z.string(),
          metrics: z.record(z.string(), z.number()).optional(),
        })
        .nullish(),
    }),
  ),
});
export type PipelineDocument = z.output<typeof pipelineDocumentSchema>;

/** The idempotency key of a re-run. */
export const rerunKey = (id: string, from = ''): string => `rerun.${id}.${from}`;

export interface RerunOptions extends Pick<EnqueueOptions, 'priority' | 'trace' | 'signal'> {
  /** A step to run again although it has finished. */
  readonly from?: string;
}

/** A run by its id, wherever it was started. */
export class PipelineRun {
  readonly id: string;
  readonly #core: ClientCore;

  constructor(core: ClientCore, id: string) {
    this.#core = core;
    this.id = id;
  }

  /** The final document of the run. Rejects with the failed step's AppError, CANCELLED or WAIT_TIMEOUT. */
  done(options: WaitOptions = {}): Promise<PipelineDocument> {
    return waitFor(`Pipeline run ${this.id}`, options, (settle) =>
      this.#follow(
        (document) => {
          if (document.state === 'committed') settle.resolve(document);
          else if (document.state !== 'running') settle.reject(errorOfRun(document));
        },
        (error) => settle.reject(error),
      ),
    );
  }

  /** The run's document after each change, newest only; ends with the run. */
  progress(): AsyncGenerator<PipelineDocument, void, undefined> {
    return latestOf((latest) =>
      this.#follow(
        (document) => {
          latest.push(document);
          if (document.state !== 'running') latest.end();
        },
        (error) => latest.fail(error),
      ),
    );
  }

  /** `gone`: unknown, or ended long ago. */
  async state(): Promise<PipelineState | 'gone'> {
    return (await this.document())?.state ?? 'gone';
  }

  async document(): Promise<PipelineDocument | undefined> {
    const found = await this.#core.transport.readPipeline(this.id);
    if (found === undefined) return undefined;
    const parsed = pipelineDocumentSchema.safeParse(found);
    if (parsed.success) return parsed.data;
    throw new AppError('OUTPUT_INVALID', {
      message: `The document of pipeline run ${this.id} does not fit its schema.`,
      details: { id: this.id, issues: issuesOf(parsed.error) },
    });
  }

  cancel(): Promise<void> {
    return this.#core.transport.cancel(pipelineCancelName(this.id));
  }

  /**
   * Runs an ended run again: what has finished is kept, what failed, what did not end and what comes after is done again; with
   * `from`, that step and what comes after it too. A run has one re-run: asking twice gives the same, asking for another step PIPELINE_RERUN. Throws PIPELINE_RUNNING.
   */
  async rerun({ from, ...options }: RerunOptions = {}): Promise<StartedPipeline> {
    const { id } = this;
    if ((await this.state()) === 'running')
      throw new AppError('PIPELINE_RUNNING', { message: `The pipeline run ${id} has not ended yet.`, details: { id } });
    const rerun = from === undefined ? { run: id } : { run: id, from };
    const start = await new KindClient(this.#core, 'pipeline').enqueue(
      { rerun },
      { ...options, key: rerunKey(id, from) },
    );
    return new StartedPipeline(this.#core, id, start);
  }

  #follow(told: (document: PipelineDocument) => void, failed: (error: unknown) => void): () => void {
    let reading = false;
    let again = false;
    let shown = '';
    const look = async () => {
      try {
        do {
          again = false;
          const document = await this.document();
          const text = JSON.stringify(document);
          if (document !== undefined && text !== shown) told(document);
          shown = text;
        } while (again);
      } catch (error) {
        // Redis may be away for a moment; the next look tries again.
        if (!(error instanceof AppError && error.retry === 'backoff')) failed(error);
      } finally {
        reading = false;
      }
    };
    return this.#core.transport.watchPipeline(this.id, () => {
      again = true;
      if (reading) return;
      reading = true;
      void look();
    });
  }
}

/** The start of a run. The run's id is known once a worker has taken the start. */
export class StartedPipeline {
  /** What was started: a pipeline, or the run that is run again. */
  readonly pipeline: string;
  /** The job that starts the run. */
  readonly start: JobHandle<'pipeline'>;
  readonly #core: ClientCore;
  #run: Promise<PipelineRun> | undefined;

  constructor(core: ClientCore, pipeline: string, start: JobHandle<'pipeline'>) {
    this.#core = core;
    this.pipeline = pipeline;
    this.start = start;
  }

  /** Id of the starting job. */
  get id(): string {
    return this.start.id;
  }

  /** The run itself, once it exists. */
  async run(options: WaitOptions = {}): Promise<PipelineRun> {
    this.#run ??= this.#started(options);
    this.#run.catch(() => {
      this.#run = undefined;
    });
    return this.#run;
  }

  async done(options: WaitOptions = {}): Promise<PipelineDocument> {
    const begunMs = performance.now();
    const run = await this.run(options);
    const { timeoutMs } = options;
    const leftMs = timeoutMs === undefined ? undefined : Math.max(0, timeoutMs - (performance.now() - begunMs));
    return run.done(leftMs === undefined ? options : { ...options, timeoutMs: leftMs });
  }

  async *progress(): AsyncGenerator<PipelineDocument, void, undefined> {
    yield* (await this.run()).progress();
  }

  /** The run's state; before it exists, its start's. */
  async state(): Promise<PipelineState | JobState> {
    const started = await this.start.state();
    return started === 'completed' ? (await this.run()).state() : started;
  }

  /** Cancels the start if no worker took it yet, and the run if there is one. */
  async cancel(): Promise<void> {
    await this.start.cancel();
    const output = await this.start.result();
    if (output?.run !== undefined) await new PipelineRun(this.#core, output.run).cancel();
  }

  async #started(options: WaitOptions): Promise<PipelineRun> {
    const { run } = await this.start.done(options);
    if (run === undefined) throw new AppError('OUTPUT_INVALID', { message: 'The start of a pipeline named no run.' });
    return new PipelineRun(this.#core, run);
  }
}

export interface BackfillSpan {
  readonly from: Date | number;
  /** The last moment that may be one of the runs'. */
  readonly to: Date | number;
  readonly every?: BackfillEvery;
  readonly parallel?: number;
  readonly params?: PipelineParams;
}

export class PipelineClient {
  readonly name: PipelineName;
  readonly #core: ClientCore;

  constructor(core: ClientCore, name: PipelineName) {
    this.#core = core;
    this.name = name;
  }

  /** Starts a run; the same key starts it once. Throws INPUT_INVALID for wrong parameters. */
  async start(params: PipelineParams = {}, options: EnqueueOptions = {}): Promise<StartedPipeline> {
    return this.#start(this.name, checkedParams(this.name, params), options);
  }

  /**
   * Starts a run for each moment from `from` to `to`, at most `parallel` at once; itself a run, whose steps are runs. The same key starts it
   * once. What it publishes for a moment before the live release's does not go live.
   */
  async backfill(span: BackfillSpan, options: EnqueueOptions = {}): Promise<StartedPipeline> {
    const { from, to, params = {}, ...rest } = span;
    if (Number(to) > this.#core.nowMs())
      throw new AppError('INPUT_INVALID', {
        message: 'A backfill ends in the past.',
        details: { pipeline: this.name, issues: [{ path: ['to'], message: 'must not be in the future' }] },
      });
    const inner = checkedParams(this.name, params);
    const asked = { ...rest, pipeline: this.name, params: inner, from: Number(from), to: Number(to) };
    return this.#start('backfill', checkedParams('backfill', asked), options);
  }

  async #start(pipeline: string, params: Record<string, unknown>, options: EnqueueOptions): Promise<StartedPipeline> {
    const start = await new KindClient(this.#core, 'pipeline').enqueue({ start: { pipeline, params } }, options);
    return new StartedPipeline(this.#core, pipeline, start);
  }

  /** A run by its id. */
  run(id: string): PipelineRun {
    return new PipelineRun(this.#core, id);
  }
}

function checkedParams(name: string, params: unknown): Record<string, unknown> {
  const parsed = pipelineOf(name).params.safeParse(params);
  if (parsed.success) return parsed.data;
  const [first] = parsed.error.issues;
  throw new AppError('INPUT_INVALID', {
    message: `The parameters of pipeline ${name} are not valid${first === undefined ? '' : `: ${[...first.path, first.message].join(' ')}`}.`,
    details: { pipeline: name, issues: issuesOf(parsed.error) },
  });
}

/** The error of the run, else of its first failed step. */
function errorOfRun(document: PipelineDocument): AppError {
  if (document.state === 'cancelled')
    return new AppError('CANCELLED', { message: `Pipeline run ${document.id} was cancelled.` });
  const failed = Object.entries(document.steps).find(([, step]) => step.state === 'failed');
  const cause = document.error ?? failed?.[1].error;
  return new AppError('STEP_FAILED', {
    message:
      failed === undefined
        ? `Pipeline run ${document.id} failed.`
        : `Step "${failed[0]}" of pipeline run ${document.id} failed.`,
    details: { run: document.id, step: failed?.[0], code: cause?.code },
    cause: cause === null || cause === undefined ? undefined : errorOfFailure(withoutAbsent(cause)),
  });
}

const withoutAbsent = ({ code, message, details }: z.output<typeof failureSchema>) => ({
  code,
  ...(message === undefined ? {} : { message }),
  ...(details === undefined ? {} : { details }),
});

export { PIPELINE_NAMES };
