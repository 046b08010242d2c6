/**
 * Owns bootstrap replicates over people. Weights are Poisson(1), drawn for each person from a stream of their own
 * (seed, person, replicate), so that replicates are deterministic, need no shared state, and one person's
 * absence changes nobody else's weights. (Poisson bootstrap: Hanley & MacGibbon 2006; Chamandy et al. 2012)
 *
 * Figures must be functions of sums over people. Then a replicate is a set of weighted sums, and all
 * figures of a replicate come from one pass.
 */
import { randomStream } from '../../random.ts';
import { KEY_BYTES } from '../types.ts';

/** Columns of numbers about people, and the cells each person counts in. */
export interface PeopleColumns {
  readonly people: number;
  readonly columns: number;
  /** people * columns, row-major. */
  readonly data: Float64Array;
  readonly cells: number;
  /** Number of cells a person may be in. */
  readonly memberships: number;
  /** people * memberships: cell, or -1. */
  readonly cellOf: Int32Array;
}

export interface BootstrapOptions {
  readonly replicates: number;
  readonly seed: number;
  /** `KEY_BYTES` a person; else streams follow the row. */
  readonly keys?: Uint8Array | undefined;
}

/** Share of replicates in which a figure may be missing before its interval is withheld. */
const MISSING_MAX = 0.05;
/** Fewest replicates that percentiles are read from. */
const REPLICATES_MIN = 50;

/** Poisson(1): a weight w is drawn when u < P(W <= w) * 2^32; beyond 12 the probability is under 2^-32. */
const POISSON = (() => {
  const bounds: number[] = [];
  let [term, sum] = [Math.exp(-1), 0];
  for (let w = 0; w < 12; w++) {
    sum += term;
    bounds.push(sum * 2 ** 32);
    term /= w + 1;
  }
  return bounds;
})();

function poisson(draw: number): number {
  let weight = 0;
  while (weight < POISSON.length && draw >= POISSON[weight]!) weight++;
  return weight;
}

/** Plain sums: [cell][column], cells * columns. */
export function sumCells({ people, columns, data, cells, memberships, cellOf }: PeopleColumns): Float64Array {
  const sums = new Float64Array(cells * columns);
  for (let person = 0; person < people; person++) {
    for (let m = 0; m < memberships; m++) {
      const cell = cellOf[person * memberships + m]!;
      if (cell < 0) continue;
      for (let c = 0; c < columns; c++) sums[cell * columns + c]! += data[person * columns + c]!;
    }
  }
  return sums;
}

/** People whose weights are drawn at a time: their columns and weights then stay in a core's cache. */
const PEOPLE_PER_BLOCK = 128;

/**
 * Weighted sums of every replicate, [replicate][cell][column], for each table; all tables speak of the same people and
 * share their weights. O(people * replicates * memberships * columns).
 */
export function resample(tables: readonly PeopleColumns[], options: BootstrapOptions): Float64Array[] {
  const { replicates, seed, keys } = options;
  const people = tables[0]?.people ?? 0;
  const sums = tables.map(({ cells, columns }) => new Float64Array(replicates * cells * columns));
  const base = randomStream(seed, 'audit.bootstrap');
  const weights = new Uint8Array(PEOPLE_PER_BLOCK * replicates);
  for (let from = 0; from < people; from += PEOPLE_PER_BLOCK) {
    const to = Math.min(people, from + PEOPLE_PER_BLOCK);
    for (let person = from; person < to; person++) {
      const stream = base.derive(...personWords(keys, person));
      const row = (person - from) * replicates;
      for (let replicate = 0; replicate < replicates; replicate++) weights[row + replicate] = poisson(stream.uint32());
    }
    tables.forEach((table, at) => addBlock(table, sums[at]!, weights, { from, to, replicates }));
  }
  return sums;
}

function addBlock(
  { columns, data, cells, memberships, cellOf }: PeopleColumns,
  sums: Float64Array,
  weights: Uint8Array,
  { from, to, replicates }: { readonly from: number; readonly to: number; readonly replicates: number },
): void {
  for (let replicate = 0; replicate < replicates; replicate++) {
    const start = replicate * cells * columns;
    for (let person = from; person < to; person++) {
      const weight = weights[(person - from) * replicates + replicate]!;
      if (weight === 0) continue;
      for (let m = 0; m < memberships; m++) {
        const cell = cellOf[person * memberships + m]!;
        if (cell < 0) continue;
        const target = start + cell * columns;
        const source = person * columns;
        for (let c = 0; c < columns; c++) sums[target + c]! += weight * data[source + c]!;
      }
    }
  }
}

function personWords(keys: Uint8Array | undefined, person: number): number[] {
  if (keys === undefined) return [person];
  const view = new DataView(keys.buffer, keys.byteOffset + person * KEY_BYTES, KEY_BYTES);
  return [view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)];
}

export interface Interval {
  readonly low: number;
  readonly high: number;
  readonly level: number;
  readonly replicates: number;
}

/**
 * Percentile interval of what the replicates say (linear interpolation between order statistics, as NumPy's default);
 * null when too many of them have no figure.
 */
export function percentileInterval(replicates: readonly (number | null)[], level: number): Interval | null {
  const found = Float64Array.from(replicates.filter((value) => value !== null)).sort();
  if (found.length < REPLICATES_MIN || found.length < replicates.length * (1 - MISSING_MAX)) return null;
  const tail = (1 - level) / 2;
  return { low: quantile(found, tail), high: quantile(found, 1 - tail), level, replicates: found.length };
}

/** Quantile q in [0, 1] of ascending values, not empty. */
export function quantile(sorted: Float64Array, q: number): number {
  const place = q * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (place - below) * (sorted[above]! - sorted[below]!);
}
