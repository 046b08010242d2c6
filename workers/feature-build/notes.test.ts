/** Where and when an app noted that somebody was: the last that was known by then, coarse, and before what a profile says. */
import { expect, test } from 'vitest';
import { featuresOfView } from '../../shared/numerics/features/registry.ts';
import { eventOfAct } from '../../shared/sources/mobile/payload.ts';
import { featuresAsOf } from '../../shared/store/feature-history.ts';
import { freeze } from '../conformance/platform.ts';
import { NOW, openWorld, runOnce, TENANT, type World } from '../conformance/world.ts';
import ingestion from '../ingestion/processor.ts';
import featureBuild from './processor.ts';

const HOUR = 3_600_000;
const source = 'mobile';

async function act(
  world: World,
  occurredAt: number,
  place: { latitude: number; longitude: number },
  offsetMinutes: number,
) {
  const event = eventOfAct('asha', 'phone', {
    id: `a${occurredAt}`,
    type: 'click',
    item: 'v1',
    occurredAt,
    context: { place, offsetMinutes },
  });
  await runOnce(world.ports, ingestion, { source, events: [event], allowUnknownItems: true });
}

test('is what the view of a moment says', async () => {
  await using world = await openWorld();
  const consents = [{ user: 'asha', purposes: ['segmentation' as const], at: NOW - HOUR }];
  await runOnce(world.ports, ingestion, { source, consents });
  await runOnce(world.ports, ingestion, { source, people: [{ id: 'asha', attributes: { place: '1,1' } }] });
  await act(world, NOW - 1000, { latitude: 18.52, longitude: 73.86 }, 330);
  world.clock.advance(10 * HOUR);
  await act(world, NOW + 9 * HOUR, { latitude: 51.51, longitude: -0.13 }, 0);
  const dataset = await freeze(world.ports);
  const moments = [NOW, NOW + 10 * HOUR];
  for (const asOf of moments) await runOnce(world.ports, featureBuild, { dataset, view: 'context', asOf });
  const [subject] = world.store.people.keys(TENANT, ['asha']);
  const rows = { subjects: Buffer.concat([subject!, subject!]), at: Float64Array.from(moments) };
  const { matrix, names } = await featuresAsOf(world.store, TENANT, 'context', rows);
  const figure = (row: number, name: (typeof names)[number]): number =>
    matrix[row * names.length + names.indexOf(name)]!;
  expect(featuresOfView('context')).toEqual(names);
  expect([0, 1].map((row) => [figure(row, 'placeLatitude'), figure(row, 'placeLongitude')])).toEqual([
    [19, 74],
    [52, 0],
  ]);
  // Only the hour of the act is noted, so that half past five of the clock on the wall is known as six.
  expect(figure(0, 'hourSin')).toBeCloseTo(Math.sin((2 * Math.PI * 6) / 24), 6);
  expect(figure(1, 'hourSin')).toBeCloseTo(Math.sin((2 * Math.PI * 10) / 24), 6);
});
