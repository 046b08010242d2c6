/**
 * Owns the passes around ranking that run in threads: which people get a list from the model, their rows of factors, and lists by popularity for
 * everybody else. Linear, except for one sort of the items.
 */
import { KeyIndex, sharedBytes } from '../../shared/numerics/interactions/key-index.ts';
import { sharedFloat32, sharedInt32 } from '../../shared/numerics/sparse.ts';
import { type DenseRows, KEY_BYTES, type RankedLists, type SparseRows } from '../../shared/numerics/types.ts';

const keyAt = (keys: Uint8Array, at: number): Uint8Array => keys.subarray(at * KEY_BYTES, (at + 1) * KEY_BYTES);

export interface RosterRequest {
  /** People of the data set, ascending. */
  readonly runKeys: Uint8Array;
  /** 1 where the person allows recommendations. */
  readonly admitted: Uint8Array;
  /** People of the embeddings. */
  readonly embedded: Uint8Array;
  /** People whose embedding learned from what they have withdrawn since. */
  readonly withdrawn: Uint8Array;
  readonly userFactors: DenseRows;
}

/** Who gets which list. Rows of people keep the order of their keys. */
export interface Roster {
  readonly modelKeys: Uint8Array;
  readonly modelFactors: DenseRows;
  /** For each person of the data set the row among `modelKeys`, or -1. */
  readonly modelRow: Int32Array;
  readonly popularKeys: Uint8Array;
  readonly popularRow: Int32Array;
}

export function callRoster({ runKeys, admitted, embedded, withdrawn, userFactors }: RosterRequest): Roster {
  const people = admitted.length;
  const [known, gone] = [KeyIndex.of(embedded), KeyIndex.of(withdrawn)];
  const modelRow = sharedInt32(people).fill(-1);
  const popularRow = sharedInt32(people).fill(-1);
  const [model, popular, rows]: [number[], number[], number[]] = [[], [], []];
  for (let s = 0; s < people; s++) {
    if (admitted[s] === 0) continue;
    const row = known.find(runKeys, s);
    if (row < 0 || gone.find(runKeys, s) >= 0) {
      popularRow[s] = popular.push(s) - 1;
      continue;
    }
    modelRow[s] = model.push(s) - 1;
    rows.push(row);
  }
  const keysOf = (list: readonly number[]): Uint8Array => {
    const keys = sharedBytes(list.length * KEY_BYTES);
    for (const [n, s] of list.entries()) keys.set(keyAt(runKeys, s), n * KEY_BYTES);
    return keys;
  };
  const { width, data } = userFactors;
  const factors = sharedFloat32(rows.length * width);
  for (const [n, row] of rows.entries()) factors.set(data.subarray(row * width, (row + 1) * width), n * width);
  return {
    modelKeys: keysOf(model),
    modelFactors: { rows: rows.length, width, data: factors },
    modelRow,
    popularKeys: keysOf(popular),
    popularRow,
  };
}

export interface PopularityOrder {
  /** Items of the embeddings, then those that only popularity knows. */
  readonly itemKeys: Uint8Array;
  /** Places in `itemKeys` of what may be recommended, most popular first; equals by key. */
  readonly order: Int32Array;
  readonly scores: Float32Array;
  /** Items of `itemKeys` that may be recommended. */
  readonly servable: number;
}

/**
 * Puts the items of the view that have not expired in order of popularity, over one list of items shared with the embeddings.
 * `expiresAt` is parallel to `keys`; NaN: never.
 */
