/**
 * Owns the simulated platform as a whole: `simulate(options)` gives people, items, consents, ties and a log in
 * order of time, and beside them the truth that only a simulator knows. Pure: the same options give the same
 * bytes; every iterable can be read again and starts afresh. Memory is bounded by the people, the catalogue and
 * one day of the log (and the conversions that reach ahead).
 */
import type { CanonicalEvent, CatalogueItem, ConsentRecord, Person } from '../../contract-kit/event.ts';
import { randomStream } from '../../random.ts';
import { playBotDay } from './bots.ts';
import { consentsOf, creatorRecord, itemRecord, personRecord, type CreatorRecord } from './records.ts';
import { drawCreators, drawVideos, type SimCreator, type SimVideo } from './catalogue.ts';
import { Feed } from './feed.ts';
import { Life, poisson, type World } from './life.ts';
import { DayBuckets, type LoggedEvent } from './log.ts';
import { mapEach } from './map-each.ts';
import { DAY_MS, parseSimulationOptions, type SimulationOptions, type SimulationSettings } from './options.ts';
import { drawIndex, drawPeople, type SimPerson } from './people.ts';
import { playSession, SLATES_PER_SESSION } from './sessions.ts';
import { drawTies, type SimTie } from './social.ts';
import { createTruth, type SimulationTruth } from './truth.ts';

/** The name under which everything simulated is stored and labelled. */
export const SIMULATED_SOURCE = 'simulated';

/** A directed tie: `follower` follows `followed` (ids of people) since a moment. */
export interface SocialTie {
  readonly follower: string;
  readonly followed: string;
  readonly since: number;
}

export interface Simulation {
  readonly source: typeof SIMULATED_SOURCE;
  readonly settings: SimulationSettings;
  people(): Iterable<Person>;
  creators(): Iterable<CreatorRecord>;
  items(): Iterable<CatalogueItem>;
  /** In order of `occurredAt`. */
  events(): Iterable<CanonicalEvent>;
  /** The same events with what only the simulator knows of each. */
  log(): Iterable<LoggedEvent>;
  /** In order of person, then time. Not everyone consents, and not to everything. */
  consents(): Iterable<ConsentRecord>;
  social(): Iterable<SocialTie>;
  readonly truth: SimulationTruth;
}

/** Events that one list causes, about; corrected day by day from what was measured. */
const EVENTS_PER_SLATE_PRIOR = 9;
const PRIOR_SLATES = 300;

interface Drawn {
  readonly people: SimPerson[];
  readonly creators: SimCreator[];
  readonly videos: SimVideo[];
  readonly ties: SimTie[];
}

function buildWorld(settings: SimulationSettings, drawn: Drawn): World {
  const startMs = Date.parse(settings.start);
  const lives = drawn.people.map((person) => new Life(person, settings.seed));
  for (const tie of drawn.ties)
    lives[tie.followed]!.followers.push({ life: lives[tie.follower]!, sinceMs: tie.sinceMs });
  const creatorSizes = new Float64Array(drawn.creators.length);
  for (const video of drawn.videos) creatorSizes[video.creator]! += 1;
  const buckets = new DayBuckets(startMs, settings.days);
  // Ties made while the log runs are events in it.
  for (const { follower, followed, sinceMs } of drawn.ties)
    if (sinceMs >= startMs)
      lives[follower]!.log(buckets, { type: 'follow', target: drawn.people[followed]!.id, occurredAt: sinceMs }, 200);
  return {
    settings,
    startMs,
    ...drawn,
    creatorSizes: creatorSizes.map((size) => size * size),
    lives,
    feed: new Feed(drawn.videos),
    buckets,
  };
}

/** Part of a day for which a person has an account. */
function presence(person: SimPerson, dayStartMs: number): number {
  return Math.min(1, Math.max(0, (dayStartMs + DAY_MS - person.joinedAtMs) / DAY_MS));
}

