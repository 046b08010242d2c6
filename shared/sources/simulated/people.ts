/**
 * Owns who lives on the simulated platform: people with tastes that depend on the situation, habits,
 * groups and cultures; and which accounts are really bots.
 *
 * A taste is three small sets of liked topics, one a situation, with thresholds and vetoes beside them; it is
 * not a vector in a space that any learner here fits.
 */
import type { AGE_GROUPS } from '../../contract-kit/event.ts';
import { type RandomStream, randomStream } from '../../random.ts';
import type { BotFamily } from './bot-families.ts';
import { CULTURES, MOODS, TOPICS } from './ontology.ts';
import { DAY_MS, type SimulationSettings } from './options.ts';

/** In which situations tastes differ. */
export const SITUATIONS = ['on the go', 'at home', 'weekend'] as const;

export interface SimPerson {
  readonly index: number;
  readonly id: string;
  readonly name: string;
  readonly gender: 'F' | 'M' | undefined;
  readonly ageGroup: (typeof AGE_GROUPS)[number] | undefined;
  /** Index into CULTURES; 0 is the majority. */
  readonly culture: number;
  readonly bot: BotFamily | undefined;
  /** Bots of one family and ring work together. */
  readonly ring: number;
  readonly joinedAtMs: number;
  readonly utcOffsetMinutes: number;
  /** Relative number of sessions; mean about 1, heavy-tailed. */
  readonly activity: number;
  /** Relative weight of the 24 local hours. */
  readonly hourWeights: Float64Array;
  /** Share of time in each of SITUATIONS; sums to 1. */
  readonly situationShare: Float64Array;
  /** Interest in 0..1 per (situation, topic), row-major. */
  readonly interest: Float32Array;
  /** Topics named at sign-up: part of the core of the taste. */
  readonly likes: readonly number[];
  /** How much of each mood's appeal reaches this person, 0..1. */
  readonly moodFit: Float32Array;
  /** What is lost, 0..1, when a video is in another language. */
  readonly closedness: number;
  /** Quality below which a video loses most of its appeal. */
  readonly pickiness: number;
  /** Duration above which appeal decays. */
  readonly durationToleranceMs: number;
  /** How fast one topic bores. */
  readonly boredom: number;
  /** Some people warm up: their second video of a topic pleases more than the first. */
  readonly warmsUp: boolean;
  /** Exponent of the decay of attention down a list; larger looks at fewer positions. */
  readonly impatience: number;
  /** Relative rate of explicit feedback. */
  readonly expressiveness: number;
  /** How much seasons move this person, 0..1. */
  readonly seasonality: number;
  readonly device: 'phone' | 'tablet' | 'desktop' | 'tv';
}

const AGE_SHARES = [
  ['<18', 0.08],
  ['18-24', 0.27],
  ['25-34', 0.27],
  ['35-44', 0.16],
  ['45-49', 0.08],
  ['50-55', 0.07],
  ['56+', 0.07],
] as const;

const OFFSETS_MINUTES = [330, 330, 330, 330, 330, 330, 330, 345, 240, 480, 0, -300] as const;

/** Draws an index in proportion to `weights`; they need not sum to 1. */
export function drawIndex(weights: ArrayLike<number>, stream: RandomStream): number {
  let total = 0;
  for (let i = 0; i < weights.length; i++) total += weights[i]!;
  let left = stream.uniform() * total;
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i]!;
    if (left < 0) return i;
  }
  return weights.length - 1;
}

export function isOnTheGo(hour: number): boolean {
  return (hour >= 7 && hour < 10) || (hour >= 12 && hour < 14) || (hour >= 17 && hour < 19);
}

/** Index into SITUATIONS at a moment of the person's local time. */
export function situationAt(person: SimPerson, atMs: number): number {
  const local = new Date(atMs + person.utcOffsetMinutes * 60_000);
  const weekday = local.getUTCDay();
  if (weekday === 0 || weekday === 6) return 2;
  return isOnTheGo(local.getUTCHours()) ? 0 : 1;
}

/** How much a group leans to each topic: drawn, not written down, so that no stereotype is built in. */
function topicLeanings(seed: number, culture: number, gender: string, ageGroup: string): Float64Array {
  const leanings = new Float64Array(TOPICS.length);
  for (let t = 0; t < TOPICS.length; t++) {
    const byCulture = randomStream(seed, 'sim.lean.culture', culture, t).normal();
    const byGender = randomStream(seed, 'sim.lean.gender', gender, t).normal();
    const byAge = randomStream(seed, 'sim.lean.age', ageGroup, t).normal();
    leanings[t] = TOPICS[t]!.pull * Math.exp(0.35 * byCulture + 0.25 * byGender + 0.25 * byAge);
  }
  return leanings;
}

function drawDistinct(leanings: Float64Array, count: number, stream: RandomStream): number[] {
  const weights = Float64Array.from(leanings);
  const drawn: number[] = [];
  while (drawn.length < count) {
    const t = drawIndex(weights, stream);
    weights[t] = 0;
    drawn.push(t);
  }
  return drawn;
}

/** Three core topics; each situation wakes two of them and one of its own; one or two topics are vetoed. */
function drawTaste(leanings: Float64Array, stream: RandomStream): { interest: Float32Array; likes: number[] } {
  const picks = drawDistinct(leanings, 8, stream);
  const core = picks.slice(0, 3);
  const own = picks.slice(3, 6);
  const vetoed = picks.slice(6, 7 + stream.below(2));
  const interest = new Float32Array(SITUATIONS.length * TOPICS.length);
  for (let s = 0; s < SITUATIONS.length; s++) {
    const row = interest.subarray(s * TOPICS.length, (s + 1) * TOPICS.length);
    for (let t = 0; t < row.length; t++) row[t] = 0.02 + 0.1 * stream.uniform();
    const asleep = core[s % core.length]!;
    for (const t of core) row[t] = t === asleep ? 0.3 : 0.75 + 0.25 * stream.uniform();
    row[own[s]!] = 0.6 + 0.4 * stream.uniform();
    for (const t of vetoed) row[t] = 0;
  }
  return { interest, likes: core.slice(0, 2 + stream.below(2)) };
}