export function orderByPopularity(payload: {
  readonly embeddingItems: Uint8Array;
  readonly viewItems: Uint8Array;
  readonly popularity: Float64Array;
  readonly keys: Uint8Array;
  readonly expiresAt: Float64Array;
  readonly moment: number;
}): PopularityOrder {
  const { embeddingItems, viewItems, popularity, keys, expiresAt, moment } = payload;
  const items = KeyIndex.of(embeddingItems);
  const place = Int32Array.from(popularity, (_, n) => items.add(viewItems, n));
  const known = KeyIndex.of(keys);
  const isServable = (from: Uint8Array, at: number): boolean => {
    const n = known.find(from, at);
    return !(n >= 0 && expiresAt[n]! <= moment);
  };
  const best = Int32Array.from(popularity, (_, n) => n)
    .filter((n) => isServable(viewItems, n))
    .sort((a, b) => popularity[b]! - popularity[a]! || a - b);
  let servable = 0;
  for (let n = 0; n < items.size; n++) if (isServable(items.keys(), n)) servable++;
  const itemKeys = sharedBytes(items.size * KEY_BYTES);
  itemKeys.set(items.keys());
  return {
    itemKeys,
    order: sharedInt32(
      best.length,
      best.map((n) => place[n]!),
    ),
    scores: sharedFloat32(
      best.length,
      Float32Array.from(best, (n) => popularity[n]!),
    ),
    servable,
  };
}

/** The most popular items that each person has not met. `seen` has a row per person over the items of `order`. */
export function rankByPopularity(payload: {
  readonly order: Int32Array;
  readonly scores: Float32Array;
  readonly seen: SparseRows;
  readonly k: number;
}): RankedLists {
  const { order, scores, seen, k } = payload;
  const lists = {
    users: seen.rows,
    k,
    items: sharedInt32(seen.rows * k).fill(-1),
    scores: sharedFloat32(seen.rows * k).fill(-Infinity),
  };
  for (let user = 0; user < seen.rows; user++) {
    const met = new Set(seen.indices.subarray(seen.indptr[user], seen.indptr[user + 1]));
    let filled = 0;
    for (let n = 0; n < order.length && filled < k; n++) {
      if (met.has(order[n]!)) continue;
      lists.items[user * k + filled] = order[n]!;
      lists.scores[user * k + filled++] = scores[n]!;
    }
  }
  return lists;
}

/** One table of lists, people in the order of their keys. */
export interface JoinedLists {
  readonly subjects: Uint8Array;
  readonly items: Int32Array;
  readonly scores: Float32Array;
  /** Parallel to `items`: the item of the person's history that is nearest, or -1. */
  readonly reasons: Int32Array;
  readonly fromPopularity: Uint8Array;
  /** Distinct items in any list. */
  readonly shown: number;
}

/** Joins the model's lists and those of popularity. */
export function joinLists(payload: {
  readonly runKeys: Uint8Array;
  readonly k: number;
  readonly roster: Pick<Roster, 'modelRow' | 'popularRow'>;
  readonly model: RankedLists;
  /** For each item of the model's lists its place among the items of the embeddings. */
  readonly places: Int32Array;
  /** Per place of the model's lists a place among the items of the embeddings, or -1. */
  readonly reasons: Int32Array;
  readonly popular: RankedLists;
}): JoinedLists {
  const { runKeys, k, roster, model, places, reasons, popular } = payload;
  const people = model.users + popular.users;
  const joined = {
    subjects: sharedBytes(people * KEY_BYTES),
    items: sharedInt32(people * k),
    scores: sharedFloat32(people * k),
    reasons: sharedInt32(people * k).fill(-1),
    fromPopularity: sharedBytes(people),
  };
  const modelItems = model.items.map((item) => places[item] ?? -1);
  let to = 0;
  for (let s = 0; s < roster.modelRow.length; s++) {
    const isPopular = roster.popularRow[s]! >= 0;
    const row = isPopular ? roster.popularRow[s]! : roster.modelRow[s]!;
    if (row < 0) continue;
    const from = isPopular ? popular : { items: modelItems, scores: model.scores };
    joined.subjects.set(keyAt(runKeys, s), to * KEY_BYTES);
    joined.items.set(from.items.subarray(row * k, (row + 1) * k), to * k);
    if (!isPopular) joined.reasons.set(reasons.subarray(row * k, (row + 1) * k), to * k);
    joined.scores.set(from.scores.subarray(row * k, (row + 1) * k), to * k);
    joined.fromPopularity[to++] = Number(isPopular);
  }
  const shown = new Set(joined.items);
  shown.delete(-1);
  return { ...joined, shown: shown.size };
}
