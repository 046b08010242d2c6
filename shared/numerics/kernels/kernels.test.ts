/** Parity of the kernels with their slow references, on both modules, and properties that must hold for any input. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { randomStream } from '../../random.ts';
import type { KernelExports } from '../engine/exports.ts';
import { hasRelaxedSimd, instantiate, loadEngine, STATIC_AREA_BYTES } from '../engine/load.ts';
import { f32, f64, i32, MemoryPlan, paddedWidth, type Region } from '../engine/memory.ts';
import { solveScratchFloats } from '../models/ials-layout.ts';
import { rankScratchFloats } from '../ranking/rank-blocks.ts';
import { fromTriples, transpose } from '../sparse.ts';
import { entityHashes, tieHash } from '../tie-hash.ts';
import { conjugateGradients, gramReference, normalEquations, shiftedInverse, solveExactly } from './als.reference.ts';
import { lloydStep, nearest, squaredDistance } from './clusters.reference.ts';
import { neighbourScoresReference, neighboursReference } from './knn.reference.ts';
import { rankReference } from './rank.reference.ts';

/** A memory with the given arrays copied in, and an instance over it. */
async function open(
  deterministic: boolean,
  arrays: Record<string, Float32Array | Int32Array>,
  room: Record<string, number>,
) {
  const plan = new MemoryPlan();
  const at: Record<string, Region> = {};
  for (const [name, array] of Object.entries(arrays)) at[name] = plan.reserve(array.length);
  for (const [name, length] of Object.entries(room)) at[name] = plan.reserve(length, 8);
  const memory = plan.allocate();
  for (const [name, array] of Object.entries(arrays)) {
    if (array instanceof Int32Array) i32(memory, at[name]!).set(array);
    else f32(memory, at[name]!).set(array);
  }
  const { module } = await loadEngine({ deterministic });
  const kernels: KernelExports = instantiate(module, memory);
  return { kernels, memory, at: (name: string) => at[name]!.at, region: (name: string) => at[name]! };
}

function normals(count: number, purpose: string): Float32Array {
  const stream = randomStream(11, purpose);
  return Float32Array.from({ length: count }, () => stream.normal());
}

/** Rows of `width` numbers whose places from `used` on are padding. */
function paddedNormals(rows: number, width: number, used: number, purpose: string): Float32Array {
  return normals(rows * width, purpose).map((value, n) => (n % width < used ? value : 0));
}

function randomRows(rows: number, columns: number, share: number, purpose: string) {
  const stream = randomStream(12, purpose);
  const [users, items, values] = [[], [], []] as [number[], number[], number[]];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (stream.uniform() >= share) continue;
      users.push(row);
      items.push(column);
      values.push(1 + stream.below(4));
    }
  }
  return fromTriples(rows, columns, users, items, values);
}

const MODULES = [
  ['plain SIMD', true],
  ['relaxed SIMD', false],
] as const;

const HERE = MODULES.filter(([, deterministic]) => deterministic || hasRelaxedSimd());

