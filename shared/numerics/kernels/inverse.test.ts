/** Parity of the blocked inverse and the sparse products with their slow references, on both modules and in both precisions. */
import { describe, expect, test } from 'vitest';
import { randomStream } from '../../random.ts';
import { hasRelaxedSimd, instantiate, loadEngine } from '../engine/load.ts';
import { f32, f64, i32, MemoryPlan } from '../engine/memory.ts';
import { BLOCK_ORDER, layOutEase } from '../models/ease-layout.ts';
import { fromTriples, transpose } from '../sparse.ts';
import type { SparseRows } from '../types.ts';
import { gramMatrix, inverseReference } from './inverse.reference.ts';
import { sparseProductReference } from './sparse.reference.ts';

function randomRows(rows: number, columns: number, share: number): SparseRows {
  const stream = randomStream(3, 'inverse', rows, columns);
  const triples: [number, number, number][] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (stream.uniform() < share) triples.push([row, column, stream.below(4) - 1.5]);
    }
  }
  const [users, items, values] = [0, 1, 2].map((n) => triples.map((triple) => triple[n]!)) as [
    number[],
    number[],
    number[],
  ];
  return fromTriples(rows, columns, users, items, values);
}

function densely({ columns, indices, indptr, rows, values }: SparseRows): number[][] {
  return Array.from({ length: rows }, (_, row) => {
    const dense = Array.from({ length: columns }, () => 0);
    for (let at = indptr[row]!; at < indptr[row + 1]!; at++) dense[indices[at]!] = values[at]!;
    return dense;
  });
}

/** The swept matrix, made by the kernels as one thread would. */
async function sweep(byUser: SparseRows, lambda: number, elementBytes: 4 | 8, deterministic: boolean) {
  const sizes = { users: byUser.rows, items: byUser.columns, interactions: byUser.indices.length, threads: 1 };
  const { layout, plan } = layOutEase({ ...sizes, elementBytes });
  const memory = plan.allocate();
  const { module } = await loadEngine({ deterministic });
  const kernels = instantiate(module, memory);
  for (const [regions, rows] of [
    [layout.users, byUser],
    [layout.items, transpose(byUser)],
  ] as const) {
    i32(memory, regions.indptr).set(rows.indptr);
    i32(memory, regions.indices).set(rows.indices);
    f32(memory, regions.values).set(rows.values);
  }
  const [users, items] = [layout.users, layout.items];
  const rows = [users.indptr, users.indices, users.values, items.indptr, items.indices, items.values] as const;
  const [up, ui, uv, ip, ii, iv] = rows.map(({ at }) => at) as [number, number, number, number, number, number];
  const [matrix, pivot, weighted, packed] = [
    layout.matrix.at,
    layout.pivot.at,
    layout.weighted.at,
    layout.packed.at,
  ] as const;
  const blocks = Array.from({ length: layout.blocks }, (_, n) => n);
  for (const i of blocks)
    kernels.gramBlockRow(elementBytes, up, ui, uv, ip, ii, iv, byUser.columns, lambda, i, matrix, layout.sums[0]!.at);
  const read = elementBytes === 4 ? f32 : f64;
  const gram = read(memory, layout.matrix).slice();
  const others = (k: number) => blocks.filter((i) => i !== k);
  for (const k of blocks) {
    const failed = kernels.sweepPivot(elementBytes, matrix, k, pivot, layout.pivotWork.at);
    if (failed > 0) return { failed: k * BLOCK_ORDER + failed - 1, gram, swept: gram };
    for (const i of others(k))
      kernels.sweepPanel(elementBytes, matrix, k, i, pivot, weighted, packed, layout.copies[0]!.at);
    for (const i of others(k)) kernels.sweepUpdate(elementBytes, matrix, k, i, weighted, packed);
  }
  return { failed: undefined, gram, swept: read(memory, layout.matrix).slice() };
}

/** Where (row, column) lies among the blocks of the lower triangle. */
function placeOf(row: number, column: number): number {
  const [i, j] = [Math.floor(row / BLOCK_ORDER), Math.floor(column / BLOCK_ORDER)];
  if (j > i) return placeOf(column, row);
  return ((i * (i + 1)) / 2 + j) * BLOCK_ORDER ** 2 + (row % BLOCK_ORDER) * BLOCK_ORDER + (column % BLOCK_ORDER);
}

const problems = new Map<number, ReturnType<typeof solve>>();

