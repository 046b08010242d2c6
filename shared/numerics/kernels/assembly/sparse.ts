/**
 * Owns products of sparse rows with dense matrices, and the float64 Gram matrix of dense rows that orthonormalisation needs.
 * Slow reference: ../sparse.reference.ts.
 */
import { madd, product } from './vector';

/**
 * out[r][0..width) = sum over row r's places of value * dense[index][0..width), for sparse rows [from, to); row `from` of the output
 * is at `out`. `width` is a multiple of 16; strides are in bytes, multiples of 16. Thirty-two columns at a time stay in registers.
 */
export function sparseProduct(
  indptr: usize, indices: usize, values: usize, from: i32, to: i32, dense: usize, denseStride: usize, width: i32,
  out: usize, outStride: usize,
): void {
  for (let r = from; r < to; r++) {
    const begin = load<i32>(indptr + (<usize>r << 2)), end = load<i32>(indptr + (<usize>(r + 1) << 2));
    let column: usize = 0;
    const bytes = <usize>width << 2;
    for (; column + 128 <= bytes; column += 128) {
      let a0 = f32x4.splat(0), a1 = f32x4.splat(0), a2 = f32x4.splat(0), a3 = f32x4.splat(0);
      let b0 = f32x4.splat(0), b1 = f32x4.splat(0), b2 = f32x4.splat(0), b3 = f32x4.splat(0);
      for (let e = begin; e < end; e++) {
        const row = dense + <usize>load<i32>(indices + (<usize>e << 2)) * denseStride + column;
        const value = v128.load_splat<f32>(values + (<usize>e << 2));
        a0 = madd(value, v128.load(row), a0);
        a1 = madd(value, v128.load(row, 16), a1);
        a2 = madd(value, v128.load(row, 32), a2);
        a3 = madd(value, v128.load(row, 48), a3);
        b0 = madd(value, v128.load(row, 64), b0);
        b1 = madd(value, v128.load(row, 80), b1);
        b2 = madd(value, v128.load(row, 96), b2);
        b3 = madd(value, v128.load(row, 112), b3);
      }
      const at = out + column;
      v128.store(at, a0); v128.store(at, a1, 16); v128.store(at, a2, 32); v128.store(at, a3, 48);
      v128.store(at, b0, 64); v128.store(at, b1, 80); v128.store(at, b2, 96); v128.store(at, b3, 112);
    }
    for (; column < bytes; column += 64) {
      let a0 = f32x4.splat(0), a1 = f32x4.splat(0), a2 = f32x4.splat(0), a3 = f32x4.splat(0);
      for (let e = begin; e < end; e++) {
        const row = dense + <usize>load<i32>(indices + (<usize>e << 2)) * denseStride + column;
        const value = v128.load_splat<f32>(values + (<usize>e << 2));
        a0 = madd(value, v128.load(row), a0);
        a1 = madd(value, v128.load(row, 16), a1);
        a2 = madd(value, v128.load(row, 32), a2);
        a3 = madd(value, v128.load(row, 48), a3);
      }
      const at = out + column;
      v128.store(at, a0); v128.store(at, a1, 16); v128.store(at, a2, 32); v128.store(at, a3, 48);
    }
    out += outStride;
  }
}

/** out (f64, width x width, lower triangle by tiles of 4 x 4) = sum over rows [from, to) of row' row; every product and sum in f64. */
export function gramDouble(rows: usize, from: i32, to: i32, width: i32, out: usize): void {
  const stride = <usize>width << 2, outStride = <usize>width << 3;
  for (let i = 0; i < width; i += 4) {
    for (let j = 0; j <= i; j += 4) {
      let a0 = f64x2.splat(0), a1 = f64x2.splat(0), b0 = f64x2.splat(0), b1 = f64x2.splat(0);
      let c0 = f64x2.splat(0), c1 = f64x2.splat(0), d0 = f64x2.splat(0), d1 = f64x2.splat(0);
      let left = rows + <usize>from * stride + (<usize>i << 2), right = rows + <usize>from * stride + (<usize>j << 2);
      for (let r = from; r < to; r++) {
        const g = f64x2.promote_low_f32x4(v128.load64_zero(right)), h = f64x2.promote_low_f32x4(v128.load64_zero(right, 8));
        let x = f64x2.splat(<f64>load<f32>(left)), y = f64x2.splat(<f64>load<f32>(left, 4));
        a0 = f64x2.add(f64x2.mul(x, g), a0); a1 = f64x2.add(f64x2.mul(x, h), a1);
        b0 = f64x2.add(f64x2.mul(y, g), b0); b1 = f64x2.add(f64x2.mul(y, h), b1);
        x = f64x2.splat(<f64>load<f32>(left, 8));
        y = f64x2.splat(<f64>load<f32>(left, 12));
        c0 = f64x2.add(f64x2.mul(x, g), c0); c1 = f64x2.add(f64x2.mul(x, h), c1);
        d0 = f64x2.add(f64x2.mul(y, g), d0); d1 = f64x2.add(f64x2.mul(y, h), d1);
        left += stride;
        right += stride;
      }
      let at = out + <usize>i * outStride + (<usize>j << 3);
      v128.store(at, a0); v128.store(at, a1, 16);
      at += outStride;
      v128.store(at, b0); v128.store(at, b1, 16);
      at += outStride;
      v128.store(at, c0); v128.store(at, c1, 16);
      at += outStride;
      v128.store(at, d0); v128.store(at, d1, 16);
    }
  }
}

/**
 * Rows [from, to) of a dense matrix times a packed one `[width / 8][width][8]`, in place. The matrix has room for a multiple of four rows.
 * `scratch`: as many rows, rounded up to four.
 */
export function transformRows(rows: usize, from: i32, to: i32, width: i32, packed: usize, scratch: usize): void {
  const stride = <usize>width << 2, first = rows + <usize>from * stride;
  product(first, stride, (to - from + 3) >> 2, packed, width >> 3, width, scratch, stride);
  memory.copy(first, scratch, <usize>(to - from) * stride);
}
