/** Words that would tell what must not be inferred. */
import { expect, test } from 'vitest';
import { SENSITIVE_INFERENCES, sensitiveInferenceOf } from './sensitive-inferences.ts';

test('are known in their forms', () => {
  const told = ['Diabetes', 'prayers', 'elections', 'immigrants', 'lesbian', 'unionists', 'bankruptcy'];
  expect(told.map(sensitiveInferenceOf)).toEqual([
    'health',
    'religion',
    'politics',
    'ethnic origin',
    'sexuality',
    'trade union',
    'money troubles',
  ]);
});

test('are not those of everyday talk', () => {
  for (const word of ['cricket', 'cooking', 'great', 'guitar', 'recipe', 'football', 'boring', 'video', 'music'])
    expect(sensitiveInferenceOf(word)).toBeUndefined();
});

test('are beginnings of words, each listed once', () => {
  const all = Object.values(SENSITIVE_INFERENCES).flatMap((words) => words.split(' '));
  expect(all.every((word) => /^[a-z]{3,}$/.test(word))).toBe(true);
  expect(new Set(all).size).toBe(all.length);
});
