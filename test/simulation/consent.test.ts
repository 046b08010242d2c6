/** Consent at the moment a job runs, in simulated worlds: the real executor, processors and store, on a simulated queue, database and clock. */
import { expect, test } from 'vitest';
import { PLANTS, type PlantName } from './plants.ts';
import { simulateConsent } from './run.ts';

/** The whole of it, 100,000, is `npm run chaos -- --consent`. */
const EXECUTIONS = 2_000;
/** Within which every planted bug is found. */
const PLANTED = 8_000;

test(`nothing is read, taken in or served without consent in ${EXECUTIONS} executions, whatever crashes, stalls or comes late`, async () => {
  const { violations, executions, judged, events } = await simulateConsent({ seed: 1, executions: EXECUTIONS });
  expect(violations.slice(0, 5)).toEqual([]);
  expect(executions).toBeGreaterThanOrEqual(EXECUTIONS);
  expect(judged).toBeGreaterThan(EXECUTIONS / 4);
  for (const count of Object.values(events)) expect(count).toBeGreaterThan(0);
});

const planted = Object.keys(PLANTS).filter((name) => name !== 'none') as PlantName[];
test.each(planted)('the planted bug %s is found', async (plant) => {
  const { violations } = await simulateConsent({ seed: 1, executions: PLANTED, plant, isFirstEnough: true });
  expect(violations.length).toBeGreaterThan(0);
});
