/** Owns how the simulator's people, creators, videos and consents look as canonical records: the hidden parts stay out. */
import type { CatalogueItem, ConsentRecord, Person } from '../../contract-kit/event.ts';
import { PURPOSES, type Purpose } from '../../contract-kit/purposes.ts';
import { randomStream } from '../../random.ts';
import type { SimCreator, SimVideo } from './catalogue.ts';
import { CULTURES, TOPICS } from './ontology.ts';
import { DAY_MS, type SimulationSettings } from './options.ts';
import type { SimPerson } from './people.ts';

export interface CreatorRecord {
  readonly id: string;
  readonly name: string;
  readonly culture: string;
  readonly topics: readonly string[];
}

const SOURCE = 'simulated';
/** Share of people who agree to each purpose when asked. */
const AGREE: Readonly<Record<Purpose, number>> = {
  recommendation: 0.93,
  segmentation: 0.84,
  audit: 0.8,
  measurement: 0.7,
};
/** Share of people who agree to nothing at all. */
const REFUSE_ALL = 0.05;
/** Share of those who agreed that withdraw one purpose while the log runs. */
const WITHDRAW = 0.03;

/** `attributes.likes` holds the topics named at sign-up, `attributes.culture` the language of the app. */
export function personRecord(person: SimPerson): Person {
  return {
    id: person.id,
    name: person.name,
    ...(person.gender === undefined ? {} : { gender: person.gender }),
    ...(person.ageGroup === undefined ? {} : { ageGroup: person.ageGroup }),
    attributes: {
      culture: CULTURES[person.culture]!.name,
      likes: person.likes.map((topic) => TOPICS[topic]!.name).join(', '),
      joinedAt: person.joinedAtMs,
      utcOffsetMinutes: person.utcOffsetMinutes,
    },
  };
}

/** A person in a few words for people to read, such as "likes cricket, cooking"; '' where nothing is known. */
export function describe(person: Person): string {
  const likes = person.attributes?.['likes'];
  return typeof likes === 'string' && likes !== '' ? `likes ${likes}` : '';
}

export function creatorRecord(creator: SimCreator): CreatorRecord {
  return {
    id: creator.id,
    name: creator.name,
    culture: CULTURES[creator.culture]!.name,
    topics: creator.topics.map((topic) => TOPICS[topic]!.name),
  };
}

/** `attributes.expiresAt` (ms) is when the video is no longer shown. */
export function itemRecord(video: SimVideo, creators: readonly SimCreator[]): CatalogueItem {
  const creator = creators[video.creator]!;
  return {
    id: video.id,
    title: video.title,
    creator: creator.id,
    topics: video.topics.map((topic) => TOPICS[topic]!.name),
    publishedAt: video.bornAtMs,
    durationMs: video.durationMs,
    attributes: {
      creatorName: creator.name,
      culture: CULTURES[video.culture]!.name,
      expiresAt: video.diesAtMs,
      simulated: true,
    },
  };
}

/** What a person agreed to at sign-up, and for a few what they withdrew later. */
export function consentsOf(settings: SimulationSettings, person: SimPerson): ConsentRecord[] {
  const stream = randomStream(settings.seed, 'sim.consent', person.index);
  const refusesAll = stream.uniform() < REFUSE_ALL;
  const purposes = PURPOSES.filter((purpose) => stream.uniform() < AGREE[purpose]);
  const withdraws = stream.uniform() < WITHDRAW;
  const [withdrawn, part] = [stream.uniform(), stream.uniform()];
  if (refusesAll || purposes.length === 0) return [];
  const common = { user: person.id, source: SOURCE, basis: 'consent' } as const;
  const records: ConsentRecord[] = [
    { ...common, purposes, state: 'given', at: person.joinedAtMs, receipt: `r-${person.id}-1` },
  ];
  if (withdraws) {
    const fromMs = Math.max(person.joinedAtMs, Date.parse(settings.start));
    const endMs = Date.parse(settings.start) + settings.days * DAY_MS;
    records.push({
      ...common,
      purposes: [purposes[Math.floor(withdrawn * purposes.length)]!],
      state: 'withdrawn',
      at: Math.floor(fromMs + part * (endMs - fromMs)),
      receipt: `r-${person.id}-2`,
    });
  }
  return records;
}
