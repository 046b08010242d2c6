/** Owns what the threads do to merge lists: scores brought to one scale a person, their weighted sum, and the search of the weights. */
import { type TestItems, userMetrics } from '../evaluation/ranking-metrics.ts';
import { topItems } from '../ranking/top-items.ts';
import { entityHashes } from '../tie-hash.ts';
import type { RankedLists } from '../types.ts';

interface Merged {
  /** One a part. */
  readonly lists: readonly RankedLists[];
  readonly weights: readonly number[];
  readonly users: number;
  readonly items: number;
  readonly userKeys: Uint8Array | undefined;
  readonly itemKeys: Uint8Array | undefined;
}

export interface MergePayload extends Merged {
  readonly into: RankedLists;
  readonly from: number;
  readonly to: number;
}

export interface StackPayload extends Merged {
  readonly test: TestItems;
}

const NDCG_AT = 10;
/** People whose lists the search reads; beyond them people are thinned evenly. */
const PEOPLE_MAX = 5_000;
const PASSES = 2;
/** A part's weight, times these. */
const FACTORS = [0, 0.5, 0.75, 1.5, 2] as const;
/** A change of a weight must gain that share of NDCG: smaller gains on a holdout are luck. */
const GAIN_MIN = 0.002;

/** Lists of users [from, to). */
export function mergeLists({ from, into, to, ...merged }: MergePayload): void {
  if (from === to) return;
  const work = workspace(merged);
  for (let user = from; user < to; user++) mergeUser(merged, into, user, work);
}

interface Workspace {
  readonly users: Uint32Array;
  readonly items: Uint32Array;
  readonly scores: Float64Array;
}

function workspace({ itemKeys, items, userKeys, users }: Merged): Workspace {
  return {
    users: entityHashes(0, users, userKeys, 'user'),
    items: entityHashes(0, items, itemKeys, 'item'),
    scores: new Float64Array(items),
  };
}

function mergeUser({ lists, weights }: Merged, into: RankedLists, user: number, work: Workspace): void {
  const [from, to] = [user * into.k, (user + 1) * into.k];
  sumScores(lists, weights, user, work.scores);
  const places = { items: into.items.subarray(from, to), scores: into.scores.subarray(from, to) };
  topItems(work.scores, work.users[user]!, work.items, places);
}

/** Items that no part lists are -Infinity: they are excluded, or beyond everybody's depth. */
function sumScores(
  lists: readonly RankedLists[],
  weights: readonly number[],
  user: number,
  scores: Float64Array,
): void {
  scores.fill(-Infinity);
  let ends = 0;
  const scales = lists.map((list, part) => {
    const scale = scaleOf(list, user);
    ends += weights[part]! * scale.end;
    return scale;
  });
  for (const [part, { deviation, end, length, mean }] of scales.entries()) {
    const { items, k, scores: own } = lists[part]!;
    for (let at = user * k; at < user * k + length; at++) {
      const item = items[at]!;
      if (scores[item] === -Infinity) scores[item] = ends;
      scores[item]! += weights[part]! * ((own[at]! - mean) / deviation - end);
    }
  }
}

function scaleOf({ items, k, scores }: RankedLists, user: number) {
  let [length, sum, squares] = [0, 0, 0];
  while (length < k && items[user * k + length]! >= 0) {
    sum += scores[user * k + length]!;
    length++;
  }
  const mean = length === 0 ? 0 : sum / length;
  for (let at = user * k; at < user * k + length; at++) squares += (scores[at]! - mean) ** 2;
  // A list of equal scores says nothing about its order.
  const deviation = length === 0 || squares === 0 ? 1 : Math.sqrt(squares / length);
  const end = length === 0 ? 0 : (scores[user * k + length - 1]! - mean) / deviation;
  return { length, mean, deviation, end };
}

/** Coordinate search from the given weights, for NDCG@10 on what was held out. Deterministic. */
export function stackWeights({ test, ...merged }: StackPayload): number[] {
  const thinned = thin(test);
  const work = workspace(merged);
  const into = {
    users: merged.users,
    k: NDCG_AT,
    items: new Int32Array(merged.users * NDCG_AT),
    scores: new Float32Array(merged.users * NDCG_AT),
  };
  const measure = (weights: readonly number[]): number => {
    for (const user of thinned.users) mergeUser({ ...merged, weights }, into, user, work);
    const { ndcg } = userMetrics(into, thinned);
    return ndcg.reduce((sum, value) => sum + value, 0) / ndcg.length;
  };
  let weights = [...merged.weights];
  let best = measure(weights);
  for (let pass = 0; pass < PASSES; pass++) {
    for (const part of weights.keys()) {
      for (const factor of FACTORS) {
        const tried = weights.with(part, merged.weights[part]! * factor);
        if (!tried.some((weight) => weight > 0)) continue;
        const found = measure(tried);
        if (found <= best * (1 + GAIN_MIN)) continue;
        best = found;
        weights = tried;
      }
    }
  }
  return weights;
}

function thin(test: TestItems): TestItems {
  const stride = Math.max(1, test.users.length / PEOPLE_MAX);
  const rows = Array.from({ length: Math.min(test.users.length, PEOPLE_MAX) }, (_, n) => Math.floor(n * stride));
  const indptr = Int32Array.from([0, ...rows]);
  const items: number[] = [];
  for (const [n, row] of rows.entries()) {
    items.push(...test.items.subarray(test.indptr[row], test.indptr[row + 1]));
    indptr[n + 1] = items.length;
  }
  return { users: Int32Array.from(rows, (row) => test.users[row]!), indptr, items: Int32Array.from(items) };
}
