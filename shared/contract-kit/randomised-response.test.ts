/** Randomised response: the chances, what they promise, and that estimates take them out again. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { answerChances, randomisedAnswer } from './randomised-response.ts';

test('no answer is more than e^epsilon likelier under one truth than under another, whatever the question', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 64 }), fc.double({ min: 0.05, max: 10, noNaN: true }), (choices, epsilon) => {
      const { truth, other } = answerChances(choices, epsilon);
      expect(truth + (choices - 1) * other).toBeCloseTo(1, 12);
      expect(Math.log(truth / other)).toBeLessThanOrEqual(epsilon + 1e-9);
      expect(Math.log(truth / other)).toBeGreaterThan(epsilon - 1e-4);
    }),
  );
});

test('every choice comes out as often as its chance, over all of randomness', () => {
  const asked = { choices: 4, epsilon: 1 };
  const seen = new Float64Array(4);
  const steps = 400;
  for (let a = 0; a < steps; a++)
    for (let b = 0; b < steps; b++) {
      const words = Uint32Array.of(
        Math.floor(((a + 0.5) / steps) * 2 ** 32),
        Math.floor(((b + 0.5) / steps) * 2 ** 32),
      );
      seen[randomisedAnswer(2, asked, words)]! += 1 / steps ** 2;
    }
  const { truth, other } = answerChances(4, 1);
  for (const [choice, share] of seen.entries()) expect(share).toBeCloseTo(choice === 2 ? truth : other, 2);
});