describe.each(HERE)('kernels with %s', (_name, deterministic) => {
  test('static data ends below the area that layouts leave free', async () => {
    const { kernels } = await open(deterministic, {}, {});
    expect(kernels.staticEnd()).toBeLessThanOrEqual(STATIC_AREA_BYTES);
  });

  test('scratch sizes computed in TypeScript are those of the kernels', async () => {
    const { kernels } = await open(deterministic, {}, {});
    for (const width of [16, 64, 128, 272]) {
      expect(solveScratchFloats(width) * 4).toBeGreaterThanOrEqual(kernels.solveScratchBytes(width));
      for (const k of [1, 7, 100]) {
        expect(rankScratchFloats(width, k) * 4).toBeGreaterThanOrEqual(kernels.rankScratchBytes(width, k));
      }
    }
  });

  test.each([
    [1, 5],
    [37, 16],
    [200, 40],
    [129, 64],
  ])('the Gram matrix of %i rows of %i matches the reference', async (rows, used) => {
    const width = paddedWidth(used);
    const y = paddedNormals(rows, width, used, 'gram');
    const half = Math.ceil(rows / 2);
    const { at, kernels, memory, region } = await open(
      deterministic,
      { y },
      { parts: width * width * 2, packed: width * width },
    );
    kernels.gramChunk(at('y'), 0, half, width, at('parts'));
    kernels.gramChunk(at('y'), half, rows, width, at('parts') + width * width * 4);
    kernels.gramReduce(at('parts'), 2, 0.5, width, at('packed'), 0, width);
    const packed = f32(memory, { at: region('packed').at, length: width * width });
    const expected = gramReference(y, width);
    for (let i = 0; i < width; i++) {
      for (let j = 0; j < width; j++) {
        const own = packed[((j >> 3) * width + i) * 8 + (j & 7)]!;
        expect(Math.abs(own - 0.5 * expected[i * width + j]!)).toBeLessThan(1e-4 * rows);
      }
    }
  });

  test.each([
    [1, 40],
    [37, 16],
    [200, 64],
  ])('the inverse of the Gram matrix of %i rows of %i matches the reference', async (rows, used) => {
    const width = paddedWidth(used);
    const y = paddedNormals(rows, width, used, 'gram');
    const square = width * width;
    const room = { parts: square, packed: square, inverse: square, work: 2 * square };
    const { at, kernels, memory, region } = await open(deterministic, { y }, room);
    kernels.gramChunk(at('y'), 0, rows, width, at('parts'));
    kernels.gramReduce(at('parts'), 1, 0.5, width, at('packed'), 0, width);
    kernels.invertGram(at('packed'), 2.5, width, at('work'), at('inverse'));
    const inverse = f32(memory, { at: region('inverse').at, length: square });
    const gram = gramReference(y, width).map((value) => value * 0.5);
    const expected = shiftedInverse(gram, 2.5);
    for (let i = 0; i < width; i++) {
      for (let j = 0; j < width; j++) {
        const own = inverse[((j >> 3) * width + i) * 8 + (j & 7)]!;
        expect(own).toBeCloseTo(expected[i * width + j]!, 5);
        expect(own).toBe(inverse[((i >> 3) * width + j) * 8 + (i & 7)]!);
      }
    }
  });

  test.each([
    [1, 'none', 'plain'],
    [3, 'none', 'plain'],
    [40, 'none', 'plain'],
    [3, 'weights', 'plain'],
    [1, 'none', 'preconditioned'],
    [2, 'weights', 'preconditioned'],
    [40, 'weights', 'preconditioned'],
  ])(
    'solving rows with %i steps, weights %s, %s, matches conjugate gradients and the exact solution',
    async (steps, kind, how) => {
      const [rows, columns, used] = [21, 50, 20];
      const width = paddedWidth(used);
      const sparse = randomRows(rows, columns, 0.2, 'solve');
      const weights = kind === 'weights' ? sparse.values.map((value, n) => (n % 5 === 0 ? -value : value)) : undefined;
      const x = paddedNormals(rows, width, used, 'x').map((value) => value * 0.1);
      const y = paddedNormals(columns, width, used, 'y').map((value) => value * 0.3);
      const regularisers = normals(rows, 'reg').map((value) => 0.5 + Math.abs(value));
      const memoryOf = await open(
        deterministic,
        {
          x,
          y,
          regularisers,
          indptr: sparse.indptr,
          indices: sparse.indices,
          weights: weights ?? new Float32Array(1),
        },
        {
          parts: width * width,
          packed: width * width,
          inverse: width * width,
          work: 2 * width * width,
          scratch: solveScratchFloats(width),
        },
      );
      const { at, kernels, memory, region } = memoryOf;
      kernels.gramChunk(at('y'), 0, columns, width, at('parts'));
      kernels.gramReduce(at('parts'), 1, 0.2, width, at('packed'), 0, width);
      const preconditioned = how === 'preconditioned';
      kernels.invertGram(at('packed'), 1.5, width, at('work'), at('inverse'));
      const own = weights === undefined ? 0 : at('weights');
      const [ptr, idx] = [at('indptr'), at('indices')];
      kernels.solveRows(
        at('x'),
        at('y'),
        at('packed'),
        preconditioned ? at('inverse') : 0,
        width,
        ptr,
        idx,
        own,
        at('regularisers'),
        0,
        rows,
        steps,
        at('scratch'),
      );
      const solved = f32(memory, region('x'));
      const gram = gramReference(y, width);
      const weighed = gram.map((value) => value * 0.2);
      const inverse = preconditioned ? shiftedInverse(weighed, 1.5) : undefined;
      for (let row = 0; row < rows; row++) {
        const reference = {
          indptr: sparse.indptr,
          indices: sparse.indices,
          ...(weights === undefined ? {} : { weights }),
        };
        const { a, b } = normalEquations(row, reference, y, width, gram, 0.2, regularisers[row]!);
        const start = x.subarray(row * width, (row + 1) * width);
        const expected = steps === 40 ? solveExactly(a, b) : conjugateGradients(a, b, start, steps, inverse);
        for (let d = 0; d < width; d++) expect(solved[row * width + d]).toBeCloseTo(expected[d]!, 3);
      }
    },
  );

  test('a row without interactions becomes zero', async () => {
    const width = 16;
    const arrays = {
      x: normals(width * 2, 'x'),
      y: normals(width, 'y'),
      regularisers: Float32Array.of(1, 1),
      indptr: Int32Array.of(0, 0, 1),
      indices: Int32Array.of(0),
    };
    const room = { packed: width * width, scratch: solveScratchFloats(width) };
    const { at, kernels, memory, region } = await open(deterministic, arrays, room);
    const [ptr, idx] = [at('indptr'), at('indices')];
    kernels.solveRows(
      at('x'),
      at('y'),
      at('packed'),
      0,
      width,
      ptr,
      idx,
      0,
      at('regularisers'),
      0,
      2,
      3,
      at('scratch'),
    );
    expect([...f32(memory, region('x')).subarray(0, width)]).toEqual(Array.from({ length: width }, () => 0));
    expect(f32(memory, region('x'))[width]).not.toBe(0);
  });

  test('ranking by factors equals the reference, ties and exclusions included', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          users: fc.integer({ min: 1, max: 40 }),
          items: fc.integer({ min: 1, max: 70 }),
          k: fc.integer({ min: 1, max: 30 }),
          share: fc.double({ min: 0, max: 1, noNaN: true }),
          seed: fc.nat(),
        }),
        async ({ items, k, seed, share, users }) => {
          // Small whole numbers: products are exact, and many are equal.
          const width = 16;
          const stream = randomStream(seed, 'rank');
          const whole = (rows: number) =>
            Float32Array.from({ length: rows * width }, (_, n) => (n % width < 2 ? stream.below(4) : 0));
          const [x, y] = [whole(users), whole(items)];
          const packed = new Float32Array(Math.ceil(items / 8) * 8 * width);
          for (let item = 0; item < items; item++) {
            for (let d = 0; d < width; d++) packed[((item >> 3) * width + d) * 8 + (item & 7)] = y[item * width + d]!;
          }
          const exclude = randomRows(users, items, share, `exclude-${seed}`);
          const [userHashes, itemHashes] = [
            entityHashes(0, users, undefined, 'user'),
            entityHashes(0, items, undefined, 'item'),
          ];
          const arrays = {
            x,
            packed,
            indptr: exclude.indptr,
            indices: exclude.indices,
            userHashes: new Int32Array(userHashes),
            itemHashes: new Int32Array(itemHashes),
          };
          const room = { items: users * k, scores: users * k, scratch: rankScratchFloats(width, k) };
          const { at, kernels, memory, region } = await open(deterministic, arrays, room);
          const hashes = [at('userHashes'), at('itemHashes')] as const;
          const out = [at('items'), at('scores'), at('scratch')] as const;
          const rows = [at('indptr'), at('indices')] as const;
          kernels.rankFactors(at('x'), at('packed'), items, width, 0, users, ...hashes, ...rows, k, ...out);
          for (let user = 0; user < users; user++) {
            const scores = Array.from(
              { length: items },
              (_, item) => x[user * width]! * y[item * width]! + x[user * width + 1]! * y[item * width + 1]!,
            );
            const seen = new Set(exclude.indices.subarray(exclude.indptr[user], exclude.indptr[user + 1]));
            const expected = rankReference(scores, seen, k, (item) => tieHash(userHashes[user]!, itemHashes[item]!));
            const list = i32(memory, { at: region('items').at + user * k * 4, length: k });
            expect([...list].filter((item) => item >= 0)).toEqual(expected);
            const best = f32(memory, { at: region('scores').at + user * k * 4, length: k });
            expect([...best.subarray(0, expected.length)]).toEqual(expected.map((item) => scores[item]));
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('ranking spans several blocks of items and never ranks NaN', async () => {
    const [items, k, width] = [2500, 50, 16];
    const stream = randomStream(5, 'blocks');
    const vector = Float32Array.from({ length: items }, (_, n) => (n % 7 === 0 ? Number.NaN : stream.below(300)));
    const itemHashes = entityHashes(0, items, undefined, 'item');
    const arrays = {
      vector,
      indptr: Int32Array.of(0, 0),
      indices: new Int32Array(1),
      itemHashes: new Int32Array(itemHashes),
    };
    const room = { items: k, scores: k, scratch: rankScratchFloats(width, k) };
    const { at, kernels, memory, region } = await open(deterministic, arrays, room);
    const out = [at('items'), at('scores'), at('scratch')] as const;
    kernels.rankScores(at('vector'), items, 0, 77, at('itemHashes'), at('indptr'), at('indices'), k, ...out);
    const expected = rankReference(vector, new Set(), k, (item) => tieHash(77, itemHashes[item]!));
    expect([...i32(memory, { at: region('items').at, length: k })]).toEqual(expected);
  });

  test('item neighbours and their scores match the reference', async () => {
    const [users, items, k] = [30, 18, 6];
    const byUser = randomRows(users, items, 0.3, 'knn');
    const byItem = transpose(byUser);
    const matrix = Array.from({ length: users }, (_, user) => {
      const row = Array.from({ length: items }, () => 0);
      for (let at = byUser.indptr[user]!; at < byUser.indptr[user + 1]!; at++)
        row[byUser.indices[at]!] = byUser.values[at]!;
      return row;
    });
    const norms = Float32Array.from({ length: items }, (_, item) => Math.hypot(...matrix.map((row) => row[item]!)));
    const arrays = {
      up: byUser.indptr,
      ui: byUser.indices,
      uv: byUser.values,
      ip: byItem.indptr,
      ii: byItem.indices,
      iv: byItem.values,
      norms,
    };
    const room = { neighbours: items * k, similarities: items * k, scratch: items, out: items };
    const { at, kernels, memory, region } = await open(deterministic, arrays, room);
    const rows = [at('up'), at('ui'), at('uv'), at('ip'), at('ii'), at('iv')] as const;
    const found = [at('neighbours'), at('similarities')] as const;
    kernels.itemNeighbours(...rows, at('norms'), items, 3, k, 0, items, ...found, at('scratch'));
    const expected = neighboursReference(matrix, 3, k);
    for (let item = 0; item < items; item++) {
      const own = i32(memory, { at: region('neighbours').at + item * k * 4, length: k });
      const values = f32(memory, { at: region('similarities').at + item * k * 4, length: k });
      expect([...own].filter((other) => other >= 0)).toHaveLength(expected[item]!.length);
      expected[item]!.forEach(({ similarity }, n) => expect(values[n]).toBeCloseTo(similarity, 5));
    }
    kernels.neighbourScores(at('up'), at('ui'), at('uv'), 4, ...found, k, items, at('out'));
    const scores = neighbourScoresReference(matrix[4]!, expected);
    scores.forEach((score, item) => expect(f32(memory, region('out'))[item]).toBeCloseTo(score, 4));
  });

  test('assigning clusters matches one step of the reference', async () => {
    const [n, used, count] = [60, 5, 4];
    const width = paddedWidth(used);
    const points = paddedNormals(n, width, used, 'points');
    const centroids = paddedNormals(count, width, used, 'centroids');
    const arrays = { points, centroids, labels: new Int32Array(n), distances: new Float32Array(n).fill(Infinity) };
    const sums = count * width + count + 1;
    const { at, kernels, memory, region } = await open(deterministic, arrays, { sums, out: count });
    const row = (array: Float32Array, r: number) => array.subarray(r * width, (r + 1) * width);
    const all = Array.from({ length: n }, (_, r) => row(points, r));
    const expected = lloydStep(
      all,
      Array.from({ length: count }, (_, c) => row(centroids, c)),
    );
    kernels.lowerDistances(at('points'), 0, n, width, at('centroids'), at('distances'));
    all.forEach((point, r) => {
      expect(f32(memory, region('distances'))[r]).toBeCloseTo(squaredDistance(point, row(centroids, 0)), 3);
    });
    kernels.assignClusters(
      at('points'),
      0,
      n,
      width,
      at('centroids'),
      count,
      at('labels'),
      at('distances'),
      at('sums'),
    );
    expect([...i32(memory, region('labels'))]).toEqual(expected.labels);
    const totals = f64(memory, region('sums'));
    expect(totals[sums - 1]).toBeCloseTo(expected.inertia, 3);
    expected.means.forEach((mean, c) => {
      const size = totals[count * width + c]!;
      mean?.forEach((value, d) => expect(totals[c * width + d]! / size).toBeCloseTo(value, 5));
    });
    expect(nearest(all[0]!, [all[1]!, all[0]!])).toEqual({ label: 1, distance: 0 });
  });
});
