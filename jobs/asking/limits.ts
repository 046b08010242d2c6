/** Owns how often one person may be asked: read when prompts are picked, and again when one is asked for. */

const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;

export interface AskingLimits {
  readonly perPersonMax: number;
  readonly withinDays: number;
  readonly pauseHours: number;
}

/** Whether somebody who was asked at these moments has been asked enough for now; all ms since 1970. */
export function isAskedLately(
  { perPersonMax, withinDays, pauseHours }: AskingLimits,
  shown: readonly number[],
  now: number,
): boolean {
  const lately = shown.filter((at) => at > now - withinDays * DAY_MS);
  return lately.length >= perPersonMax || shown.some((at) => at > now - pauseHours * HOUR_MS);
}
