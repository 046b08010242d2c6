/**
 * Owns how much a person truly likes a video: the answer that learners are after.
 *
 * Deliberately no dot product: the best topic wins (maximum, not sum), a low interest cannot be made up for by
 * anything else, quality acts through a threshold, length through a tolerance, another language costs what the
 * person's closedness says unless the topic is borderless, and all of it depends on the situation.
 */
import type { SimVideo } from './catalogue.ts';
import { TOPICS } from './ontology.ts';
import { DAY_MS } from './options.ts';
import { SITUATIONS, type SimPerson } from './people.ts';

/** Interest under which a topic leaves the person cold. */
const INTEREST_THRESHOLD = 0.2;
/** A second topic counts a little less than the first. */
const SECOND_TOPIC = 0.85;
const BELOW_PICKINESS = 0.4;
const BORDERLESS_LOSS = 0.15;
/** Width of a season in days. */
const SEASON_DAYS = 35;

/** Appeal in 0..1 of a video to a person in one of SITUATIONS, before boredom and season. */
export function appealIn(person: SimPerson, video: SimVideo, situation: number): number {
  const base = situation * TOPICS.length;
  let best = person.interest[base + video.topics[0]!]!;
  if (best === 0) return 0; // a veto on the main topic
  const second = video.topics[1];
  if (second !== undefined) best = Math.max(best, SECOND_TOPIC * person.interest[base + second]!);
  if (best < INTEREST_THRESHOLD) best *= 0.4;
  if (video.culture !== person.culture)
    best *= 1 - (TOPICS[video.topics[0]!]!.borderless ? BORDERLESS_LOSS : person.closedness);
  if (video.quality < person.pickiness) best *= BELOW_PICKINESS;
  const excess = video.durationMs - person.durationToleranceMs;
  if (excess > 0) best *= Math.exp(-excess / person.durationToleranceMs);
  return Math.min(1, best * person.moodFit[video.mood]! * (0.8 + 0.55 * video.quality));
}

/** True relevance in 0..1: appeal averaged over the person's situations; bots like nothing. */
export function relevanceOf(person: SimPerson, video: SimVideo): number {
  if (person.bot !== undefined) return 0;
  let sum = 0;
  for (let s = 0; s < SITUATIONS.length; s++) sum += person.situationShare[s]! * appealIn(person, video, s);
  return sum;
}

/** Factor >= 1 by which the time of the year lifts a topic for a person. */
export function seasonFactor(person: SimPerson, topicIndex: number, atMs: number): number {
  const { peakDay, peakRise } = TOPICS[topicIndex]!;
  if (peakRise === 0) return 1;
  const dayOfYear = ((atMs / DAY_MS) % 365.25) | 0;
  const gap = Math.abs(dayOfYear - peakDay);
  const distance = Math.min(gap, 365.25 - gap) / SEASON_DAYS;
  return 1 + person.seasonality * peakRise * Math.exp(-distance * distance);
}

const SATIATION_HALF_LIFE_MS = 5 * 3_600_000;

/** How full a person is of each topic; every video watched adds to it, time takes it away. */
export class Satiation {
  readonly #level = new Float64Array(TOPICS.length);
  readonly #at = new Float64Array(TOPICS.length);

  #now(topicIndex: number, atMs: number): number {
    const age = Math.max(0, atMs - this.#at[topicIndex]!);
    return this.#level[topicIndex]! * 2 ** (-age / SATIATION_HALF_LIFE_MS);
  }

  watched(topicIndex: number, share: number, atMs: number): void {
    this.#level[topicIndex] = this.#now(topicIndex, atMs) + share;
    this.#at[topicIndex] = atMs;
  }

  /** Factor on appeal: falls with fullness; for people who warm up it rises first. */
  factor(person: SimPerson, topicIndex: number, atMs: number): number {
    const level = this.#now(topicIndex, atMs);
    const warmth = person.warmsUp ? 1 + 0.35 * level * Math.exp(1 - level) : 1;
    return warmth / (1 + person.boredom * level * level * 0.25);
  }
}
