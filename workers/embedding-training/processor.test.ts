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

  test('tells loss and validation of each epoch, stops when it has been better, and publishes the best number of epochs', async () => {
    const told: Readonly<Record<string, number>>[] = [];
    const input = { dataset, params: { factors: 16, epochs: 60 }, patience: 2, holdout: 0.2 };
    const { output } = await runOnce(world.ports, embeddingTraining, input, {
      progress: ({ metrics }) => void told.push(metrics!),
    });
    const published = told.findIndex(({ validationNdcg }) => validationNdcg === undefined);
    const scores = told.slice(0, published).map(({ validationNdcg }) => validationNdcg!);
    expect(output.bestEpoch).toBe(scores.indexOf(Math.max(...scores)) + 1);
    expect(scores).toHaveLength(output.bestEpoch! + 2);
    expect(told).toHaveLength(published + output.bestEpoch!);
    for (const { loss } of told) expect(loss).toBeGreaterThan(0);
    expect(told[published - 1]!['loss']).toBeLessThan(told[0]!['loss']!);
    const short = { ...input, params: { factors: 16, epochs: output.bestEpoch! }, holdout: 0, patience: undefined };
    const alike = await runOnce(world.ports, embeddingTraining, short);
    const [first, second] = [
      await bytesOf(world.store, output.version),
      await bytesOf(world.store, alike.output.version),
    ];
    expect(first).toMatchObject(second);
  });

  test.each(['bpr', 'warp', 'item2vec', 'proto-mf', 'autoencoder', 'sequence'] as const)('trains %s', async (model) => {
    const tensorflow = model === 'bpr' || model === 'warp' || model === 'item2vec' ? {} : { engine: 'tfjs-wasm' };
    const input = { dataset, model, params: { epochs: 2, ...tensorflow }, holdout: 0.2, patience: 1 };
    const { output } = await runOnce(world.ports, embeddingTraining, input);
    expect(output).toMatchObject({ model, users: expect.any(Number) });
    expect(output.metrics!.ndcg).toBeGreaterThan(0);
    const arrays = await world.store.versions.arrays(TENANT, await world.store.versions.read(TENANT, output.version));
    expect(arrays.get('userFactors')).toHaveLength(output.users * output.factors);
  });

  test('goes on from an earlier version by keys, says so, and refuses one that somebody has left', async () => {
    await using own = await openWorld();
    const { dataset: data, events } = await loadPlatform(own.ports);
    const cold = await runOnce(own.ports, embeddingTraining, { dataset: data, params });
    const input = { dataset: data, params: { ...params, epochs: 1 }, warmStart: cold.output.version };
    const warm = await runOnce(own.ports, embeddingTraining, input);
    expect(warm.output.warmStart).toEqual({ version: cold.output.version, refused: null });
    expect(warm.run.lineage!.inputs).toEqual([data, cold.output.version]);
    const [seventh, fresh] = [
      await runOnce(own.ports, embeddingTraining, { dataset: data, params: { ...params, epochs: 7 } }),
      await runOnce(own.ports, embeddingTraining, { ...input, warmStart: 'live' }),
    ];
    const factorsOf = async (version: string) => (await bytesOf(own.store, version))['itemFactors'];
    expect(await factorsOf(warm.output.version)).toBe(await factorsOf(seventh.output.version));
    expect(fresh.output.warmStart).toEqual({ version: null, refused: 'nothing is live yet' });
    expect(await factorsOf(fresh.output.version)).not.toBe(await factorsOf(warm.output.version));
    const { allowed } = await peopleByConsent(own.store, 'recommendation');
    const gone = events.find(({ type, user }) => type === 'like' && [...allowed.values()].includes(user))!.user;
    await withdraw(own.ports, gone, 'recommendation');
    const after = await runOnce(own.ports, embeddingTraining, input);
    expect(after.output.warmStart).toMatchObject({
      version: cold.output.version,
      refused: expect.stringContaining('withdrawn'),
    });
    const never = await runOnce(own.ports, embeddingTraining, { ...input, warmStart: undefined });
    expect(await factorsOf(after.output.version)).toBe(await factorsOf(never.output.version));
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
    for (const more of [
      { patience: 2, holdout: 0 },
      { model: 'item2vec' as const, warmStart: 'live' },
    ])
      await expect(runOnce(world.ports, embeddingTraining, { dataset, ...more })).rejects.toMatchObject({
        code: 'INPUT_INVALID',
      });
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
