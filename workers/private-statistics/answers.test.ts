/** What answers of many devices say together: near the truth, within the interval that is told, and not nearer for being asked again. */
import { expect, test } from 'vitest';
import { randomisedAnswer } from '../../shared/contract-kit/randomised-response.ts';
import { randomStream } from '../../shared/random.ts';
import { estimated } from './answers.ts';

const QUESTION = { question: 'q', choices: ['a', 'b', 'c'], epsilon: 1, declaredAt: 0 };
const ASKED = { choices: 3, epsilon: 1 };
const TRUE_COUNTS = [1_200, 600, 200];

function survey(seed: number): number[] {
  const stream = randomStream(seed, 'survey');
  const counts = [0, 0, 0];
  for (const [truth, people] of TRUE_COUNTS.entries())
    for (let n = 0; n < people; n++)
      counts[randomisedAnswer(truth, ASKED, Uint32Array.of(stream.uint32(), stream.uint32()))]! += 1;
  return counts;
}

test('estimates are unbiased, and 95 of 100 intervals hold the truth', () => {
  const surveys = Array.from({ length: 400 }, (_, seed) => estimated(QUESTION, survey(seed)));
  for (const [choice, people] of TRUE_COUNTS.entries()) {
    const own = surveys.map((groups) => groups[choice]!);
    const mean = own.reduce((sum, { value }) => sum + value, 0) / own.length;
    const reach = (own[0]!.high! - own[0]!.low!) / 2;
    expect(Math.abs(mean - people)).toBeLessThan((4 * (reach / 1.96)) / Math.sqrt(own.length));
    const held = own.filter(({ low, high }) => low! <= people && people <= high!).length / own.length;
    expect(held).toBeGreaterThan(0.9);
    expect(held).toBeLessThan(0.99);
  }
});

test('people add up to those who answered', () => {
  const groups = estimated(QUESTION, [10, 20, 30]);
  expect(groups.reduce((sum, { value }) => sum + value, 0)).toBeCloseTo(60, 9);
});
