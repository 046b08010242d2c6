/** The accountant against OpenDP and Google's dp-accounting (test/reference/privacy.py), and against what must hold of any accountant. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { epsilonOf, picoAllowed, picoSpent, rhoFor, rhoOfPure } from './accountant.ts';
import { gaussianMechanism, laplaceMechanism, mechanismFor } from './mechanism.ts';
import { numberOf, rational, rationalOf, times } from './rational.ts';

interface Golden {
  readonly conversions: readonly { rho: number; delta: number; opendp: number; dpAccounting: number }[];
  readonly budgets: readonly { epsilon: number; delta: number; rho: number }[];
  readonly gaussians: readonly { sensitivity: number; deviation: number; rho: number }[];
  readonly laplaces: readonly { sensitivity: number; scale: number; epsilon: number }[];
}
const golden = JSON.parse(
  readFileSync(new URL('../../../test/reference/golden/privacy.json', import.meta.url), 'utf8'),
) as Golden;

test('epsilon at a delta is what OpenDP and dp-accounting say', () => {
  expect(golden.conversions.length).toBeGreaterThan(50);
  for (const { rho, delta, opendp, dpAccounting } of golden.conversions) {
    const epsilon = epsilonOf(rho, delta);
    expect(Math.abs(epsilon - opendp), `rho ${rho}, delta ${delta}: OpenDP`).toBeLessThanOrEqual(1e-6 * (1 + opendp));
    // On a grid of orders: never below the infimum, and close to it.
    expect(dpAccounting, `rho ${rho}, delta ${delta}: dp-accounting`).toBeGreaterThanOrEqual(epsilon - 1e-9);
    expect(dpAccounting - epsilon).toBeLessThanOrEqual(1e-4 * (1 + epsilon));
  }
});

test('the largest rho of an (epsilon, delta) is what dp-accounting finds, and never promises more', () => {
  for (const { epsilon, delta, rho } of golden.budgets) {
    const most = rhoFor(epsilon, delta);
    expect(Math.abs(most / rho - 1), `epsilon ${epsilon}, delta ${delta}`).toBeLessThan(1e-3);
    expect(epsilonOf(most, delta)).toBeLessThanOrEqual(epsilon);
    expect(epsilonOf(most * (1 + 1e-9), delta)).toBeGreaterThan(epsilon);
  }
});

test('noise costs what OpenDP says', () => {
  for (const { sensitivity, deviation, rho } of golden.gaussians) {
    const made = gaussianMechanism(rationalOf(rho), { sum: 0n, squares: BigInt(sensitivity ** 2) });
    expect(Math.abs(made.deviation / deviation - 1)).toBeLessThan(1e-9);
  }
  for (const { sensitivity, scale, epsilon } of golden.laplaces) {
    const made = laplaceMechanism(rationalOf(epsilon), { sum: BigInt(sensitivity), squares: 0n });
    expect(Math.abs(made.deviation / (Math.SQRT2 * scale) - 1)).toBeLessThan(1e-9);
    expect(numberOf(made.rho)).toBeCloseTo(epsilon ** 2 / 2, 12);
  }
});

test('more spent is more epsilon, a smaller delta too; together they stay below the closed form', () => {
  const rhos = fc.double({ min: 1e-6, max: 20, noNaN: true });
  const deltas = fc.double({ min: 1e-12, max: 0.1, noNaN: true });
  fc.assert(
    fc.property(rhos, deltas, (rho, delta) => {
      const epsilon = epsilonOf(rho, delta);
      expect(epsilon).toBeLessThanOrEqual(rho + 2 * Math.sqrt(rho * Math.log(1 / delta)) + 1e-9);
      expect(epsilonOf(rho * 1.1, delta)).toBeGreaterThanOrEqual(epsilon);
      expect(epsilonOf(rho, delta / 2)).toBeGreaterThanOrEqual(epsilon);
    }),
  );
  expect(epsilonOf(0, 1e-6)).toBe(0);
});

test('sums of what is spent are exact, and rounded against whoever spends', () => {
  expect(picoSpent(rationalOf(0.1)) * 3).toBe(300_000_000_000);
  // As doubles 0.1 squared and halved is more than 0.005.
  expect(picoSpent(rhoOfPure(rationalOf(0.1))) * 4).toBe(picoAllowed(0.02));
  expect(picoSpent(rationalOf(1e-15))).toBe(1);
  expect(picoAllowed(1e-15)).toBe(0);
});

test('shares of a protection cost it together', () => {
  const sensitivity = { sum: 4n, squares: 8n };
  const whole = mechanismFor({ mechanism: 'gaussian', rho: 0.3 }, sensitivity);
  const part = mechanismFor({ mechanism: 'gaussian', rho: 0.3 }, sensitivity, 3);
  expect(times(part.rho, rational(3n))).toEqual(whole.rho);
  expect(part.deviation).toBeCloseTo(whole.deviation * Math.sqrt(3), 9);
  const half = mechanismFor({ mechanism: 'laplace', epsilon: 1 }, sensitivity, 2);
  expect(half.rho).toEqual(rational(1n, 8n));
});

test('95 of 100 draws lie within the width that is told', () => {
  for (const scale of [0.3, 1, 7.5]) {
    const { within95 } = laplaceMechanism(rational(10n, BigInt(scale * 10)), { sum: 1n, squares: 1n });
    const q = Math.exp(-1 / scale);
    const beyond = (w: number): number => (2 * q ** (w + 1)) / (1 + q);
    expect(beyond(within95)).toBeLessThanOrEqual(0.05);
    expect(within95 === 0 || beyond(within95 - 1) > 0.05).toBe(true);
  }
});
