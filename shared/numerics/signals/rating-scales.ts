/**
 * Owns on which scale a source rates, and since when: sources do not say it, so the highest rating of a week does. A platform that goes from
 * five stars to ten points goes on being read right, and what was said before stays what it was.
 */
import { RATING_SCALES } from '../interactions/weights.ts';
import { GROUP_MIN } from './robust-scale.ts';

const WEEK_MS = 7 * 86_400_000;

interface Week {
  ratings: number;
  highest: number;
}

const scaleThatHolds = (highest: number): number =>
  RATING_SCALES.find((scale) => highest <= scale) ?? RATING_SCALES.at(-1)!;

/** Ratings go in; then each has the scale of its source and week, a week with few ratings that of all of its source. */
export class RatingScales {
  readonly #sources: { readonly weeks: Map<number, Week>; readonly all: Week }[];

  constructor(sources: number) {
    this.#sources = Array.from({ length: sources }, () => ({ weeks: new Map(), all: { ratings: 0, highest: 0 } }));
  }

  add(source: number, occurredAt: number, value: number): void {
    const { weeks, all } = this.#sources[source]!;
    const number = Math.floor(occurredAt / WEEK_MS);
    let week = weeks.get(number);
    if (week === undefined) weeks.set(number, (week = { ratings: 0, highest: 0 }));
    for (const one of [week, all]) {
      one.ratings++;
      one.highest = Math.max(one.highest, value);
    }
  }

  at(source: number, occurredAt: number): number {
    const { weeks, all } = this.#sources[source]!;
    const week = weeks.get(Math.floor(occurredAt / WEEK_MS));
    return scaleThatHolds((week === undefined || week.ratings < GROUP_MIN ? all : week).highest);
  }
}
