/**
 * Owns the kernels of implicit ALS: the Gram matrix in fixed chunks, its reduction and inverse, and the preconditioned conjugate-gradient row
 * solver.
 * Slow reference: ../als.reference.ts. Objective and letters: Rendle et al., "Revisiting the Performance of iALS on Item
 * Recommendation Benchmarks" (RecSys 2022).
 */
import { addFour, axpy, dot, dotFour, madd, product, sumLanes, xpby } from './vector';

/** Rows solved together, so that the dense part of each step is one tiled matrix product. */
const BATCH = 16;

/** Rows of Y that pass under one tile of the Gram matrix at a time; 64 rows of 128 floats fill the first cache. */
const GRAM_BLOCK = 64;

/**
 * out[i][j] += sum over rows [from, to) of Y[r][i] * Y[r][j], for the tiles on and above the diagonal; `out` is zeroed first.
 * The order of the sum is the order of the rows.
 */
export function gramChunk(Y: usize, from: i32, to: i32, width: i32, out: usize): void {
  const stride = <usize>width << 2;
  memory.fill(out, 0, stride * <usize>width);
  for (let begin = from; begin < to; begin += GRAM_BLOCK) {
    const end = min(begin + GRAM_BLOCK, to);
    for (let i = 0; i < width; i += 4) {
      for (let j = i & ~7; j < width; j += 8) gramTile(Y, begin, end, stride, i, j, out);
    }
  }
}

// @ts-ignore: decorator
@inline
function gramTile(Y: usize, from: i32, to: i32, stride: usize, i: i32, j: i32, out: usize): void {
  const o0 = out + <usize>i * stride + (<usize>j << 2), o1 = o0 + stride, o2 = o1 + stride, o3 = o2 + stride;
  let a0 = v128.load(o0), a1 = v128.load(o0, 16), b0 = v128.load(o1), b1 = v128.load(o1, 16);
  let c0 = v128.load(o2), c1 = v128.load(o2, 16), d0 = v128.load(o3), d1 = v128.load(o3, 16);
  let left = Y + <usize>from * stride + (<usize>i << 2), right = Y + <usize>from * stride + (<usize>j << 2);
  for (let r = from; r < to; r++) {
    const g = v128.load(right), h = v128.load(right, 16);
    let x = v128.load_splat<f32>(left), y = v128.load_splat<f32>(left, 4);
    a0 = madd(x, g, a0); a1 = madd(x, h, a1); b0 = madd(y, g, b0); b1 = madd(y, h, b1);
    x = v128.load_splat<f32>(left, 8); y = v128.load_splat<f32>(left, 12);
    c0 = madd(x, g, c0); c1 = madd(x, h, c1); d0 = madd(y, g, d0); d1 = madd(y, h, d1);
    left += stride;
    right += stride;
  }
  v128.store(o0, a0); v128.store(o0, a1, 16); v128.store(o1, b0); v128.store(o1, b1, 16);
  v128.store(o2, c0); v128.store(o2, c1, 16); v128.store(o3, d0); v128.store(o3, d1, 16);
}

/**
 * packed = scale * sum over chunks, in chunk order, mirrored below the diagonal and laid out as panels `[width/8][width][8]`
 * for `product`. Writes rows [from, to) of the full matrix only, so that threads may share the work.
 */
export function gramReduce(chunks: usize, count: i32, scale: f32, width: i32, packed: usize, from: i32, to: i32): void {
  const size = (<usize>width * <usize>width) << 2;
  for (let i = from; i < to; i++) {
    for (let j = 0; j < width; j++) {
      // Tiles start at column i & ~7 of row i: what lies left of it was summed in the mirrored place.
      const row = j < (i & ~7) ? j : i, column = j < (i & ~7) ? i : j;
      let at = chunks + ((<usize>row * <usize>width + <usize>column) << 2);
      let sum: f32 = 0;
      for (let c = 0; c < count; c++) {
        sum += load<f32>(at);
        at += size;
      }
      store<f32>(packed + packedPlace(width, i, j), scale * sum);
    }
  }
}

/**
 * inverse = (G + shift I)^-1, G being the packed matrix of gramReduce; packed the same way. Gauss-Jordan without exchanges, in f64: the matrix is
 * positive definite. `work`: width * width f64. Complexity: width^3.
 */
