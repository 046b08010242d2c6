/**
 * Owns the ranking metrics. Full catalogue, binary relevance, averaged over the users who have test items:
 *   recall@k     hits / test items of the user (test items never seen in training are misses, they stay in the denominator)
 *   ndcg@k       sum over hits of 1 / log2(1 + rank) / the same for an ideal list, whose length is min(k, test items)
 *   precision@k  hits / k
 *   map@k        mean of precision at each hit, divided by min(k, test items)
 *   mrr@k        1 / rank of the first hit, 0 without one
 *   hitRate@k    1 when there is a hit
 *   coverage@k   share of the catalogue that appears in any list
 * Linear in users * k.
 */
import { AppError } from '../../errors.ts';
import type { RankedLists } from '../types.ts';

/** Test items of the users to evaluate. */
export interface TestItems {
  /** Rows in `lists` of the users who have test items. */
  readonly users: Int32Array;
  /** users.length + 1: the n-th user's items are `items[indptr[n] .. indptr[n + 1])`. */
  readonly indptr: Int32Array;
  /** Dense item ids, distinct within a user; -1 for an item that training never saw. */
  readonly items: Int32Array;
}

export interface RankingMetrics {
  readonly k: number;
  /** Users with test items. */
  readonly users: number;
  readonly recall: number;
  readonly ndcg: number;
  readonly precision: number;
  readonly map: number;
  readonly mrr: number;
  readonly hitRate: number;
  readonly coverage: number;
}

/** Per-user figures, for intervals and for comparing models on the same users. */
export interface UserMetrics {
  readonly recall: Float64Array;
  readonly ndcg: Float64Array;
  readonly map: Float64Array;
  readonly mrr: Float64Array;
  readonly hits: Int32Array;
}

/**
 * @throws AppError DATASET_EMPTY when no user has test items: the figures are then not estimable, not 0.
 */
export function rankingMetrics(lists: RankedLists, test: TestItems, catalogue: number): RankingMetrics {
  const users = test.users.length;
  if (users === 0) throw new AppError('DATASET_EMPTY', { message: 'No user has test items.' });
  const own = userMetrics(lists, test);
  const shown = new Set<number>();
  for (const user of test.users) {
    for (let n = 0; n < lists.k; n++) {
      const item = lists.items[user * lists.k + n]!;
      if (item >= 0) shown.add(item);
    }
  }
  return {
    k: lists.k,
    users,
    recall: mean(own.recall),
    ndcg: mean(own.ndcg),
    precision: mean(own.hits) / lists.k,
    map: mean(own.map),
    mrr: mean(own.mrr),
    hitRate: mean(own.hits.map((hits) => (hits > 0 ? 1 : 0))),
    coverage: shown.size / catalogue,
  };
}

export function userMetrics(lists: RankedLists, test: TestItems): UserMetrics {
  const users = test.users.length;
  const [recall, ndcg, map, mrr] = [0, 1, 2, 3].map(() => new Float64Array(users)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const hits = new Int32Array(users);
  for (let n = 0; n < users; n++) {
    const wanted = new Set(test.items.subarray(test.indptr[n], test.indptr[n + 1]));
    wanted.delete(-1);
    const count = test.indptr[n + 1]! - test.indptr[n]!;
    const list = lists.items.subarray(test.users[n]! * lists.k, (test.users[n]! + 1) * lists.k);
    const figures = listMetrics(list, wanted, count);
    [recall[n], ndcg[n], map[n], mrr[n], hits[n]] = figures;
  }
  return { recall, ndcg, map, mrr, hits };
}

/** recall, ndcg, map, mrr, hits of one list; `count` includes items that cannot be found. */
function listMetrics(
  list: Int32Array,
  wanted: ReadonlySet<number>,
  count: number,
): [number, number, number, number, number] {
  let [gain, precisions, hits, first] = [0, 0, 0, 0];
  for (let rank = 1; rank <= list.length; rank++) {
    if (!wanted.has(list[rank - 1]!)) continue;
    hits++;
    gain += 1 / Math.log2(1 + rank);
    precisions += hits / rank;
    if (first === 0) first = rank;
  }
  const reachable = Math.min(list.length, count);
  let ideal = 0;
  for (let rank = 1; rank <= reachable; rank++) ideal += 1 / Math.log2(1 + rank);
  return [hits / count, gain / ideal, precisions / reachable, first === 0 ? 0 : 1 / first, hits];
}

function mean(values: Float64Array | Int32Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}
