/**
 * Owns the passes that make features, in threads: which rows count, people per item, features of a range of people,
 * and the final shape. Everything about a person depends on the person's rows and on whole-number counts, so the bytes are the same for any number
 * of threads. Slow reference: features.reference.ts.
 */
import { sharedBytes } from '../../shared/numerics/interactions/key-index.ts';
import type { AdmittedEvents } from '../../shared/numerics/interactions/interaction-view.ts';
import { type InteractionArrays, RATING_SCALES } from '../../shared/numerics/interactions/weights.ts';
import { sharedFloat32, sharedInt32 } from '../../shared/numerics/sparse.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import { FEATURES } from './feature-list.ts';
import { featuresOf, type PersonRows, personScratch } from './person-features.ts';

/** Columns of the store that features read beside those of interactions. */
export interface FeatureEvents extends AdmittedEvents {
  readonly columns: AdmittedEvents['columns'] & { readonly device: Uint8Array; readonly session: Uint8Array };
}

export interface PointInTime {
  readonly events: FeatureEvents;
  readonly table: InteractionArrays;
  readonly asOf: number;
  readonly items: number;
  readonly item: Int32Array;
}

export interface Basis {
  /** 1 where the row counts: admitted, occurred and recorded by then. */
  readonly counts: Uint8Array;
  /** People who met the item. */
  readonly people: Int32Array;
  /** Scale of each source's ratings. */
  readonly scales: Float32Array;
}

/** Which rows count, and what is known of items and sources from them alone: later rows change nothing. */
export function findBasis({ events, table, asOf, items, item }: PointInTime): Basis {
  const { columns, runs, sources, allowed } = events;
  const counts = sharedBytes(columns.rows);
  const people = sharedInt32(items);
  const lastPerson = new Int32Array(items).fill(-1);
  const highest = new Float32Array(sources);
  for (let s = 0; s < runs.subjects; s++) {
    for (let row = runs.starts[s]!; row < runs.starts[s + 1]!; row++) {
      const source = columns.source[row]!;
      if (allowed[s * sources + source] === 0) continue;
      if (columns.occurredAt[row]! > asOf || columns.recordedAt[row]! > asOf) continue;
      counts[row] = 1;
      const type = columns.type[row]!;
      if (table.scaled[type] === 1) highest[source] = Math.max(highest[source]!, columns.value[row]!);
      const met = table.seen[type] === 1 ? item[row]! : -1;
      if (met < 0 || lastPerson[met] === s) continue;
      lastPerson[met] = s;
      people[met]!++;
    }
  }
  const scales = sharedFloat32(sources);
  for (let n = 0; n < sources; n++)
    scales[n] = RATING_SCALES.find((scale) => highest[n]! <= scale) ?? RATING_SCALES.at(-1)!;
  return { counts, people, scales };
}

export interface RangeRequest extends PersonRows {
  readonly from: number;
  readonly to: number;
  /** subjects x FEATURES, row-major; this task writes the rows from .. to. */
  readonly matrix: Float32Array;
  /** 1 where the person has at least one act. */
  readonly present: Uint8Array;
}

/** Features of the people from .. to, written in place. */
export function buildRange({ from, to, matrix, present, ...rows }: RangeRequest): void {
  const scratch = personScratch();
  for (let s = from; s < to; s++) {
    const features = featuresOf(rows, s, scratch);
    if (features === undefined) continue;
    present[s] = 1;
    matrix.set(features, s * FEATURES.length);
  }
}

export interface Shaped {
  readonly rows: number;
  /** Numbers of the kept columns of FEATURES. */
  readonly kept: readonly number[];
  /** 16 bytes a row. */
  readonly subjects: Uint8Array;
  readonly matrix: Float32Array;
}

/** Leaves out people without acts, and columns that are the same for everybody who has a value. */
export function shapeFeatures(payload: {
  readonly keys: Uint8Array;
  readonly matrix: Float32Array;
  readonly present: Uint8Array;
}): Shaped {
  const width = FEATURES.length;
  const people = [...payload.present.keys()].filter((s) => payload.present[s] === 1);
  const kept = [...FEATURES.keys()].filter((column) => {
    const values = people.map((s) => payload.matrix[s * width + column]!).filter((value) => !Number.isNaN(value));
    return values.some((value) => value !== values[0]);
  });
  const subjects = sharedBytes(people.length * KEY_BYTES);
  const matrix = sharedFloat32(people.length * kept.length);
  for (const [row, s] of people.entries()) {
    subjects.set(payload.keys.subarray(s * KEY_BYTES, (s + 1) * KEY_BYTES), row * KEY_BYTES);
    for (const [to, column] of kept.entries()) matrix[row * kept.length + to] = payload.matrix[s * width + column]!;
  }
  return { rows: people.length, kept, subjects, matrix };
}
