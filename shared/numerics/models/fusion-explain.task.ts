/** Owns taking fused lists apart: which branch gave how much of each item's score. The parts of an item add up to its score, as `fuse` has it. */
import { topItems } from '../ranking/top-items.ts';
import { entityHashes } from '../tie-hash.ts';
import type { RankedLists } from '../types.ts';
import { type Branches, scaledList } from './fusion.task.ts';

/** Whose list is to be explained, and of which items; absent: those of their own list. */
export interface AskedPerson {
  readonly user: number;
  readonly items?: Int32Array;
}

export interface ExplainedPerson {
  readonly user: number;
  /** One a branch, gate included; all 0: the popular items are shown. */
  readonly weights: Float32Array;
  /** The person's list, best first. */
  readonly list: Int32Array;
  /** The items that are explained. */
  readonly items: Int32Array;
  /** Items * branches; an item that no branch lists has nothing of any. */
  readonly parts: Float32Array;
}

export interface ExplainPayload extends Branches {
  readonly itemKeys: Uint8Array | undefined;
  readonly weights: Float32Array;
  readonly prior: RankedLists;
  readonly people: readonly AskedPerson[];
  readonly k: number;
}

export function explain(payload: ExplainPayload): ExplainedPerson[] {
  const { branches, itemKeys, items: count, k, people, prior, userKeys, users, weights } = payload;
  const [userHashes, itemHashes] = [entityHashes(0, users, userKeys, 'user'), entityHashes(0, count, itemKeys, 'item')];
  return people.map(({ items, user }) => {
    const own = weights.slice(user * branches.length, (user + 1) * branches.length);
    const isServed = own.some((weight) => weight > 0);
    const byBranch = branches.map(({ lists }, m) => {
      const { items: listed, values } = scaledList(lists, user);
      return new Map(listed.map((item, at) => [item, own[m]! * values[at]!]));
    });
    const list = isServed
      ? best(byBranch, own, { count, k, userHash: userHashes[user]!, itemHashes })
      : prior.items.slice(user * prior.k, user * prior.k + Math.min(k, prior.k)).filter((item) => item >= 0);
    const asked = items ?? list;
    const parts = new Float32Array(asked.length * branches.length);
    for (const [n, item] of asked.entries()) {
      for (const [m, branch] of byBranch.entries()) parts[n * branches.length + m] = branch.get(item) ?? 0;
    }
    return { user, weights: own, list, items: asked, parts };
  });
}

function best(
  byBranch: readonly ReadonlyMap<number, number>[],
  weights: Float32Array,
  of: { readonly count: number; readonly k: number; readonly userHash: number; readonly itemHashes: Uint32Array },
): Int32Array {
  const scores = new Float64Array(of.count).fill(-Infinity);
  for (const [m, branch] of byBranch.entries()) {
    if (weights[m]! <= 0) continue;
    for (const [item, part] of branch) scores[item] = Math.max(scores[item]!, 0) + part;
  }
  const into = { items: new Int32Array(of.k), scores: new Float32Array(of.k) };
  topItems(scores, of.userHash, of.itemHashes, into);
  return into.items.filter((item) => item >= 0);
}
