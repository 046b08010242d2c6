/** Features over time in a real store: what is built for a moment is the same bytes whatever came in afterwards, late events included. */
import { expect, test } from 'vitest';
import { FEATURE_VIEWS, type FeatureView } from '../../shared/contract-kit/feature-views.ts';
import { featuresAsOf, viewHistory } from '../../shared/store/feature-history.ts';
import { bytesOf, peopleByConsent, withdraw } from '../conformance/consents.ts';
import { freeze, loadPlatform, SOURCE } from '../conformance/platform.ts';
import { NOW, openWorld, runOnce, TENANT, type World } from '../conformance/world.ts';
import ingestion from '../ingestion/processor.ts';
import featureBuild from './processor.ts';

const DAY = 86_400_000;

async function bytesAt(world: World, dataset: string, view: FeatureView, asOf: number) {
  const { output } = await runOnce(world.ports, featureBuild, { dataset, view, asOf });
  return { ...(await bytesOf(world.store, output.version)), features: output.features };
}

/** Everything that may come in later: events of before that moment and of after it, people's own words, and other facts of items and people. */
async function comeIn(world: World, users: readonly string[]): Promise<void> {
  world.clock.advance(DAY);
  const events = users.flatMap((user, n) => [
    { type: 'view', user, item: 'v1', value: 100, occurredAt: NOW - DAY - n, device: 'tv' },
    { type: 'rating', user, item: 'v2', value: 10, occurredAt: NOW - 2 * DAY - n },
    { type: 'follow', user, target: users[(n + 1) % users.length]!, occurredAt: NOW - 3 * DAY - n },
    { type: 'comment', user, item: 'v1', text: 'I love this, it is great', occurredAt: NOW - 4 * DAY - n },
    { type: 'click', user, item: 'v3', occurredAt: NOW + DAY - 1000 - n },
  ]);
  const { output } = await runOnce(world.ports, ingestion, { source: SOURCE, events, allowUnknownItems: true });
  expect(output.accepted).toBeGreaterThan(0);
  const items = await Array.fromAsync(world.store.items.all(TENANT));
  const changed = items.map(({ id, title }, n) => ({
    id,
    title,
    creator: 'another',
    topics: [`topic ${n % 7}`],
    publishedAt: NOW - 90 * DAY,
  }));
  await runOnce(world.ports, ingestion, { source: SOURCE, items: changed });
  const people = users.map((id) => ({ id, attributes: { utcOffsetMinutes: -480, place: '-33.9,151.2' } }));
  await runOnce(world.ports, ingestion, { source: SOURCE, people });
}

test('is the same bytes for a moment, whatever comes in after it', async () => {
  await using world = await openWorld();
  const platform = await loadPlatform(world.ports);
  const users = [...new Set(platform.events.map(({ user }) => user))];
  const before = new Map<FeatureView, object>();
  for (const view of FEATURE_VIEWS) before.set(view, await bytesAt(world, platform.dataset, view, NOW));
  await comeIn(world, users);
  const later = await freeze(world.ports);
  for (const view of FEATURE_VIEWS) {
    const [then, now] = [await bytesAt(world, later, view, NOW), await bytesAt(world, later, view, NOW + DAY)];
    expect({ view, ...then }).toEqual({ view, ...before.get(view) });
    expect(now).not.toEqual(then);
  }
});

test('is read as of a moment, without those who have withdrawn since', async () => {
  await using world = await openWorld();
  const { dataset, events } = await loadPlatform(world.ports);
  const moments = [NOW, NOW + 3 * DAY];
  for (const asOf of moments) await runOnce(world.ports, featureBuild, { dataset, view: 'engagement', asOf });
  const history = await viewHistory(world.store, TENANT, 'engagement');
  expect(history.map(({ asOf }) => asOf)).toEqual(moments);
  const { allowed } = await peopleByConsent(world.store, 'segmentation');
  const user = events.map((event) => event.user).find((one) => [...allowed.values()].includes(one))!;
  const [subject] = world.store.people.keys(TENANT, [user]);
  const ask = async (): Promise<number[]> => {
    const at = Float64Array.of(NOW - DAY, NOW + DAY, NOW + 4 * DAY);
    const subjects = Buffer.concat([subject!, subject!, subject!]);
    return [...(await featuresAsOf(world.store, TENANT, 'engagement', { subjects, at })).knownAt];
  };
  expect(await ask()).toEqual([Number.NaN, ...moments]);
  await withdraw(world.ports, user, 'segmentation');
  expect(await ask()).toEqual([Number.NaN, Number.NaN, Number.NaN]);
});
