/**
 * Owns pipeline runs: one document a run, advanced by compare-and-set from what the ledger says of its steps.
 *
 * Invariants
 * 1. Whoever advances reads the ledger first: a lost wake-up, a doubled one or a crash only delays (the sweeper advances too).
 * 2. A step's run key depends on the pipeline run and the step alone, and its input on the document alone, so enqueueing
 *    it twice is enqueueing it once.
 * 3. The Redis mirror is for watching; nothing is decided by it.
 */
import type { Redis } from 'ioredis';
import { parseInput } from '../../jobs/client/make-job.ts';
import { type Pipeline, pipelineOf, type Step } from '../../jobs/pipelines.ts';
import type { Contract, ContractOutput } from '../../shared/contract-kit/define-job.ts';
import type { OnProgress } from '../../shared/compute/task.ts';
import {
  PIPELINE_TTL_S,
  pipelineChannel,
  pipelineKey,
  pipelineProgressField,
  runKeyOf,
} from '../../shared/contract-kit/names.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import type { PipelineRunDocument, PipelineStepState, RunError, Store } from '../../shared/store/ports.ts';
import type { Log } from '../../shared/telemetry/log.ts';
import type { Telemetry } from '../../shared/telemetry/stream.ts';
import type { CancelWatch } from './cancellation.ts';
import type { Enqueuer } from './enqueuer.ts';
import { tellAdvance } from './pipeline-events.ts';

const CONFLICT_TRIES_MAX = 20;

/** The name under which a pipeline run is cancelled. */
export const pipelineCancelName = (id: string): string => `pipeline:${id}`;

export interface OrchestratorOptions {
  readonly store: Store;
  readonly redis: Redis;
  readonly prefix: string;
  readonly enqueuer: Enqueuer;
  readonly cancels: CancelWatch;
  readonly log: Log;
  readonly telemetry?: Telemetry;
  /** Where pipelines come from; tests bring their own. */
  readonly pipelineOf?: (name: string) => Pipeline;
}

type Steps = Record<string, PipelineStepState>;

export class Orchestrator {
  readonly #options: OrchestratorOptions;
  readonly #pipelineOf: (name: string) => Pipeline;

  constructor(options: OrchestratorOptions) {
    this.#options = options;
    this.#pipelineOf = options.pipelineOf ?? pipelineOf;
  }

  /** Brings a pipeline run as far as the ledger allows. Idempotent; safe from many processes at once. */
  async advance(id: string): Promise<void> {
    for (let attempt = 0; attempt < CONFLICT_TRIES_MAX; attempt++) {
      const before = await this.#options.store.pipelineRuns.read(id);
      if (before === undefined) return;
      const after = before.state === 'running' ? await this.#next(before) : before;
      if (after === before) return this.#mirror(before);
      // Before the document says so: after it, nobody would look at the steps of an ended run again.
      if (after.state === 'cancelled') await this.#cancelSteps(after);
      if (!(await this.#options.store.pipelineRuns.advance(before, after))) continue;
      tellAdvance(this.#options.telemetry, before, after);
      await this.#mirror(after);
      if (after.state === 'running') await this.#enqueueSteps(after);
      return;
    }
    throw new AppError('POINTER_CONFLICT', {
      message: `The pipeline run ${id} is advanced by too many at once.`,
      details: { id },
    });
  }

  /** Cancels a pipeline run and the steps at work. */
  async cancel(id: string): Promise<void> {
    await this.#options.cancels.cancel(pipelineCancelName(id));
    await this.advance(id);
  }

  /** Enqueues again what should be at work but left no trace (a crash between the document and Redis, or an emptied Redis). */
  async repair(run: PipelineRunDocument): Promise<void> {
    await this.#enqueueSteps(run);
    await this.advance(run.id);
  }

  /** The document after this moment, or `before` itself when nothing changes. */
  async #next(before: PipelineRunDocument): Promise<PipelineRunDocument> {
    const { cancels } = this.#options;
    const pipeline = this.#pipelineOf(before.pipeline);
    const now = Date.now();
    const end = (state: PipelineRunDocument['state'], steps: Steps) => ({
      ...before,
      state,
      steps,
      changedAt: now,
      endedAt: now,
    });
    const steps = await this.#observe(before, now);
    // What has had its whole effect is not cancelled any more.
    if (Object.values(steps).every(({ state }) => state === 'committed')) return end('committed', steps);
    if (await cancels.isCancelled(pipelineCancelName(before.id))) return end('cancelled', steps);
    const states = (): string[] => Object.values(steps).map(({ state }) => state);
    const failed = states().includes('failed');
    if (!failed) this.#start(before, pipeline, steps, now);
    if (states().includes('failed') && !states().includes('enqueued')) return end('failed', steps);
    const changed = Object.keys(steps).some((name) => steps[name] !== before.steps[name]);
    return changed ? { ...before, steps, changedAt: now } : before;
  }

  /** What the ledger says of the steps that were enqueued. */
  async #observe(run: PipelineRunDocument, now: number): Promise<Steps> {
    const steps: Steps = { ...run.steps };
    for (const [name, step] of Object.entries(run.steps)) {
      if (step.state !== 'enqueued' || step.runKey === undefined) continue;
      const recorded = await this.#options.store.ledger.read(step.runKey);
      if (recorded === undefined || recorded.state === 'running' || !recorded.followed) continue;
      const endedAt = recorded.endedAt ?? now;
      if (recorded.state === 'committed')
        steps[name] = { ...step, state: 'committed', output: recorded.output, endedAt };
      else
        steps[name] = { ...step, state: 'failed', endedAt, error: recorded.error ?? stepError(name, recorded.state) };
    }
    return steps;
  }

  /** Marks the steps whose predecessors have committed as enqueued; their jobs follow once the document says so. */
  #start(run: PipelineRunDocument, pipeline: Pipeline, steps: Steps, now: number): void {
    for (const [name, step] of Object.entries(pipeline.steps)) {
      if (steps[name]?.state !== 'waiting') continue;
      if (!step.after.every((earlier) => steps[earlier]?.state === 'committed')) continue;
      try {
        parseInput(step.contract, inputOf({ ...run, steps }, step));
        steps[name] = {
          state: 'enqueued',
          runKey: runKeyOf(run.tenant, step.contract.kind, `${run.id}.${name}`),
          startedAt: now,
        };
      } catch (thrown) {
        steps[name] = { state: 'failed', startedAt: now, endedAt: now, error: toAppError(thrown).toJSON() };
      }
    }
  }

