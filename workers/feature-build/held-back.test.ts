/** What no view may tell of people: held for every view at the one place that all of them pass, not by each of them. */
import { expect, test } from 'vitest';
import { FEATURE_VIEWS } from '../../shared/contract-kit/feature-views.ts';
import { featuresOfView } from '../../shared/numerics/features/registry.ts';
import { freeze, loadPlatform } from '../conformance/platform.ts';
import { openWorld, runOnce } from '../conformance/world.ts';
import { holdBackSensitive } from './held-back.ts';
import featureBuild from './processor.ts';

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

test('a view that forgets to hold words back does not get through the job that builds it', async () => {
  await using world = await openWorld(1);
  await loadPlatform(world.ports, { people: 20, videos: 20, days: 4, events: 300 });
  const dataset = await freeze(world.ports);
  const load: typeof featureBuild.load = async (input, context) => {
    const loaded = await featureBuild.load(input, context);
    // As somebody would write a view of what catalogues say, in the stead of one that is there.
    const pool: typeof context.pool = {
      ...context.pool,
      runPhase: async (tasks, signal, scope) => {
        const answers = await context.pool.runPhase<object>(tasks, signal, scope);
        return answers.map((answer) => ('topics' in answer ? { ...answer, topics: [['prayer']] } : answer)) as never;
      },
    };
    return { ...loaded, pool } as never;
  };
  const compute: typeof featureBuild.compute = (loaded, context) =>
    featureBuild.compute(loaded, { ...context, pool: (loaded as unknown as { pool: typeof context.pool }).pool });
  const build = { ...featureBuild, load, compute };
  const input = { dataset, view: 'text' as const };
  await expect(runOnce(world.ports, build, input)).rejects.toMatchObject({ code: 'INFERENCE_BLOCKED' });
});