export function invertGram(packed: usize, shift: f64, width: i32, work: usize, inverse: usize): void {
  const stride = <usize>width << 3;
  for (let i = 0; i < width; i++) {
    for (let j = 0; j < width; j++) {
      const value = <f64>load<f32>(packed + packedPlace(width, i, j));
      store<f64>(work + <usize>i * stride + (<usize>j << 3), i == j ? value + shift : value);
    }
  }
  for (let k = 0; k < width; k++) {
    const pivotRow = work + <usize>k * stride, diagonal = pivotRow + (<usize>k << 3);
    const pivot = 1.0 / load<f64>(diagonal);
    store<f64>(diagonal, 1);
    scaleDouble(pivot, pivotRow, stride);
    for (let i = 0; i < width; i++) {
      if (i == k) continue;
      const row = work + <usize>i * stride, at = row + (<usize>k << 3);
      const share = load<f64>(at);
      store<f64>(at, 0);
      subtractDouble(share, pivotRow, row, stride);
    }
  }
  for (let i = 0; i < width; i++) {
    for (let j = 0; j < width; j++) {
      // The mean of both places: the product with it is then symmetric, as conjugate gradients need.
      const own = load<f64>(work + <usize>i * stride + (<usize>j << 3)), other = load<f64>(work + <usize>j * stride + (<usize>i << 3));
      store<f32>(inverse + packedPlace(width, i, j), <f32>(0.5 * (own + other)));
    }
  }
}

/** Where row i, column j lies in panels `[width/8][width][8]`. */
// @ts-ignore: decorator
@inline
function packedPlace(width: i32, i: i32, j: i32): usize {
  return (<usize>(j >> 3) * <usize>width + <usize>i) * 32 + (<usize>(j & 7) << 2);
}

// @ts-ignore: decorator
@inline
function scaleDouble(factor: f64, row: usize, bytes: usize): void {
  const f = f64x2.splat(factor);
  for (let o: usize = 0; o < bytes; o += 16) v128.store(row + o, f64x2.mul(f, v128.load(row + o)));
}

/** row -= share * other; plain multiply and subtract in both modules. */
// @ts-ignore: decorator
@inline
function subtractDouble(share: f64, other: usize, row: usize, bytes: usize): void {
  const f = f64x2.splat(share);
  for (let o: usize = 0; o < bytes; o += 32) {
    v128.store(row + o, f64x2.sub(v128.load(row + o), f64x2.mul(f, v128.load(other + o))));
    v128.store(row + o, f64x2.sub(v128.load(row + o, 16), f64x2.mul(f, v128.load(other + o, 16))), 16);
  }
}

/** Bytes of scratch that `solveRows` needs for one thread. */
export function solveScratchBytes(width: i32): usize {
  return (<usize>(4 * BATCH * width) << 2) + 256;
}

/** What a pass over the interactions of a row works out, folded where it is called: out += sum of w (1 - y.p) y. */
const RESIDUAL = 0;
/** out += sum of |w| (y.p) y. */
const PRODUCT = 1;
/** Returns sum of |w| (y.p)^2. */
const SQUARE = 2;

// @ts-ignore: decorator
@inline
function passRow(
  Y: usize, indices: usize, weights: usize, from: i32, to: i32, p: usize, out: usize, width: i32, what: i32,
): f32 {
  const stride = <usize>width << 2;
  const last = to - 1;
  let squares = f32x4.splat(0);
  for (let k = from; k < to; k += 4) {
    // Beyond the end the last row repeats with coefficient 0: one path, one order of summation.
    const k1 = min(k + 1, last), k2 = min(k + 2, last), k3 = min(k + 3, last);
    const y0 = Y + <usize>load<i32>(indices + (<usize>k << 2)) * stride;
    const y1 = Y + <usize>load<i32>(indices + (<usize>k1 << 2)) * stride;
    const y2 = Y + <usize>load<i32>(indices + (<usize>k2 << 2)) * stride;
    const y3 = Y + <usize>load<i32>(indices + (<usize>k3 << 2)) * stride;
    let weight = f32x4.splat(1), preference = f32x4.splat(1);
    if (weights != 0) {
      weight = f32x4(
        load<f32>(weights + (<usize>k << 2)), load<f32>(weights + (<usize>k1 << 2)),
        load<f32>(weights + (<usize>k2 << 2)), load<f32>(weights + (<usize>k3 << 2)),
      );
      // A negative confidence is preference 0 at that weight: the path of explicit dislikes.
      preference = v128.and(preference, f32x4.gt(weight, f32x4.splat(0)));
      weight = f32x4.abs(weight);
    }
    const left = to - k;
    if (left < 4) {
      weight = v128.and(weight, i32x4.gt_s(i32x4.splat(left), i32x4(0, 1, 2, 3)));
    }
    const prediction = dotFour(y0, y1, y2, y3, p, width);
    if (what == SQUARE) {
      squares = madd(f32x4.mul(weight, prediction), prediction, squares);
      continue;
    }
    const value = what == RESIDUAL ? f32x4.sub(preference, prediction) : prediction;
    addFour(f32x4.mul(weight, value), y0, y1, y2, y3, out, width);
  }
  return what == SQUARE ? sumLanes(squares) : 0;
}