function drawHours(stream: RandomStream): Float64Array {
  const peaks = [8, 13, 20, 23] as const;
  const strength = peaks.map(() => stream.uniform() ** 2 + 0.05);
  return Float64Array.from({ length: 24 }, (_, hour) =>
    peaks.reduce((sum, peak, i) => {
      const distance = Math.min(Math.abs(hour - peak), 24 - Math.abs(hour - peak));
      return sum + strength[i]! * Math.exp(-((distance / 1.8) ** 2));
    }, 0.01),
  );
}

function situationShares(hourWeights: Float64Array): Float64Array {
  let onTheGo = 0;
  let all = 0;
  for (let hour = 0; hour < 24; hour++) {
    all += hourWeights[hour]!;
    if (isOnTheGo(hour)) onTheGo += hourWeights[hour]!;
  }
  const weekday = 5 / 7;
  return Float64Array.of((weekday * onTheGo) / all, weekday * (1 - onTheGo / all), 1 - weekday);
}

function drawHabits(stream: RandomStream) {
  return {
    activity: Math.exp(0.9 * stream.normal() - 0.405), // mean 1
    closedness: 0.25 + 0.65 * stream.uniform(),
    pickiness: 0.15 + 0.4 * stream.uniform(),
    durationToleranceMs: Math.round(1000 * (25 + 120 * stream.uniform() ** 1.5)),
    boredom: 0.1 + 0.4 * stream.uniform(),
    warmsUp: stream.uniform() < 0.3,
    impatience: 0.15 + 0.5 * stream.uniform(),
    expressiveness: Math.exp(0.8 * stream.normal() - 0.32),
    seasonality: stream.uniform(),
    device: (['phone', 'tablet', 'desktop', 'tv'] as const)[drawIndex([0.82, 0.06, 0.08, 0.04], stream)]!,
    moodFit: Float32Array.from(MOODS, () => (stream.uniform() < 0.25 ? 0.4 : 0.8 + 0.2 * stream.uniform())),
  };
}

function drawGroup(settings: SimulationSettings, stream: RandomStream) {
  const minority = stream.uniform() < settings.minorityShare;
  const culture = minority ? 1 + stream.below(CULTURES.length - 1) : 0;
  const gender = stream.uniform() < 0.45 ? ('F' as const) : ('M' as const);
  const ageGroup =
    AGE_SHARES[
      drawIndex(
        AGE_SHARES.map((a) => a[1]),
        stream,
      )
    ]![0];
  const { women, men } = CULTURES[culture]!;
  const names = gender === 'F' ? women : men;
  return { culture, gender, ageGroup, name: names[stream.below(names.length)]! };
}

const idWidth = (count: number): number => Math.max(5, String(count).length);

function drawPerson(settings: SimulationSettings, index: number, bot: SimPerson['bot'], ring: number): SimPerson {
  const { seed } = settings;
  const stream = randomStream(seed, 'sim.person', index);
  const group = drawGroup(settings, stream.derive('group'));
  const leanings = topicLeanings(seed, group.culture, group.gender, group.ageGroup);
  const hourWeights = drawHours(stream.derive('hours'));
  const startMs = Date.parse(settings.start);
  const when = stream.derive('join');
  const early = bot !== undefined || when.uniform() < 0.85;
  const joinedAtMs = Math.round(
    early ? startMs - 1 - when.uniform() * 400 * DAY_MS : startMs + when.uniform() * 0.8 * settings.days * DAY_MS,
  );
  const silent = stream.derive('silent');
  return {
    index,
    id: `p${String(index + 1).padStart(idWidth(settings.people), '0')}`,
    ...group,
    // A few people never say who they are.
    gender: silent.uniform() < 0.02 ? undefined : group.gender,
    ageGroup: silent.uniform() < 0.03 ? undefined : group.ageGroup,
    bot,
    ring,
    joinedAtMs,
    utcOffsetMinutes: OFFSETS_MINUTES[stream.derive('zone').below(OFFSETS_MINUTES.length)]!,
    hourWeights,
    situationShare: situationShares(hourWeights),
    ...drawTaste(leanings, stream.derive('taste')),
    ...drawHabits(stream.derive('habits')),
  };
}

/** Everybody with an account, by index. Exactly round(people * botShare) are bots, families in turn. */
export function drawPeople(settings: SimulationSettings): SimPerson[] {
  const { people, seed, botFamilies, ringSize } = settings;
  const bots = Math.round(people * settings.botShare);
  const lots = Array.from({ length: people }, (_, i) => ({ i, lot: randomStream(seed, 'sim.bot', i).uniform() }));
  lots.sort((a, b) => a.lot - b.lot || a.i - b.i);
  const families = new Map<number, { family: BotFamily; ring: number }>();
  for (let k = 0; k < bots; k++) {
    const family = botFamilies[k % botFamilies.length]!;
    families.set(lots[k]!.i, { family, ring: Math.floor(k / botFamilies.length / ringSize) });
  }
  return Array.from({ length: people }, (_, index) => {
    const bot = families.get(index);
    return drawPerson(settings, index, bot?.family, bot?.ring ?? 0);
  });
}
