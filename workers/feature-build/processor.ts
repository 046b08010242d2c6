/** Owns feature-build: one view of features of people at a moment, from what had occurred and been recorded by then. */
import { featureBuild } from '../../jobs/feature-build/contract.ts';
import type { ContractParsed } from '../../shared/contract-kit/define-job.ts';
import type { FeatureView } from '../../shared/contract-kit/feature-views.ts';
import { AppError } from '../../shared/errors.ts';
import { EFFORT_TABLE_VERSION } from '../../shared/numerics/features/effort.ts';
import { featuresOfView, VIEWS } from '../../shared/numerics/features/registry.ts';
import { INTERACTION_TABLE_VERSION } from '../../shared/numerics/interactions/weights.ts';
import { NORMALISATION_VERSION } from '../../shared/numerics/signals/typical.ts';
import { admitFor, allowsFor, loadEvents } from '../reading/dataset.ts';
import { defineProcessor, type RunContext, type Written as WrittenRun } from '../runtime/processor.ts';
import { type FeatureEvents, isPersonView } from './features.task.ts';
import { buildGraphView } from './graph-view.ts';
import { holdBackSensitive } from './held-back.ts';
import { buildNetworkView, type OwnShape } from './network-view.ts';
import { buildPersonView, type Catalogue, readCatalogue } from './person-view.ts';
import { type Profiles, readProfiles } from './profiles.ts';
import { buildTextView } from './text-view.ts';
import { readTexts, type Written } from './texts.ts';
import { compareWithLive, type LearnedFeatures, readLearned } from './skew.ts';
import type { SkewReport } from '../../shared/store/feature-skew.ts';

export interface Loaded {
  readonly view: FeatureView;
  readonly dataset: string;
  readonly asOf: number;
  readonly halfLifeDays: number;
  /** With what their people allow. */
  readonly events: FeatureEvents;
  readonly allows: (subject: Uint8Array, source: string) => boolean;
  readonly seed: number;
  readonly catalogue?: Catalogue;
  readonly profiles?: Profiles;
  readonly written?: Written;
  readonly learned?: LearnedFeatures;
}
interface Computed extends OwnShape {
  /** Names of the columns. */
  readonly features: readonly string[];
  readonly skew: SkewReport | undefined;
  readonly loaded: Pick<Loaded, 'view' | 'dataset' | 'asOf' | 'halfLifeDays' | 'seed'>;
}

async function load(input: ContractParsed<typeof featureBuild>, context: RunContext): Promise<Loaded> {
  const loaded = await loadEvents(input.dataset, 'segmentation', context);
  const { columns, dataset } = loaded;
  const admitted = await admitFor('segmentation', loaded, context);
  const { view, halfLifeDays, seed, asOf = dataset.asOf } = input;
  const events: FeatureEvents = { ...admitted, columns };
  const learned = await readLearned(view, context);
  const reads = new Set<string>(VIEWS[view].needs.reads);
  return {
    view,
    dataset: dataset.version,
    asOf,
    halfLifeDays,
    events,
    allows: allowsFor('segmentation', loaded),
    seed,
    ...(reads.has('catalogue') ? { catalogue: await readCatalogue(columns, asOf, context) } : {}),
    ...(reads.has('profiles') ? { profiles: await readProfiles(events, asOf, context) } : {}),
    ...(reads.has('texts') ? { written: await readTexts(events, asOf, 'words', context) } : {}),
    ...(learned === undefined ? {} : { learned }),
  };
}

async function compute(loaded: Loaded, context: RunContext): Promise<Computed> {
  const shaped = await buildView(loaded, context);
  const { view, dataset, asOf, halfLifeDays, seed } = loaded;
  // That nobody is tied to anybody, or has said anything, is something to know; that nobody has done anything is a wrong moment.
  if (shaped.rows === 0 && isPersonView(view))
    throw new AppError('DATASET_EMPTY', { message: 'Nobody had done anything by then.', details: { asOf } });
  const features = shaped.kept.map((column) => featuresOfView(view)[column]!);
  holdBackSensitive(view, features, shaped.facts);
  const built = { ...shaped, asOf, names: features };
  const skew = loaded.learned && (await compareWithLive(built, loaded.learned, context));
  return { ...shaped, features, skew, loaded: { view, dataset, asOf, halfLifeDays, seed } };
}

async function buildView(loaded: Loaded, context: RunContext): Promise<OwnShape> {
  const { view } = loaded;
  if (view === 'network') return buildNetworkView(loaded, context);
  if (view === 'graph') return buildGraphView(loaded, context);
  if (view === 'text') return buildTextView(loaded, context);
  return { ...(await buildPersonView({ ...loaded, view }, context)), facts: {} };
}

async function write(computed: Computed, context: RunContext): Promise<WrittenRun<typeof featureBuild>> {
  const { store, tenant, runKey, fence, consentEpoch, codeVersion } = context;
  const { features, matrix, rows, skew, subjects } = computed;
  const { view, dataset, asOf, halfLifeDays, seed } = computed.loaded;
  const draft = await store.versions.draft(tenant, runKey, fence, rows, [
    { name: 'subjects', data: subjects },
    { name: 'matrix', data: matrix },
  ]);
  const lineage = { inputs: [dataset], seed, threads: context.pool.threads, engine: 'js' };
  const tables = {
    interactions: INTERACTION_TABLE_VERSION,
    effort: EFFORT_TABLE_VERSION,
    normalisation: NORMALISATION_VERSION,
  };
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
    meta: {
      view,
      viewVersion: VIEWS[view].version,
      tables,
      features,
      halfLifeDays,
      seed,
      missing: 'NaN',
      ...computed.facts,
      ...(skew !== undefined && { skew }),
    },
  });
  return { output: { version, rows, features: [...features], consentEpoch }, version, lineage };
}

// Nothing of a features version is served; segmentation asks for consent again, and the executor marks it stale.
export default defineProcessor({ contract: featureBuild, load, compute, write });
