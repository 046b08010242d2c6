/** Features as they are served beside those that the live segments learned from, in a real store. */
import { expect, test } from 'vitest';
import { findSkew } from '../../shared/numerics/evaluation/feature-skew.ts';
import { VIEWS } from '../../shared/numerics/features/registry.ts';
import { foundSkew, readSkewTables, type SkewReport, skewLine } from '../../shared/store/feature-skew.ts';
import { peopleByConsent, withdraw } from '../conformance/consents.ts';
import { freeze, loadPlatform, SOURCE } from '../conformance/platform.ts';
import { NOW, openWorld, runOnce, TENANT, type World } from '../conformance/world.ts';
import ingestion from '../ingestion/processor.ts';
import pipeline from '../pipeline/processor.ts';
import segmentation from '../segmentation/processor.ts';
import featureBuild from './processor.ts';

const DAY = 86_400_000;

async function build(world: World, dataset: string, asOf = NOW): Promise<{ version: string; skew?: SkewReport }> {
  const { output } = await runOnce(world.ports, featureBuild, { dataset, asOf });
  const { meta } = await world.store.versions.read(TENANT, output.version);
  return { version: output.version, ...(meta['skew'] !== undefined && { skew: meta['skew'] as SkewReport }) };
}

/** A platform whose segments are live. */
async function live(world: World) {
  const platform = await loadPlatform(world.ports);
  const first = await build(world, platform.dataset);
  const segments = (await runOnce(world.ports, segmentation, { features: first.version, k: 3 })).output.version;
  await runOnce(world.ports, pipeline, { publish: { parts: { segments }, asOf: NOW } });
  return { ...platform, first, segments };
}

const skewed = ({ features }: SkewReport): string[] => features.filter((row) => row.isSkewed).map(({ name }) => name);

test('is told of by what was built next, and not before anything is live', async () => {
  await using world = await openWorld();
  const { dataset, first, segments } = await live(world);
  expect(first.skew).toBeUndefined();
  expect(await foundSkew(world.store, TENANT)).toBeUndefined();
  const again = await build(world, dataset);
  const meaning = VIEWS.behaviour.version;
  expect(again.skew).toMatchObject({
    segments,
    trained: first.version,
    meaning: { trained: meaning, served: meaning },
  });
  expect(again.skew!.features.length).toBeGreaterThan(10);
  // The same moment: people are compared one by one, and nobody differs.
  for (const row of again.skew!.features) expect(row).toMatchObject({ distance: 0, different: 0, isSkewed: false });
  expect(again.skew!.features[0]!.compared).toBeGreaterThan(40);
  expect(skewLine(await foundSkew(world.store, TENANT))).toBeUndefined();

  // From now on everybody watches on television, at night.
  world.clock.advance(30 * DAY);
  const night = Date.UTC(2025, 11, 20, 2);
  const users = [...(await peopleByConsent(world.store, 'segmentation')).allowed.values()];
  const batch = users.flatMap((user, u) =>
    Array.from({ length: 80 }, (_, n) => ({
      type: 'view' as const,
      user,
      item: `v${1 + ((u + n) % 50)}`,
      value: 90,
      occurredAt: night - (n % 20) * DAY + u * 1000 + n * 60_000,
      device: 'tv' as const,
    })),
  );
  for (let at = 0; at < batch.length; at += 1000) {
    const asked = { source: SOURCE, events: batch.slice(at, at + 1000), allowUnknownItems: true };
    const { output } = await runOnce(world.ports, ingestion, asked);
    expect(output.rejected).toEqual([]);
  }
  const later = await build(world, await freeze(world.ports), NOW + 30 * DAY);
  expect(skewed(later.skew!)).toEqual(expect.arrayContaining(['nightShare', 'tvShare', 'activity']));
  const found = await foundSkew(world.store, TENANT);
  expect(found).toEqual(later.skew);
  expect(skewLine(found)).toMatch(/^FEATURE_SKEW: \d+ of \d+ features .*features skew/);

  const { tables } = await readSkewTables(world.store, TENANT, 'behaviour');
  expect(findSkew(tables!.trained, tables!.now).find(({ name }) => name === 'tvShare')!.isSkewed).toBe(true);
  // Read as of the moment of training they are what they were.
  for (const row of findSkew(tables!.trained, tables!.replayed))
    expect(row).toMatchObject({ different: 0, isSkewed: false });
});

test('finds values of the same people and moment that differ, and leaves out who has withdrawn', async () => {
  await using world = await openWorld();
  const { dataset, first } = await live(world);
  const { allowed } = await peopleByConsent(world.store, 'segmentation');
  const before = (await readSkewTables(world.store, TENANT, 'behaviour')).tables!;
  // Another half-life for the same moment: what is served is not what was learned.
  const { output } = await runOnce(world.ports, featureBuild, { dataset, asOf: NOW, halfLifeDays: 2 });
  const { skew } = (await world.store.versions.read(TENANT, output.version)).meta as { skew: SkewReport };
  expect(skewed(skew)).toEqual(['recentActivity']);
  expect(skew.features.find(({ name }) => name === 'recentActivity')!.different).toBeGreaterThan(40);
  expect(skew.trained).toBe(first.version);
  const { tables } = await readSkewTables(world.store, TENANT, 'behaviour');
  const differing = findSkew(tables!.trained, tables!.replayed).filter(({ different }) => different > 0);
  expect(differing.map(({ name }) => name)).toEqual(['recentActivity']);
  await withdraw(world.ports, [...allowed.values()][0]!, 'segmentation');
  const after = (await readSkewTables(world.store, TENANT, 'behaviour')).tables!;
  expect(after.trained.rows.rows).toBe(before.trained.rows.rows - 1);
});
