/** Owns measuring ranked lists as one task of the pool: it reads every list, which is no work for an event loop. Linear in users * k. */
import type { RankedLists } from '../types.ts';
import { KEY_BYTES } from '../types.ts';
import {
  type ExposureFigures,
  exposureFigures,
  type GroupRow,
  groupRows,
  type PopularityRow,
  recallByPopularity,
  type TrainCounts,
} from './breakdown.ts';
import { bootstrapIntervals, compareMetrics, type Difference, type Intervals } from './compare.ts';
import {
  rankingMetrics,
  type RankingMetrics,
  type TestItems,
  type UserMetrics,
  userMetrics,
} from './ranking-metrics.ts';

export interface MeasuredPart {
  /** Undefined: nobody of the part was given anything. */
  readonly lists: RankedLists | undefined;
  readonly test: TestItems;
  /** `KEY_BYTES` a row of `lists`: the bootstrap's draws follow these, else the order of people. */
  readonly keys?: Uint8Array | undefined;
}

export interface MeasureRequest {
  /** Groups of people, measured as one. */
  readonly parts: readonly MeasuredPart[];
  /** Items that could be recommended. */
  readonly catalogue: number;
  /** Asks for the breakdown. */
  readonly counts?: TrainCounts;
  /** Groups of people; `of` is parallel to the people with test items, all parts one after another. */
  readonly groups?: { readonly names: readonly string[]; readonly of: Int32Array };
  readonly seed?: number;
}

export interface MeasuredLists {
  readonly metrics: RankingMetrics;
  /** 95 % bootstrap intervals over users; NaN of very few. */
  readonly intervals: Intervals;
  /** Per user with test items, parts one after another. */
  readonly own: UserMetrics;
  readonly breakdown?: Breakdown;
}

export interface Breakdown extends ExposureFigures {
  readonly byPopularity: readonly PopularityRow[];
  readonly groups: readonly GroupRow[];
}

/** @throws AppError DATASET_EMPTY when no user has test items. */
export function measureLists({ catalogue, counts, groups, parts, seed = 1 }: MeasureRequest): MeasuredLists {
  const { keys, lists, test } = joined(parts);
  const metrics = rankingMetrics(lists, test, catalogue);
  const own = userMetrics(lists, test);
  const measured = { metrics, intervals: bootstrapIntervals(own, { seed, keys }), own };
  if (counts === undefined) return measured;
  const breakdown = {
    ...exposureFigures(lists, counts),
    byPopularity: recallByPopularity(lists, test, counts),
    groups: groups === undefined ? [] : groupRows(own, groups.of, groups.names),
  };
  return { ...measured, breakdown };
}

/** Intervals of people's figures that were measured apart, such as folds; who is in several is drawn as one person. */
export function pooledIntervals(payload: {
  readonly own: UserMetrics;
  readonly parts: MeasureRequest['parts'];
  readonly seed: number;
}): Intervals {
  return bootstrapIntervals(payload.own, { seed: payload.seed, keys: joined(payload.parts).keys });
}

/** The paired comparison, in a thread too. */
export function compareLists(payload: {
  readonly first: UserMetrics;
  readonly second: UserMetrics;
  readonly parts: MeasureRequest['parts'];
  readonly seed: number;
}): readonly Difference[] {
  return compareMetrics(payload.first, payload.second, { seed: payload.seed, keys: joined(payload.parts).keys });
}

/** The lists of those with test items, one after another. */
function joined(parts: MeasureRequest['parts']): {
  readonly lists: RankedLists;
  readonly test: TestItems;
  readonly keys: Uint8Array | undefined;
} {
  const k = parts.find(({ lists }) => lists !== undefined)?.lists?.k ?? 1;
  const users = parts.reduce((sum, { test }) => sum + test.users.length, 0);
  const wanted = parts.reduce((sum, { test }) => sum + test.items.length, 0);
  const lists = { users, k, items: new Int32Array(users * k).fill(-1), scores: new Float32Array(0) };
  const keyed = parts.every((part) => part.keys !== undefined);
  const keys = new Uint8Array(keyed ? users * KEY_BYTES : 0);
  const test = {
    users: Int32Array.from({ length: users }, (_, n) => n),
    indptr: new Int32Array(users + 1),
    items: new Int32Array(wanted),
  };
  let [row, at] = [0, 0];
  for (const part of parts) {
    test.items.set(part.test.items, at);
    for (const [n, user] of part.test.users.entries()) {
      if (part.lists !== undefined) lists.items.set(part.lists.items.subarray(user * k, (user + 1) * k), row * k);
      if (keyed) keys.set(part.keys!.subarray(user * KEY_BYTES, (user + 1) * KEY_BYTES), row * KEY_BYTES);
      test.indptr[++row] = at + part.test.indptr[n + 1]!;
    }
    at += part.test.items.length;
  }
  return { lists, test, keys: keyed ? keys : undefined };
}
