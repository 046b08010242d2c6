/** Owns who follows whom: people follow people of like taste and culture, some strangers, and the well-connected. */
import { randomStream } from '../../random.ts';
import { DAY_MS, type SimulationSettings } from './options.ts';
import type { SimPerson } from './people.ts';

/** A directed tie between two people, by index. */
export interface SimTie {
  readonly follower: number;
  readonly followed: number;
  /** Never before both have joined. */
  readonly sinceMs: number;
}

const TIES_MEAN = 7;
/** Candidates looked at for one tie; the most alike is followed. */
const CANDIDATES = 6;
const STRANGER_SHARE = 0.25;
/** Share of ties that are made while the log runs. */
const LATE_SHARE = 0.2;

function likeness(a: SimPerson, b: SimPerson): number {
  const common = a.likes.filter((topic) => b.likes.includes(topic)).length;
  return common + (a.culture === b.culture ? 0.8 : 0) + (a.ageGroup === b.ageGroup ? 0.3 : 0);
}

function chooseFollowed(
  settings: SimulationSettings,
  people: readonly SimPerson[],
  person: SimPerson,
  k: number,
): number {
  const stream = randomStream(settings.seed, 'sim.tie', person.index, k);
  // Squaring leans to low indices: those are the well-connected.
  const candidate = (): number => Math.floor(people.length * stream.uniform() ** 1.6);
  const first = candidate();
  if (stream.uniform() < STRANGER_SHARE) return first;
  let best = first;
  for (let c = 1; c < CANDIDATES; c++) {
    const other = candidate();
    if (likeness(person, people[other]!) > likeness(person, people[best]!)) best = other;
  }
  return best;
}

/** All ties in order of (follower, followed); bots do not take part except rating farms, who follow each other. */
export function drawTies(settings: SimulationSettings, people: readonly SimPerson[]): SimTie[] {
  const startMs = Date.parse(settings.start);
  const endMs = startMs + settings.days * DAY_MS;
  const ties: SimTie[] = [];
  for (const person of people) {
    const stream = randomStream(settings.seed, 'sim.ties', person.index);
    const count = person.bot === undefined ? Math.round(-TIES_MEAN * Math.log(1 - stream.uniform())) : 0;
    const followed = new Set<number>();
    for (let k = 0; k < count; k++) followed.add(chooseFollowed(settings, people, person, k));
    if (person.bot === 'rating-farm')
      for (const other of people) if (other.bot === person.bot) followed.add(other.index);
    followed.delete(person.index);
    for (const other of [...followed].sort((a, b) => a - b)) {
      const bothMs = Math.max(person.joinedAtMs, people[other]!.joinedAtMs);
      const late = stream.uniform() < LATE_SHARE || bothMs >= startMs;
      const [fromMs, toMs] = late ? [Math.max(bothMs, startMs), endMs] : [bothMs, startMs];
      ties.push({
        follower: person.index,
        followed: other,
        sinceMs: Math.floor(fromMs + stream.uniform() * (toMs - fromMs)),
      });
    }
  }
  return ties;
}
