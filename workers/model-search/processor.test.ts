/** Trials and their choice, against a real store. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EMBEDDING_MODELS } from '../../shared/contract-kit/embedding-models.ts';
import { interactionView } from '../../shared/numerics/interactions/interaction-view.ts';
import { findModel } from '../../shared/numerics/models/registry.ts';
import { drawParams } from '../../shared/numerics/models/search-space.ts';
import { loadPlatform } from '../conformance/platform.ts';
import { NOW, openWorld, runOnce, TENANT, type World } from '../conformance/world.ts';
import { holdoutSplit, validationSplit } from '../embedding-training/holdouts.ts';
import embeddingTraining from '../embedding-training/processor.ts';
import { admitFor, loadEvents } from '../reading/dataset.ts';
import type { RunContext } from '../runtime/processor.ts';
import modelSearch from './processor.ts';

let world: World;
let dataset: string;
beforeAll(async () => {
  world = await openWorld();
  ({ dataset } = await loadPlatform(world.ports));
});
afterAll(() => world[Symbol.asyncDispose]());

const attempt = async (params: number | object, more: object = {}) => {
  const input = { try: { dataset, model: 'ials' as const, params: params as never, ...more } };
  return (await runOnce(world.ports, modelSearch, input)).output.trial!;
};

describe('model-search', () => {
  test('draws parameters that every model takes, the same ones from the same seed, the defaults first', async () => {
    for (const model of EMBEDDING_MODELS) {
      expect(drawParams(model, 1, 0)).toEqual({});
      const drawn = Array.from({ length: 20 }, (_, n) => drawParams(model, 1, n + 1));
      expect(new Set(drawn.map((params) => JSON.stringify(params))).size).toBeGreaterThan(15);
      expect(drawn[3]).toEqual(drawParams(model, 1, 4));
      expect(drawn[3]).not.toEqual(drawParams(model, 2, 4));
      for (const params of drawn) await findModel(model).parseParams(params);
    }
  });

  test('measures on a validation part that has nothing of the holdout, and learns from neither', async () => {
    const context = { ...world.ports, tenant: TENANT, signal: new AbortController().signal } as unknown as RunContext;
    const events = await loadEvents(dataset, 'recommendation', context);
    const view = await interactionView(await admitFor('recommendation', events, context), context);
    const asked = { holdout: 0.2, seed: 1 };
    const pairs = ({ indptr, items, users }: { indptr: Int32Array; items: Int32Array; users: Int32Array }) =>
      [...users].flatMap((user, n) => [...items.subarray(indptr[n], indptr[n + 1])].map((item) => `${user} ${item}`));
    const { data, test: validation } = await validationSplit(view, asked, context);
    const { test: held } = await holdoutSplit(view, asked, context);
    const { indices, indptr, rows } = data.interactions;
    const users = Int32Array.from({ length: rows }, (_, user) => user);
    const [learned, seen, unseen] = [pairs({ indptr, items: indices, users }), pairs(validation), pairs(held)];
    expect(Math.min(seen.length, unseen.length)).toBeGreaterThan(50);
    expect(new Set([...learned, ...seen, ...unseen]).size).toBe(learned.length + seen.length + unseen.length);
    expect(learned.length + seen.length + unseen.length).toBe(view.interactions.indices.length);
  });

  test('gives the same trial twice, and a share of the epochs when that is asked for', async () => {
    const first = await attempt({ factors: 16, epochs: 6 });
    const { seconds: _, ...again } = await attempt({ factors: 16, epochs: 6 });
    expect(first).toMatchObject(again);
    expect(first.ndcg).toBeGreaterThan(0);
    expect(first.ndcgError).toBeGreaterThan(0);
    const half = await attempt({ factors: 16, epochs: 6 }, { budget: 0.5 });
    const three = await attempt({ factors: 16, epochs: 3 });
    expect(half.ndcg).toBe(three.ndcg);
    expect(half.params).toEqual(first.params); // whoever goes on with them gets all of its epochs
  });

  test('keeps the best for trainings that ask for it, and none of an earlier moment over it', async () => {
    const trial = (ndcg: number, strength: number) => ({
      params: { factors: 16, epochs: 2, strength },
      ndcg,
      recall: ndcg,
      ndcgError: 0.01,
      seconds: 1,
    });
    const choose = { dataset, model: 'ials' as const, trials: [trial(0.1, 1), trial(0.3, 2), trial(0.2, 3)], tried: 9 };
    const { output, run } = await runOnce(world.ports, modelSearch, { choose });
    expect(output.chosen).toMatchObject({ ndcg: 0.3, params: { strength: 2 } });
    await runOnce(world.ports, modelSearch, { choose: { ...choose, trials: [trial(0.9, 9)] } }, { asOf: NOW - 1 });
    const kept = await world.store.tunings.read(TENANT, 'ials');
    expect(kept).toMatchObject({ model: 'ials', params: { strength: 2 }, ndcg: 0.3, tried: 9, runKey: run.runKey });
    const tuned = await runOnce(world.ports, embeddingTraining, { dataset, tuned: true, params: { epochs: 3 } });
    expect(tuned.output).toMatchObject({ tuning: run.runKey, params: { factors: 16, strength: 2, epochs: 3 } });
    const plain = await runOnce(world.ports, embeddingTraining, { dataset, params: { factors: 16, epochs: 1 } });
    expect(plain.output).not.toHaveProperty('tuning');
    expect(plain.output.params).toMatchObject({ strength: 1 });
  });

  test('refuses parameters that no model takes, and data without people to measure by', async () => {
    await expect(attempt({ factors: -1 })).rejects.toMatchObject({ code: 'MODEL_PARAMS_INVALID' });
    await expect(attempt({ anything: 1 })).rejects.toMatchObject({ code: 'MODEL_PARAMS_INVALID' });
    const input = { try: { dataset: 'none', model: 'ials' as const, params: {} } };
    await expect(runOnce(world.ports, modelSearch, input)).rejects.toMatchObject({ code: 'DATASET_NOT_FOUND' });
  });
});
