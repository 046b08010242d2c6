/**
 * Owns the jobs of kind `pipeline`: starting a run of several jobs, and publishing what a run made.
 * Both change the store only after their commit: the run document of a pipeline is created, and the release pointer moved,
 * when they follow.
 */
import { createHash } from 'node:crypto';
import { pipeline, type ReleaseParts } from '../../jobs/pipeline/contract.ts';
import { pipelineOf } from '../../jobs/pipelines.ts';
import { pipelineRunId } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';
import type { PipelineRunDocument, Release, RunDocument, Store } from '../../shared/store/ports.ts';
import { defineProcessor, type Ports, type RunContext, type Written } from '../runtime/processor.ts';

type Plan =
  | { readonly start: PipelineRunDocument }
  | { readonly publish: { readonly parts: ReleaseParts; readonly asOf: number } };

const CONFLICT_TRIES_MAX = 20;
/** How far back a repeated publish looks for itself. */
const RELEASES_BACK_MAX = 50;
/** Parameters are part of the run's document, which is read and written often. */
const PARAMS_BYTES_MAX = 64 * 1024;
const PART_NAMES = ['dataset', 'embeddings', 'segments', 'candidates', 'audit'] as const;

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

/** The parts that are named, without the rest of a release. */
function partsOf(parts: ReleaseParts | Release | undefined): Record<string, string> {
  const named = PART_NAMES.map((name) => [name, parts?.[name]] as const);
  return Object.fromEntries(
    named.filter((entry): entry is [(typeof PART_NAMES)[number], string] => entry[1] !== undefined),
  );
}

async function planStart(name: string, params: Record<string, unknown>, context: RunContext): Promise<Plan> {
  const definition = pipelineOf(name);
  const parsed = definition.params.safeParse(params);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => ({ path, message }));
    throw new AppError('INPUT_INVALID', {
      message: `The parameters of "${name}" are not valid.`,
      details: { pipeline: name, issues },
    });
  }
  if (Buffer.byteLength(JSON.stringify(parsed.data)) > PARAMS_BYTES_MAX)
    throw new AppError('INPUT_TOO_LARGE', { details: { pipeline: name, field: 'params', bytesMax: PARAMS_BYTES_MAX } });
  const now = context.clock.now();
  const live = partsOf(await context.store.releases.live(context.tenant));
  const steps = Object.fromEntries(Object.keys(definition.steps).map((step) => [step, { state: 'waiting' as const }]));
  return {
    start: {
      id: pipelineRunId(context.tenant, name, context.runKey),
      tenant: context.tenant,
      pipeline: name,
      params: parsed.data,
      asOf: context.asOf,
      live,
      state: 'running',
      seq: 1,
      steps,
      createdAt: now,
      changedAt: now,
    },
  };
}

/** The release that this run published before a crash, also when others have been published since: it is not published again over them. */
async function ownRelease(run: RunDocument, live: string | undefined, store: Store): Promise<string | undefined> {
  let version = live;
  for (let back = 0; version !== undefined && back < RELEASES_BACK_MAX; back++) {
    const release = await store.releases.read(run.tenant, version);
    if (release?.runKey === run.runKey) return version;
    if (release === undefined || release.createdAt < run.createdAt) return undefined;
    version = release.previous;
  }
  return undefined;
}

/** Moves the release pointer to the live parts with the new ones laid over them. */
async function publish(
  run: RunDocument,
  parts: ReleaseParts,
  asOf: number,
  { store, clock }: Ports,
): Promise<{ version: string; live: boolean; reason?: string }> {
  for (let attempt = 0; attempt < CONFLICT_TRIES_MAX; attempt++) {
    const pointer = await store.releases.pointer(run.tenant);
    const earlier = await ownRelease(run, pointer?.version, store);
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
    const moved = await store.releases.move(run.tenant, seq, { asOf, runKey: run.runKey, version });
    if (moved === 'moved') return { version, live: true };
    if (moved === 'late') return { version, live: false, reason: 'a release of a later moment is live already' };
    if (moved === 'held') return { version, live: false, reason: 'the release is on hold' };
  }
  throw new AppError('POINTER_CONFLICT', { details: { tenant: run.tenant } });
}

export default defineProcessor({
  contract: pipeline,

  async load(input, context): Promise<Plan> {
    if ('start' in input) return planStart(input.start.pipeline, input.start.params, context);
    return { publish: input.publish };
  },

  compute: async (plan: Plan): Promise<Plan> => plan,

  async write(plan): Promise<Written<typeof pipeline>> {
    if ('publish' in plan) return { output: {}, plan, lineage: { inputs: Object.values(partsOf(plan.publish.parts)) } };
    const { id } = plan.start;
    return { output: { run: id }, plan, next: [{ type: 'advance', run: id }] };
  },

  async follow(run, ports) {
    const plan = run.plan as Plan;
    if ('publish' in plan) return { release: await publish(run, plan.publish.parts, plan.publish.asOf, ports) };
    await ports.store.pipelineRuns.create(plan.start);
    return undefined;
  },
});
