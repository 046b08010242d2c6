/** Facts about the simulated platform that everything built on it relies on. */
import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe as group, expect, test } from 'vitest';
import { checkEvent, checkRecord, consentSchema, itemSchema, personSchema } from '../../contract-kit/event.ts';
import { AppError } from '../../errors.ts';
import { LOUD_BOT_FAMILIES } from './bot-families.ts';
import { describe } from './records.ts';
import { type Simulation, type SimulationOptions, simulate } from './index.ts';

const SMALL: SimulationOptions = { people: 300, videos: 600, days: 10, events: 30_000, seed: 11 };
const small = simulate(SMALL);
const smallLog = [...small.log()];

function hashOf(simulation: Simulation): string {
  const hash = createHash('sha256');
  const parts = [
    simulation.people(),
    simulation.items(),
    simulation.events(),
    simulation.consents(),
    simulation.social(),
  ];
  for (const part of parts) for (const record of part) hash.update(JSON.stringify(record));
  for (const row of simulation.truth.relevanceRows()) hash.update(row);
  return hash.digest('hex');
}

const botOf = (simulation: Simulation): Map<string, string | null> =>
  new Map([...simulation.truth.people()].map((person) => [person.id, person.bot]));

/** Share of positive-negative pairs that a score orders rightly, ties half. */
function areaUnderCurve(positives: number[], negatives: number[]): number {
  let right = 0;
  for (const p of positives) for (const n of negatives) right += p > n ? 1 : p === n ? 0.5 : 0;
  return right / (positives.length * negatives.length);
}

