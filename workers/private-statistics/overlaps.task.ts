/** Owns looking, in a thread, whether a figure is about almost the same people as one that was told before. */
import { type Cohorts, differing, peopleOf } from './cohorts.ts';

export interface OverlapRequest {
  readonly now: Cohorts;
  readonly before: readonly (
    | { readonly cohorts: Cohorts }
    /** Who was in it is not known any more: only how many. */
    | { readonly people: readonly number[] }
  )[];
  readonly least: number;
}

/** Place in `before` of the first that differs by fewer than `least` people, and by any; -1: none. */
export function findOverlap({ now, before, least }: OverlapRequest): number {
  const groups = now.start.length - 1;
  for (const [place, earlier] of before.entries())
    for (let group = 0; group < groups; group++) if (isClose(now, group, earlier, least)) return place;
  return -1;
}

function isClose(now: Cohorts, group: number, earlier: OverlapRequest['before'][number], least: number): boolean {
  // What is gone may have been the same people or others: only a number far enough off says that it is no matter.
  if ('people' in earlier) return earlier.people.some((people) => Math.abs(people - peopleOf(now, group)) < least);
  const { cohorts } = earlier;
  for (let other = 0; other < cohorts.start.length - 1; other++) {
    const difference = differing(now, group, cohorts, other, least);
    if (difference > 0 && difference < least) return true;
  }
  return false;
}
