/** The audit of private statistics, short: what is promised is never flagged, half the noise always is. The long one: `npm run bench -- privacy --full`. */
import { describe, expect, test } from 'vitest';
import { betaBelow, leastChance, mostChance } from '../../../shared/governance/differential-privacy/clopper-pearson.ts';
import { auditOnce } from './audit.task.ts';
import { CASES, HALF } from './cases.ts';

const DRAWS = 30_000;
const REPEATS = 3;

describe.each(CASES)('$name, epsilon $epsilon', ({ name, epsilon, delta, audited }) => {
  const flagged = (isHalf: boolean): number => {
    let count = 0;
    for (let repeat = 0; repeat < REPEATS; repeat++) {
      const drawn = isHalf ? HALF(audited.promised) : audited.promised;
      const request = { audited: { ...audited, drawn }, epsilon, delta, draws: DRAWS };
      if (auditOnce({ ...request, seed: `${name} ${epsilon} ${isHalf} ${repeat}` }).isFlagged) count += 1;
    }
    return count;
  };
  test('keeps what it promises', () => {
    expect(flagged(false)).toBe(0);
  });
  test('with half the noise is found out', () => {
    expect(flagged(true)).toBe(REPEATS);
  });
});

test('bounds of a chance are those of scipy.stats.beta', () => {
  // beta.ppf(.001, 5, 96), beta.ppf(.999, 6, 95), beta.cdf(.3, 2, 5)
  expect(leastChance(5, 100, 0.999)).toBeCloseTo(0.007_517_096_337, 9);
  expect(mostChance(5, 100, 0.999)).toBeCloseTo(0.155_367_305_81, 9);
  expect(betaBelow(0.3, 2, 5)).toBeCloseTo(0.579_825, 9);
  expect([leastChance(0, 10, 0.999), mostChance(10, 10, 0.999)]).toEqual([0, 1]);
});

test('a bound is exact: as many hits or more have the missing chance under it', () => {
  const least = leastChance(30, 1_000, 0.999);
  expect(betaBelow(least, 30, 971)).toBeCloseTo(0.001, 9);
  expect(mostChance(250_000, 500_000, 0.999) - 0.5).toBeCloseTo(3.0902 * Math.sqrt(0.25 / 500_000), 5);
});
