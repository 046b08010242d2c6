/** Owns the pass that gathers acts by account, in a thread. */
import { EVENT_TYPES } from '../../contract-kit/event.ts';
import { findSubjects } from '../interactions/interactions.task.ts';
import { RATING_SCALES } from '../interactions/weights.ts';
import { sharedInt32 } from '../sparse.ts';
import { actsOf } from './acts.ts';
import type { Gathered, GatherRequest } from './gather.ts';

const RATING = EVENT_TYPES.indexOf('rating');

/** Ranks of items in order of publication; -1 where that is unknown. */
function placesOf(publishedAt: Float64Array): Int32Array {
  const known = [...publishedAt.keys()].filter((item) => !Number.isNaN(publishedAt[item]!));
  known.sort((a, b) => publishedAt[a]! - publishedAt[b]! || a - b);
  const place = sharedInt32(publishedAt.length).fill(-1);
  for (const [rank, item] of known.entries()) place[item] = rank;
  return place;
}

export function gather({
  columns,
  item,
  facts,
  asOf,
  ignored,
}: GatherRequest & { readonly ignored: number }): Gathered {
  const runs = findSubjects({ columns });
  const acts = actsOf(columns, runs, item, ignored, asOf);
  let highest = 0;
  for (let n = 0; n < acts.type.length; n++)
    if (acts.type[n] === RATING && acts.value[n]! > highest) highest = acts.value[n]!;
  const ratingMax = RATING_SCALES.find((scale) => highest <= scale) ?? RATING_SCALES.at(-1)!;
  const { creator, publishedAt } = facts;
  const items = { items: creator.length, place: placesOf(publishedAt), owner: creator };
  return { acts, items, ratingMax, subjects: runs.keys };
}
