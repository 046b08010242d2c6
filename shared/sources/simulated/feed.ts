/**
 * Owns the logging policy: what the simulated platform showed, where, and with which probability.
 *
 * Each place of a list draws from a mixture (popular in the person's culture, fresh, topics named at sign-up,
 * shared by friends, uniform) without repeating what was shown just before. Top places lean to the popular, so
 * position and popularity are confounded as they are on real platforms. A draw that rejects repeats is exactly
 * a draw from the mixture given "not repeated", so the propensity of every impression is known exactly.
 *
 * Tables are rebuilt four times a day over the videos alive during that whole quarter; popularity is yesterday's.
 */
import type { RandomStream } from '../../random.ts';
import type { SimVideo } from './catalogue.ts';
import { CULTURES, TOPICS } from './ontology.ts';
import { DAY_MS } from './options.ts';
import type { SimPerson } from './people.ts';

export const SLATE_SIZE = 6;
const QUARTER_MS = DAY_MS / 4;
/** Share of yesterday's popularity that is left today. */
const POPULARITY_DECAY = 0.8;
/** Below 1 the rich get richer more slowly than in proportion. */
const POPULARITY_EXPONENT = 0.95;
const OTHER_CULTURE = 0.3;
const ATTEMPTS_MAX = 400;

/** One shown video: `propensity` is its exact probability at this place, given what was shown above it. */
export interface Shown {
  readonly video: number;
  readonly propensity: number;
}

interface Table {
  readonly videos: readonly number[];
  readonly cumulative: Float64Array;
  readonly total: number;
  readonly weightOf: (video: number) => number;
}

interface Quarter {
  readonly alive: Table;
  readonly fresh: Table;
  readonly popular: readonly Table[];
  readonly byTopic: readonly Table[];
}

type Part = readonly [share: number, table: Table];

export interface SlateRequest {
  readonly person: SimPerson;
  readonly atMs: number;
  /** Videos not to be repeated; few, newest last. */
  readonly recent: readonly number[];
  /** Videos that friends shared lately, distinct; may include dead ones. */
  readonly shared: readonly number[];
  /** A searched topic: only videos of that topic are shown. */
  readonly topic?: number;
}

function tableOf(videos: readonly number[], weightOf: (video: number) => number): Table {
  const cumulative = new Float64Array(videos.length);
  let total = 0;
  for (let i = 0; i < videos.length; i++) {
    total += weightOf(videos[i]!);
    cumulative[i] = total;
  }
  return { videos, cumulative, total, weightOf };
}

function draw({ videos, cumulative, total }: Table, stream: RandomStream): number {
  const mark = stream.uniform() * total;
  let low = 0;
  let high = videos.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cumulative[middle]! > mark) high = middle;
    else low = middle + 1;
  }
  return videos[low]!;
}

export class Feed {
  readonly #videos: readonly SimVideo[];
  /** Decayed views per (culture, video), row-major; grows during the day. */
  readonly #counts: Float64Array;
  /** Weight per (culture, video) that today's lists are drawn with. */
  readonly #weights: Float64Array;
  readonly #quarters = new Map<number, Quarter>();

  constructor(videos: readonly SimVideo[]) {
    this.#videos = videos;
    this.#counts = new Float64Array(CULTURES.length * videos.length);
    this.#weights = new Float64Array(CULTURES.length * videos.length);
  }

  /** Yesterday's popularity becomes today's weights. */
  startDay(): void {
    const count = this.#videos.length;
    for (let i = 0; i < this.#counts.length; i++) {
      const near = this.#videos[i % count]!.culture === Math.floor(i / count) ? 1 : OTHER_CULTURE;
      this.#weights[i] = near * (1 + this.#counts[i]!) ** POPULARITY_EXPONENT;
      this.#counts[i] = this.#counts[i]! * POPULARITY_DECAY;
    }
    this.#quarters.clear();
  }

  watched(culture: number, video: number): void {
    this.#counts[culture * this.#videos.length + video]! += 1;
  }

  /** Videos alive during the whole quarter of a day around `atMs`, in order of birth. */
  alive(atMs: number): readonly number[] {
    return this.#quarter(atMs).alive.videos;
  }

