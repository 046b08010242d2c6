/** Figures of several platforms made comparable. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { GROUP_MIN, robustScale, scaleOf } from './robust-scale.ts';

const figures = fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: GROUP_MIN, maxLength: 60 });

test('a platform that doubles its counts from one window to the next changes nothing', () => {
  fc.assert(
    fc.property(figures, fc.constantFrom(2, 10, 0.5), fc.integer({ min: -50, max: 50 }), (counts, times, plus) => {
      const windows = [...counts.map(() => 0), ...counts.map(() => 1)];
      const values = Float64Array.from([...counts, ...counts.map((count) => count * times + plus)]);
      const placed = robustScale(
        values,
        windows.map(() => 0),
        windows,
      );
      for (let n = 0; n < counts.length; n++) expect(placed[counts.length + n]).toBeCloseTo(placed[n]!, 9);
    }),
    { numRuns: 200 },
  );
});

test('what one source counts moves nobody of another', () => {
  fc.assert(
    fc.property(figures, figures, (one, other) => {
      const of = (second: number[]) =>
        robustScale(
          Float64Array.from([...one, ...second]),
          [...one.map(() => 0), ...second.map(() => 1)],
          new Uint8Array(one.length + second.length),
        ).slice(0, one.length);
      expect(of(other.map((count) => count * 1_000))).toEqual(of(other));
    }),
    { numRuns: 100 },
  );
});

test('known answers: median and spread of a skewed group, a wild figure that moves neither, and a group of equals', () => {
  expect(scaleOf(Float64Array.of(1, 2, 3, 4, 100))).toEqual({ figures: 5, median: 3, spread: 1.4826 });
  expect(scaleOf(Float64Array.of(1, 2, 3, 4, 1e9)).median).toBe(3);
  expect([...robustScale(Float64Array.of(5, 5, 5), [0, 0, 0], [0, 0, 0])]).toEqual([0, 0, 0]);
});

test('a window with few figures is placed by all of its source', () => {
  const many = Array.from({ length: 40 }, (_, n) => n);
  const values = Float64Array.from([...many, 39]);
  const placed = robustScale(values, new Uint8Array(41), [...many.map(() => 0), 1]);
  expect(placed[40]).toBeGreaterThan(1);
});