group('simulate', () => {
  test('gives the same bytes for the same seed and others for another', () => {
    const tiny: SimulationOptions = { people: 60, videos: 150, days: 4, events: 3_000 };
    const once = simulate({ ...tiny, seed: 1 });
    const first = hashOf(once);
    expect(hashOf(once)).toBe(first);
    expect(hashOf(simulate({ ...tiny, seed: 1 }))).toBe(first);
    expect(hashOf(simulate({ ...tiny, seed: 2 }))).not.toBe(first);
  });

  test('every record passes the canonical checks and every event id is unique', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    const ids = new Set<string>();
    const refused: unknown[] = [];
    for (const [index, { event }] of smallLog.entries()) {
      const checked = checkEvent(event, index, now);
      if (!checked.ok) refused.push(checked.rejection);
      ids.add(event.id ?? '');
    }
    expect(refused).toEqual([]);
    expect(ids.size).toBe(smallLog.length);
    for (const item of small.items()) expect(checkRecord(itemSchema, item, 0).ok).toBe(true);
    for (const person of small.people()) expect(checkRecord(personSchema, person, 0).ok).toBe(true);
    for (const consent of small.consents()) expect(checkRecord(consentSchema, consent, 0).ok).toBe(true);
  });

  test('the log is in order of time, holds every kind of signal, and ends near the number asked for', () => {
    const types = new Set(smallLog.map(({ event }) => event.type));
    expect([...types]).toEqual(
      expect.arrayContaining([
        'impression',
        'view',
        'click',
        'convert',
        'search',
        'share',
        'rating',
        'thumb',
        'not-interested',
        'comment',
        'follow',
      ]),
    );
    for (let i = 1; i < smallLog.length; i++)
      expect(smallLog[i]!.event.occurredAt).toBeGreaterThanOrEqual(smallLog[i - 1]!.event.occurredAt);
    expect(Math.abs(smallLog.length - 30_000)).toBeLessThan(3_000);
  });

  test('nothing happens before its video is born, before its person joins, or outside the log', () => {
    const options = fc.record({
      people: fc.integer({ min: 10, max: 80 }),
      videos: fc.integer({ min: 20, max: 120 }),
      days: fc.integer({ min: 1, max: 6 }),
      events: fc.integer({ min: 100, max: 2_000 }),
      minorityShare: fc.double({ min: 0, max: 1, noNaN: true }),
      botShare: fc.double({ min: 0, max: 0.5, noNaN: true }),
      seed: fc.integer({ min: 0, max: 1_000_000 }),
    });
    fc.assert(
      fc.property(options, (drawn) => {
        const simulation = simulate(drawn);
        const born = new Map([...simulation.items()].map((item) => [item.id, item.publishedAt ?? Infinity]));
        const joined = new Map([...simulation.people()].map((p) => [p.id, Number(p.attributes?.['joinedAt'])]));
        const startMs = Date.parse(simulation.settings.start);
        for (const event of simulation.events()) {
          expect(event.occurredAt).toBeGreaterThanOrEqual(joined.get(event.user) ?? Infinity);
          expect(event.occurredAt).toBeGreaterThanOrEqual(startMs);
          expect(event.occurredAt).toBeLessThan(startMs + drawn.days * 86_400_000);
          expect(event.recordedAt).toBeGreaterThanOrEqual(event.occurredAt);
          const bornAtMs = event.item === undefined ? 0 : (born.get(event.item) ?? Infinity);
          expect(event.occurredAt).toBeGreaterThanOrEqual(bornAtMs);
        }
      }),
      { numRuns: 25, seed: 5 },
    );
  });

  test('lower places are opened less although what lies there is as relevant', () => {
    const shown = new Float64Array(7);
    const examined = new Float64Array(7);
    const views = new Float64Array(7);
    for (const { event, examined: looked, policy } of smallLog) {
      if (event.type === 'impression' && policy !== undefined) {
        shown[event.position!]! += 1;
        examined[event.position!]! += looked === true ? 1 : 0;
      }
      if (event.type === 'view' && event.position !== undefined) views[event.position]! += 1;
    }
    expect(views[1]! / shown[1]!).toBeGreaterThan(1.5 * (views[6]! / shown[6]!));
    expect(examined[1]!).toBe(shown[1]!);
    // Given that a place was looked at, its position no longer matters much.
    expect(views[6]! / examined[6]!).toBeGreaterThan(0.7 * (views[1]! / examined[1]!));
  });

  test('propensities are probabilities: inverse weights of one place add up to the number of lists', () => {
    // E[sum over shown v of 1 / p(v)] over one place is the number of videos that could have been shown there.
    let sum = 0;
    let lists = 0;
    const live: number[] = [];
    const items = [...small.items()];
    for (const { event, propensity, policy } of smallLog) {
      if (event.type !== 'impression' || event.position !== 1 || policy !== 'feed') continue;
      expect(propensity).toBeGreaterThan(0);
      expect(propensity).toBeLessThanOrEqual(1);
      lists++;
      sum += 1 / propensity!;
      if (lists % 50 === 0)
        live.push(
          items.filter(
            (item) =>
              item.publishedAt! <= event.occurredAt && Number(item.attributes?.['expiresAt']) > event.occurredAt,
          ).length,
        );
    }
    const couldBeShown = live.reduce((a, b) => a + b, 0) / live.length;
    // Up to 12 recent videos of the same session are left out, and a quarter's births and deaths.
    expect(sum / lists).toBeGreaterThan(0.85 * couldBeShown);
    expect(sum / lists).toBeLessThan(1.1 * couldBeShown);
  });

  test('the true relevance orders held-out viewing better than popularity does', () => {
    const bots = botOf(small);
    const popularity = new Map<string, number>();
    const midMs = Date.parse(small.settings.start) + 7 * 86_400_000;
    const liked = new Set<string>();
    for (const { event } of smallLog) {
      if (event.type !== 'view') continue;
      if (event.occurredAt < midMs) popularity.set(event.item!, (popularity.get(event.item!) ?? 0) + 1);
      else if (event.value! >= 50) liked.add(`${event.user} ${event.item}`);
    }
    const scores = { oracle: [[], []] as number[][], popular: [[], []] as number[][] };
    for (const { event } of smallLog) {
      if (event.type !== 'impression' || event.occurredAt < midMs || bots.get(event.user) !== null) continue;
      const side = liked.has(`${event.user} ${event.item}`) ? 0 : 1;
      scores.oracle[side]!.push(small.truth.relevance(event.user, event.item!));
      scores.popular[side]!.push(popularity.get(event.item!) ?? 0);
    }
    const oracle = areaUnderCurve(scores.oracle[0]!, scores.oracle[1]!);
    const popular = areaUnderCurve(scores.popular[0]!, scores.popular[1]!);
    expect(oracle).toBeGreaterThan(0.75);
    expect(oracle).toBeGreaterThan(popular + 0.1);
  });

  test('tastes are no dot product: relevance is not additive in topics and depends on the situation', () => {
    const people = [...small.truth.people()].filter((person) => person.bot === null);
    const differs = people.filter((person) => {
      const top = person.situations.map(({ interest }) => Object.entries(interest).sort((a, b) => b[1] - a[1])[0]![0]);
      return new Set(top).size > 1;
    });
    expect(differs.length).toBeGreaterThan(0.5 * people.length);
    expect(people.every((person) => person.vetoes.length >= 1)).toBe(true);
    const vetoed = people
      .slice(0, 50)
      .flatMap((person) =>
        [...small.items()]
          .filter((item) => person.vetoes.includes(item.topics![0]!))
          .map((item) => small.truth.relevance(person.id, item.id)),
      );
    expect(vetoed.length).toBeGreaterThan(100);
    expect(new Set(vetoed)).toEqual(new Set([0]));
  });

  test('most people consent, some refuse, some withdraw, and purposes are asked for one by one', () => {
    const large = simulate({ people: 3_000, videos: 20, days: 1, events: 100 });
    const given = [...large.consents()].filter((consent) => consent.state === 'given');
    const withdrawn = [...large.consents()].filter((consent) => consent.state === 'withdrawn');
    expect(given.length / 3_000).toBeGreaterThan(0.9);
    expect(given.length / 3_000).toBeLessThan(0.98);
    const share = (purpose: string): number =>
      given.filter((c) => c.purposes.some((p) => p === purpose)).length / 3_000;
    expect(share('recommendation')).toBeCloseTo(0.95 * 0.93, 1);
    expect(share('measurement')).toBeCloseTo(0.95 * 0.7, 1);
    expect(withdrawn.length / 3_000).toBeGreaterThan(0.015);
    expect(withdrawn.length / 3_000).toBeLessThan(0.045);
    const givenTo = new Map(given.map((consent) => [consent.user, consent]));
    for (const consent of withdrawn) {
      expect(consent.at).toBeGreaterThanOrEqual(givenTo.get(consent.user)!.at);
      expect(givenTo.get(consent.user)!.purposes).toEqual(expect.arrayContaining(consent.purposes));
    }
  });

  test('minorities and bots have the shares asked for, and every family of bots is there', () => {
    const people = [
      ...simulate({
        people: 2_000,
        videos: 20,
        days: 1,
        events: 100,
        minorityShare: 0.3,
        botShare: 0.05,
      }).truth.people(),
    ];
    expect(people.filter((person) => person.minority).length / 2_000).toBeCloseTo(0.3, 1);
    expect(people.filter((person) => person.bot !== null)).toHaveLength(100);
    for (const family of LOUD_BOT_FAMILIES) expect(people.filter((person) => person.bot === family)).toHaveLength(20);
  });

  test('describes a person by what was named at sign-up, and the truth agrees with it', () => {
    const humans = [...small.people()].filter((person) => small.truth.person(person.id).bot === null);
    for (const person of humans.slice(0, 50)) {
      const words = describe(person);
      expect(words).toMatch(/^likes [a-z]/);
      for (const topic of words.slice('likes '.length).split(', '))
        for (const { interest } of small.truth.person(person.id).situations)
          expect(interest[topic]).toBeGreaterThan(0.25);
    }
    expect(describe({ id: 'x' })).toBe('');
  });

  test('refuses options out of range with the name of each, and unknown people', () => {
    const refused = (): Simulation => simulate({ people: 1, days: 0 });
    expect(refused).toThrow(AppError);
    expect(refused).toThrow(/INPUT_INVALID.*people.*days/);
    expect(() => small.truth.relevance('nobody', 'v00001')).toThrow(/NOT_FOUND.*nobody/);
  });
});
