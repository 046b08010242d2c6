/**
 * Owns the passes that make features of people from their own acts, in threads: which rows count, people per item, features of a range of
 * people, and the final shape. Everything about a person depends on the person's rows and on whole-number counts, so the bytes are the same for
 * any number of threads. Slow references: *.reference.ts.
 */
import { sharedBytes } from '../../shared/numerics/interactions/key-index.ts';
import type { AdmittedEvents } from '../../shared/numerics/interactions/interaction-view.ts';
import { featuresOfView } from '../../shared/numerics/features/registry.ts';
import { SourceSums } from '../../shared/numerics/features/source-sums.ts';
import { type InteractionArrays } from '../../shared/numerics/interactions/weights.ts';
import { RatingScales } from '../../shared/numerics/signals/rating-scales.ts';
import { TypicalActivity } from '../../shared/numerics/signals/typical.ts';
import { sharedFloat32, sharedInt32 } from '../../shared/numerics/sparse.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import { CONTEXT_SUMS, fillContext } from './context-features.ts';
import { ENGAGEMENT_SUMS, fillEngagement } from './engagement-features.ts';
import { BEHAVIOUR_SUMS, fillBehaviour } from './person-features.ts';
import { type Fill, gatherActs, type PersonActs, type PersonRows } from './person-rows.ts';

/** Columns of the store that features read beside those of interactions. */
export interface FeatureEvents extends AdmittedEvents {
  readonly columns: AdmittedEvents['columns'] & {
    readonly eventId: Uint8Array;
    readonly device: Uint8Array;
    readonly session: Uint8Array;
    readonly target?: Uint8Array;
  };
}

/** Views whose features come from each person's own acts. */
const FILLS = {
  behaviour: { fill: fillBehaviour as Fill<string>, sums: BEHAVIOUR_SUMS },
  engagement: { fill: fillEngagement as Fill<string>, sums: ENGAGEMENT_SUMS },
  context: { fill: fillContext as Fill<string>, sums: CONTEXT_SUMS },
};
export type PersonView = keyof typeof FILLS;
export const isPersonView = (view: string): view is PersonView => Object.hasOwn(FILLS, view);

export interface PointInTime {
  readonly events: FeatureEvents;
  readonly table: InteractionArrays;
  readonly asOf: number;
  /** Code of what only the platform did, which is no act. */
  readonly impression: number;
  /** Absent: nobody asks who met an item. */
  readonly catalogue?: { readonly items: number; readonly item: Int32Array };
}

export interface Basis {
  /** How much the row's act counts beside others'; 0 where the row does not: not admitted, or not occurred and recorded by then. */
  readonly counts: Float32Array;
  /** People who met the item. */
  readonly people: Int32Array;
  /** Of ratings, the scale that they are on. */
  readonly scale: Uint8Array;
}

/** Which rows count and how much, and what is known of items and sources from them alone: later rows change nothing. */
export function findBasis(request: PointInTime): Basis {
  const { rows } = request.events.columns;
  const counts = sharedFloat32(rows);
  const scale = sharedBytes(rows);
  const earliest = markRows(request, counts);
  weighRows(request, earliest, counts);
  scaleRatings(request, counts, scale);
  return { counts, people: peopleOfItems(request, counts), scale };
}

/** Marks the rows that count; the first moment of each source. */
function markRows({ events, asOf }: PointInTime, counts: Float32Array): Float64Array {
  const { columns, runs, sources, allowed } = events;
  const earliest = new Float64Array(sources).fill(Number.POSITIVE_INFINITY);
  for (let s = 0; s < runs.subjects; s++)
    for (let row = runs.starts[s]!; row < runs.starts[s + 1]!; row++) {
      const source = columns.source[row]!;
      if (allowed[s * sources + source] === 0) continue;
      if (columns.occurredAt[row]! > asOf || columns.recordedAt[row]! > asOf) continue;
      counts[row] = 1;
      earliest[source] = Math.min(earliest[source]!, columns.occurredAt[row]!);
    }
  return earliest;
}

