/**
 * Owns the test of train/serve skew: whether the features that a model is served with are those that it learned from. Two questions: do the
 * same entities have the same values on both paths (they must, whatever the distribution), and is a feature distributed as it was in
 * training (two-sample Kolmogorov-Smirnov; what is missing by the test of two rates)? The false discovery rate over all features is held
 * (Benjamini and Hochberg 1995), so that many features raise no alarm by their number. Sorting: rows * log rows a feature.
 */
import { AppError } from '../../errors.ts';
import { testTwoRates } from '../fairness/significance.ts';
import type { DenseRows } from '../types.ts';

export interface FeatureTable {
  readonly names: readonly string[];
  /** A row an entity, a column a feature; NaN: missing. */
  readonly rows: DenseRows;
  /** The entities' ids, where the same entities can be looked up on the other path. */
  readonly ids?: readonly string[];
}

export interface SkewOptions {
  /** False discovery rate of the distribution tests, 0..1. */
  readonly alpha?: number;
  /** How far two values of one entity may lie apart, as a share of the larger one. */
  readonly tolerance?: number;
  /** How far distributions must lie apart, or shares of what is missing, 0..1: of many people the slightest drift is beyond chance. Default 0. */
  readonly distanceMin?: number;
}

export interface FeatureSkew {
  readonly name: string;
  /** Largest distance between the two distribution functions, 0..1; null where a side has no values. */
  readonly distance: number | null;
  /** The smaller p of values and missingness, corrected for all features. */
  readonly pValue: number;
  readonly missing: { readonly trained: number; readonly served: number };
  /** Of the entities that both sides hold, those whose values differ. */
  readonly compared: number;
  readonly different: number;
  /** Distributions differ beyond chance and by as much as was asked for, or an entity's values differ. */
  readonly isSkewed: boolean;
}

const ALPHA = 0.01;
const TOLERANCE = 1e-5;

/** @throws AppError NUMERICS_INPUT_INVALID when the sides have other features, no rows, or a value that is infinite. */
export function findSkew(
  trained: FeatureTable,
  served: FeatureTable,
  { alpha = ALPHA, tolerance = TOLERANCE, distanceMin = 0 }: SkewOptions = {},
): readonly FeatureSkew[] {
  checkTable(trained, 'trained');
  checkTable(served, 'served');
  if (trained.names.join('\n') !== served.names.join('\n')) {
    refuse('trained and served must have the same features in the same order.', {
      array: 'served',
      trained: trained.names,
      served: served.names,
    });
  }
  const pairs = sharedEntities(trained, served);
  const rows = trained.names.map((name, feature) => {
    const [before, now] = [columnOf(trained, feature), columnOf(served, feature)];
    const [known, given] = [before, now].map((column) => column.filter((value) => !Number.isNaN(value)).sort());
    const distance = known!.length === 0 || given!.length === 0 ? null : distanceOf(known!, given!);
    const missing = { trained: before.length - known!.length, served: now.length - given!.length };
    const rates = { a: missing.trained, n: before.length, b: missing.served, m: now.length };
    const byValues = distance === null ? 1 : kolmogorov(distance, known!.length, given!.length);
    // Two tests a feature.
    const pValue = Math.min(1, 2 * Math.min(byValues, testTwoRates(rates).pValue));
    const different = pairs.filter(([a, b]) => differ(before[a]!, now[b]!, tolerance)).length;
    const shares = { trained: missing.trained / before.length, served: missing.served / now.length };
    return { name, distance, pValue, missing: shares, compared: pairs.length, different };
  });
  const corrected = correct(rows.map(({ pValue }) => pValue));
  return rows.map((row, n) => {
    const pValue = corrected[n]!;
    const apart = Math.max(row.distance ?? 0, Math.abs(row.missing.trained - row.missing.served));
    return { ...row, pValue, isSkewed: (pValue < alpha && apart >= distanceMin) || row.different > 0 };
  });
}

function refuse(message: string, details: object): never {
  throw new AppError('NUMERICS_INPUT_INVALID', { message, details: { ...details } });
}

function checkTable({ ids, names, rows }: FeatureTable, array: string): void {
  if (rows.rows === 0) refuse(`${array}: there are no rows.`, { array });
  if (rows.width !== names.length || rows.data.length !== rows.rows * rows.width) {
    refuse(`${array}: there must be a value for each row and feature.`, { array, width: rows.width });
  }
  if (new Set(names).size !== names.length) refuse(`${array}: a feature comes twice.`, { array, names });
  if (ids !== undefined && ids.length !== rows.rows) {
    refuse(`${array}: there must be an id for each row.`, { array, ids: ids.length });
  }
  const strange = rows.data.findIndex((value) => Math.abs(value) === Infinity);
  if (strange < 0) return;
  const feature = names[strange % rows.width]!;
  refuse(`${array}: a value of ${feature} is infinite.`, { array, feature, row: Math.floor(strange / rows.width) });
}

function columnOf({ rows: { data, rows, width } }: FeatureTable, feature: number): Float32Array {
  return Float32Array.from({ length: rows }, (_, row) => data[row * width + feature]!);
}

/** Rows of the entities that both sides hold. */
function sharedEntities(trained: FeatureTable, served: FeatureTable): (readonly [number, number])[] {
  const places = new Map(trained.ids?.map((id, place) => [id, place]));
  return (served.ids ?? []).flatMap((id, place) => {
    const other = places.get(id);
    return other === undefined ? [] : [[other, place] as const];
  });
}

function differ(a: number, b: number, tolerance: number): boolean {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) !== Number.isNaN(b);
  return Math.abs(a - b) > tolerance * Math.max(Math.abs(a), Math.abs(b));
}

/** Largest distance between the empirical distribution functions of two sorted samples. */
function distanceOf(a: Float32Array, b: Float32Array): number {
  let [i, j, largest] = [0, 0, 0];
  while (i < a.length && j < b.length) {
    const value = Math.min(a[i]!, b[j]!);
    while (i < a.length && a[i]! <= value) i++;
    while (j < b.length && b[j]! <= value) j++;
    largest = Math.max(largest, Math.abs(i / a.length - j / b.length));
  }
  return largest;
}

/** Terms of the series; beyond they are below 1e-20 wherever it is used. */
const TERMS_MAX = 100;

/**
 * Asymptotic p of the two-sample distance, with Stephens' correction for small samples: 2 sum (-1)^(j-1) exp(-2 j^2 l^2). Ties make it
 * larger than it is: no alarm comes of them.
 */
function kolmogorov(distance: number, n: number, m: number): number {
  const root = Math.sqrt((n * m) / (n + m));
  const scaled = (root + 0.12 + 0.11 / root) * distance;
  // Below this the series does not converge in time, and p is 1 to six digits.
  if (scaled < 0.3) return 1;
  let sum = 0;
  for (let j = 1; j <= TERMS_MAX; j++) sum += (j % 2 === 1 ? 2 : -2) * Math.exp(-2 * j ** 2 * scaled ** 2);
  return Math.min(1, Math.max(0, sum));
}

/** Benjamini and Hochberg's adjusted p. */
function correct(values: readonly number[]): readonly number[] {
  const order = values.map((_, n) => n).sort((a, b) => values[b]! - values[a]!);
  const adjusted = values.map(() => 1);
  let least = 1;
  order.forEach((place, n) => {
    least = Math.min(least, (values[place]! * values.length) / (values.length - n));
    adjusted[place] = least;
  });
  return adjusted;
}
