/**
 * Owns popularity bias: whether lists favour what everybody sees already, and calibration to a person's own tastes.
 * Popularity is the number of training interactions of an item (or any count >= 0 the caller gives).
 */
import { type Estimate, notEstimable, ratioOf } from './estimate.ts';

/** Lists (row-major, k a user, best first, -1 pads). */
export interface Lists {
  readonly items: Int32Array;
  readonly k: number;
}

/** Share of the catalogue, most popular first, that is not long tail. (Abdollahpouri et al., FLAIRS 2019: the 20 % head) */
export const HEAD_SHARE = 0.2;

/** Calls back with the shown items of every user who has any. */
export function eachList({ items, k }: Lists, use: (shown: Int32Array, user: number) => void): void {
  for (let user = 0; user * k < items.length; user++) {
    const shown = items.subarray(user * k, (user + 1) * k).filter((item) => item >= 0);
    if (shown.length > 0) use(shown, user);
  }
}

export function meanOf(ids: Int32Array, values: ArrayLike<number>): number {
  let sum = 0;
  for (const id of ids) sum += values[id]!;
  return sum / ids.length;
}

function meanOverLists(lists: Lists, values: ArrayLike<number>): Estimate {
  let [sum, people] = [0, 0];
  eachList(lists, (shown) => {
    sum += meanOf(shown, values);
    people++;
  });
  return ratioOf(sum, people, { people }, 'lists with items');
}

/** ARP: mean over users of the mean popularity of their recommended items, in units of `popularity`. (Yin et al., VLDB 2012) */
export function averageRecommendationPopularity(lists: Lists, popularity: ArrayLike<number>): Estimate {
  return meanOverLists(lists, popularity);
}

/** 1 where an item is long tail: not among the most popular `headShare` of the catalogue; ties by item id. */
export function longTail(popularity: ArrayLike<number>, headShare: number = HEAD_SHARE): Uint8Array {
  const order = Array.from(popularity, (_, item) => item).sort((a, b) => popularity[b]! - popularity[a]! || a - b);
  const tail = new Uint8Array(popularity.length).fill(1);
  for (const item of order.slice(0, Math.round(order.length * headShare))) tail[item] = 0;
  return tail;
}

/** APLT: mean over users of the share of long-tail items in their list, in [0, 1]. (Abdollahpouri et al., FLAIRS 2019) */
export function averageLongTailShare(lists: Lists, tail: Uint8Array): Estimate {
  return meanOverLists(lists, tail);
}

/**
 * deltaGAP = (GAP_rec - GAP_profile) / GAP_profile; GAP is a group's mean over users of the mean popularity of a user's items. Above 0
 * the group is shown more popular items than it chose itself. Means are over the same users. (Abdollahpouri et al., RMSE 2019)
 */
export function deltaGap(gapRecommended: number, gapProfile: number, people: number): Estimate {
  const n = { people };
  if (people === 0) return notEstimable('nobody has both a profile and a list', n);
  return ratioOf(gapRecommended - gapProfile, gapProfile, n, 'popularity in the profiles');
}

/** Share of the catalogue that appears in any list, in [0, 1]. */
export function coverage(lists: Lists, items: number): Estimate {
  const shown = new Set(lists.items);
  shown.delete(-1);
  return ratioOf(shown.size, items, { items }, 'items in the catalogue');
}

/**
 * Miscalibration KL(p || (1-a) q + a p) of a list's topics q against a profile's topics p (both sum to 1), in nats, >= 0; 0 when
 * the list is spread as the profile is. (Steck, "Calibrated Recommendations", RecSys 2018; a = 0.01)
 */
export function calibrationDivergence(p: ArrayLike<number>, q: ArrayLike<number>, alpha = 0.01): number {
  let sum = 0;
  for (let topic = 0; topic < p.length; topic++) {
    if (p[topic]! > 0) sum += p[topic]! * Math.log(p[topic]! / ((1 - alpha) * q[topic]! + alpha * p[topic]!));
  }
  return Math.max(0, sum);
}
