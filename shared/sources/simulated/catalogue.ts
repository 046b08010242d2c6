/** Owns the catalogue of the simulated platform: creators and short videos that are born and die. */
import { type RandomStream, randomStream } from '../../random.ts';
import { CULTURES, MOODS, TITLE_TAILS, TOPICS } from './ontology.ts';
import { DAY_MS, type SimulationSettings } from './options.ts';
import { drawIndex } from './people.ts';

export interface SimCreator {
  readonly index: number;
  readonly id: string;
  readonly name: string;
  /** Index into CULTURES. */
  readonly culture: number;
  /** Topics this creator makes videos about, the main one first. */
  readonly topics: readonly number[];
  /** Mean quality of the videos, 0..1. */
  readonly skill: number;
  /** Relative number of videos; heavy-tailed. */
  readonly output: number;
}

export interface SimVideo {
  readonly index: number;
  readonly id: string;
  readonly title: string;
  readonly creator: number;
  readonly culture: number;
  /** One or two topics, the main one first. */
  readonly topics: readonly number[];
  /** Index into MOODS. */
  readonly mood: number;
  /** 0..1, hidden. */
  readonly quality: number;
  /** 0..1, hidden: draws clicks that the video does not repay. */
  readonly clickbait: number;
  readonly durationMs: number;
  readonly bornAtMs: number;
  /** From here on the video is no longer shown. */
  readonly diesAtMs: number;
}

/** Days before the log starts from which videos are still alive. */
const PREHISTORY_DAYS = 12;
const LIFE_DAYS_MIN = 2;
const LIFE_DAYS_MEAN = 16;
const VIDEOS_PER_CREATOR = 25;

const clamp01 = (value: number): number => Math.min(1, Math.max(0, value));

function drawCreator(settings: SimulationSettings, index: number): SimCreator {
  const stream = randomStream(settings.seed, 'sim.creator', index);
  const minority = stream.uniform() < settings.minorityShare;
  const culture = minority ? 1 + stream.below(CULTURES.length - 1) : 0;
  const { women, men, channels } = CULTURES[culture]!;
  const names = stream.uniform() < 0.5 ? women : men;
  const drawnTopic = stream.below(TOPICS.length);
  // The first creators take a topic each, so that every taste finds something.
  const main = index < TOPICS.length ? index : drawnTopic;
  const second = stream.below(TOPICS.length);
  return {
    index,
    id: `c${String(index + 1).padStart(4, '0')}`,
    name: `${names[stream.below(names.length)]!} ${channels[stream.below(channels.length)]!}`,
    culture,
    topics: second === main || stream.uniform() < 0.4 ? [main] : [main, second],
    skill: clamp01(0.55 + 0.17 * stream.normal()),
    output: Math.exp(0.9 * stream.normal()),
  };
}

export function drawCreators(settings: SimulationSettings): SimCreator[] {
  const count = Math.max(TOPICS.length, Math.ceil(settings.videos / VIDEOS_PER_CREATOR));
  return Array.from({ length: count }, (_, index) => drawCreator(settings, index));
}

interface Draft extends Omit<SimVideo, 'index' | 'id' | 'title'> {
  readonly draw: number;
}

function drawTopics(creator: SimCreator, stream: RandomStream): number[] {
  const main = stream.uniform() < 0.75 ? creator.topics[0]! : creator.topics.at(-1)!;
  const other = stream.below(TOPICS.length);
  return stream.uniform() < 0.35 && other !== main ? [main, other] : [main];
}

function drawVideo(settings: SimulationSettings, creators: SimCreator[], outputs: number[], draw: number): Draft {
  const stream = randomStream(settings.seed, 'sim.video', draw);
  const creator = creators[drawIndex(outputs, stream)]!;
  const startMs = Date.parse(settings.start);
  const spanDays = PREHISTORY_DAYS + settings.days;
  const bornAtMs = Math.round(startMs + (stream.uniform() * spanDays - PREHISTORY_DAYS) * DAY_MS);
  const lifeDays = LIFE_DAYS_MIN - LIFE_DAYS_MEAN * Math.log(1 - stream.uniform());
  return {
    draw,
    creator: creator.index,
    culture: creator.culture,
    topics: drawTopics(creator, stream),
    mood: stream.below(MOODS.length),
    quality: clamp01(creator.skill + 0.15 * stream.normal()),
    clickbait: stream.uniform() ** 3,
    durationMs: Math.round(1000 * Math.min(180, Math.max(6, Math.exp(3.5 + 0.6 * stream.normal())))),
    bornAtMs,
    diesAtMs: Math.round(bornAtMs + lifeDays * DAY_MS),
  };
}

/** Titles in order of birth: a head of the topic and a tail, numbered only once a topic has used up its pairs. */
class Titles {
  readonly #used = new Map<string, number>();

  next(topic: number, stream: RandomStream): string {
    const { heads } = TOPICS[topic]!;
    for (let attempt = 0; ; attempt++) {
      const title = heads[stream.below(heads.length)]! + TITLE_TAILS[stream.below(TITLE_TAILS.length)]!;
      const uses = this.#used.get(title) ?? 0;
      if (uses > 0 && attempt < 20) continue;
      this.#used.set(title, uses + 1);
      return uses === 0 ? title : `${title} #${uses + 1}`;
    }
  }
}

/** All videos in order of birth; ids follow that order. */
export function drawVideos(settings: SimulationSettings, creators: SimCreator[]): SimVideo[] {
  const outputs = creators.map((creator) => creator.output);
  const drafts = Array.from({ length: settings.videos }, (_, draw) => drawVideo(settings, creators, outputs, draw));
  drafts.sort((a, b) => a.bornAtMs - b.bornAtMs || a.draw - b.draw);
  const titles = new Titles();
  const width = Math.max(5, String(settings.videos).length);
  return drafts.map((draft, index) =>
    Object.assign(draft, {
      index,
      id: `v${String(index + 1).padStart(width, '0')}`,
      title: titles.next(draft.topics[0]!, randomStream(settings.seed, 'sim.title', draft.draw)),
    }),
  );
}
