/** Owns feature-build: one view of features of people at a moment, from what had occurred and been recorded by then. */
import { featureBuild } from '../../jobs/feature-build/contract.ts';
import type { ContractParsed } from '../../shared/contract-kit/define-job.ts';
import type { FeatureView } from '../../shared/contract-kit/feature-views.ts';
import { AppError } from '../../shared/errors.ts';
import { EFFORT_TABLE_VERSION } from '../../shared/numerics/features/effort.ts';
import { featuresOfView, VIEWS } from '../../shared/numerics/features/registry.ts';
import { INTERACTION_TABLE_VERSION } from '../../shared/numerics/interactions/weights.ts';
import { admitFor, loadEvents } from '../reading/dataset.ts';
import { defineProcessor, type RunContext, type Written } from '../runtime/processor.ts';
import type { FeatureEvents, Shaped } from './features.task.ts';
import { buildPersonView, type Catalogue, readCatalogue } from './person-view.ts';
import { type Profiles, readProfiles } from './profiles.ts';

export interface Loaded {
  readonly view: FeatureView;
  readonly dataset: string;
  readonly asOf: number;
  readonly halfLifeDays: number;
  /** With what their people allow. */
  readonly events: FeatureEvents;
  readonly catalogue?: Catalogue;
  readonly profiles?: Profiles;
}
interface Computed extends Shaped {
  readonly loaded: Pick<Loaded, 'view' | 'dataset' | 'asOf' | 'halfLifeDays'>;
}

async function load(input: ContractParsed<typeof featureBuild>, context: RunContext): Promise<Loaded> {
  const loaded = await loadEvents(input.dataset, context);
  const { columns, dataset } = loaded;
  const admitted = await admitFor('segmentation', loaded, context);
  const { view, halfLifeDays, asOf = dataset.asOf } = input;
  const reads = new Set<string>(VIEWS[view].needs.reads);
  return {
    view,
    dataset: dataset.version,
    asOf,
    halfLifeDays,
    events: { ...admitted, columns },
    ...(reads.has('catalogue') ? { catalogue: await readCatalogue(columns, context) } : {}),
    ...(reads.has('profiles') ? { profiles: await readProfiles(admitted, context) } : {}),
  };
}

async function compute(loaded: Loaded, context: RunContext): Promise<Computed> {
  const shaped = await buildPersonView(loaded, context);
  const { view, dataset, asOf, halfLifeDays } = loaded;
  if (shaped.rows === 0)
    throw new AppError('DATASET_EMPTY', { message: 'Nobody had done anything by then.', details: { asOf } });
  return { ...shaped, loaded: { view, dataset, asOf, halfLifeDays } };
}

async function write(computed: Computed, context: RunContext): Promise<Written<typeof featureBuild>> {
  const { store, tenant, runKey, fence, consentEpoch, codeVersion } = context;
  const { rows, subjects, matrix } = computed;
  const { view, dataset, asOf, halfLifeDays } = computed.loaded;
  const features = computed.kept.map((column) => featuresOfView(view)[column]!);
  const draft = await store.versions.draft(tenant, runKey, fence, rows, [
    { name: 'subjects', data: subjects },
    { name: 'matrix', data: matrix },
  ]);
  const lineage = { inputs: [dataset], threads: context.pool.threads, engine: 'js' };
  const tables = { interactions: INTERACTION_TABLE_VERSION, effort: EFFORT_TABLE_VERSION };
  const { version } = await store.versions.write({
    ...draft,
    tenant,
    kind: 'features',
    runKey,
    fence,
    asOf,
    consentEpoch,
    inputs: lineage.inputs,
    codeVersion,
    meta: { view, viewVersion: VIEWS[view].version, tables, features, halfLifeDays, missing: 'NaN' },
  });
  return { output: { version, rows, features, consentEpoch }, version, lineage };
}

// Nothing of a features version is served; segmentation asks for consent again, and the executor marks it stale.
export default defineProcessor({ contract: featureBuild, load, compute, write });
