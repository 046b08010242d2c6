/**
 * Owns what lists say beyond their mean: whom and what a model serves. Everything is counted against training alone.
 *   novelty      mean over shown items of -log2(share of training users who have the item), bits
 *   popularity   mean over shown items of the number of training users who have it
 *   tailShare    share of shown items outside the head: the most popular items that hold 80 % of the training interactions
 *   gini         inequality of exposure over the whole catalogue, 0 (equal) to 1
 *   byPopularity recall of wanted items in the head, in the tail, and of those that training never saw (never found)
 *   groups       the metrics of each group of people, with its size
 * Linear in users * k.
 */
import { valueOf } from '../fairness/estimate.ts';
import { gini } from '../fairness/inequality.ts';
import { meanOf } from '../fairness/popularity-bias.ts';
import type { RankedLists } from '../types.ts';
import type { TestItems, UserMetrics } from './ranking-metrics.ts';

/** What training knows. */
export interface TrainCounts {
  readonly users: number;
  /** Training users an item. */
  readonly itemUsers: Int32Array;
}

/** Share of the training interactions that the head holds. */
const HEAD_INTERACTIONS = 0.8;

export interface ExposureFigures {
  readonly novelty: number | null;
  readonly popularity: number | null;
  readonly tailShare: number | null;
  readonly gini: number | null;
}

export interface PopularityRow {
  readonly name: 'head' | 'tail' | 'unseen';
  readonly items: number;
  /** Pairs to find. */
  readonly wanted: number;
  /** Null where nothing is wanted. */
  readonly recall: number | null;
}

/** 1 where an item is outside the head; ties by item id. */
export function tailItems(itemUsers: Int32Array): Uint8Array {
  const order = Array.from(itemUsers.keys()).sort((a, b) => itemUsers[b]! - itemUsers[a]! || a - b);
  const all = itemUsers.reduce((sum, count) => sum + count, 0);
  const tail = new Uint8Array(itemUsers.length).fill(1);
  let held = 0;
  for (const item of order) {
    if (held >= HEAD_INTERACTIONS * all) break;
    tail[item] = 0;
    held += itemUsers[item]!;
  }
  return tail;
}

/** Null where nobody is shown anything. */
export function exposureFigures(lists: RankedLists, { itemUsers, users }: TrainCounts): ExposureFigures {
  const shown = lists.items.filter((item) => item >= 0);
  if (shown.length === 0) return { novelty: null, popularity: null, tailShare: null, gini: null };
  const exposure = new Int32Array(itemUsers.length);
  for (const item of shown) exposure[item]!++;
  // An item of the catalogue that the users at hand lack counts as if one had it.
  const surprise = Float64Array.from(itemUsers, (count) => -Math.log2(Math.max(count, 1) / users));
  return {
    novelty: meanOf(shown, surprise),
    popularity: meanOf(shown, itemUsers),
    tailShare: meanOf(shown, tailItems(itemUsers)),
    gini: valueOf(gini(exposure)),
  };
}

export function recallByPopularity(lists: RankedLists, test: TestItems, { itemUsers }: TrainCounts): PopularityRow[] {
  const tail = tailItems(itemUsers);
  const names = ['head', 'tail', 'unseen'] as const;
  const [wanted, found] = [new Int32Array(3), new Int32Array(3)];
  for (const [n, user] of test.users.entries()) {
    const list = new Set(lists.items.subarray(user * lists.k, (user + 1) * lists.k));
    for (const item of test.items.subarray(test.indptr[n], test.indptr[n + 1])) {
      const place = item < 0 ? 2 : tail[item]!;
      wanted[place]!++;
      if (item >= 0 && list.has(item)) found[place]!++;
    }
  }
  const tailCount = tail.reduce((sum, flag) => sum + flag, 0);
  const items = [tail.length - tailCount, tailCount, 0];
  return names.map((name, n) => ({
    name,
    items: items[n]!,
    wanted: wanted[n]!,
    recall: wanted[n] === 0 ? null : found[n]! / wanted[n]!,
  }));
}

export interface GroupRow {
  readonly name: string;
  readonly users: number;
  readonly recall: number;
  readonly ndcg: number;
}

/** The means of each group that anybody is in, in the order of `names`; `groupOf` -1: in none. */
export function groupRows(own: UserMetrics, groupOf: Int32Array, names: readonly string[]): GroupRow[] {
  const sums = names.map(() => ({ users: 0, recall: 0, ndcg: 0 }));
  for (const [n, group] of groupOf.entries()) {
    const sum = sums[group];
    if (sum === undefined) continue;
    sum.users++;
    sum.recall += own.recall[n]!;
    sum.ndcg += own.ndcg[n]!;
  }
  return names.flatMap((name, at) => {
    const { users, recall, ndcg } = sums[at]!;
    return users === 0 ? [] : [{ name, users, recall: recall / users, ndcg: ndcg / users }];
  });
}