  async #enqueueSteps(run: PipelineRunDocument): Promise<void> {
    const { enqueuer, store } = this.#options;
    const pipeline = this.#pipelineOf(run.pipeline);
    for (const [name, state] of Object.entries(run.steps)) {
      const step = pipeline.steps[name];
      if (step === undefined || state.state !== 'enqueued' || state.runKey === undefined) continue;
      const recorded = await store.ledger.read(state.runKey);
      if (recorded !== undefined && recorded.state !== 'running') continue;
      const place = { tenant: run.tenant, runKey: state.runKey, asOf: run.asOf, step: { run: run.id, step: name } };
      await enqueuer.enqueue(step.contract.kind, inputOf(run, step), place);
    }
  }

  async #cancelSteps(run: PipelineRunDocument): Promise<void> {
    for (const { state, runKey } of Object.values(run.steps))
      if (state === 'enqueued' && runKey !== undefined) await this.#options.cancels.cancel(runKey);
  }

  /** Tells watchers; a failure here is told to the log alone. */
  async #mirror(run: PipelineRunDocument): Promise<void> {
    const { redis, prefix, log } = this.#options;
    const key = pipelineKey(prefix, run.tenant, run.id);
    const steps = Object.fromEntries(
      Object.entries(run.steps).map(([name, { state, startedAt, endedAt, error }]) => [
        name,
        { state, startedAt, endedAt, error },
      ]),
    );
    const document = JSON.stringify({
      id: run.id,
      pipeline: run.pipeline,
      state: run.state,
      createdAt: run.createdAt,
      endedAt: run.endedAt,
      steps,
    });
    try {
      await redis
        .multi()
        .hset(key, { state: run.state, document })
        .expire(key, PIPELINE_TTL_S)
        .publish(pipelineChannel(prefix, run.tenant, run.id), JSON.stringify({ type: 'state', state: run.state }))
        .exec();
    } catch (thrown) {
      log.warn({ pipelineRun: run.id, error: toAppError(thrown).toJSON() }, 'the mirror of a pipeline run is behind');
    }
  }

  /** Progress of a step, for watchers of the whole run. */
  stepProgress(tenant: string, id: string, step: string, progress: Parameters<OnProgress>[0]): void {
    const { redis, prefix } = this.#options;
    redis
      .multi()
      .hset(pipelineKey(prefix, tenant, id), pipelineProgressField(step), JSON.stringify(progress))
      .publish(pipelineChannel(prefix, tenant, id), JSON.stringify({ type: 'progress', step }))
      .exec()
      .catch(() => {}); // progress is news: the next one is as good
  }
}

/** A step's input from the document alone; throws what the pipeline's definition throws. */
function inputOf(run: PipelineRunDocument, step: Step): unknown {
  return step.input({
    params: run.params,
    asOf: run.asOf,
    live: run.live,
    output: <C extends Contract>(name: string, contract: C): ContractOutput<C> =>
      contract.output.parse(run.steps[name]?.output) as ContractOutput<C>,
  });
}

const stepError = (step: string, state: string): RunError =>
  new AppError('STEP_FAILED', { message: `The step "${step}" ended as ${state}.`, details: { step, state } }).toJSON();
