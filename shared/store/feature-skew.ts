/**
 * Owns the comparison of the features that the live segments learned from with those that are served now. It is made whenever the view is built, kept in the
 * facts of what was built, and read from there; aggregates only.
 */
import { featureViewOf, type FeatureView } from '../contract-kit/feature-views.ts';
import { AppError } from '../errors.ts';
import type { FeatureSkew, FeatureTable } from '../numerics/evaluation/feature-skew.ts';
import { VIEWS } from '../numerics/features/registry.ts';
import { KEY_BYTES } from '../numerics/types.ts';
import { type FeatureStore, featuresAsOf, openFeatures, viewHistory } from './feature-history.ts';
import type { DatasetVersion, Releases, Versions } from './ports.ts';

/** Of many people the slightest drift is beyond chance; what is nearer than this moves hardly anybody. */
export const SKEW_DISTANCE_MIN = 0.1;

export interface SkewReport {
  /** The live segments, and the features that they learned from. */
  readonly segments: string;
  readonly trained: string;
  /** Versions of the view: features of other ones mean something else, and are not compared. */
  readonly meaning: { readonly trained: number; readonly served: number };
  readonly features: readonly FeatureSkew[];
}

interface SkewStore extends Omit<FeatureStore, 'versions'> {
  readonly versions: Pick<Versions, 'latest' | 'arrays' | 'read'>;
  readonly releases: Pick<Releases, 'live'>;
}

export interface Trained {
  readonly segments: string;
  readonly features: DatasetVersion;
}

/** What the live segments learned from, if it is of that view and still kept. */
export async function trainedFeatures(
  { releases, versions }: Pick<SkewStore, 'releases' | 'versions'>,
  tenant: string,
  view: FeatureView,
): Promise<Trained | undefined> {
  const live = await releases.live(tenant);
  if (live?.segments === undefined) return undefined;
  const segments = await readIfKept(versions, tenant, live.segments);
  const input = segments?.inputs[0];
  const features = input === undefined ? undefined : await readIfKept(versions, tenant, input);
  if (features?.kind !== 'features' || featureViewOf(features.meta) !== view) return undefined;
  return { segments: live.segments, features };
}

async function readIfKept(
  versions: Pick<Versions, 'read'>,
  tenant: string,
  version: string,
): Promise<DatasetVersion | undefined> {
  try {
    return await versions.read(tenant, version);
  } catch (thrown) {
    if (thrown instanceof AppError && ['DATASET_NOT_FOUND', 'DATASET_ERASED'].includes(thrown.code)) return undefined;
    throw thrown;
  }
}

export const meaningOf = ({ meta }: Pick<DatasetVersion, 'meta'>): number =>
  typeof meta['viewVersion'] === 'number' ? meta['viewVersion'] : 1;

/** Features of a version without those who have withdrawn since, by the names that are asked for: a column that it lacks has no values. */
export async function featureTable(
  store: FeatureStore,
  tenant: string,
  version: DatasetVersion,
  names: readonly string[] = version.meta['features'] as readonly string[],
): Promise<FeatureTable> {
  const { matrix, names: own, subjects, withdrawn } = await openFeatures(store, tenant, version);
  const all = Array.from({ length: subjects.length / KEY_BYTES }, (_, row) =>
    Buffer.from(subjects.subarray(row * KEY_BYTES, (row + 1) * KEY_BYTES)).toString('hex'),
  );
  const rows = [...all.keys()].filter((row) => !withdrawn.has(all[row]!));
  const data = pickColumns({ names: own, rows, matrix }, names);
  return { names, rows: { rows: rows.length, width: names.length, data }, ids: rows.map((row) => all[row]!) };
}