/**
 * For each row r in [from, to): `steps` steps of conjugate gradients from the warm start X[r] towards the solution of
 * (G + reg[r] I + sum_k |w_k| y_k y_k') x = sum_k [w_k > 0] w_k y_k, y_k being rows of Y that r interacted with and G the packed
 * matrix. `inverse`: a packed approximate inverse that preconditions all rows, or 0. Rows without interactions become 0. `weights` 0 means
 * all 1. The last step needs no new residual and so only half a pass. Complexity per row: (steps + 1) * (width^2 + 2 n width) - n width.
 */
export function solveRows(
  X: usize, Y: usize, packed: usize, inverse: usize, width: i32, indptr: usize, indices: usize, weights: usize,
  regularisers: usize, from: i32, to: i32, steps: i32, scratch: usize,
): void {
  const stride = <usize>width << 2, block = stride * BATCH, panels = width >> 3;
  const R = scratch, P = R + block, A = P + block, Z = inverse == 0 ? R : A + block, rates = scratch + 4 * block;
  for (let begin = from; begin < to; begin += BATCH) {
    const count = min(BATCH, to - begin);
    const groups = (count + 3) >> 2;
    const x0 = X + <usize>begin * stride;
    memory.copy(P, x0, stride * <usize>count);
    memory.fill(P + stride * <usize>count, 0, stride * <usize>((groups << 2) - count));
    memory.fill(R, 0, stride * <usize>(groups << 2));
    product(P, stride, groups, packed, panels, width, A, stride);
    for (let b = 0; b < count; b++) {
      const row = begin + b, o = <usize>b * stride, x = x0 + o;
      const s = load<i32>(indptr + (<usize>row << 2)), e = load<i32>(indptr + (<usize>(row + 1) << 2));
      if (s == e) {
        memory.fill(x, 0, stride);
        continue;
      }
      passRow(Y, indices, weights, s, e, x, R + o, width, RESIDUAL);
      axpy(-load<f32>(regularisers + (<usize>row << 2)), x, R + o, width);
      axpy(-1, A + o, R + o, width);
    }
    if (inverse != 0) product(R, stride, groups, inverse, panels, width, Z, stride);
    memory.copy(P, Z, stride * <usize>(groups << 2));
    for (let b = 0; b < count; b++) {
      store<f32>(rates + (<usize>b << 2), dot(R + <usize>b * stride, P + <usize>b * stride, width));
    }
    for (let step = 1; step <= steps; step++) {
      product(P, stride, groups, packed, panels, width, A, stride);
      for (let b = 0; b < count; b++) {
        const row = begin + b, o = <usize>b * stride, x = x0 + o, p = P + o;
        const before = load<f32>(rates + (<usize>b << 2));
        if (before < 1e-20) continue;
        const s = load<i32>(indptr + (<usize>row << 2)), e = load<i32>(indptr + (<usize>(row + 1) << 2));
        const regulariser = load<f32>(regularisers + (<usize>row << 2));
        if (step == steps) {
          const curvature = dot(p, A + o, width) + regulariser * dot(p, p, width) +
            passRow(Y, indices, weights, s, e, p, 0, width, SQUARE);
          axpy(before / curvature, p, x, width);
          continue;
        }
        passRow(Y, indices, weights, s, e, p, A + o, width, PRODUCT);
        axpy(regulariser, p, A + o, width);
        const alpha = before / dot(p, A + o, width);
        axpy(alpha, p, x, width);
        axpy(-alpha, A + o, R + o, width);
      }
      if (step == steps) break;
      if (inverse != 0) product(R, stride, groups, inverse, panels, width, Z, stride);
      for (let b = 0; b < count; b++) {
        const o = <usize>b * stride, at = rates + (<usize>b << 2), before = load<f32>(at);
        if (before < 1e-20) continue;
        const after = dot(R + o, Z + o, width);
        xpby(Z + o, after / before, P + o, width);
        store<f32>(at, after);
      }
    }
  }
}