  /** Up to SLATE_SIZE videos, top first; fewer where the catalogue has no more. */
  slate(request: SlateRequest, stream: RandomStream): Shown[] {
    const quarter = this.#quarter(request.atMs);
    const recent = request.recent.filter((video) => quarter.alive.weightOf(video) > 0);
    const shown: Shown[] = [];
    for (let place = 0; place < SLATE_SIZE; place++) {
      const parts = this.#mixture(quarter, request, place);
      const next = drawUnrepeated(parts, recent, stream);
      if (next === undefined) break;
      shown.push(next);
      recent.push(next.video);
    }
    return shown;
  }

  #mixture(quarter: Quarter, request: SlateRequest, place: number): Part[] {
    if (request.topic !== undefined) return normalised([[1, quarter.byTopic[request.topic]!]]);
    const { person } = request;
    const live = request.shared.filter((video) => quarter.alive.weightOf(video) > 0);
    const social = tableOf(live, (video) => (live.includes(video) ? 1 : 0));
    const explore = 0.04 + 0.03 * place;
    return normalised([
      [0.45 - 0.04 * place, quarter.popular[person.culture]!],
      [0.13, quarter.fresh],
      [explore, quarter.alive],
      [live.length > 0 ? 0.12 : 0, social],
      ...person.likes.map((topic): Part => [0.42 / person.likes.length, quarter.byTopic[topic]!]),
    ]);
  }

  #quarter(atMs: number): Quarter {
    const number = Math.floor(atMs / QUARTER_MS);
    const known = this.#quarters.get(number);
    if (known !== undefined) return known;
    const built = this.#build(number * QUARTER_MS);
    this.#quarters.set(number, built);
    return built;
  }

  #build(fromMs: number): Quarter {
    const videos = this.#videos;
    const isAlive = (v: number): boolean => videos[v]!.bornAtMs <= fromMs && videos[v]!.diesAtMs >= fromMs + QUARTER_MS;
    const alive: number[] = [];
    const byTopic: number[][] = TOPICS.map(() => []);
    for (let v = 0; v < videos.length && videos[v]!.bornAtMs <= fromMs; v++) {
      if (!isAlive(v)) continue;
      alive.push(v);
      for (const topic of videos[v]!.topics) byTopic[topic]!.push(v);
    }
    const weight = (culture: number, v: number): number =>
      isAlive(v) ? this.#weights[culture * videos.length + v]! : 0;
    const everywhere = (v: number): number => {
      let sum = 0;
      for (let culture = 0; culture < CULTURES.length; culture++) sum += weight(culture, v);
      return sum;
    };
    return {
      alive: tableOf(alive, (v) => (isAlive(v) ? 1 : 0)),
      fresh: tableOf(alive, (v) => (isAlive(v) ? Math.exp((videos[v]!.bornAtMs - fromMs) / DAY_MS) : 0)),
      popular: CULTURES.map((_, culture) => tableOf(alive, (v) => weight(culture, v))),
      byTopic: byTopic.map((members, topic) =>
        tableOf(members, (v) => (videos[v]!.topics.includes(topic) ? everywhere(v) : 0)),
      ),
    };
  }
}

/** Leaves out empty parts and scales the shares to sum to 1. */
function normalised(parts: readonly Part[]): Part[] {
  const full = parts.filter(([share, table]) => share > 0 && table.total > 0);
  const sum = full.reduce((total, [share]) => total + share, 0);
  return full.map(([share, table]) => [share / sum, table]);
}

function probability(parts: readonly Part[], video: number): number {
  let sum = 0;
  for (const [share, table] of parts) sum += (share * table.weightOf(video)) / table.total;
  return sum;
}

function drawUnrepeated(parts: readonly Part[], recent: readonly number[], stream: RandomStream): Shown | undefined {
  if (parts.length === 0) return undefined;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    let mark = stream.uniform();
    const part = parts.find(([share]) => (mark -= share) < 0) ?? parts.at(-1)!;
    const video = draw(part[1], stream);
    if (recent.includes(video)) continue;
    let excluded = 0;
    for (const other of recent) excluded += probability(parts, other);
    return { video, propensity: Math.min(1, probability(parts, video) / (1 - excluded)) };
  }
  return undefined;
}
