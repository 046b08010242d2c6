/**
 * Owns an empirical audit of a private answer: many draws of it in two worlds that differ by one person, an event picked on the first half of them that tells
 * the worlds apart best, and the chance of that event bounded on the other half. Flagged is what no mechanism of the stated privacy could show but once in
 * thousands. It finds noise that is too small; that none is flagged proves nothing.
 */
import { leastChance, mostChance } from './clopper-pearson.ts';

/** Of each of the two bounds, one-sided. */
const CONFIDENCE = 0.999;
/** Thresholds that are tried on the first half. */
const THRESHOLDS_MAX = 60;

/** Draws of a world: any number for an answer, -Infinity for none. */
export type Draws = Float64Array;

export interface AuditResult {
  /** ln of the least ratio that the draws leave possible. */
  readonly epsilonLeast: number;
  /** The event: answers of at least, or of less than this. */
  readonly threshold: number;
  readonly isFlagged: boolean;
}

const atLeast = (draws: Draws, threshold: number): number => {
  let hits = 0;
  for (const draw of draws) if (draw >= threshold) hits += 1;
  return hits;
};

interface Event {
  readonly threshold: number;
  /** The world with the person shows it more often. */
  readonly isOfWith: boolean;
  /** Answers below the threshold instead. */
  readonly isBelow: boolean;
}

/** The event whose ratio, each side a standard error worse, is the largest. */
function pick(withPerson: Draws, without: Draws): Event {
  const sorted = Float64Array.from(withPerson).sort();
  const step = Math.max(1, Math.floor(sorted.length / THRESHOLDS_MAX));
  let best: Event = { threshold: 0, isOfWith: true, isBelow: false };
  let most = Number.NEGATIVE_INFINITY;
  const seen = new Set<number>();
  for (let at = 0; at < sorted.length; at += step) {
    const threshold = sorted[at]!;
    if (threshold === Number.NEGATIVE_INFINITY || seen.has(threshold)) continue;
    seen.add(threshold);
    const counts = [atLeast(withPerson, threshold), atLeast(without, threshold)] as const;
    for (const isBelow of [false, true])
      for (const isOfWith of [false, true]) {
        const [a, b] = counts.map((hits) => (isBelow ? sorted.length - hits : hits));
        const [more, fewer] = isOfWith ? [a!, b!] : [b!, a!];
        const score = Math.log((more - 3 * Math.sqrt(more)) / (fewer + 3 * Math.sqrt(fewer + 1)));
        if (score > most) [best, most] = [{ threshold, isOfWith, isBelow }, score];
      }
  }
  return best;
}

/** `delta`: of approximate privacy; 0 for pure. */
export function audit(withPerson: Draws, without: Draws, epsilon: number, delta = 0): AuditResult {
  const half = Math.floor(withPerson.length / 2);
  const { threshold, isOfWith, isBelow } = pick(withPerson.subarray(0, half), without.subarray(0, half));
  const counts = [withPerson, without].map((draws) => {
    const hits = atLeast(draws.subarray(half, 2 * half), threshold);
    return isBelow ? half - hits : hits;
  });
  const [more, fewer] = isOfWith ? [counts[0]!, counts[1]!] : [counts[1]!, counts[0]!];
  const ratio = (leastChance(more, half, CONFIDENCE) - delta) / mostChance(fewer, half, CONFIDENCE);
  const epsilonLeast = Math.log(Math.max(ratio, 0));
  return { epsilonLeast, threshold, isFlagged: epsilonLeast > epsilon };
}
