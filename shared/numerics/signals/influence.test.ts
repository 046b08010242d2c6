/** Caps on what one source may make up of an amount. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { influenceFactors } from './influence.ts';

const amount = fc.oneof(fc.constant(0), fc.double({ min: 1e-6, max: 1e6, noNaN: true }));
const sources = fc.array(fc.record({ amount, share: fc.constantFrom(0.05, 0.25, 0.3, 0.5, 0.8, 1) }), {
  minLength: 1,
  maxLength: 7,
});
type Given = readonly { readonly amount: number; readonly share: number }[];

const countedOf = (given: Given): number[] => {
  const factors = influenceFactors(
    given.map((one) => one.amount),
    given.map((one) => one.share),
  );
  return given.map((one, n) => one.amount * factors[n]!);
};
const totalOf = (given: Given): number => countedOf(given).reduce((a, b) => a + b, 0);
const ROOM = 1 + 1e-9;

/** Sources less trusted than the most trusted one that says anything. */
const held = (given: Given): number[] => {
  const most = Math.max(...given.filter((one) => one.amount > 0).map((one) => one.share));
  return [...given.keys()].filter((n) => given[n]!.amount > 0 && given[n]!.share < most);
};

test('no source makes up more than its share, however much it claims, and leaving it out moves the amount by no more', () => {
  fc.assert(
    fc.property(sources, (given) => {
      const [counted, total] = [countedOf(given), totalOf(given)];
      for (const n of held(given)) {
        const { share } = given[n]!;
        expect(counted[n]!).toBeLessThanOrEqual(share * total * ROOM);
        const without = totalOf(given.filter((_, other) => other !== n));
        expect(total - without).toBeLessThanOrEqual(share * total * ROOM);
        expect(without).toBeLessThanOrEqual(total * ROOM);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('the order of sources changes nothing, and no factor leaves 0 to 1', () => {
  fc.assert(
    fc.property(sources, (given) => {
      expect(totalOf(given.toReversed())).toBeCloseTo(totalOf(given), 6);
      for (const [n, { amount: claimed }] of given.entries()) {
        expect(countedOf(given)[n]).toBeGreaterThanOrEqual(0);
        expect(countedOf(given)[n]).toBeLessThanOrEqual(claimed * ROOM);
      }
    }),
  );
});

test('known answers: a quarter beside a whole, two equals, and one alone', () => {
  expect([...influenceFactors([6, 1_000], [1, 0.25])]).toEqual([1, 0.002]);
  expect([...influenceFactors([6, 1], [1, 0.25])]).toEqual([1, 1]);
  expect([...influenceFactors([3, 5], [0.5, 0.5])]).toEqual([1, 1]);
  expect([...influenceFactors([0, 1_000], [1, 0.25])]).toEqual([1, 1]);
});
