import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { computePool, inlinePool, type OwnedComputePool } from '../../compute/pool.ts';
import { randomStream } from '../../random.ts';
import { lloydStep, silhouetteReference } from '../kernels/clusters.reference.ts';
import { type DenseRows, KEY_BYTES } from '../types.ts';
import golden from '../../../test/reference/golden/segments.json' with { type: 'json' };
import { fitKMeans, type KMeansResult, kMeansParams } from './kmeans.ts';

let pool: OwnedComputePool;
beforeAll(() => {
  pool = computePool({ threads: 2 });
});
afterAll(() => pool.close());

const parse = (params: object) => kMeansParams.parse(params);

/** `groups` clouds far apart, whose rows alternate; the last column is constant. */
function clouds(rows: number, groups: number): DenseRows {
  const stream = randomStream(3, 'clouds');
  const width = 4;
  const data = Float32Array.from({ length: rows * width }, (_, at) => {
    const [group, d] = [Math.floor(at / width) % groups, at % width];
    if (d === 3) return 7;
    return (
      20 * (d === group % 3 ? 1 + Math.floor(group / 3) : 0) * (d === 1 ? 100 : 1) +
      stream.normal() * (d === 1 ? 100 : 1)
    );
  });
  return { rows, width, data };
}

function keysOf(rows: number): Uint8Array {
  const stream = randomStream(4, 'keys');
  return Uint8Array.from({ length: rows * KEY_BYTES }, () => stream.below(256));
}

function standardised({ points, result }: { points: DenseRows; result: KMeansResult }): number[][] {
  return Array.from({ length: points.rows }, (_, row) =>
    Array.from({ length: points.width }, (_unused, d) => {
      return (points.data[row * points.width + d]! - result.means[d]!) / result.deviations[d]!;
    }),
  );
}

