/**
 * Owns the jobs of kind `pipeline`: starting a run of several jobs, and publishing what a run made.
 * Both change the store only after their commit: the run document of a pipeline is created, and the release pointer moved,
 * when they follow.
 */
import { createHash } from 'node:crypto';
import { pipeline, type ReleaseParts } from '../../jobs/pipeline/contract.ts';
import { pipelineOf } from '../../jobs/pipelines.ts';
import { pipelineRunId, rerunId } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';
import type { PipelineRunDocument, Pointer, RunDocument, Store } from '../../shared/store/ports.ts';
import { restartedSteps } from '../runtime/pipeline-restart.ts';
import { newRun, paramsOf, partsOf } from '../runtime/pipeline-start.ts';
import { withOutputs } from '../runtime/step-graph.ts';
import { defineProcessor, type Ports, type RunContext, type Written } from '../runtime/processor.ts';

type Plan =
  | { readonly start: PipelineRunDocument }
  | {
      readonly publish: {
        readonly parts: ReleaseParts;
        readonly asOf: number;
        readonly channel?: 'live' | 'candidate' | undefined;
      };
    };

const CONFLICT_TRIES_MAX = 20;
/** How far back a repeated publish looks for itself. */
const RELEASES_BACK_MAX = 1_000;
/** Clocks of machines differ, by this at most: a release that says to be older than a run may have been published after it. */
const CLOCKS_DIFFER_MS = 10 * 60_000;

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

async function planStart(name: string, params: unknown, context: RunContext): Promise<Plan> {
  const { tenant, asOf, store, runKey, clock } = context;
  const definition = pipelineOf(name);
  const parsed = paramsOf(definition, params);
  const live = partsOf(await store.releases.live(tenant));
  const id = pipelineRunId(tenant, name, runKey);
  return { start: newRun(definition, { id, tenant, params: parsed, asOf, live }, clock.now()) };
}

/** A run has one re-run, whoever asks how often; that one can be run again in turn. */
async function planRerun(id: string, from: string | undefined, context: RunContext): Promise<Plan> {
  const { tenant, store, clock } = context;
  const run = await store.pipelineRuns.read(id);
  if (run === undefined || run.tenant !== tenant)
    throw new AppError('NOT_FOUND', { message: `There is no pipeline run ${id}.`, details: { id } });
  if (run.state === 'running')
    throw new AppError('PIPELINE_RUNNING', { message: `The pipeline run ${id} has not ended yet.`, details: { id } });
  const next = rerunId(tenant, run.pipeline, id);
  const there = await store.pipelineRuns.read(next);
  if (there !== undefined && there.origin?.from !== from)
    throw new AppError('PIPELINE_RERUN', {
      message: `The pipeline run ${id} was run again already, as ${next}.`,
      details: { id, run: next },
    });
  const definition = pipelineOf(run.pipeline);
  const steps = await withOutputs(store, (loaded) => restartedSteps(definition, run, from, loaded));
  const { params, asOf, live } = run;
  const origin = { run: id, ...(from === undefined ? {} : { from }) };
  return { start: newRun(definition, { id: next, tenant, params, asOf, live, origin, steps }, clock.now()) };
}

/**
 * The release that this run published before a crash, also when others have been published, or it was rolled back, since: it is not published
 * again over them.
 */
async function ownRelease(run: RunDocument, pointer: Pointer | undefined, store: Store): Promise<string | undefined> {
  const own = pointer?.changes?.find(({ did, by }) => did === 'publish' && by === run.runKey);
  if (own !== undefined) return own.version;
  let version = pointer?.version;
  for (let back = 0; version !== undefined && back < RELEASES_BACK_MAX; back++) {
    const release = await store.releases.read(run.tenant, version);
    if (release?.runKey === run.runKey) return version;
    if (release === undefined || release.createdAt < run.createdAt - CLOCKS_DIFFER_MS) return undefined;
    version = release.previous;
  }
  return undefined;
}

/** Moves the release pointer to the live parts with the new ones laid over them. */
async function publish(
  run: RunDocument,
  parts: ReleaseParts,
  { asOf, channel }: { readonly asOf: number; readonly channel?: 'live' | 'candidate' | undefined },
  { store, clock }: Ports,
): Promise<{ version: string; live: boolean; reason?: string }> {
  for (let attempt = 0; attempt < CONFLICT_TRIES_MAX; attempt++) {
    const pointer = await store.releases.pointer(run.tenant);
    const earlier = await ownRelease(run, pointer, store);
    if (earlier !== undefined) return { version: earlier, live: true };
    const seq = pointer?.seq ?? 0;
    const version = `v${seq + 1}-${shortHash(run.runKey).slice(0, 6)}`;
    const live = pointer === undefined ? undefined : await store.releases.read(run.tenant, pointer.version);
    await store.releases.write({
      ...partsOf(live),
      ...partsOf(parts),
      version,
      tenant: run.tenant,
      asOf,
      createdAt: clock.now(),
      runKey: run.runKey,
      ...(pointer === undefined ? {} : { previous: pointer.version }),
    });
    if (channel === 'candidate') {
      const proposed = await store.releases.propose(run.tenant, { asOf, runKey: run.runKey, version });
      return {
        version,
        live: false,
        reason: proposed ? 'it is the candidate' : 'a candidate of a later moment is there',
      };
    }
    const moved = await store.releases.move(run.tenant, seq, { asOf, runKey: run.runKey, version });
    if (moved === 'moved') return { version, live: true };
    if (moved === 'conflict') continue;
    // Somebody else who follows this run may have moved it since the pointer was read here; from now on nobody can.
    const meanwhile = await ownRelease(run, await store.releases.pointer(run.tenant), store);
    if (meanwhile !== undefined) return { version: meanwhile, live: true };
    const reason = moved === 'late' ? 'a release of a later moment is live already' : 'the release is on hold';
    return { version, live: false, reason };
  }
  throw new AppError('POINTER_CONFLICT', { details: { tenant: run.tenant } });
}

export default defineProcessor({
  contract: pipeline,

  async load(input, context): Promise<Plan> {
    if ('start' in input) return planStart(input.start.pipeline, input.start.params, context);
    if ('rerun' in input) return planRerun(input.rerun.run, input.rerun.from, context);
    return { publish: input.publish };
  },

  compute: async (plan: Plan): Promise<Plan> => plan,

  async write(plan): Promise<Written<typeof pipeline>> {
    if ('publish' in plan) {
      const lineage = { inputs: Object.values(partsOf(plan.publish.parts)), writes: [{ name: 'release' }] };
      return { output: {}, plan, lineage };
    }
    const { id } = plan.start;
    return { output: { run: id }, plan, next: [{ type: 'advance', run: id }] };
  },

  async follow(run, ports) {
    const plan = run.plan as Plan;
    if ('publish' in plan) return { release: await publish(run, plan.publish.parts, plan.publish, ports) };
    await ports.store.pipelineRuns.create(plan.start);
    return undefined;
  },
});
