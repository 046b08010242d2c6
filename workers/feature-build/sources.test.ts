/** What features owe to where acts come from: no source moves them by more than its share, and a platform that counts differently moves nothing. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { randomStream } from '../../shared/random.ts';
import { featuresOfView } from '../../shared/numerics/features/registry.ts';
import { nameAt } from '../../shared/numerics/interactions/interactions.reference.ts';
import { sourceOf } from '../../shared/sources/registry.ts';
import { acts, build, type Built, HOUR } from './features-fixture.ts';
import type { PlainAct } from './features.reference.ts';
import type { PersonView } from './features.task.ts';

const DAY = 24 * HOUR;
const allows = (): boolean => true;

/** Features by person and name. */
function valuesOf(view: PersonView, built: Built): Map<string, Record<string, number>> {
  const names = built.kept.map((column) => featuresOfView(view)[column]!);
  return new Map(
    Array.from({ length: built.rows }, (_, row) => [
      nameAt(built.subjects, row),
      Object.fromEntries(names.map((name, n) => [name, built.matrix[row * names.length + n]!])),
    ]),
  );
}

/** From one of lesser trust: as many as it likes, of any kind. */
const claimed = acts.map((all) => all.map((act) => Object.assign(act, { source: 'somebody', at: act.at + 0.5 })));
const SHARE = sourceOf('somebody').influenceMax;
const ROOM = 1e-3;
const AMOUNTS = ['recency1', 'recency7', 'recency30', 'recency90'];
const SHARES = ['completeShare', 'intensity', 'intensityLately'];
/** Averages lie between 0 and the most that one act can have. */
const RANGE: Readonly<Record<string, number>> = { completeShare: 1, intensity: 4, intensityLately: 4 };

test('a source of lesser trust moves no amount and no average by more than its share, however many acts it claims', async () => {
  await fc.assert(
    fc.asyncProperty(acts, claimed, async (trusted, other) => {
      const at = { asOf: 400 * HOUR, halfLifeDays: 30, allows };
      const alone = await build('engagement', trusted, at);
      if (alone === undefined) return;
      const merged = [...trusted, ...other].sort((a, b) => a.at - b.at);
      const [before, after] = [alone, (await build('engagement', merged, at))!].map((built) =>
        valuesOf('engagement', built),
      );
      for (const [person, known] of before!) {
        const now = after!.get(person)!;
        for (const name of AMOUNTS) {
          const [amount, moved] = [Math.expm1(known[name]!), Math.expm1(now[name]!)];
          expect(moved - amount).toBeLessThanOrEqual(SHARE * moved + ROOM);
          expect(moved).toBeGreaterThanOrEqual(amount - ROOM);
        }
        for (const name of SHARES.filter((one) => !Number.isNaN(known[one]!)))
          expect(Math.abs(now[name]! - known[name]!)).toBeLessThanOrEqual(SHARE * RANGE[name]! + ROOM);
      }
    }),
    { numRuns: 100 },
  );
});

const PEOPLE = 40;
const AS_OF = 120 * DAY;

/** Views, clicks and ratings of forty people over four windows, in sessions of a few minutes. */
function platform(): PlainAct[] {
  const random = randomStream(5, 'platform');
  const all: PlainAct[] = [];
  for (let person = 0; person < PEOPLE; person++)
    for (let session = 0, sessions = 12 + random.below(20); session < sessions; session++) {
      const begin = 1 + random.below(AS_OF / HOUR - 2) * HOUR + person * 10;
      for (let n = 0, many = 1 + random.below(6); n < many; n++) {
        const type = (['view', 'click', 'rating'] as const)[random.below(3)]!;
        const at = begin + n * 60_000 + all.length / 1_000;
        const value = type === 'view' ? random.below(101) : type === 'rating' ? 1 + random.below(5) : undefined;
        const item = 'abcd'[random.below(4)]!;
        const from = { source: 'web', device: 'phone', session: '' };
        all.push({ user: `p${person}`, item, type, value, at, recordedAt: at, ...from });
      }
    }
  return all.sort((a, b) => a.at - b.at);
}

/** From then on the platform counts each act twice. */
const doubled = (events: readonly PlainAct[], since: number): PlainAct[] =>
  events.flatMap((act) =>
    act.at < since ? [act] : [act, Object.assign({ ...act }, { at: act.at + 0.0001, recordedAt: act.at + 0.0001 })],
  );

test.each(['behaviour', 'engagement'] as const)(
  'a platform that doubles its counts from one month on changes nothing of %s',
  async (view) => {
    const events = platform();
    const given = { asOf: AS_OF, halfLifeDays: 30, allows };
    const [plain, twice] = [events, doubled(events, AS_OF - 30 * DAY)];
    expect(twice.length).toBeGreaterThan(1.2 * plain.length);
    const [before, after] = [
      valuesOf(view, (await build(view, plain, given))!),
      valuesOf(view, (await build(view, twice, given))!),
    ];
    for (const [person, known] of before)
      for (const [name, value] of Object.entries(known))
        expect(`${name} ${after.get(person)![name]!.toFixed(3)}`).toBe(`${name} ${value.toFixed(3)}`);
  },
);

test('two platforms of which one counts everything twice from the first day make people alike', async () => {
  const events = platform();
  const elsewhere = doubled(events, 0).map((act) =>
    Object.assign(
      { ...act },
      {
        user: `q${act.user}`,
        source: 'feedback',
        at: act.at + 0.0004,
        recordedAt: act.recordedAt + 0.0004,
      },
    ),
  );
  const both = [...events, ...elsewhere].sort((a, b) => a.at - b.at);
  const values = valuesOf('engagement', (await build('engagement', both, { asOf: AS_OF, halfLifeDays: 30, allows }))!);
  for (let person = 0; person < PEOPLE; person++)
    for (const name of ['recency7', 'recency90', 'confidence', 'intensity'])
      expect(values.get(`qp${person}`)![name]).toBeCloseTo(values.get(`p${person}`)![name]!, 3);
});

test('a platform that goes from five stars to ten points goes on being read right', async () => {
  const events = platform();
  const since = AS_OF - 56 * DAY - ((AS_OF - 56 * DAY) % (7 * DAY));
  const ten = events.map((act) =>
    act.type === 'rating' && act.at >= since ? Object.assign({ ...act }, { value: 2 * act.value! }) : act,
  );
  const given = { asOf: AS_OF, halfLifeDays: 30, allows };
  const [before, after] = [
    valuesOf('behaviour', (await build('behaviour', events, given))!),
    valuesOf('behaviour', (await build('behaviour', ten, given))!),
  ];
  for (const [person, { ratingMean, positiveShare }] of before)
    expect(after.get(person)).toMatchObject({ ratingMean, positiveShare });
});
