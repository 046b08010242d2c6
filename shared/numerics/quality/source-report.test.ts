/** What the days of a source say of it. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { randomStream } from '../../random.ts';
import { psi, psiLimit } from './psi.ts';
import { type SourceDay, sourceReports } from './source-report.ts';

const TODAY = '2026-03-31';
const dayOf = (n: number): string => `2026-03-${String(n).padStart(2, '0')}`;
const day = (n: number, more: Partial<SourceDay> = {}): SourceDay => {
  const passed = more.passed ?? 1_000 + ((n * 37) % 90);
  return {
    source: 'web',
    day: dayOf(n),
    batches: 3,
    received: passed,
    passed,
    duplicates: 0,
    late: 0,
    filled: { item: passed, value: passed / 2, session: passed, device: passed },
    refused: {},
    types: [passed / 2, passed / 2, 0],
    values: [passed / 4, passed / 4],
    ...more,
  };
};
const steady = Array.from({ length: 20 }, (_, n) => day(n + 1));
const reportOf = (days: readonly SourceDay[], grade = 'measured', today = TODAY) =>
  sourceReports(days, () => grade, today)[0]!;
const lastAlerts = (last: Partial<SourceDay>, today = TODAY) =>
  reportOf([...steady, day(21, last)], 'measured', today).days.at(-1)!.alerts;

test('a steady source gives no alert and keeps the trust of its grade', () => {
  const report = reportOf(steady);
  expect(report.days.flatMap(({ alerts }) => alerts)).toEqual([]);
  expect(report).toMatchObject({ source: 'web', standing: 'high-signal' });
  expect(report.score).toBeCloseTo(0.9, 9);
  expect(reportOf(steady, 'reported').standing).toBe('fair');
  expect(reportOf([day(1, { passed: 5, received: 5 })]).standing).toBe('unknown');
});

describe('an alert says what leapt', () => {
  test.each([
    [['volume-up'], { passed: 9_000 }],
    [['volume-down'], { passed: 110 }],
    [['refused'], { received: 2_000, passed: 1_000 }],
    [['repeated'], { duplicates: 900 }],
    [['late'], { late: 900 }],
    [['types-changed'], { types: [50, 50, 900] }],
    [['values-changed'], { values: [490, 10] }],
  ] as const)('%j', (alerts, last) => {
    expect(lastAlerts(last)).toEqual(alerts);
  });

  test('a day that is not over is not told to have few events', () => {
    expect(lastAlerts({ passed: 110 }, dayOf(21))).toEqual([]);
  });

  test('a source of which much is refused and repeated loses its standing', () => {
    const bad = steady.map((one) => ({ ...one, received: 2 * one.passed, duplicates: one.passed / 2 }));
    expect(reportOf(bad).standing).toBe('poor');
  });
});

test('the stability index is 0 of equals, symmetric, and knows answers', () => {
  const counts = fc.array(fc.nat(1_000), { minLength: 5, maxLength: 5 }).filter((bins) => bins.some((n) => n > 0));
  fc.assert(
    fc.property(counts, counts, (a, b) => {
      expect(psi(a, a)).toBeCloseTo(0, 12);
      expect(psi(a, b)).toBeCloseTo(psi(b, a), 9);
      expect(psi(a, b)).toBeGreaterThanOrEqual(-1e-12);
    }),
  );
  // (.8 - .5) ln(.8 / .5) + (.2 - .5) ln(.2 / .5), up to what half an event in a million moves.
  expect(psi([5e6, 5e6], [8e6, 2e6])).toBeCloseTo(0.3 * Math.log(1.6) - 0.3 * Math.log(0.4), 4);
});

test('among unchanged samples of a few hundred events, hardly any is told to have changed', () => {
  const random = randomStream(7, 'psi');
  const sample = (): number[] => {
    const bins = Array.from({ length: 10 }, () => 0);
    for (let n = 0; n < 150; n++) bins[random.below(10)]!++;
    return bins;
  };
  let alarms = 0;
  for (let n = 0; n < 1_000; n++) {
    const [a, b] = [sample(), sample()];
    if (psi(a, b) > psiLimit(a, b)) alarms++;
  }
  expect(alarms).toBeLessThanOrEqual(5);
});
