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
import { isGroup, isSubRun, type Pipeline, type RunStart } from '../../jobs/define-pipeline.ts';
import { pipelineOf } from '../../jobs/pipelines.ts';
import type { OnProgress } from '../../shared/compute/task.ts';
import {
  PIPELINE_TTL_S,
  pipelineCancelName,
  pipelineChannel,
  pipelineKey,
  pipelineProgressField,
} from '../../shared/contract-kit/names.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import type { PipelineRunDocument, PipelineStepState, RunError, Store } from '../../shared/store/ports.ts';
import type { Log } from '../../shared/telemetry/log.ts';
import type { Telemetry } from '../../shared/telemetry/stream.ts';
import type { CancelWatch } from './cancellation.ts';
import type { Enqueuer } from './enqueuer.ts';
import type { LineageRecorder } from './lineage-recorder.ts';
import { tellAdvance } from './pipeline-events.ts';
import { mirrorOf } from './pipeline-mirror.ts';
import { newRun, paramsOf, partsOf } from './pipeline-start.ts';
import { isDone, StepGraph, type Steps, withOutputs } from './step-graph.ts';
import { hasFailed, keptError, keptOutput, planSteps } from './step-plan.ts';

const CONFLICT_TRIES_MAX = 20;
/** A run that does not fit this process's definition may be a newer one's; after this long without a step it is nobody's. */
const UNFIT_MS_MAX = 10 * 60_000;

export interface OrchestratorOptions {
  readonly store: Store;
  readonly redis: Redis;
  readonly prefix: string;
  readonly enqueuer: Enqueuer;
  readonly cancels: CancelWatch;
  readonly log: Log;
  readonly telemetry?: Telemetry;
  /** Told of runs that have ended; absent: nobody is. */
  readonly lineage?: Pick<LineageRecorder, 'endedPipeline'>;
  /** Where pipelines come from; tests bring their own. */
  readonly pipelineOf?: (name: string) => Pipeline;
}

/** Advancing one run in this process: a call that comes while another is at work shares the turn after it. */
interface Turns {
  readonly now: Promise<void>;
  next?: Promise<void>;
}

export class Orchestrator {
  readonly #options: OrchestratorOptions;
  readonly #pipelineOf: (name: string) => Pipeline;
  readonly #turns = new Map<string, Turns>();
  /** Runs above and below the ones that moved: advanced after them, never within, since they may wait for each other. */
  readonly #related = new Set<string>();

  constructor(options: OrchestratorOptions) {
    this.#options = options;
    this.#pipelineOf = options.pipelineOf ?? pipelineOf;
  }

  /** Brings a pipeline run as far as the ledger allows. Idempotent; safe from many processes at once. */
  async advance(id: string): Promise<void> {
    await this.#inTurn(id);
    for (const related of this.#related) {
      this.#related.delete(related);
      await this.#inTurn(related);
    }
  }

  #inTurn(id: string): Promise<void> {
    const turns = this.#turns.get(id);
    if (turns === undefined) return this.#turn(id);
    turns.next ??= turns.now.catch(() => {}).then(() => this.#turn(id));
    return turns.next;
  }

