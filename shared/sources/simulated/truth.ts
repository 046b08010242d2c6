/** Owns the answers: what only the simulator knows about people and videos, for judging learners and detectors. */
import { AppError } from '../../errors.ts';
import { relevanceOf } from './appeal.ts';
import { type BotFamily, RING_FAMILIES } from './bot-families.ts';
import type { SimVideo } from './catalogue.ts';
import { mapEach } from './map-each.ts';
import { CULTURES, MOODS, TOPICS } from './ontology.ts';
import { SITUATIONS, type SimPerson } from './people.ts';

/** The true taste in one situation. */
export interface SituationTruth {
  readonly situation: (typeof SITUATIONS)[number];
  /** Share of the person's time, 0..1. */
  readonly share: number;
  /** Interest in 0..1 by topic. */
  readonly interest: Readonly<Record<string, number>>;
}

export interface PersonTruth {
  readonly id: string;
  /** Family of the bot, or null for a person. */
  readonly bot: BotFamily | null;
  /** Bots of one family with the same number work together; null for everybody else. */
  readonly ring: number | null;
  readonly culture: string;
  readonly minority: boolean;
  readonly gender: string | null;
  readonly ageGroup: string | null;
  /** Topics disliked outright. */
  readonly vetoes: readonly string[];
  readonly situations: readonly SituationTruth[];
}

export interface ItemTruth {
  readonly id: string;
  readonly culture: string;
  readonly minority: boolean;
  readonly mood: string;
  /** 0..1 */
  readonly quality: number;
  /** 0..1: how much it draws clicks that it does not repay. */
  readonly clickbait: number;
}

export interface SimulationTruth {
  people(): Iterable<PersonTruth>;
  items(): Iterable<ItemTruth>;
  /** What is true of one account. Throws NOT_FOUND. */
  person(id: string): PersonTruth;
  /**
   * True relevance in 0..1 of a video to a person: expected appeal over the person's situations, without
   * season, boredom and position; 0 for bots. Throws NOT_FOUND.
   */
  relevance(personId: string, itemId: string): number;
  /** The whole matrix, one row a person in order of people(), a column a video in order of items(), as value * 255. */
  relevanceRows(): Iterable<Uint8Array>;
}

const round = (value: number): number => Math.round(value * 1000) / 1000;

function personTruth(person: SimPerson): PersonTruth {
  const row = (s: number): Float32Array => person.interest.subarray(s * TOPICS.length, (s + 1) * TOPICS.length);
  const named = (s: number): Record<string, number> =>
    Object.fromEntries(TOPICS.map((topic, t) => [topic.name, round(row(s)[t]!)]));
  const human = person.bot === undefined;
  return {
    id: person.id,
    bot: person.bot ?? null,
    ring: person.bot !== undefined && RING_FAMILIES.has(person.bot) ? person.ring : null,
    culture: CULTURES[person.culture]!.name,
    minority: person.culture !== 0,
    gender: person.gender ?? null,
    ageGroup: person.ageGroup ?? null,
    vetoes: human ? TOPICS.filter((_, t) => row(0)[t] === 0).map((topic) => topic.name) : [],
    situations: human
      ? SITUATIONS.map((situation, s) => ({
          situation,
          share: round(person.situationShare[s]!),
          interest: named(s),
        }))
      : [],
  };
}

function itemTruth(video: SimVideo): ItemTruth {
  return {
    id: video.id,
    culture: CULTURES[video.culture]!.name,
    minority: video.culture !== 0,
    mood: MOODS[video.mood]!,
    quality: round(video.quality),
    clickbait: round(video.clickbait),
  };
}

export function createTruth(people: readonly SimPerson[], videos: readonly SimVideo[]): SimulationTruth {
  const personOf = new Map(people.map((person) => [person.id, person]));
  const videoOf = new Map(videos.map((video) => [video.id, video]));
  const find = <T>(map: ReadonlyMap<string, T>, id: string): T => {
    const found = map.get(id);
    if (found === undefined) throw new AppError('NOT_FOUND', { message: `The simulation has no "${id}".` });
    return found;
  };
  return {
    people: () => mapEach(people, personTruth),
    items: () => mapEach(videos, itemTruth),
    person: (id) => personTruth(find(personOf, id)),
    relevance: (personId, itemId) => relevanceOf(find(personOf, personId), find(videoOf, itemId)),
    relevanceRows: () =>
      mapEach(people, (person) => Uint8Array.from(videos, (video) => Math.round(255 * relevanceOf(person, video)))),
  };
}
