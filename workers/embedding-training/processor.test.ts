/** Embeddings of a simulated platform, against a real store. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AppError } from '../../shared/errors.ts';
import { bytesOf, hexKeys, peopleByConsent, withdraw } from '../conformance/consents.ts';
import { loadPlatform } from '../conformance/platform.ts';
import { openWorld, runOnce, TENANT, type World } from '../conformance/world.ts';
import embeddingTraining from './processor.ts';

let world: World;
let dataset: string;
beforeAll(async () => {
  world = await openWorld();
  ({ dataset } = await loadPlatform(world.ports));
});
afterAll(() => world[Symbol.asyncDispose]());

const params = { factors: 16, epochs: 6 };

describe('embedding-training', () => {
  test('trains on who allows recommendations, measures on a holdout, and says what made it', async () => {
    const { output, run } = await runOnce(world.ports, embeddingTraining, { dataset, params });
    const version = await world.store.versions.read(TENANT, output.version);
    const arrays = await world.store.versions.arrays(TENANT, version);
    const { allowed } = await peopleByConsent(world.store, 'recommendation');
    const subjects = hexKeys(arrays.get('subjects') as Uint8Array);
    expect(subjects.filter((key) => !allowed.has(key))).toEqual([]);
    expect(subjects).toEqual(subjects.toSorted());
    expect(output).toMatchObject({ users: subjects.length, factors: 16, params, threads: 2 });
    expect(arrays.get('userFactors')).toHaveLength(output.users * 16);
    expect(arrays.get('itemFactors')).toHaveLength(output.items * 16);
    expect(output.metrics!.users).toBeGreaterThan(10);
    expect(output.metrics!.recall).toBeGreaterThan(0);
    expect(run.lineage).toMatchObject({
      inputs: [dataset],
      engine: output.engine,
      seed: 1,
      consentEpoch: output.consentEpoch,
    });
  });

  test('gives the same bytes twice and for any number of threads', async () => {
    const first = await runOnce(world.ports, embeddingTraining, { dataset, params });
    await using ports = await world.withThreads(1);
    const second = await runOnce(ports, embeddingTraining, { dataset, params });
    expect(await bytesOf(world.store, second.output.version)).toEqual(await bytesOf(world.store, first.output.version));
    expect(second.output.metrics).toEqual(first.output.metrics);
  });

  test('of who withdrew learns nothing: the same bytes as if the person had never done anything', async () => {
    await using own = await openWorld();
    const { dataset: all, events } = await loadPlatform(own.ports);
    const { allowed } = await peopleByConsent(own.store, 'recommendation');
    const gone = events.find(({ user, type }) => type === 'like' && [...allowed.values()].includes(user))!.user;
    const before = await runOnce(own.ports, embeddingTraining, { dataset: all, params });
    await withdraw(own.ports, gone, 'recommendation');
    const after = await runOnce(own.ports, embeddingTraining, { dataset: all, params });
    await using other = await openWorld();
    const { dataset: less } = await loadPlatform(other.ports, {}, gone);
    const never = await runOnce(other.ports, embeddingTraining, { dataset: less, params });
    expect(after.output.users).toBe(before.output.users - 1);
    expect(await bytesOf(own.store, after.output.version)).toEqual(await bytesOf(other.store, never.output.version));
  });

  test('trains two towers through the same door', async () => {
    const input = { dataset, model: 'two-tower' as const, params: { epochs: 1 }, holdout: 0 };
    const { output } = await runOnce(world.ports, embeddingTraining, input);
    expect(output.model).toBe('two-tower');
    expect(output.metrics).toBeNull();
    expect(output.engine).toMatch(/^tfjs-/);
  });

  test('reports progress that never runs backwards', async () => {
    const seen: number[] = [];
    await runOnce(
      world.ports,
      embeddingTraining,
      { dataset, params },
      { progress: ({ done, total }) => void seen.push(done / total) },
    );
    expect(seen.length).toBeGreaterThan(6);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toBe(1);
  });

  test('refuses wrong parameters, unknown data sets, and ends at once when aborted', async () => {
    const wrong = runOnce(world.ports, embeddingTraining, { dataset, params: { factors: -1 } });
    await expect(wrong).rejects.toMatchObject({ code: 'MODEL_PARAMS_INVALID' });
    await expect(runOnce(world.ports, embeddingTraining, { dataset: 'none' })).rejects.toMatchObject({
      code: 'DATASET_NOT_FOUND',
    });
    const versions = (await world.store.versions.latest(TENANT, 'embeddings', 100)).length;
    const control = new AbortController();
    const aborted = runOnce(
      world.ports,
      embeddingTraining,
      { dataset, params: { epochs: 1000 } },
      {
        before: (verb, own) => {
          if (verb === 'compute') control.signal.addEventListener('abort', () => own.abort(new AppError('CANCELLED')));
        },
        progress: () => control.abort(),
      },
    );
    await expect(aborted).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await world.store.versions.latest(TENANT, 'embeddings', 100)).toHaveLength(versions);
  });
});
