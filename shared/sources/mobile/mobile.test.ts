/** What is kept of where somebody was and how they moved: coarse, and right. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkEvent } from '../../contract-kit/event.ts';
import { type Motion, summaryOf } from './motion.ts';
import { actsSchema, contextOf, eventOfAct } from './payload.ts';
import { middleOf, placeOf, type Point } from './place.ts';

const KM_PER_DEGREE = 111.19;
const point = fc.record({
  latitude: fc.double({ min: -90, max: 90, noNaN: true }),
  longitude: fc.double({ min: -180, max: 180, noNaN: true }),
});

/** Kilometres on the sphere. */
function kmBetween(a: Point, b: Point): number {
  const radians = (degrees: number): number => (degrees * Math.PI) / 180;
  const [p, q] = [radians(a.latitude), radians(b.latitude)];
  const half =
    Math.sin((q - p) / 2) ** 2 + Math.cos(p) * Math.cos(q) * Math.sin(radians(b.longitude - a.longitude) / 2) ** 2;
  return 2 * 6_371 * Math.asin(Math.min(1, Math.sqrt(half)));
}

test('a place is a cell of 11 km and more, wherever it lies, and the middle of a cell lies in it', () => {
  fc.assert(
    fc.property(point, (where) => {
      const place = placeOf(where);
      const middle = middleOf(place);
      expect(placeOf(middle)).toBe(place);
      expect(Math.abs(middle.latitude - where.latitude)).toBeLessThanOrEqual(0.05 + 1e-9);
      // Neighbours to the east are at least a ring's height away, unless the ring has but a few cells.
      const [ring, cell] = place.split('.').map(Number);
      const east = middleOf(`${ring}.${cell! + 1}`);
      const nearPole = Math.abs(middle.latitude) > 89.5;
      expect(nearPole || kmBetween(middle, east) >= 0.1 * KM_PER_DEGREE * 0.99).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test('all of a town is one place, and a place says no more than the grid', () => {
  const street = { latitude: 52.52437, longitude: 13.41053 };
  const other = { latitude: 52.5101, longitude: 13.3905 };
  expect(placeOf(street)).toBe(placeOf(other));
  expect(placeOf({ latitude: 90, longitude: 180 })).toBe(placeOf({ latitude: 90, longitude: -180 }));
});

/** So many seconds at 50 Hz: gravity, a swing of `g` so many times a second, and noise that a seed repeats. */
function windowOf(swing: number, perSecond: number, noise = 0.01, seconds = 10) {
  const hz = 50;
  let state = 7;
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647 - 0.5;
  const z = Array.from(
    { length: seconds * hz },
    (_, n) => 1 + swing * Math.sin((2 * Math.PI * perSecond * n) / hz) + noise * random(),
  );
  return { hz, x: z.map(() => 0), y: z.map(() => 0), z };
}

test.for<[Motion, number, number, number, number]>([
  ['still', 0, 0, 0.02, 0],
  ['walking', 0.25, 1.8, 0.02, 1.8],
  ['running', 0.9, 2.8, 0.05, 2.8],
  ['riding', 0.05, 12, 0.05, 12],
])('a window of somebody %s is told by sway and steps', ([motion, swing, perSecond, noise, steps]) => {
  const summary = summaryOf(windowOf(swing, perSecond, noise));
  expect(summary).toMatchObject({ motion, seconds: 10 });
  expect(summary.sway).toBeCloseTo(swing / Math.SQRT2, 1);
  expect(Math.abs(summary.steps - steps)).toBeLessThanOrEqual(0.2);
});

test('an act becomes an event whose text holds the cell, the hour and the summary, and nothing exact', () => {
  const motion = windowOf(0.25, 1.8);
  const [act] = actsSchema.parse([
    {
      id: 'a1',
      type: 'view',
      item: 'v1',
      value: 80,
      occurredAt: Date.UTC(2026, 2, 14, 23, 30),
      context: { place: { latitude: 52.52437, longitude: 13.41053 }, motion, offsetMinutes: 60 },
    },
  ]);
  const event = eventOfAct('mb-1', 'phone', act!);
  expect(checkEvent(event, 0, Date.UTC(2026, 2, 15))).toMatchObject({ ok: true });
  expect(event).toMatchObject({ type: 'view', user: 'mb-1', device: 'phone', value: 80 });
  expect(contextOf(event.text as string)).toMatchObject({ place: '1425.1174', hour: 0, motion: { motion: 'walking' } });
  expect(JSON.stringify(event)).not.toMatch(/52\.5|13\.4|latitude|"z"/);
});

test('a search keeps its words; words that look like a context are words', () => {
  const act = {
    id: 'a',
    type: 'search',
    occurredAt: 1,
    text: 'cats',
    context: { place: { latitude: 1, longitude: 1 } },
  };
  expect(eventOfAct('u', undefined, act).text).toBe('cats');
  for (const text of ['cats', 'mobile/1 {', 'mobile/1 {"place":7}']) expect(contextOf(text)).toBeUndefined();
});

test('a payload with a field that no event has, uneven axes, or a place off the globe is refused', () => {
  const act = { id: 'a', type: 'view', occurredAt: 1 };
  const axes = { hz: 50, x: [0], y: [0], z: [1] };
  expect(actsSchema.safeParse([{ ...act, context: { motion: axes } }]).success).toBe(true);
  for (const wrong of [
    { ...act, latitude: 52.5 },
    { ...act, context: { place: { latitude: 91, longitude: 0 } } },
    { ...act, context: { motion: { ...axes, x: [0, 1] } } },
    { ...act, context: { altitude: 30 } },
  ])
    expect(actsSchema.safeParse([wrong]).success).toBe(false);
});