describe('fitKMeans', () => {
  test('finds clouds that are far apart, whatever the scales of their columns', async () => {
    const points = clouds(300, 5);
    const result = await fitKMeans({ points }, parse({ clusters: 5 }), { pool, seed: 1 });
    expect(result.sizes).toEqual([60, 60, 60, 60, 60]);
    for (let row = 0; row < 300; row++) expect(result.labels[row]).toBe(result.labels[row % 5]);
    expect(result).toMatchObject({ clusters: 5, converged: true, silhouette: { method: 'exact', rows: 300 } });
    expect(result.deviations[3]).toBe(1);
  });

  test('ends in a fixed point whose inertia and silhouette are those of the reference', async () => {
    const points = clouds(120, 3);
    const result = await fitKMeans({ points }, parse({ clusters: 6, restarts: 2 }), { pool, seed: 2 });
    const rows = standardised({ points, result });
    const centroids = Array.from({ length: result.clusters }, (_, c) => [
      ...result.centroids.data.subarray(c * points.width, (c + 1) * points.width),
    ]);
    const step = lloydStep(rows, centroids);
    expect([...result.labels]).toEqual(step.labels);
    expect(result.inertia).toBeCloseTo(step.inertia, 2);
    step.means.forEach((mean, c) => mean!.forEach((value, d) => expect(centroids[c]![d]).toBeCloseTo(value, 4)));
    expect(result.silhouette.value).toBeCloseTo(silhouetteReference(rows, step.labels), 4);
  });

  test.each(golden.cases)(
    'with $clusters clusters is as good as the best of 50 starts of scikit-learn',
    async (expected) => {
      const points = {
        rows: golden.rows.length / golden.columns,
        width: golden.columns,
        data: Float32Array.from(golden.rows),
      };
      const params = parse({ clusters: expected.clusters, restarts: 50 });
      const result = await fitKMeans({ points }, params, { pool, seed: 1 });
      expect(result.inertia).toBeCloseTo(expected.inertia, 3);
      expect(result.silhouette.value).toBeCloseTo(expected.silhouette, 5);
      expect(result.sizes).toEqual(expected.sizes);
      golden.means.forEach((mean, d) => expect(result.means[d]).toBeCloseTo(mean, 6));
      golden.deviations.forEach((deviation, d) => expect(result.deviations[d]).toBeCloseTo(deviation, 6));
    },
  );

  test('gives the same bytes for 1, 2 and 3 threads', async () => {
    const points = clouds(500, 4);
    const params = parse({ clusters: 7, restarts: 5, silhouetteRowsMax: 100 });
    const [first, ...others] = await Promise.all(
      [1, 2, 3].map(async (threads) => {
        await using own = computePool({ threads });
        const { labels, centroids, inertia, silhouette } = await fitKMeans({ points }, params, { pool: own, seed: 9 });
        return { labels: [...labels], centroids: [...centroids.data], inertia, silhouette };
      }),
    );
    expect(first!.silhouette).toMatchObject({ method: 'sample', rows: 100 });
    for (const other of others) expect(other).toEqual(first);
  });

  test('more restarts never give more inertia', async () => {
    const points = clouds(200, 6);
    const inertia = async (restarts: number) =>
      (await fitKMeans({ points }, parse({ clusters: 6, restarts }), { pool, seed: 5 })).inertia;
    const [one, four, sixteen] = [await inertia(1), await inertia(4), await inertia(16)];
    expect(four).toBeLessThanOrEqual(one);
    expect(sixteen).toBeLessThanOrEqual(four);
  });

  test('starts depend on row keys, not on row numbers', async () => {
    const points = clouds(90, 3);
    const rowKeys = keysOf(90);
    const params = parse({ clusters: 5, restarts: 1, standardise: false, iterationsMax: 1 });
    const whole = await fitKMeans({ points, rowKeys }, params, { pool, seed: 6 });
    // The same people in another order: same centroids, the labels travel with the rows.
    const order = Array.from({ length: 90 }, (_, n) => (n * 37) % 90);
    const turned = {
      points: {
        ...points,
        data: Float32Array.from(order.flatMap((row) => [...points.data.subarray(row * 4, row * 4 + 4)])),
      },
      rowKeys: Uint8Array.from(order.flatMap((row) => [...rowKeys.subarray(row * KEY_BYTES, (row + 1) * KEY_BYTES)])),
    };
    const other = await fitKMeans(turned, params, { pool, seed: 6 });
    expect([...other.labels]).toEqual(order.map((row) => whole.labels[row]));
  });

  test('finds fewer clusters where there are fewer distinct rows, and no silhouette for one', async () => {
    const points = { rows: 6, width: 1, data: Float32Array.of(1, 1, 2, 2, 1, 2) };
    const two = await fitKMeans({ points }, parse({ clusters: 5 }), { pool, seed: 1 });
    expect(two).toMatchObject({ clusters: 2, inertia: 0, silhouette: { value: 1 } });
    const same = { rows: 3, width: 2, data: Float32Array.of(4, 4, 4, 4, 4, 4) };
    const one = await fitKMeans({ points: same }, parse({ clusters: 3 }), { pool, seed: 1 });
    expect(one).toMatchObject({ clusters: 1, sizes: [3], silhouette: { value: null } });
  });

  test('runs the same on a pool without threads', async () => {
    const points = clouds(60, 3);
    const params = parse({ clusters: 3 });
    const threaded = await fitKMeans({ points }, params, { pool, seed: 1 });
    const inline = await fitKMeans({ points }, params, { pool: inlinePool(), seed: 1 });
    expect([...inline.labels]).toEqual([...threaded.labels]);
  });

  test.each([
    ['NaN', { rows: 2, width: 1, data: Float32Array.of(1, Number.NaN) }, 'NUMERICS_INPUT_INVALID'],
    ['no rows', { rows: 0, width: 1, data: new Float32Array(0) }, 'DATASET_EMPTY'],
    ['data that do not fill the rows', { rows: 3, width: 2, data: new Float32Array(5) }, 'NUMERICS_INPUT_INVALID'],
  ])('refuses %s', async (_, points, code) => {
    await expect(fitKMeans({ points }, parse({}), { pool, seed: 1 })).rejects.toMatchObject({ code });
  });

  test('refuses what does not fit the bound on memory before any work starts', async () => {
    const context = { pool: { threads: 1, runPhase: () => expect.unreachable() }, seed: 1, memoryBytesMax: 2 ** 20 };
    await expect(fitKMeans({ points: clouds(50_000, 2) }, parse({}), context)).rejects.toMatchObject({
      code: 'NUMERICS_MEMORY_LIMIT',
    });
  });
});
