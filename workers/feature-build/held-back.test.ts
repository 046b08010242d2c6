/** What no view may tell of people: held for every view at the one place that all of them pass, not by each of them. */
import { expect, test } from 'vitest';
import { FEATURE_VIEWS } from '../../shared/contract-kit/feature-views.ts';
import { featuresOfView } from '../../shared/numerics/features/registry.ts';
import { holdBackSensitive } from './held-back.ts';

test.each([
  ['a feature that is named so', ['texts', 'depressionShare'], {}, 'health'],
  [
    'a topic whose words say so',
    ['texts'],
    {
      topics: [
        ['film', 'song'],
        ['diabetes', 'diet'],
      ],
    },
    'health',
  ],
  ['a fact that is counted by such a word', ['ties'], { communities: { mosque: 4 } }, 'religion'],
  ['a word in capitals, beside others', ['topic0'], { topics: [['VOTERS and songs']] }, 'politics'],
])('a view that would tell %s is stopped, and the word is not repeated', (_what, features, facts, about) => {
  const error = (() => {
    try {
      return holdBackSensitive('new', features, facts);
    } catch (thrown) {
      return thrown as Error;
    }
  })();
  expect(error).toMatchObject({ code: 'INFERENCE_BLOCKED', details: { view: 'new', about: [about] } });
  expect(JSON.stringify(error)).not.toMatch(/depression|diabetes|mosque|voters/i);
});

test.each(FEATURE_VIEWS)('the features of the view %s pass', (view) => {
  expect(() => holdBackSensitive(view, featuresOfView(view), {})).not.toThrow();
});
