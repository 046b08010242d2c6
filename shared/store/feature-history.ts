/**
 * Owns reading features as they were known. A features version speaks of one moment, its `asOf`: it is made of what had occurred and been recorded
 * by then and of nothing else, whenever it is made. So a read as of t is a read of the newest version of the view that speaks of t or earlier, and
 * what comes later, late events included, changes nothing of what is read.
 *
 * Consent is of today: whose purpose was withdrawn since a version was made is not read from it.
 */
import type { FeatureView } from '../contract-kit/feature-views.ts';
import { featureViewOf } from '../contract-kit/feature-views.ts';
import { AppError } from '../errors.ts';
import { featuresOfView, VIEWS } from '../numerics/features/registry.ts';
import { KeyIndex } from '../numerics/interactions/key-index.ts';
import { KEY_BYTES } from '../numerics/types.ts';
import type { Consents, DatasetVersion, Versions } from './ports.ts';

/** Versions of all views that are looked through, the newest made. */
const LOOKED_MAX = 2_000;

export interface FeatureStore {
  readonly versions: Pick<Versions, 'latest' | 'arrays'>;
  readonly consents: Pick<Consents, 'withdrawnSince'>;
}

/** Rows of (person, moment). */
export interface Moments {
  /** 16 bytes a row. */
  readonly subjects: Uint8Array;
  /** ms since 1970, a row each. */
  readonly at: Float64Array;
}

export interface KnownFeatures {
  readonly names: readonly string[];
  /** A row for each that was asked for, row-major; NaN: no value was known. */
  readonly matrix: Float32Array;
  /** The moment that the row's values speak of; NaN: nothing was known of the person. */
  readonly knownAt: Float64Array;
}

/**
 * Versions of a view as it is declared today, in order of the moments that they speak of. Of several for one moment that which was made last:
 * it knows more withdrawals.
 */
export async function viewHistory(store: FeatureStore, tenant: string, view: FeatureView): Promise<DatasetVersion[]> {
  const found = await store.versions.latest(tenant, 'features', LOOKED_MAX);
  const own = found.filter(
    ({ meta, state }) =>
      state !== 'erased' && featureViewOf(meta) === view && (meta['viewVersion'] ?? 1) === VIEWS[view].version,
  );
  const byMoment = new Map<number, DatasetVersion>();
  for (const version of own) {
    const other = byMoment.get(version.asOf);
    if (other === undefined || other.createdAt < version.createdAt) byMoment.set(version.asOf, version);
  }
  return [...byMoment.values()].sort((a, b) => a.asOf - b.asOf);
}

/** Place of the last version that speaks of t or earlier; -1: there is none. */
export function placeAsOf(history: readonly Pick<DatasetVersion, 'asOf'>[], t: number): number {
  let [low, high] = [0, history.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (history[middle]!.asOf <= t) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** What was known of each person at the row's moment. Each version that is needed is read once, one after the other. */
export async function featuresAsOf(
  store: FeatureStore,
  tenant: string,
  view: FeatureView,
  { subjects, at }: Moments,
): Promise<KnownFeatures> {
  const history = await viewHistory(store, tenant, view);
  const names = featuresOfView(view);
  const matrix = new Float32Array(at.length * names.length).fill(Number.NaN);
  const knownAt = new Float64Array(at.length).fill(Number.NaN);
  const rowsOf = Map.groupBy(at.keys(), (row) => placeAsOf(history, at[row]!));
  for (const [place, rows] of rowsOf) {
    const version = history[place];
    if (version === undefined) continue;
    const known = await openFeatures(store, tenant, version);
    const index = KeyIndex.of(known.subjects);
    for (const row of rows) {
      const from = index.find(subjects, row);
      if (from < 0 || known.withdrawn.has(keyAt(subjects, row))) continue;
      knownAt[row] = version.asOf;
      for (const [column, name] of known.names.entries()) {
        const to = names.indexOf(name as never);
        if (to >= 0) matrix[row * names.length + to] = known.matrix[from * known.names.length + column]!;
      }
    }
  }
  return { names, matrix, knownAt };
}

const keyAt = (keys: Uint8Array, row: number): string =>
  Buffer.from(keys.subarray(row * KEY_BYTES, (row + 1) * KEY_BYTES)).toString('hex');

/** A version's features, and who has withdrawn since (hex). */
export async function openFeatures({ versions, consents }: FeatureStore, tenant: string, version: DatasetVersion) {
  const arrays = await versions.arrays(tenant, version);
  const [subjects, matrix] = [arrays.get('subjects'), arrays.get('matrix')];
  if (!(subjects instanceof Uint8Array && matrix instanceof Float32Array))
    throw new AppError('BLOCK_CORRUPT', {
      message: `Version ${version.version} holds no features.`,
      details: { version: version.version },
    });
  const { consentEpoch = 0, createdAt } = version;
  const { subjects: gone } = await consents.withdrawnSince(tenant, consentEpoch, ['segmentation'], createdAt);
  const withdrawn = new Set(gone.map((key) => Buffer.from(key).toString('hex')));
  return { names: version.meta['features'] as readonly string[], subjects, matrix, withdrawn };
}
