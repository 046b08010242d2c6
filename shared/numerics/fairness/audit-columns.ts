/**
 * Owns what an audit knows about each person: numbers whose sums give every figure of the report.
 * Linear in users * k + interactions.
 */
import type { SparseRows } from '../types.ts';
import { positionWeight } from './exposure.ts';
import { calibrationDivergence, longTail, meanOf } from './popularity-bias.ts';

export interface AuditInput {
  /** Recommended items, users * k, best first, -1 pads. */
  readonly lists: Int32Array;
  readonly k: number;
  /** Per attribute a label for every user; null where unknown. */
  readonly groups: Readonly<Record<string, readonly (string | null)[]>>;
  /** Count of training interactions per item (or another count >= 0); its length is the catalogue. */
  readonly itemPopularity: ArrayLike<number>;
  /** What users had interacted with before (train). */
  readonly profiles: SparseRows;
  /** What users turned out to like (holdout); rows may be empty. */
  readonly relevant: SparseRows;
  /** Topics or genres: the items of each; an item may be in several. */
  readonly itemGroups: Readonly<Record<string, Int32Array>>;
  /** `KEY_BYTES` a user, to key the bootstrap by person. */
  readonly userKeys?: Uint8Array | undefined;
  readonly seed: number;
  /** Bootstrap replicates; 0 for none. */
  readonly bootstrap: number;
  /** Level of the intervals. Default 0.95. */
  readonly level?: number;
  /** Default 10. */
  readonly minimumCell?: number;
}

/** Columns about a person. "Judged" people have something relevant; the rest cannot be served or missed. */
export const COLUMNS = [
  'people',
  'judged',
  /** Judged, and at least one relevant item in the list. */
  'served',
  'recall',
  'recallSquared',
  'recallLogRecall',
  'ndcg',
  'hits',
  'relevant',
  /** Recommended and not relevant, judged people only. */
  'misses',
  /** Neither relevant nor seen before, judged people only. */
  'irrelevant',
  /** Has a list. */
  'shown',
  'popularity',
  'tailShare',
  /** Has a list and a profile; the two means are over these people. */
  'comparable',
  'popularityComparable',
  'popularityProfile',
  'calibrated',
  'divergence',
] as const;
export type Column = (typeof COLUMNS)[number];

/** [person][column]. */
export function personColumns(input: AuditInput): Float64Array {
  const { lists, k, profiles, relevant, itemPopularity } = input;
  const width = COLUMNS.length;
  const data = new Float64Array(profiles.rows * width);
  const tail = longTail(itemPopularity);
  const topics = topicShares(input);
  for (let user = 0; user < profiles.rows; user++) {
    const shown = lists.subarray(user * k, (user + 1) * k).filter((item) => item >= 0);
    const profile = rowOf(profiles, user);
    const row = {
      people: 1,
      ...judgement({ shown, k, profile, relevant: rowOf(relevant, user), items: itemPopularity.length }),
      ...popularityOf(shown, profile, itemPopularity, tail),
      ...calibrationOf(shown, profile, topics),
    };
    for (const [name, value] of Object.entries(row)) data[user * width + COLUMNS.indexOf(name as Column)] = value;
  }
  return data;
}

export function rowOf(rows: SparseRows, row: number): Int32Array {
  return rows.indices.subarray(rows.indptr[row], rows.indptr[row + 1]);
}

type Part = Partial<Record<Column, number>>;

interface Person {
  readonly shown: Int32Array;
  readonly k: number;
  readonly profile: Int32Array;
  readonly relevant: Int32Array;
  readonly items: number;
}

function judgement({ shown, k, profile, relevant, items }: Person): Part {
  if (relevant.length === 0) return {};
  const wanted = new Set(relevant);
  let [hits, gain, ideal] = [0, 0, 0];
  shown.forEach((item, at) => {
    if (!wanted.has(item)) return;
    hits++;
    gain += positionWeight(at + 1);
  });
  for (let at = 0; at < Math.min(k, wanted.size); at++) ideal += positionWeight(at + 1);
  const recall = hits / wanted.size;
  const known = new Set([...profile, ...relevant]).size;
  return {
    judged: 1,
    served: hits > 0 ? 1 : 0,
    recall,
    recallSquared: recall * recall,
    recallLogRecall: recall === 0 ? 0 : recall * Math.log(recall),
    ndcg: gain / ideal,
    hits,
    relevant: wanted.size,
    misses: shown.length - hits,
    irrelevant: items - known,
  };
}

function popularityOf(shown: Int32Array, profile: Int32Array, popularity: ArrayLike<number>, tail: Uint8Array): Part {
  if (shown.length === 0) return {};
  const mean = meanOf(shown, popularity);
  const listed = { shown: 1, popularity: mean, tailShare: meanOf(shown, tail) };
  if (profile.length === 0) return listed;
  return { ...listed, comparable: 1, popularityComparable: mean, popularityProfile: meanOf(profile, popularity) };
}

interface Topics {
  readonly count: number;
  /** Topics of every item. */
  readonly of: readonly (readonly number[])[];
}

function topicShares({ itemGroups, itemPopularity }: AuditInput): Topics {
  const of: number[][] = Array.from({ length: itemPopularity.length }, () => []);
  Object.values(itemGroups).forEach((members, topic) => {
    for (const item of members) of[item]!.push(topic);
  });
  return { count: Object.keys(itemGroups).length, of };
}

/** An item's topics share its weight equally (Steck: p(g|i) = 1 / number of its genres); null when nothing has a topic. */
function distribution(items: Int32Array, topics: Topics): Float64Array | null {
  const shares = new Float64Array(topics.count);
  let total = 0;
  for (const item of items) {
    const own = topics.of[item]!;
    for (const topic of own) shares[topic]! += 1 / own.length;
    total += own.length > 0 ? 1 : 0;
  }
  return total === 0 ? null : shares.map((share) => share / total);
}

function calibrationOf(shown: Int32Array, profile: Int32Array, topics: Topics): Part {
  const [p, q] = [distribution(profile, topics), distribution(shown, topics)];
  if (p === null || q === null) return {};
  return { calibrated: 1, divergence: calibrationDivergence(p, q) };
}

/**
 * [person][exposure of group 0, relevance of group 0, exposure of group 1, ..., total exposure, total relevance]: what the person's
 * list gives to groups of items and what they turned out to want of them.
 */
export function exposureColumns({ lists, k, relevant, itemGroups, itemPopularity }: AuditInput): {
  readonly data: Float64Array;
  readonly width: number;
} {
  const groups = Object.values(itemGroups);
  const of: number[][] = Array.from({ length: itemPopularity.length }, () => [groups.length]);
  groups.forEach((members, group) => {
    for (const item of members) of[item]!.push(group);
  });
  const width = 2 * (groups.length + 1);
  const data = new Float64Array(relevant.rows * width);
  for (let user = 0; user < relevant.rows; user++) {
    for (let at = 0; at < k; at++) {
      const item = lists[user * k + at]!;
      if (item < 0) continue;
      for (const group of of[item]!) data[user * width + 2 * group]! += positionWeight(at + 1);
    }
    for (const item of rowOf(relevant, user)) {
      for (const group of of[item]!) data[user * width + 2 * group + 1]! += 1;
    }
  }
  return { data, width };
}
