/** Why people are shown what they are shown, on people of two tastes, some of whom only their ties tell of. */
import { expect, test } from 'vitest';
import { context, fit, ties, USERS, world } from '../models/fusion-fixture.ts';
import type { TrainInput } from '../types.ts';
import { explainPeople } from './explain.ts';

const input: TrainInput = { interactions: world().interactions, sources: [ties('social', true), ties('noise', false)] };

test('parts add up to the scores of the lists, and importance follows what a branch says', async () => {
  const fitted = await fit(input);
  const users = Array.from({ length: 40 }, (_, n) => n);
  const task = { train: input, exclude: input.interactions, k: 5 };
  const explained = await explainPeople(fitted, task, users, context());
  const ranked = await fitted.rank({ k: 5, exclude: input.interactions });
  const weights = await fitted.weights();
  for (const [n, { branches, items, user }] of explained.entries()) {
    expect(user).toBe(users[n]);
    expect(items.map(({ item }) => item)).toEqual([...ranked.items.subarray(user * 5, user * 5 + 5)]);
    for (const [at, { branches: parts, score }] of items.entries()) {
      expect(score).toBeCloseTo(ranked.scores[user * 5 + at]!, 4);
      expect(parts.reduce((sum, { part }) => sum + part, 0)).toBeCloseTo(score, 5);
    }
    const own = weights.subarray(user * 3, user * 3 + 3);
    const all = own.reduce((sum, weight) => sum + weight, 0);
    expect(branches.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 4);
    branches.forEach(({ weight }, m) => expect(weight).toBeCloseTo(own[m]! / all, 5));
    // What has no weight here takes nothing away.
    for (const { listChanged } of branches.filter(({ weight }) => weight === 0)) expect(listChanged).toBe(0);
  }
  const mean = (m: number) => explained.reduce((sum, { branches }) => sum + branches[m]!.listChanged, 0) / users.length;
  const [social, noise] = [mean(1), mean(2)];
  expect(social).toBeGreaterThan(0.05);
  expect(noise).toBeLessThan(social / 2);
  const lost = (m: number) =>
    explained.reduce(
      (sum, { items }) => sum + items.reduce((own, { branches }) => own + branches[m]!.importance, 0),
      0,
    );
  expect(lost(1)).toBeGreaterThan(0);
  expect(Math.abs(lost(2))).toBeLessThan(lost(1) / 2);
});

test('explains nothing by branches to somebody who is shown what is popular', async () => {
  const consents = new Uint8Array(USERS).fill(1);
  const sources = input.sources!.map((source) => ({
    ...source,
    consents: consents.map((_, user) => (user === 3 ? 0 : 1)),
  }));
  const fitted = await fit({ ...input, sources }, { epochs: 5 });
  const task = { train: { ...input, sources }, exclude: input.interactions, k: 5 };
  const [one] = await explainPeople(fitted.without(['on-site']), task, [3], context());
  expect(one!.items).toHaveLength(5);
  expect(one!.branches.map(({ weight }) => weight)).toEqual([0, 0, 0]);
  for (const { branches, score } of one!.items) {
    expect(score).toBe(0);
    expect(branches.every(({ importance, part }) => part === 0 && importance === 0)).toBe(true);
  }
});
