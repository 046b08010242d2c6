/** Owns segmentation: groups of people who behave alike, by K-Means++ over standardised features, named by what sets them apart. */
import { segmentation } from '../../jobs/segmentation/contract.ts';
import type { ContractParsed } from '../../shared/contract-kit/define-job.ts';
import { AppError } from '../../shared/errors.ts';
import { fitKMeans, kMeansParams, type KMeansResult } from '../../shared/numerics/segments/kmeans.ts';
import { arrayOf, readVersion } from '../reading/dataset.ts';
import { defineProcessor, type RunContext, type Written } from '../runtime/processor.ts';
import type { Imputed, ImputeRequest } from './impute.task.ts';
import { describeSegments } from './words.ts';

const TASKS = new URL('./impute.task.ts', import.meta.url).href;
/** Numbers of segments tried where none is asked for. */
const CHOICES = [2, 3, 4, 5, 6, 7, 8] as const;
const PEOPLE_MIN = 2;

type Input = ContractParsed<typeof segmentation>;
interface Loaded extends ImputeRequest {
  readonly input: Input;
  readonly asOf: number;
  readonly features: readonly string[];
}
interface Computed {
  readonly loaded: Loaded;
  readonly subjects: Uint8Array;
  readonly result: KMeansResult;
  /** Silhouettes by number of segments, where it was chosen. */
  readonly tried: Readonly<Record<string, number | null>>;
}

async function load(input: Input, context: RunContext): Promise<Loaded> {
  const { store, tenant } = context;
  const version = await readVersion(input.features, 'features', context);
  const arrays = await store.versions.arrays(tenant, version);
  const features = version.meta['features'] as readonly string[];
  // Features do not say of which source they are made: who withdrew segmentation for any of them since is left out.
  const { consentEpoch = 0, createdAt } = version;
  const withdrawn = (await store.consents.withdrawnSince(tenant, consentEpoch, ['segmentation'], createdAt)).subjects;
  return {
    input,
    asOf: version.asOf,
    features,
    subjects: arrayOf(arrays, 'subjects', Uint8Array),
    matrix: arrayOf(arrays, 'matrix', Float32Array),
    width: features.length,
    without: new Set(withdrawn.map((key) => Buffer.from(key).toString('hex'))),
  };
}

async function compute(loaded: Loaded, context: RunContext): Promise<Computed> {
  const { subjects, matrix, width, without } = loaded;
  const payload: ImputeRequest = { subjects, matrix, width, without };
  const tasks = [{ module: TASKS, name: 'imputeMeans', payload }];
  const [points] = await context.pool.runPhase<Imputed>(tasks, context.signal);
  const rows = points!.rows;
  if (rows < PEOPLE_MIN || width === 0)
    throw new AppError('DATASET_EMPTY', {
      message:
        width === 0
          ? 'All people behave alike: no feature tells them apart.'
          : `There are features of ${rows} people only.`,
      details: { features: loaded.input.features, people: rows, columns: width },
    });
  return { loaded, subjects: points!.subjects, ...(await choose(points!, loaded, context)) };
}

/** Fits the number of segments asked for, else the one of 2..8 with the best silhouette (the smallest of equals). */
async function choose(
  points: Imputed,
  { input, width }: Loaded,
  context: RunContext,
): Promise<{ readonly result: KMeansResult; readonly tried: Record<string, number | null> }> {
  const choices = (input.k === undefined ? [...CHOICES] : [input.k]).filter((k) => k <= points.rows);
  // More segments than people were asked for: everybody is a segment then.
  if (choices.length === 0) choices.push(points.rows);
  const tried: Record<string, number | null> = {};
  let best: KMeansResult | undefined;
  for (const [done, clusters] of choices.entries()) {
    const params = kMeansParams.parse({ clusters, restarts: input.restarts });
    const data = { points: { rows: points.rows, width, data: points.matrix }, rowKeys: points.subjects };
    const result = await fitKMeans(data, params, { pool: context.pool, seed: input.seed, signal: context.signal });
    tried[clusters] = result.silhouette.value;
    if (best === undefined || (result.silhouette.value ?? -1) > (best.silhouette.value ?? -1)) best = result;
    context.progress({ done: done + 1, total: choices.length, label: 'numbers of segments' });
  }
  return { result: best!, tried };
}

async function write(computed: Computed, context: RunContext): Promise<Written<typeof segmentation>> {
  const { store, tenant, runKey, fence, consentEpoch, codeVersion } = context;
  const { loaded, subjects, result, tried } = computed;
  const { features: names, input } = loaded;
  const words = describeSegments(names, result.centroids.data, result.sizes);
  const segments = words.map(({ name, traits }, n) => ({ name, people: result.sizes[n]!, traits: [...traits] }));
  const people = result.labels.length;
  const k = result.clusters;
  const silhouette = result.silhouette.value;
  // Who belongs where lies in the served documents alone, so that dropping a person there drops the person.
  const draft = await store.versions.draft(tenant, runKey, fence, people, [
    { name: 'centroids', data: result.centroids.data },
    { name: 'means', data: Float64Array.from(result.means) },
    { name: 'deviations', data: Float64Array.from(result.deviations) },
  ]);
  const lineage = { inputs: [input.features], seed: input.seed, engine: result.engine, threads: result.threads };
  const { version } = await store.versions.write({
    ...draft,
    tenant,
    kind: 'segments',
    runKey,
    fence,
    asOf: loaded.asOf,
    consentEpoch,
    inputs: lineage.inputs,
    codeVersion,
    meta: {
      features: names,
      k,
      segments,
      inertia: result.inertia,
      silhouette: result.silhouette,
      tried,
      params: result.params,
    },
  });
  await store.served.writeSegments(tenant, version, { subjects, segment: result.labels });
  const output = { version, k, people, inertia: result.inertia, silhouette, segments, consentEpoch };
  return { output, version, lineage };
}

export default defineProcessor({
  contract: segmentation,
  load,
  compute,
  write,
  withdraw: ({ output }, subjects, { store, tenant }) => store.served.drop(tenant, output.version, subjects),
});
