/** Owns measuring ranked lists as one task of the pool: it reads every list, which is no work for an event loop. Linear in users * k. */
import type { RankedLists } from '../types.ts';
import { rankingMetrics, type RankingMetrics, type TestItems, userMetrics } from './ranking-metrics.ts';

export interface MeasureRequest {
  /** Groups of people, measured as one; `lists` undefined: nobody of the group was given anything. */
  readonly parts: readonly { readonly lists: RankedLists | undefined; readonly test: TestItems }[];
  /** Items that could be recommended. */
  readonly catalogue: number;
}

export interface MeasuredLists {
  readonly metrics: RankingMetrics;
  /** 95 % normal intervals over users; NaN of one user. */
  readonly intervals: { readonly recall: readonly [number, number]; readonly ndcg: readonly [number, number] };
}

/** @throws AppError DATASET_EMPTY when no user has test items. */
export function measureLists({ parts, catalogue }: MeasureRequest): MeasuredLists {
  const { lists, test } = joined(parts);
  const metrics = rankingMetrics(lists, test, catalogue);
  const own = userMetrics(lists, test);
  return { metrics, intervals: { recall: interval(own.recall), ndcg: interval(own.ndcg) } };
}

/** The lists of those with test items, one after another. */
function joined(parts: MeasureRequest['parts']): { readonly lists: RankedLists; readonly test: TestItems } {
  const k = parts.find(({ lists }) => lists !== undefined)?.lists?.k ?? 1;
  const users = parts.reduce((sum, { test }) => sum + test.users.length, 0);
  const wanted = parts.reduce((sum, { test }) => sum + test.items.length, 0);
  const lists = { users, k, items: new Int32Array(users * k).fill(-1), scores: new Float32Array(0) };
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
      test.indptr[++row] = at + part.test.indptr[n + 1]!;
    }
    at += part.test.items.length;
  }
  return { lists, test };
}

function interval(values: Float64Array): readonly [number, number] {
  const n = values.length;
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / n;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  const half = n < 2 ? Number.NaN : 1.96 * Math.sqrt(squares / (n - 1) / n);
  return [mean - half, mean + half];
}