/** One day of one person: sessions at hours of their local time. Returns the lists shown. */
function playPersonDay(world: World, life: Life, day: number, sessionsMean: number): number {
  const { person } = life;
  const stream = randomStream(world.settings.seed, 'sim.day', person.index, day);
  const dayStartMs = world.startMs + day * DAY_MS;
  const starts = Array.from({ length: poisson(sessionsMean, stream) }, () => {
    const localMs = (drawIndex(person.hourWeights, stream) + stream.uniform()) * 3_600_000;
    const intoDayMs = (localMs - person.utcOffsetMinutes * 60_000 + DAY_MS) % DAY_MS;
    return Math.floor(dayStartMs + intoDayMs);
  }).sort((a, b) => a - b);
  let slates = 0;
  for (const startMs of starts) {
    if (startMs < person.joinedAtMs) continue;
    slates += playSession(world, life, Math.max(startMs, life.busyUntilMs), stream);
  }
  return slates;
}

/** How busy people have to be so that the log ends near its target; corrected from what past days gave. */
class Pace {
  readonly #target: number;
  #slates = PRIOR_SLATES;
  #events = PRIOR_SLATES * EVENTS_PER_SLATE_PRIOR;
  #made = 0;
  #presenceLeft: number;

  constructor(target: number, presenceAll: number) {
    this.#target = target;
    this.#presenceLeft = presenceAll;
  }

  /** Sessions a day for a person of activity 1. */
  sessions(): number {
    const slatesLeft = Math.max(0, this.#target - this.#made) / (this.#events / this.#slates);
    return slatesLeft / SLATES_PER_SESSION / Math.max(1e-9, this.#presenceLeft);
  }

  dayOver(slates: number, events: number, presence: number): void {
    this.#slates += slates;
    this.#events += events;
    this.#made += events;
    this.#presenceLeft -= presence;
  }
}

function* play(settings: SimulationSettings, drawn: Drawn): Generator<LoggedEvent> {
  const world = buildWorld(settings, drawn);
  const humans = world.lives.filter((life) => life.person.bot === undefined);
  const bots = world.lives.filter((life) => life.person.bot !== undefined);
  const botWeight = settings.botActivity * bots.length;
  const botEvents = (settings.events * botWeight) / (botWeight + humans.length);
  const botBudget = bots.length === 0 ? 0 : botEvents / bots.length / settings.days;
  const presenceOn = (day: number): number =>
    humans.reduce((sum, { person }) => sum + person.activity * presence(person, world.startMs + day * DAY_MS), 0);
  let presenceAll = 0;
  for (let day = 0; day < settings.days; day++) presenceAll += presenceOn(day);
  const pace = new Pace(settings.events - botEvents, presenceAll);
  for (let day = 0; day < settings.days; day++) {
    world.feed.startDay();
    const sessions = pace.sessions();
    let slates = 0;
    for (const life of humans) slates += playPersonDay(world, life, day, sessions * life.person.activity);
    for (const life of bots) playBotDay(world, life, day, botBudget);
    const entries = world.buckets.take(day);
    pace.dayOver(slates, entries.length - Math.round(botBudget * bots.length), presenceOn(day));
    yield* entries;
  }
}

/**
 * A simulated platform. `options` as in SimulationOptions; throws INPUT_INVALID.
 * Time: about 8 microseconds an event on one core.
 */
export function simulate(options: SimulationOptions = {}): Simulation {
  const settings = parseSimulationOptions(options);
  const people = drawPeople(settings);
  const creators = drawCreators(settings);
  const videos = drawVideos(settings, creators);
  const drawn: Drawn = { people, creators, videos, ties: drawTies(settings, people) };
  return {
    source: SIMULATED_SOURCE,
    settings,
    people: () => mapEach(people, personRecord),
    creators: () => mapEach(creators, creatorRecord),
    items: () => mapEach(videos, (video) => itemRecord(video, creators)),
    events: () => mapEach(play(settings, drawn), (entry) => entry.event),
    log: () => play(settings, drawn),
    consents: () => people.flatMap((person) => consentsOf(settings, person)),
    social: () =>
      mapEach(drawn.ties, ({ follower, followed, sinceMs }) => ({
        follower: people[follower]!.id,
        followed: people[followed]!.id,
        since: sinceMs,
      })),
    truth: createTruth(people, videos),
  };
}