/** Rows and columns of a matrix of features; NaN where it lacks a column. */
export function pickColumns(
  from: { readonly names: readonly string[]; readonly rows: readonly number[]; readonly matrix: Float32Array },
  names: readonly string[],
): Float32Array {
  const data = new Float32Array(from.rows.length * names.length).fill(Number.NaN);
  for (const [column, name] of names.entries()) {
    const own = from.names.indexOf(name);
    if (own < 0) continue;
    for (const [to, row] of from.rows.entries())
      data[to * names.length + column] = from.matrix[row * from.names.length + own]!;
  }
  return data;
}

export interface ServedNow {
  readonly trained: Trained;
  readonly meaning: SkewReport['meaning'];
  /** Absent where the view means something else today. */
  readonly tables?: {
    readonly trained: FeatureTable;
    /** As of now; who is who does not matter to distributions. */
    readonly now: FeatureTable;
    /** The people of training as they are read today as of the moment of training: the same, or one of the two paths is wrong. */
    readonly replayed: FeatureTable;
  };
}

/** Both sides, from the store. @throws AppError NOT_PUBLISHED where no live segments learned from the view, NOT_FOUND where nothing of it is served. */
export async function readSkewTables(store: SkewStore, tenant: string, view: FeatureView): Promise<ServedNow> {
  const trained = await trainedFeatures(store, tenant, view);
  if (trained === undefined)
    throw new AppError('NOT_PUBLISHED', { message: `No live segments learned from ${view} features that are kept.` });
  const meaning = { trained: meaningOf(trained.features), served: VIEWS[view].version };
  if (meaning.trained !== meaning.served) return { trained, meaning };
  const newest = (await viewHistory(store, tenant, view)).at(-1);
  if (newest === undefined) throw new AppError('NOT_FOUND', { message: `Nothing of the view ${view} is kept.` });
  const own = await featureTable(store, tenant, trained.features);
  const { ids: _, ...now } = await featureTable(store, tenant, newest, own.names);
  const at = new Float64Array(own.rows.rows).fill(trained.features.asOf);
  const known = await featuresAsOf(store, tenant, view, { subjects: Buffer.from(own.ids!.join(''), 'hex'), at });
  const rows = [...known.knownAt.keys()].filter((row) => known.knownAt[row] === trained.features.asOf);
  const replayed: FeatureTable = {
    names: own.names,
    rows: { rows: rows.length, width: own.names.length, data: pickColumns({ ...known, rows }, own.names) },
    ids: rows.map((row) => own.ids![row]!),
  };
  return { trained, meaning, tables: { trained: own, now, replayed } };
}

/** What the newest build of the view found against the segments that are live now; undefined: nothing was compared. */
export async function foundSkew(
  store: Pick<SkewStore, 'releases' | 'versions'>,
  tenant: string,
): Promise<SkewReport | undefined> {
  const [live, built] = await Promise.all([
    store.releases.live(tenant),
    store.versions.latest(tenant, 'features', LOOKED_MAX),
  ]);
  const reports = built.map(({ meta }) => meta['skew'] as SkewReport | undefined);
  const report = reports.find((one) => one !== undefined);
  return report?.segments === live?.segments ? report : undefined;
}

/** Newest versions of all views that are looked through. */
const LOOKED_MAX = 20;
const NAMED_MAX = 5;

/** For people; undefined where all is as it was learned. */
export function skewLine(report: SkewReport | undefined): string | undefined {
  if (report === undefined) return undefined;
  const { features, meaning } = report;
  const todo = '`millrace features skew`, then `millrace run refresh-segments --wait`';
  if (meaning.trained !== meaning.served)
    return `FEATURE_SKEW: the live segments learned from version ${meaning.trained} of their features, version ${meaning.served} is served: ${todo}`;
  const skewed = features.filter(({ isSkewed }) => isSkewed).map(({ name }) => name);
  if (skewed.length === 0) return undefined;
  const named = skewed.slice(0, NAMED_MAX).join(', ') + (skewed.length > NAMED_MAX ? ', ...' : '');
  return `FEATURE_SKEW: ${skewed.length} of ${features.length} features are not as the live segments learned them (${named}): ${todo}`;
}
