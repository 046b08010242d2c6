/** The history of features outlives what named it: the newest moments of each view stay, the others go as everything does. */
import { expect, it } from 'vitest';
import type { LiveJobs } from '../../ports.ts';
import { testStore } from '../../testing.ts';
import { FEATURE_HISTORY_KEPT } from './versions.ts';
import { RULES, TENANT } from './world-fixture.ts';

const NO_JOBS: LiveJobs = { texts: async function* () {}, unfinished: async () => new Set() };
const TOO_MANY = 3;

it('keeps the newest moments of each view, and one of several versions for a moment', async () => {
  let ahead = 0;
  await using test = await testStore({ clock: () => Date.now() + ahead });
  const { collector, versions } = test.store;
  const write = async (view: string, asOf: number, fence = 1): Promise<void> => {
    const runKey = `${TENANT}.feature-build.${view}-${asOf}`;
    const subjects = { name: 'subjects', data: new Uint8Array(16) };
    const draft = await versions.draft(TENANT, runKey, fence, 1, [subjects]);
    const facts = { tenant: TENANT, kind: 'features' as const, runKey, fence, asOf, inputs: [], codeVersion: 'x' };
    await versions.write({ ...draft, ...facts, meta: { view } });
  };
  const moments = Array.from({ length: FEATURE_HISTORY_KEPT + TOO_MANY }, (_, n) => n);
  await Promise.all(moments.map((asOf) => write('engagement', asOf)));
  ahead += 1000;
  await write('engagement', FEATURE_HISTORY_KEPT, 2);
  await write('context', 0);
  for (let pass = 0; pass < 3; pass++) {
    ahead += 2 * RULES.windowMs;
    await collector.collect(RULES, NO_JOBS);
  }
  const left = await versions.latest(TENANT, 'features', 1000);
  const of = (view: string): number[] =>
    left
      .filter(({ meta }) => meta['view'] === view)
      .map(({ asOf }) => asOf)
      .sort((a, b) => a - b);
  expect(of('engagement')).toEqual(moments.slice(TOO_MANY));
  expect(of('context')).toEqual([0]);
  const twice = left.find(({ asOf }) => asOf === FEATURE_HISTORY_KEPT);
  expect(twice?.createdAt).toBe(
    Math.max(...left.filter(({ meta }) => meta['view'] === 'engagement').map((one) => one.createdAt)),
  );
});