/** Makes acts of all sources and times count alike. */
function weighRows({ events, asOf, impression }: PointInTime, earliest: Float64Array, counts: Float32Array): void {
  const { columns, runs } = events;
  const activity = new TypicalActivity(asOf, earliest);
  const isAct = (row: number): boolean => counts[row]! > 0 && columns.type[row] !== impression;
  const groupOf = (row: number): number => activity.groupOf(columns.source[row]!, columns.occurredAt[row]!);
  for (let s = 0; s < runs.subjects; s++) {
    for (let row = runs.starts[s]!; row < runs.starts[s + 1]!; row++) if (isAct(row)) activity.add(groupOf(row));
    activity.next();
  }
  const weights = activity.weights();
  for (let row = 0; row < columns.rows; row++) if (isAct(row)) counts[row] = weights.get(groupOf(row))!;
}

function scaleRatings({ events, table }: PointInTime, counts: Float32Array, scale: Uint8Array): void {
  const { type, value, source, occurredAt, rows } = events.columns;
  const scales = new RatingScales(events.sources);
  const isScaled = (row: number): boolean => counts[row]! > 0 && table.scaled[type[row]!] === 1;
  for (let row = 0; row < rows; row++) if (isScaled(row)) scales.add(source[row]!, occurredAt[row]!, value[row]!);
  for (let row = 0; row < rows; row++) if (isScaled(row)) scale[row] = scales.at(source[row]!, occurredAt[row]!);
}

function peopleOfItems({ events, table, catalogue }: PointInTime, counts: Float32Array): Int32Array {
  const { columns, runs } = events;
  const people = sharedInt32(catalogue?.items ?? 0);
  if (catalogue === undefined) return people;
  const lastPerson = new Int32Array(people.length).fill(-1);
  for (let s = 0; s < runs.subjects; s++)
    for (let row = runs.starts[s]!; row < runs.starts[s + 1]!; row++) {
      const met = counts[row]! > 0 && table.seen[columns.type[row]!] === 1 ? catalogue.item[row]! : -1;
      if (met < 0 || lastPerson[met] === s) continue;
      lastPerson[met] = s;
      people[met]!++;
    }
  return people;
}

export interface RangeRequest extends PersonRows {
  readonly view: PersonView;
  readonly from: number;
  readonly to: number;
  /** subjects x features of the view, row-major; this task writes the rows from .. to. */
  readonly matrix: Float32Array;
  /** 1 where the person has at least one act. */
  readonly present: Uint8Array;
}

/** Features of the people from .. to, written in place. */
export function buildRange({ view, from, to, matrix, present, ...rows }: RangeRequest): void {
  const { fill, sums } = FILLS[view];
  const columns = new Map(featuresOfView(view).map((name, column) => [name as string, column]));
  const acts: PersonActs = { subject: from, byItem: [], byTime: [], sums: new SourceSums(sums, rows.shares) };
  const features = new Float32Array(columns.size);
  const set = (name: string, value: number): void => {
    features[columns.get(name)!] = value;
  };
  for (let s = from; s < to; s++) {
    if (!gatherActs(rows, s, acts)) continue;
    features.fill(Number.NaN);
    fill(rows, acts, set);
    present[s] = 1;
    matrix.set(features, s * columns.size);
  }
}

export interface Shaped {
  readonly rows: number;
  /** Numbers of the kept columns. */
  readonly kept: readonly number[];
  /** 16 bytes a row. */
  readonly subjects: Uint8Array;
  readonly matrix: Float32Array;
}

export interface ShapeRequest {
  readonly keys: Uint8Array;
  readonly width: number;
  readonly matrix: Float32Array;
  readonly present: Uint8Array;
  /** Leave out columns that are the same for everybody who has a value: they tell nobody apart. */
  readonly telling: boolean;
}

/** Leaves out people without acts, and columns that tell nobody apart where that is asked for. */
export function shapeFeatures({ keys, width, matrix: all, present, telling }: ShapeRequest): Shaped {
  const people = [...present.keys()].filter((s) => present[s] === 1);
  const kept = Array.from({ length: width }, (_, column) => column).filter((column) => {
    if (!telling) return true;
    const values = people.map((s) => all[s * width + column]!).filter((value) => !Number.isNaN(value));
    return values.some((value) => value !== values[0]);
  });
  const subjects = sharedBytes(people.length * KEY_BYTES);
  const matrix = sharedFloat32(people.length * kept.length);
  for (const [row, s] of people.entries()) {
    subjects.set(keys.subarray(s * KEY_BYTES, (s + 1) * KEY_BYTES), row * KEY_BYTES);
    for (const [to, column] of kept.entries()) matrix[row * kept.length + to] = all[s * width + column]!;
  }
  return { rows: people.length, kept, subjects, matrix };
}
