/** Engagement and context: equal to their slow definitions; every view of people's acts free of leaks from the future; the clocks people live by. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { featuresOfView } from '../../shared/numerics/features/registry.ts';
import { INTERACTION_TABLE, RATING_SCALES } from '../../shared/numerics/interactions/weights.ts';
import { referenceContext } from './context.reference.ts';
import { referenceEngagement } from './engagement.reference.ts';
import { acts, build, differences, settings, type Settings } from './features-fixture.ts';
import type { PlainAct } from './features.reference.ts';
import { LocalClock, zoneOf } from './local-time.ts';

const BERLIN_WINTER = 60;
const PROFILES = new Map([
  ['ann', { minutesAhead: BERLIN_WINTER, place: [53, 13] as const }],
  ['bob', { minutesAhead: 330, place: [-34, 18] as const }],
]);

const counted = (events: readonly PlainAct[], { asOf, allows }: Settings): PlainAct[] =>
  events.filter(
    ({ at, recordedAt, user, source, type }) =>
      at <= asOf && recordedAt <= asOf && type !== 'impression' && allows(user, source),
  );

function likesOf(own: readonly PlainAct[]): (act: PlainAct) => boolean {
  const scaleOf = (source: string): number => {
    const ratings = own.filter((act) => act.type === 'rating' && act.source === source);
    return RATING_SCALES.find((scale) => Math.max(0, ...ratings.map(({ value }) => value!)) <= scale)!;
  };
  return ({ type, value, source }) => {
    const { weight, positiveFrom } = INTERACTION_TABLE[type];
    if (positiveFrom === undefined) return weight > 0;
    return value! >= ('value' in positiveFrom ? positiveFrom.value : positiveFrom.scale * scaleOf(source)) - 1e-5;
  };
}

const REFERENCES = {
  engagement: (events: readonly PlainAct[], asOf: number) => referenceEngagement(events, asOf, likesOf(events)),
  context: (events: readonly PlainAct[], asOf: number) => referenceContext(events, asOf, PROFILES),
};

describe.each(['engagement', 'context'] as const)('%s', (view) => {
  test('equals its slow definition', async () => {
    await fc.assert(
      fc.asyncProperty(acts, settings, async (events, given) => {
        const built = await build(view, events, given);
        const expected = REFERENCES[view](counted(events, given), given.asOf);
        expect(built?.rows ?? 0).toBe(expected.size);
        expect(built === undefined ? [] : differences(view, built, expected)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  test('keeps every column, so that versions can be read one after the other', async () => {
    const one: PlainAct = {
      user: 'ann',
      item: 'a',
      type: 'view',
      value: 50,
      at: 1,
      recordedAt: 1,
      source: 'web',
      device: 'phone',
      session: '',
    };
    const built = await build(view, [one], { asOf: 10, halfLifeDays: 30, allows: () => true });
    expect(built!.kept).toHaveLength(Object.keys(REFERENCES[view]([one], 10).get('ann')!).length);
  });
});

describe.each(['behaviour', 'engagement', 'context'] as const)('what is known of %s at a moment', (view) => {
  test('does not change with anything that is recorded, or occurs, later', async () => {
    await fc.assert(
      fc.asyncProperty(acts, settings, async (events, given) => {
        const then = events.filter(({ at, recordedAt }) => at <= given.asOf && recordedAt <= given.asOf);
        expect(await build(view, events, given)).toEqual(await build(view, then, given));
      }),
    );
  });

  test('is the same bytes for any number of threads', async () => {
    await fc.assert(
      fc.asyncProperty(acts, settings, async (events, given) => {
        expect(await build(view, events, given, 3)).toEqual(await build(view, events, given, 1));
      }),
      { numRuns: 30 },
    );
  });
});

test('half of a half-life ago counts more than half, and one half-life ago exactly half', async () => {
  const DAY = 86_400_000;
  const act = (user: string, ageDays: number): PlainAct => {
    const at = 100 * DAY - ageDays * DAY;
    return {
      user,
      item: 'a',
      type: 'click',
      value: undefined,
      at,
      recordedAt: at,
      source: 'web',
      device: 'tv',
      session: '',
    };
  };
  const events = [act('ann', 7), act('bob', 3.5)].sort((a, b) => a.at - b.at);
  const built = await build('engagement', events, { asOf: 100 * DAY, halfLifeDays: 30, allows: () => true });
  const recency7 = [0, 1].map((row) => Math.expm1(built!.matrix[row * built!.kept.length + 1]!));
  expect(recency7[0]).toBeCloseTo(0.5, 6);
  expect(recency7[1]).toBeCloseTo(Math.SQRT1_2, 6);
});

test('who goes on from the web in the app, or answers a question meanwhile, is in one session; two visits of one source are two', async () => {
  const MINUTE = 60_000;
  const act = (minute: number, source: string, session: string): PlainAct => ({
    user: 'ann',
    item: 'a',
    type: 'click',
    value: undefined,
    at: minute * MINUTE,
    recordedAt: minute * MINUTE,
    source,
    device: 'tv',
    session,
  });
  const actsOfSession = async (...own: PlainAct[]): Promise<number> => {
    const built = await build('context', own, { asOf: own.at(-1)!.at + 1, halfLifeDays: 30, allows: () => true });
    return Math.round(Math.expm1(built!.matrix[featuresOfView('context').indexOf('sessionActs')]!));
  };
  const [web, app, answer] = [act(1, 'web', 'w1'), act(5, 'feedback', 'm1'), act(9, 'feedback', '')];
  expect(await actsOfSession(web, app, answer, act(12, 'web', 'w1'))).toBe(4);
  expect(await actsOfSession(web, app, act(40, 'web', 'w1'))).toBe(1);
  expect(await actsOfSession(web, act(50, 'web', 'w1'), act(51, 'web', 'w2'))).toBe(1);
  expect(await actsOfSession(web, act(50, 'web', 'w1'))).toBe(2);
});

describe('the clocks people live by', () => {
  test('follow their zone through the change of clocks, within the day of the change too', () => {
    const berlin = new LocalClock(zoneOf('Europe/Berlin')!);
    const hoursAhead = (iso: string): number => (berlin.localMs(Date.parse(iso)) - Date.parse(iso)) / 3_600_000;
    expect(hoursAhead('2026-01-15T12:00:00Z')).toBe(1);
    expect(hoursAhead('2026-07-15T12:00:00Z')).toBe(2);
    expect(hoursAhead('2026-03-29T00:59:00Z')).toBe(1);
    expect(hoursAhead('2026-03-29T01:00:00Z')).toBe(2);
    expect(new LocalClock(zoneOf('Asia/Kolkata')!).localMs(0)).toBe(330 * 60_000);
    expect(new LocalClock(zoneOf('America/St_Johns')!).localMs(Date.UTC(2026, 0, 1)) - Date.UTC(2026, 0, 1)).toBe(
      -210 * 60_000,
    );
    expect(new LocalClock(zoneOf(-90)!).localMs(0)).toBe(-90 * 60_000);
  });

  test('are unknown for what is no zone', () => {
    for (const none of ['Mars/Olympus', '', 'UTC+99:99', 5000, 1.5, null, undefined, {}, 'x'.repeat(100)])
      expect(zoneOf(none)).toBeUndefined();
  });
});
