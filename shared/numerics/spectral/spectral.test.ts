import { describe, expect, test } from 'vitest';
import { randomStream } from '../../random.ts';
import { orthonormalTransform } from './orthonormal.ts';
import { symmetricEigen } from './symmetric-eigen.ts';

function normals(count: number, purpose: string): Float64Array {
  const stream = randomStream(2, purpose);
  return Float64Array.from({ length: count }, () => stream.normal());
}

/** Columns' products: y is rows * width. */
function gramOf(y: Float64Array, width: number): Float64Array {
  const gram = new Float64Array(width * width);
  for (let row = 0; row < y.length; row += width) {
    for (let i = 0; i < width; i++) for (let j = 0; j < width; j++) gram[i * width + j]! += y[row + i]! * y[row + j]!;
  }
  return gram;
}

describe('symmetricEigen', () => {
  test.each([1, 2, 9, 40])('of %i rows: A v = l v, unit vectors at right angles, descending values', (n) => {
    const matrix = gramOf(normals(n * (n + 3), 'eigen'), n).map((value, at) => value - (at % (n + 1) === 0 ? 2 : 0));
    const { values, vectors } = symmetricEigen(matrix, n);
    expect([...values]).toEqual([...values].sort((a, b) => b - a));
    for (let k = 0; k < n; k++) {
      const v = vectors.subarray(k * n, (k + 1) * n);
      for (let i = 0; i < n; i++) {
        const product = v.reduce((sum, value, j) => sum + matrix[i * n + j]! * value, 0);
        expect(product).toBeCloseTo(values[k]! * v[i]!, 10);
      }
      for (let other = 0; other <= k; other++) {
        const dot = v.reduce((sum, value, j) => sum + value * vectors[other * n + j]!, 0);
        expect(dot).toBeCloseTo(other === k ? 1 : 0, 12);
      }
    }
  });

  test('of nothing but zeros is zeros', () => {
    expect([...symmetricEigen(new Float64Array(9), 3).values]).toEqual([0, 0, 0]);
  });
});

describe('orthonormalTransform', () => {
  test('makes columns orthonormal, and those that depend on others 0', () => {
    const [rows, width] = [30, 6];
    const y = normals(rows * width, 'columns');
    // Column 4 is a mix of columns 1 and 2.
    for (let row = 0; row < rows; row++) y[row * width + 4] = 2 * y[row * width + 1]! - y[row * width + 2]!;
    const transform = orthonormalTransform(gramOf(y, width), width);
    const turned = new Float64Array(rows * width);
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < width; k++) {
        for (let j = 0; j < width; j++) turned[row * width + j]! += y[row * width + k]! * transform[k * width + j]!;
      }
    }
    const gram = gramOf(turned, width);
    for (let i = 0; i < width; i++) {
      for (let j = 0; j < width; j++) expect(gram[i * width + j]).toBeCloseTo(i === j && i !== 4 ? 1 : 0, 10);
    }
  });
});