/** A problem of `items` items with its answer, which is slow to find. */
function problem(items: number): ReturnType<typeof solve> {
  const known = problems.get(items) ?? solve(items);
  problems.set(items, known);
  return known;
}

function solve(items: number): { byUser: SparseRows; gram: number[][]; expected: number[][] } {
  const byUser = randomRows(items + 40, items, Math.min(1, 0.05 + 4 / items));
  const gram = gramMatrix(densely(byUser), 3);
  return { byUser, gram, expected: inverseReference(gram) };
}

const MODULES = hasRelaxedSimd() ? [true, false] : [true];
const CASES = MODULES.flatMap((deterministic) => [
  { deterministic, elementBytes: 4 as const, tolerance: 2e-5 },
  { deterministic, elementBytes: 8 as const, tolerance: 1e-12 },
]);

describe.each(CASES)('plain SIMD $deterministic, $elementBytes bytes', ({ deterministic, elementBytes, tolerance }) => {
  test.each([1, 5, 128, 129, 270])('the inverse of %i items matches elimination', async (items) => {
    const { byUser, expected, gram: expectedGram } = problem(items);
    const { failed, gram, swept } = await sweep(byUser, 3, elementBytes, deterministic);
    expect(failed).toBeUndefined();
    const largest = Math.max(...expected.flat().map(Math.abs));
    const worst = (found: ArrayLike<number>, wanted: readonly (readonly number[])[], sign: number) =>
      wanted.reduce(
        (most, line, row) =>
          line.reduce(
            (worse, value, column) => Math.max(worse, Math.abs(sign * found[placeOf(row, column)]! - value)),
            most,
          ),
        0,
      );
    expect(worst(gram, expectedGram, 1)).toBeLessThan(1e-4);
    expect(worst(swept, expected, -1)).toBeLessThan(tolerance * largest);
  });

  test('says which place is not positive definite', async () => {
    const twins = fromTriples(2, 140, [0, 0, 0, 1], [3, 7, 132, 9], [1, 1, 1, 1]);
    // Items 3 and 7 are the same to every user, and lambda is lost beside them in either precision.
    expect((await sweep(twins, 1e-30, elementBytes, deterministic)).failed).toBe(7);
  });

  test.each([16, 48, 96])('a sparse product of %i columns matches the reference', async (width) => {
    const sparse = randomRows(37, 50, 0.2);
    const stream = randomStream(4, 'dense');
    const dense = Float32Array.from({ length: 50 * width }, () => stream.normal());
    const plan = new MemoryPlan();
    const { length } = sparse.indices;
    const at = { indptr: plan.reserve(38), indices: plan.reserve(length), values: plan.reserve(length) };
    const [matrix, out] = [plan.reserve(dense.length), plan.reserve(37 * width)];
    const memory = plan.allocate();
    i32(memory, at.indptr).set(sparse.indptr);
    i32(memory, at.indices).set(sparse.indices);
    f32(memory, at.values).set(sparse.values);
    f32(memory, matrix).set(dense);
    const kernels = instantiate((await loadEngine({ deterministic })).module, memory);
    const product = (from: number, to: number) =>
      kernels.sparseProduct(
        at.indptr.at,
        at.indices.at,
        at.values.at,
        from,
        to,
        matrix.at,
        width * 4,
        width,
        out.at + from * width * 4,
        width * 4,
      );
    product(0, 20);
    product(20, 37);
    const expected = sparseProductReference(sparse, dense, width).flat();
    f32(memory, out).forEach((value, n) => expect(value).toBeCloseTo(expected[n]!, 4));
  });

  test('the float64 Gram matrix of rows matches the reference to the last digits', async () => {
    const [rows, width] = [70, 32];
    const stream = randomStream(5, 'gram');
    const values = Float32Array.from({ length: rows * width }, () => stream.normal() * 1000);
    const plan = new MemoryPlan();
    const [source, out] = [plan.reserve(values.length), plan.reserve(width * width, 8)];
    const memory = plan.allocate();
    f32(memory, source).set(values);
    const kernels = instantiate((await loadEngine({ deterministic })).module, memory);
    kernels.gramDouble(source.at, 10, rows, width, out.at);
    for (let i = 0; i < width; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let r = 10; r < rows; r++) sum += values[r * width + i]! * values[r * width + j]!;
        expect(Math.abs(f64(memory, out)[i * width + j]! - sum)).toBeLessThan(1e-5);
      }
    }
  });
});
