/** Noise against the exact chances of its distribution, with 10^6 draws for the scales in the middle; a wrong sampler is caught by the same tests. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Fit, fitOf, gaussianChance, laplaceChance } from './fit.ts';
import { RandomBits } from './random-bits.ts';
import { numberOf, rational, type Rational, rationalOf, wholeRoot } from './rational.ts';
import { discreteGaussian, discreteLaplace, type Sampler, survives } from './samplers.ts';
import { seeded } from './seeded.fixture.ts';

const DRAWS = 100_000;

function drawn(sampler: Sampler, seed: string, count = DRAWS): Map<bigint, number> {
  const bits = new RandomBits(seeded(seed));
  const seen = new Map<bigint, number>();
  for (let n = 0; n < count; n++) {
    const value = sampler(bits);
    seen.set(value, (seen.get(value) ?? 0) + 1);
  }
  return seen;
}

/** Once in ten thousand right samplers would not be taken for one; the seeds are fixed. */
const DEVIATE_MAX = 3.72;
const isRight = ({ deviate, totalVariation, totalVariationExpected }: Fit): boolean =>
  deviate < DEVIATE_MAX && totalVariation < 1.7 * totalVariationExpected;

const SCALES: readonly [string, Rational, number][] = [
  ['1/3', rational(1n, 3n), DRAWS],
  ['1', rational(1n), DRAWS],
  ['20/7', rational(20n, 7n), 10 * DRAWS],
  ['123.456', rationalOf(123.456), 10 * DRAWS],
  ['a fraction of big numbers', rational(10n ** 30n + 1n, 3n * 10n ** 29n), DRAWS],
];

describe.each(SCALES)('of scale %s', (name, scale, count) => {
  test('Laplace noise has its exact distribution', () => {
    const fit = fitOf(drawn(discreteLaplace(scale), `laplace ${name}`, count), laplaceChance(numberOf(scale)), 3_000);
    expect(fit.cells).toBeGreaterThan(4);
    expect(fit).toSatisfy(isRight);
  });

  test('Gaussian noise has its exact distribution', () => {
    const fit = fitOf(drawn(discreteGaussian(scale), `gaussian ${name}`, count), gaussianChance(numberOf(scale)), 200);
    expect(fit.cells).toBeGreaterThan(2);
    expect(fit).toSatisfy(isRight);
  });
});

test('noise of another scale, with 0 drawn twice as often or of one sign is not taken for right', () => {
  const right = discreteLaplace(rational(5n));
  const chance = laplaceChance(5);
  const wrong: readonly Sampler[] = [
    discreteLaplace(rational(51n, 10n)),
    (bits) => {
      const first = right(bits);
      return first === 1n ? right(bits) : first;
    },
    (bits) => {
      const value = right(bits);
      return value < 0n && bits.below(20) === 0 ? -value : value;
    },
  ];
  for (const [n, sampler] of wrong.entries())
    expect(isRight(fitOf(drawn(sampler, `wrong ${n}`), chance, 1_000)), `sampler ${n}`).toBe(false);
});

test('a chance of exp(-n/d) is met for fractions and for whole numbers and more', () => {
  for (const [n, d] of [
    [0n, 1n],
    [1n, 1n],
    [3n, 10n],
    [7n, 2n],
    [10n ** 25n, 3n * 10n ** 25n],
  ] as const) {
    const bits = new RandomBits(seeded(`survives ${n}/${d}`));
    let yes = 0;
    for (let k = 0; k < 20_000; k++) if (survives(bits, n, d)) yes += 1;
    const chance = Math.exp(-Number(n) / Number(d));
    expect(Math.abs(yes / 20_000 - chance)).toBeLessThanOrEqual(4 * Math.sqrt((chance * (1 - chance)) / 20_000));
  }
});

test('whole numbers below a bound are all as likely, small and large', () => {
  for (const bound of [1n, 6n, 256n, 257n, 2n ** 32n, 2n ** 32n + 1n, 10n ** 20n]) {
    const bits = new RandomBits(seeded(`below ${bound}`));
    const cells = bound < 10n ? Number(bound) : 10;
    const seen = new Float64Array(cells);
    for (let n = 0; n < 20_000; n++) {
      const value = bits.belowBig(bound);
      expect(value >= 0n && value < bound).toBe(true);
      seen[Number((value * BigInt(cells)) / bound)]! += 1;
    }
    for (const [cell, count] of seen.entries()) {
      const [low, high] = [cell, cell + 1].map((edge) => (BigInt(edge) * bound + BigInt(cells) - 1n) / BigInt(cells));
      const chance = Number(high! - low!) / Number(bound);
      expect(Math.abs(count / 20_000 - chance)).toBeLessThan(4.5 * Math.sqrt(chance / 20_000));
    }
  }
});

test('a source without randomness is refused instead of drawn from', () => {
  const stuck = new RandomBits((bytes) => bytes.fill(255));
  expect(() => stuck.below(200)).toThrow('no random bytes');
  expect(() => discreteLaplace(rational(3n))(new RandomBits((bytes) => bytes.fill(0)))).toThrow('no random bytes');
});

test('the same bytes give the same noise, others another', () => {
  const draws = (seed: string): bigint[] => {
    const bits = new RandomBits(seeded(seed));
    return Array.from({ length: 50 }, () => discreteGaussian(rational(400n))(bits));
  };
  expect(draws('a')).toEqual(draws('a'));
  expect(draws('a')).not.toEqual(draws('b'));
  expect(new Set(Array.from({ length: 40 }, () => discreteLaplace(rational(10n ** 9n))(new RandomBits()))).size).toBe(
    40,
  );
});

test('fractions are the decimals that are written; roots are whole and below', () => {
  expect(rationalOf(0.1)).toEqual({ n: 1n, d: 10n });
  expect(rationalOf(-2.5e-7)).toEqual({ n: -1n, d: 4_000_000n });
  expect(rationalOf(1e21)).toEqual({ n: 10n ** 21n, d: 1n });
  expect(() => rationalOf(Number.NaN)).toThrow(RangeError);
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 40n }), (value) => {
      const root = wholeRoot(value);
      expect(root * root <= value && (root + 1n) * (root + 1n) > value).toBe(true);
    }),
  );
  fc.assert(
    fc.property(fc.double({ min: 1e-250, max: 1e250, noNaN: true }), (x) => {
      expect(Math.abs(numberOf(rationalOf(x)) / x - 1)).toBeLessThan(1e-14);
    }),
  );
});
