/** Facts about the simulated bots: what a detector of each family can hold on to. */
import { describe, expect, test } from 'vitest';
import { type LoggedEvent, type Simulation, simulate } from './index.ts';

/** The entries of each bot of a family, in order of time. */
function byUser(log: readonly LoggedEvent[], simulation: Simulation, family: string): LoggedEvent[][] {
  const bots = new Map([...simulation.truth.people()].map((person) => [person.id, person.bot]));
  const users = new Map<string, LoggedEvent[]>();
  for (const entry of log)
    if (bots.get(entry.event.user) === family)
      users.set(entry.event.user, [...(users.get(entry.event.user) ?? []), entry]);
  return [...users.values()];
}

describe('bots leave the traces of their family', () => {
  const world = simulate({ people: 200, videos: 400, days: 6, events: 40_000, botShare: 0.2, seed: 3 });
  const log = [...world.log()];

  test('a metronome keeps its interval', () => {
    for (const entries of byUser(log, world, 'metronome')) {
      const gaps = entries.slice(1).map((entry, i) => entry.event.occurredAt - entries[i]!.event.occurredAt);
      const regular = gaps.filter((gap) => Math.abs(gap - 30_000) <= 150).length;
      expect(regular / gaps.length).toBeGreaterThan(0.8);
    }
  });

  test('a burst clicker makes its day within a minute or two', () => {
    for (const entries of byUser(log, world, 'burst')) {
      expect(entries.every(({ event }) => event.type === 'click')).toBe(true);
      const minutes = new Set(entries.map(({ event }) => Math.floor(event.occurredAt / 60_000)));
      expect(minutes.size).toBeLessThanOrEqual(6 * 2 * 2);
    }
  });

  test('a sweeper walks the catalogue in order and watches next to nothing', () => {
    for (const entries of byUser(log, world, 'sweeper')) {
      const upward = entries.slice(1).filter((entry, i) => entry.event.item! > entries[i]!.event.item!).length;
      expect(upward / (entries.length - 1)).toBeGreaterThan(0.9);
      expect(Math.max(...entries.map(({ event }) => event.value!))).toBeLessThan(5);
    }
  });

  test('replayers of one ring play one sequence', () => {
    const rings = new Map<number, Set<string>>();
    for (const entries of byUser(log, world, 'replayer')) {
      const { ring } = world.truth.person(entries[0]!.event.user);
      const firstDay = entries.filter(({ event }) => event.occurredAt < Date.parse(world.settings.start) + 86_400_000);
      const sequence = firstDay
        .slice(0, 20)
        .map(({ event }) => `${event.item}:${event.value}`)
        .join(' ');
      rings.set(ring!, (rings.get(ring!) ?? new Set()).add(sequence));
    }
    expect(rings.size).toBe(2);
    for (const sequences of rings.values()) expect(sequences.size).toBe(1);
  });

  test('a rating farm lifts one creator', () => {
    const creators = new Map([...world.items()].map((item) => [item.id, item.creator!]));
    const stars = byUser(log, world, 'rating-farm')
      .flat()
      .filter(({ event }) => event.type === 'rating' && event.value === 5);
    expect(new Set(stars.map(({ event }) => creators.get(event.item!))).size).toBe(1);
    expect(stars.length).toBeGreaterThan(50);
  });
});

describe('covert bots look like people but for what they are paid for', () => {
  const botFamilies = ['ring', 'downvote-ring', 'copycat', 'looper', 'drip'] as const;
  const world = simulate({
    people: 200,
    videos: 400,
    days: 8,
    events: 40_000,
    botShare: 0.2,
    seed: 4,
    botFamilies: [...botFamilies],
  });
  const log = [...world.log()];
  const creators = new Map([...world.items()].map((item) => [item.id, item.creator!]));

  test('a ring spends a good third of its acts on one creator, whom all its accounts share', () => {
    const rings = new Map<number, Set<string>>();
    for (const entries of [...byUser(log, world, 'ring'), ...byUser(log, world, 'downvote-ring')]) {
      const counts = [...Map.groupBy(entries, ({ event }) => creators.get(event.item!)!)].map(
        ([creator, own]) => [own.length, creator] as const,
      );
      const [most, creator] = counts.toSorted((a, b) => b[0] - a[0])[0]!;
      expect(most / entries.length).toBeGreaterThan(0.3);
      expect(most / entries.length).toBeLessThan(0.6);
      const { bot, ring } = world.truth.person(entries[0]!.event.user);
      const key = ring! * 2 + (bot === 'ring' ? 0 : 1);
      rings.set(key, (rings.get(key) ?? new Set()).add(creator));
    }
    expect(rings.size).toBe(4);
    for (const shared of rings.values()) expect(shared.size).toBe(1);
  });

  test('a looper repeats few videos, and a drip never rests', () => {
    for (const entries of byUser(log, world, 'looper'))
      expect(new Set(entries.map(({ event }) => event.item)).size).toBeLessThan(entries.length / 10);
    for (const entries of byUser(log, world, 'drip'))
      expect(new Set(entries.map(({ event }) => new Date(event.occurredAt).getUTCHours())).size).toBeGreaterThan(20);
  });
});