  #turn(id: string): Promise<void> {
    const turns: Turns = {
      now: this.#advance(id).finally(() => {
        if (this.#turns.get(id) === turns && turns.next === undefined) this.#turns.delete(id);
      }),
    };
    this.#turns.set(id, turns);
    return turns.now;
  }

  async #advance(id: string): Promise<void> {
    for (let attempt = 0; attempt < CONFLICT_TRIES_MAX; attempt++) {
      const before = await this.#options.store.pipelineRuns.read(id);
      if (before === undefined) return;
      const after = before.state === 'running' ? await this.#next(before) : before;
      if (after === before) return this.#mirror(before);
      // Before the document says so: after it, nobody would look at the steps of an ended run again.
      if (after.state !== 'running') await this.#cancelSteps(after);
      if (!(await this.#options.store.pipelineRuns.advance(before, after))) continue;
      tellAdvance(this.#options.telemetry, before, after);
      if (after.state !== 'running') await this.#tellEnd(after);
      await this.#mirror(after);
      if (after.state === 'running') await this.#enqueueSteps(after, before.steps);
      else if (after.parent !== undefined) this.#related.add(after.parent);
      return;
    }
    throw new AppError('POINTER_CONFLICT', {
      message: `The pipeline run ${id} is advanced by too many at once.`,
      details: { id },
    });
  }

  /** Should it fail, the document says that it is to be told of, and the sweeper does. */
  async #tellEnd(run: PipelineRunDocument): Promise<void> {
    try {
      await this.#options.lineage?.endedPipeline(run);
    } catch (thrown) {
      const error = toAppError(thrown).toJSON();
      this.#options.log.warn({ pipelineRun: run.id, error }, 'a pipeline run could not be told of yet');
    }
  }

  /** Cancels a pipeline run and the steps at work. */
  async cancel(id: string): Promise<void> {
    await this.#options.cancels.cancel(pipelineCancelName(id));
    await this.advance(id);
  }

  /** Enqueues again what should be at work but left no trace (a crash between the document and Redis, or an emptied Redis). */
  async repair(run: PipelineRunDocument): Promise<void> {
    await this.advance(run.id);
    const now = await this.#options.store.pipelineRuns.read(run.id);
    if (now?.state === 'running') await this.#enqueueSteps(now);
  }

  /** The document after this moment, or `before` itself when nothing changes. */
  async #next(before: PipelineRunDocument): Promise<PipelineRunDocument> {
    const now = Date.now();
    const end = (state: PipelineRunDocument['state'], steps: Steps, error?: RunError) => ({
      ...before,
      state,
      steps,
      changedAt: now,
      endedAt: now,
      ...(this.#options.lineage === undefined ? {} : { told: false }),
      ...(error === undefined ? {} : { error }),
    });
    const observed = await this.#observe(before, now);
    // What has had its whole effect is not cancelled any more.
    if (Object.values(observed).every(isDone)) return end('committed', observed);
    if (await this.#options.cancels.isCancelled(pipelineCancelName(before.id))) return end('cancelled', observed);
    let steps: Steps;
    try {
      steps = await withOutputs(this.#options.store, (loaded) =>
        planSteps(this.#pipelineOf, { ...before, steps: observed }, loaded, now),
      );
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.retry !== 'never' || now - before.changedAt < UNFIT_MS_MAX) throw error;
      return end('failed', observed, keptError(error.toJSON()));
    }
    if (Object.values(steps).every(isDone)) return end('committed', steps);
    if (hasFailed(steps) && !Object.values(steps).some(({ state }) => state === 'enqueued'))
      return end('failed', steps);
    const changed = Object.keys(steps).some((name) => steps[name] !== before.steps[name]);
    return changed ? { ...before, steps, changedAt: now } : before;
  }

  /** What the ledger, or the run that it is, says of each step that was enqueued. */
  async #observe(run: PipelineRunDocument, now: number): Promise<Steps> {
    const observed = Object.entries(run.steps).map(async ([name, step]) => {
      if (step.state !== 'enqueued') return [name, step] as const;
      const ended = step.run === undefined ? await this.#endOfJob(name, step) : await this.#endOfRun(name, step.run);
      return [name, ended === undefined ? step : { ...step, endedAt: now, ...ended }] as const;
    });
    return Object.fromEntries(await Promise.all(observed));
  }

  async #endOfJob(name: string, { runKey = '' }: PipelineStepState): Promise<PipelineStepState | undefined> {
    const recorded = await this.#options.store.ledger.read(runKey);
    if (recorded === undefined || recorded.state === 'running' || !recorded.followed) return undefined;
    const { state, error, endedAt } = recorded;
    const at = endedAt === undefined ? {} : { endedAt };
    if (state === 'committed') return { state, ...keptOutput(recorded), ...at };
    return { state: 'failed', error: keptError(error ?? stepError(name, state)), ...at };
  }

  async #endOfRun(name: string, id: string): Promise<PipelineStepState | undefined> {
    const run = await this.#options.store.pipelineRuns.read(id);
    if (run === undefined || run.state === 'running') return undefined;
    const { state, endedAt } = run;
    const at = endedAt === undefined ? {} : { endedAt };
    if (state === 'committed') return { state, ...at };
    const failed = Object.values(run.steps).find((step) => step.state === 'failed');
    return { state: 'failed', error: keptError(run.error ?? failed?.error ?? stepError(name, state)), ...at };
  }

  /** Enqueues the steps that were not at work before; without `earlier`, all that the ledger does not know as ended. */
  async #enqueueSteps(run: PipelineRunDocument, earlier?: Steps): Promise<void> {
    const due = Object.entries(run.steps).flatMap(([name, step]) =>
      step.state === 'enqueued' && earlier?.[name]?.state !== 'enqueued' ? [{ name, step }] : [],
    );
    const open = earlier === undefined ? await this.#withoutEnded(due) : due;
    if (open.length === 0) return;
    const pipeline = this.#pipelineOf(run.pipeline);
    // One graph for all of them: making it runs every expansion of the run.
    const works = await withOutputs(this.#options.store, (loaded) => {
      const graph = new StepGraph(pipeline, run, loaded);
      return open.map(({ name, step }) => ({ name, step, work: workOf(graph, name) }));
    });
    for (const { name, step, work } of works) await this.#enqueueStep(run, name, step, work);
  }

  async #withoutEnded<T extends { readonly name: string; readonly step: PipelineStepState }>(
    due: readonly T[],
  ): Promise<T[]> {
    const ends = await Promise.all(
      due.map(async ({ name, step }) => (step.run === undefined ? this.#endOfJob(name, step) : undefined)),
    );
    return due.filter((_, index) => ends[index] === undefined);
  }

  async #enqueueStep(
    run: PipelineRunDocument,
    name: string,
    { runKey, run: child }: PipelineStepState,
    work: ReturnType<typeof workOf>,
  ): Promise<void> {
    const { store, enqueuer } = this.#options;
    const { tenant, asOf } = run;
    if ('kind' in work && runKey !== undefined)
      await enqueuer.enqueue(work.kind, work.input, { tenant, runKey, asOf, step: { run: run.id, step: name } });
    if ('pipeline' in work && child !== undefined) {
      const definition = this.#pipelineOf(work.pipeline);
      const params = paramsOf(definition, work.params);
      const live = partsOf(await store.releases.live(tenant));
      await store.pipelineRuns.create(
        newRun(definition, { id: child, tenant, params, asOf: work.asOf, live, parent: run.id }, Date.now()),
      );
      this.#related.add(child);
    }
  }

  async #cancelSteps(run: PipelineRunDocument): Promise<void> {
    for (const { state, runKey, run: child } of Object.values(run.steps)) {
      if (state !== 'enqueued') continue;
      if (runKey !== undefined) await this.#options.cancels.cancel(runKey);
      if (child === undefined) continue;
      await this.#options.cancels.cancel(pipelineCancelName(child));
      this.#related.add(child);
    }
  }

  /** Tells watchers; a failure here is told to the log alone. */
  async #mirror(run: PipelineRunDocument): Promise<void> {
    const { redis, prefix, log } = this.#options;
    const key = pipelineKey(prefix, run.tenant, run.id);
    try {
      await redis
        .multi()
        .hset(key, { state: run.state, document: JSON.stringify(mirrorOf(run)) })
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
      .expire(pipelineKey(prefix, tenant, id), PIPELINE_TTL_S, 'NX') // the mirror may have gone meanwhile
      .publish(pipelineChannel(prefix, tenant, id), JSON.stringify({ type: 'progress', step }))
      .exec()
      .catch(() => {}); // progress is news: the next one is as good
  }
}

/** The job, or the run, that a step is. */
function workOf(graph: StepGraph, name: string): { readonly kind: string; readonly input: unknown } | RunStart {
  const placed = graph.nodes.get(name);
  if (placed === undefined || isGroup(placed.node)) throw new RangeError(`${name} is no step with work of its own`);
  const { node } = placed;
  if (isSubRun(node)) return graph.startOf(placed, node);
  return { kind: node.contract.kind, input: graph.inputOf(placed, node) };
}

const stepError = (step: string, state: string): RunError =>
  new AppError('STEP_FAILED', { message: `The step "${step}" ended as ${state}.`, details: { step, state } }).toJSON();
