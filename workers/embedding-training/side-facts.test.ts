/** Facts of items as columns, and the model that reads them, in a real store. */
import { expect, test } from 'vitest';
import { bytesOf } from '../conformance/consents.ts';
import { loadPlatform } from '../conformance/platform.ts';
import { openWorld, runOnce } from '../conformance/world.ts';
import embeddingTraining from './processor.ts';
import { factRows } from './side-facts.ts';

test('what only one item has is left out, and an item of which nothing is known has an empty row', () => {
  const rows = factRows({
    creator: Int32Array.of(0, -1, 0, 1),
    topicStart: Int32Array.of(0, 2, 2, 3, 4),
    topics: Int32Array.of(0, 1, 1, 2),
    publishedAt: new Float64Array(4),
  });
  expect({ columns: rows.columns, indptr: [...rows.indptr], indices: [...rows.indices] }).toEqual({
    columns: 2,
    indptr: [0, 2, 2, 4, 4],
    indices: [0, 1, 0, 1],
  });
});

test('two towers learn from the catalogue unless told not to', async () => {
  await using world = await openWorld();
  const { dataset } = await loadPlatform(world.ports);
  const train = async (more: object) => {
    const params = { dimensions: 8, epochs: 2, validationShare: 0, engine: 'tfjs-wasm', ...more };
    const input = { dataset, model: 'two-tower' as const, params, holdout: 0 };
    const { output } = await runOnce(world.ports, embeddingTraining, input);
    expect(output.params).toMatchObject(more);
    return (await bytesOf(world.store, output.version))['itemFactors'];
  };
  const [own, again, without] = [
    await train({ sideFeatures: true }),
    await train({}),
    await train({ sideFeatures: false }),
  ];
  expect(again).toBe(own);
  expect(without).not.toBe(own);
});
