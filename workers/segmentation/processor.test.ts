/** Features and segments of a simulated platform, against a real store. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AppError } from '../../shared/errors.ts';
import { bytesOf, hexKeys, peopleByConsent, withdraw } from '../conformance/consents.ts';
import { loadPlatform } from '../conformance/platform.ts';
import { openWorld, runOnce, TENANT, type World } from '../conformance/world.ts';
import featureBuild from '../feature-build/processor.ts';
import segmentation from './processor.ts';
import { describeSegments } from './words.ts';

let world: World;
let dataset: string;
let features: string;
beforeAll(async () => {
  world = await openWorld();
  ({ dataset } = await loadPlatform(world.ports));
  features = (await runOnce(world.ports, featureBuild, { dataset })).output.version;
});
afterAll(() => world[Symbol.asyncDispose]());

const subjectsOf = async (version: string, { versions } = world.store): Promise<string[]> => {
  const arrays = await versions.arrays(TENANT, await versions.read(TENANT, version));
  return hexKeys(arrays.get('subjects') as Uint8Array);
};

describe('feature-build', () => {
  test('makes features of the people who allow segmentation, and of nobody else', async () => {
    const { allowed, refused } = await peopleByConsent(world.store, 'segmentation');
    const subjects = await subjectsOf(features);
    expect(subjects.length).toBeGreaterThan(40);
    expect(subjects.filter((key) => !allowed.has(key))).toEqual([]);
    expect(refused.size).toBeGreaterThan(5);
  });

  test('gives the same bytes twice, and with one thread or three', async () => {
    const first = await bytesOf(world.store, features);
    for (const threads of [1, 3]) {
      await using ports = await world.withThreads(threads);
      const { output } = await runOnce(ports, featureBuild, { dataset });
      expect(await bytesOf(world.store, output.version)).toEqual(first);
    }
  });

  test('refuses a version of another kind, an unknown one, and a moment before anything happened', async () => {
    await expect(runOnce(world.ports, featureBuild, { dataset: features })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    });
    await expect(runOnce(world.ports, featureBuild, { dataset: 'none' })).rejects.toMatchObject({
      code: 'DATASET_NOT_FOUND',
    });
    await expect(runOnce(world.ports, featureBuild, { dataset, asOf: 1 })).rejects.toMatchObject({
      code: 'DATASET_EMPTY',
    });
  });
});

describe('segmentation', () => {
  test('puts everybody with features into one served segment, and names segments by what sets them apart', async () => {
    const { output } = await runOnce(world.ports, segmentation, { features });
    const subjects = await subjectsOf(features);
    expect(output.people).toBe(subjects.length);
    expect(output.k).toBeGreaterThanOrEqual(2);
    expect(output.k).toBeLessThanOrEqual(8);
    expect(output.silhouette).toBeGreaterThan(0);
    const counts = output.segments.map(() => 0);
    for (const key of subjects) {
      const segment = await world.store.served.segment(TENANT, output.version, Buffer.from(key, 'hex'));
      counts[segment!]!++;
    }
    expect(counts).toEqual(output.segments.map(({ people }) => people));
    expect(new Set(output.segments.map(({ name }) => name)).size).toBe(output.k);
    expect(output.segments.some(({ traits }) => traits.length > 0)).toBe(true);
  });

  test('keeps the number of segments that is asked for, and is the same for any number of threads', async () => {
    const first = await runOnce(world.ports, segmentation, { features, k: 3 });
    expect(first.output.k).toBe(3);
    await using ports = await world.withThreads(1);
    const second = await runOnce(ports, segmentation, { features, k: 3 });
    expect(await bytesOf(world.store, second.output.version)).toEqual(await bytesOf(world.store, first.output.version));
    expect({ ...second.output, version: '' }).toEqual({ ...first.output, version: '' });
  });

  test('leaves out who withdraws after the features were made, and drops who withdraws while it runs', async () => {
    // A world of its own: the other tests need their people as they are.
    await using alone = await openWorld();
    const { store, ports } = alone;
    const platform = await loadPlatform(ports);
    const features = (await runOnce(ports, featureBuild, { dataset: platform.dataset })).output.version;
    const { allowed } = await peopleByConsent(store, 'segmentation');
    const subjects = await subjectsOf(features, store);
    const own = subjects.filter((key) => allowed.has(key));
    const [early, late] = own as [string, string];
    await withdraw(ports, allowed.get(early)!, 'segmentation');
    const { output } = await runOnce(
      ports,
      segmentation,
      { features, k: 2 },
      { before: (verb) => (verb === 'commit' ? withdraw(ports, allowed.get(late)!, 'segmentation') : undefined) },
    );
    const served = (key: string) => store.served.segment(TENANT, output.version, Buffer.from(key, 'hex'));
    expect(output.people).toBe(subjects.length - 1);
    expect([await served(early), await served(late)]).toEqual([undefined, undefined]);
    expect(await served(own[2]!)).toBeTypeOf('number');
  });

  test('stops where it is aborted, and the next attempt finishes', async () => {
    const abort = (verb: string, control: AbortController): void => {
      if (verb === 'write') control.abort(new AppError('CANCELLED'));
    };
    await expect(
      runOnce(world.ports, segmentation, { features, k: 2 }, { key: 'stopped', before: abort }),
    ).rejects.toMatchObject({
      code: 'CANCELLED',
    });
    expect((await runOnce(world.ports, segmentation, { features, k: 2 }, { key: 'stopped' })).output.k).toBe(2);
  });
});

test('segments of very few people are not described', () => {
  const centroids = Float32Array.of(2, -1, 0.1, 0.2, 2, -1);
  const words = describeSegments(['nightShare', 'activity'], centroids, [40, 30, 4]);
  expect(words[0]).toMatchObject({ name: 'night owls, quiet' });
  expect(words[0]!.traits).toHaveLength(2);
  expect(words.slice(1)).toEqual([
    { name: 'like most', traits: [] },
    { name: 'a few people', traits: [] },
  ]);
});
