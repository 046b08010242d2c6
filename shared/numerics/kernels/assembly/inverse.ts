/**
 * Owns the inverse of a symmetric positive definite matrix by blocks, and the Gram matrix of sparse columns that it starts from.
 * Slow reference: ../inverse.reference.ts.
 *
 * One sweep merges the factorisation, the inversion of the factor and their product (Bientinesi, Gunter, van de Geijn, "Families of
 * algorithms related to the inversion of a symmetric positive definite matrix", ACM TOMS 35(1), 2008). For each block column k:
 * D = (A_kk)^-1 by Cholesky in float64, W_i = A_ik D, A_ij -= W_i A_jk', A_ik = W_i, A_kk = -D; after the last one A is -(A^-1).
 * n^3 floating-point operations, nearly all of them in products of blocks held in registers.
 *
 * Storage: blocks of ORDER x ORDER, row-major, of the lower triangle: block (i, j), j <= i, is number i (i + 1) / 2 + j. Diagonal blocks
 * are full. What lies beyond the matrix is the identity. T is f32 or f64. Each block is computed by one call in a fixed order, so
 * results do not depend on how blocks are shared out among threads.
 */

/** Rows and columns of a block: three blocks of f32 fit in a second-level cache, and a pivot costs little. */
const ORDER: i32 = 128;

export function blockOrder(): i32 {
  return ORDER;
}

// @ts-ignore: decorator
@inline
function madd<T>(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_madd<T>(a, b, c);
  return v128.add<T>(v128.mul<T>(a, b), c);
}

// @ts-ignore: decorator
@inline
function blockBytes<T>(): usize {
  return (<usize>ORDER * <usize>ORDER) * sizeof<T>();
}

// @ts-ignore: decorator
@inline
function blockAt<T>(matrix: usize, i: i32, j: i32): usize {
  return matrix + (((<usize>i * <usize>(i + 1)) >> 1) + <usize>j) * blockBytes<T>();
}

// @ts-ignore: decorator
@inline
function put<T>(at: usize, value: f64): void {
  if (sizeof<T>() == 4) store<f32>(at, <f32>value);
  else store<f64>(at, value);
}

// @ts-ignore: decorator
@inline
function take<T>(at: usize): f64 {
  if (sizeof<T>() == 4) return <f64>load<f32>(at);
  return load<f64>(at);
}

/**
 * Rows of X'X + lambda I for the columns of block row `block`. `userPtr`/`userIdx`/`userVal` are the rows of X, `itemPtr`/`itemIdx`/
 * `itemVal` its columns. `sums`: 8 bytes a column, padded to whole blocks. Every sum is in f64, in the order of the users.
 */
// @ts-ignore: decorator
@inline
function gramRows<T>(
  userPtr: usize, userIdx: usize, userVal: usize, itemPtr: usize, itemIdx: usize, itemVal: usize, n: i32, lambda: f64,
  block: i32, matrix: usize, sums: usize,
): void {
  for (let r = 0; r < ORDER; r++) {
    const i = block * ORDER + r;
    memory.fill(sums, 0, <usize>((block + 1) * ORDER) << 3);
    if (i >= n) store<f64>(sums + (<usize>i << 3), 1);
    else {
      const end = load<i32>(itemPtr + (<usize>(i + 1) << 2));
      for (let e = load<i32>(itemPtr + (<usize>i << 2)); e < end; e++) {
        const user = load<i32>(itemIdx + (<usize>e << 2));
        const weight = <f64>load<f32>(itemVal + (<usize>e << 2));
        const stop = load<i32>(userPtr + (<usize>(user + 1) << 2));
        for (let f = load<i32>(userPtr + (<usize>user << 2)); f < stop; f++) {
          const j = load<i32>(userIdx + (<usize>f << 2));
          if (j > i) break;
          const at = sums + (<usize>j << 3);
          store<f64>(at, load<f64>(at) + weight * <f64>load<f32>(userVal + (<usize>f << 2)));
        }
      }
      const at = sums + (<usize>i << 3);
      store<f64>(at, load<f64>(at) + lambda);
    }
    for (let j = 0; j <= block; j++) {
      const row = blockAt<T>(matrix, block, j) + (<usize>(r * ORDER)) * sizeof<T>();
      const from = sums + (<usize>(j * ORDER) << 3);
      for (let c = 0; c < ORDER; c++) put<T>(row + <usize>c * sizeof<T>(), load<f64>(from + (<usize>c << 3)));
    }
    // The diagonal block is full: what the row has left of the diagonal is also above it.
    const diagonal = blockAt<T>(matrix, block, block);
    for (let c = 0; c < r; c++) {
      put<T>(diagonal + <usize>(c * ORDER + r) * sizeof<T>(), load<f64>(sums + (<usize>(block * ORDER + c) << 3)));
    }
  }
}

/** L L' = A in place, lower triangle, f64. Returns 1 + the first place whose pivot is not above 0, or 0. */
function factor(a: usize): i32 {
  const stride = <usize>ORDER << 3;
  for (let i = 0; i < ORDER; i++) {
    const own = a + <usize>i * stride;
    for (let j = 0; j <= i; j++) {
      const other = a + <usize>j * stride;
      let sum = load<f64>(own + (<usize>j << 3));
      for (let k = 0; k < j; k++) sum -= load<f64>(own + (<usize>k << 3)) * load<f64>(other + (<usize>k << 3));
      if (i == j) {
        if (!(sum > 0)) return i + 1;
        store<f64>(own + (<usize>j << 3), sqrt<f64>(sum));
      } else store<f64>(own + (<usize>j << 3), sum / load<f64>(other + (<usize>j << 3)));
    }
  }
  return 0;
}

/** x = L^-1, row by row; what lies above the diagonal becomes 0. */
function invertFactor(l: usize, x: usize): void {
  const stride = <usize>ORDER << 3;
  memory.fill(x, 0, <usize>ORDER * stride);
  for (let i = 0; i < ORDER; i++) {
    const own = x + <usize>i * stride;
    const scale = 1.0 / load<f64>(l + <usize>i * stride + (<usize>i << 3));
    for (let k = 0; k < i; k++) {
      const c = load<f64>(l + <usize>i * stride + (<usize>k << 3));
      const row = x + <usize>k * stride;
      for (let j = 0; j <= k; j++) {
        const at = own + (<usize>j << 3);
        store<f64>(at, load<f64>(at) - c * load<f64>(row + (<usize>j << 3)));
      }
    }
    for (let j = 0; j < i; j++) store<f64>(own + (<usize>j << 3), load<f64>(own + (<usize>j << 3)) * scale);
    store<f64>(own + (<usize>i << 3), scale);
  }
}

/** d = X'X for a lower triangular X; lower triangle of d. */
function squareFactor(x: usize, d: usize): void {
  const stride = <usize>ORDER << 3;
  memory.fill(d, 0, <usize>ORDER * stride);
  for (let k = 0; k < ORDER; k++) {
    const row = x + <usize>k * stride;
    for (let i = 0; i <= k; i++) {
      const c = load<f64>(row + (<usize>i << 3));
      const out = d + <usize>i * stride;
      for (let j = 0; j <= i; j++) {
        const at = out + (<usize>j << 3);
        store<f64>(at, load<f64>(at) + c * load<f64>(row + (<usize>j << 3)));
      }
    }
  }
}

/** Bytes of `work` that a pivot needs. */
export function pivotScratchBytes(): usize {
  return <usize>2 * ORDER * ORDER * 8;
}

/** pivot = (A_kk)^-1 as panels for `multiply`, and A_kk = -pivot. Returns 1 + the place where A_kk is not positive definite, or 0. */
// @ts-ignore: decorator
@inline
function pivotBlock<T>(matrix: usize, k: i32, pivot: usize, work: usize): i32 {
  const diagonal = blockAt<T>(matrix, k, k), second = work + ((<usize>ORDER * <usize>ORDER) << 3);
  for (let n = 0; n < ORDER * ORDER; n++) store<f64>(work + (<usize>n << 3), take<T>(diagonal + <usize>n * sizeof<T>()));
  const failed = factor(work);
  if (failed) return failed;
  invertFactor(work, second);
  squareFactor(second, work);
  for (let i = 0; i < ORDER; i++) {
    for (let j = 0; j < ORDER; j++) {
      const n = i >= j ? i * ORDER + j : j * ORDER + i;
      const value = load<f64>(work + (<usize>n << 3));
      put<T>(diagonal + <usize>(i * ORDER + j) * sizeof<T>(), -value);
      put<T>(pivot + <usize>packedPlace<T>(i, j) * sizeof<T>(), value);
    }
  }
  return 0;
}

/** Where row k, column c of a right-hand block lies among its panels `[ORDER / columns][ORDER][columns]` of two vectors of columns. */
// @ts-ignore: decorator
@inline
function packedPlace<T>(k: i32, c: i32): i32 {
  const columns = 32 / <i32>sizeof<T>();
  return (c / columns) * ORDER * columns + k * columns + (c % columns);
}

/** left (row-major) times right (panels), four rows by one panel at a time: eight accumulators stay in registers. out = it, or out -= it. */
// @ts-ignore: decorator
@inline
function multiply<T>(left: usize, right: usize, out: usize, subtract: bool): void {
  const stride = <usize>ORDER * sizeof<T>(), size = sizeof<T>();
  for (let column: usize = 0; column < stride; column += 32) {
    for (let r = 0; r < ORDER; r += 4) {
      let p0 = left + <usize>r * stride, p1 = p0 + stride, p2 = p1 + stride, p3 = p2 + stride, panel = right;
      let a0 = v128.splat<T>(0), a1 = v128.splat<T>(0), b0 = v128.splat<T>(0), b1 = v128.splat<T>(0);
      let c0 = v128.splat<T>(0), c1 = v128.splat<T>(0), d0 = v128.splat<T>(0), d1 = v128.splat<T>(0);
      const end = p1;
      while (p0 < end) {
        let g = v128.load(panel), h = v128.load(panel, 16);
        let x = v128.load_splat<T>(p0), y = v128.load_splat<T>(p1);
        a0 = madd<T>(x, g, a0); a1 = madd<T>(x, h, a1); b0 = madd<T>(y, g, b0); b1 = madd<T>(y, h, b1);
        x = v128.load_splat<T>(p2); y = v128.load_splat<T>(p3);
        c0 = madd<T>(x, g, c0); c1 = madd<T>(x, h, c1); d0 = madd<T>(y, g, d0); d1 = madd<T>(y, h, d1);
        g = v128.load(panel, 32); h = v128.load(panel, 48);
        x = v128.load_splat<T>(p0 + size); y = v128.load_splat<T>(p1 + size);
        a0 = madd<T>(x, g, a0); a1 = madd<T>(x, h, a1); b0 = madd<T>(y, g, b0); b1 = madd<T>(y, h, b1);
        x = v128.load_splat<T>(p2 + size); y = v128.load_splat<T>(p3 + size);
        c0 = madd<T>(x, g, c0); c1 = madd<T>(x, h, c1); d0 = madd<T>(y, g, d0); d1 = madd<T>(y, h, d1);
        panel += 64;
        p0 += 2 * size; p1 += 2 * size; p2 += 2 * size; p3 += 2 * size;
      }
      let at = out + <usize>r * stride + column;
      if (subtract) {
        a0 = v128.sub<T>(v128.load(at), a0); a1 = v128.sub<T>(v128.load(at, 16), a1);
        b0 = v128.sub<T>(v128.load(at + stride), b0); b1 = v128.sub<T>(v128.load(at + stride, 16), b1);
        c0 = v128.sub<T>(v128.load(at + 2 * stride), c0); c1 = v128.sub<T>(v128.load(at + 2 * stride, 16), c1);
        d0 = v128.sub<T>(v128.load(at + 3 * stride), d0); d1 = v128.sub<T>(v128.load(at + 3 * stride, 16), d1);
      }
      v128.store(at, a0); v128.store(at, a1, 16);
      at += stride;
      v128.store(at, b0); v128.store(at, b1, 16);
      at += stride;
      v128.store(at, c0); v128.store(at, c1, 16);
      at += stride;
      v128.store(at, d0); v128.store(at, d1, 16);
    }
    right += <usize>ORDER << 5;
  }
}

/**
 * Block i of column k: `packed` block i = A_ik' as panels, `weighted` block i = W_i = A_ik D, and A_ik = W_i. `copy`: room for one block.
 */
// @ts-ignore: decorator
@inline
function panelBlock<T>(matrix: usize, k: i32, i: i32, pivot: usize, weighted: usize, packed: usize, copy: usize): void {
  const size = sizeof<T>(), bytes = blockBytes<T>();
  const lower = i > k, block = lower ? blockAt<T>(matrix, i, k) : blockAt<T>(matrix, k, i);
  const own = weighted + <usize>i * bytes, panels = packed + <usize>i * bytes;
  if (lower) memory.copy(copy, block, bytes);
  else {
    for (let r = 0; r < ORDER; r++)
      for (let c = 0; c < ORDER; c++)
        store<T>(copy + <usize>(c * ORDER + r) * size, load<T>(block + <usize>(r * ORDER + c) * size));
  }
  for (let r = 0; r < ORDER; r++)
    for (let c = 0; c < ORDER; c++)
      store<T>(panels + <usize>packedPlace<T>(c, r) * size, load<T>(copy + <usize>(r * ORDER + c) * size));
  multiply<T>(copy, pivot, own, false);
  if (lower) memory.copy(block, own, bytes);
  else {
    for (let r = 0; r < ORDER; r++)
      for (let c = 0; c < ORDER; c++)
        store<T>(block + <usize>(c * ORDER + r) * size, load<T>(own + <usize>(r * ORDER + c) * size));
  }
}

/** A_ij -= W_i A_jk' for the blocks of row i left of and on the diagonal, column k and row k left out. */
// @ts-ignore: decorator
@inline
function updateRow<T>(matrix: usize, k: i32, i: i32, weighted: usize, packed: usize): void {
  if (i == k) return;
  const bytes = blockBytes<T>();
  for (let j = 0; j <= i; j++) {
    if (j == k) continue;
    multiply<T>(weighted + <usize>i * bytes, packed + <usize>j * bytes, blockAt<T>(matrix, i, j), true);
  }
}

/** `bytes` is 4 or 8: the size of T. */
export function gramBlockRow(
  bytes: i32, userPtr: usize, userIdx: usize, userVal: usize, itemPtr: usize, itemIdx: usize, itemVal: usize, n: i32,
  lambda: f64, block: i32, matrix: usize, sums: usize,
): void {
  if (bytes == 4) gramRows<f32>(userPtr, userIdx, userVal, itemPtr, itemIdx, itemVal, n, lambda, block, matrix, sums);
  else gramRows<f64>(userPtr, userIdx, userVal, itemPtr, itemIdx, itemVal, n, lambda, block, matrix, sums);
}

export function sweepPivot(bytes: i32, matrix: usize, k: i32, pivot: usize, work: usize): i32 {
  return bytes == 4 ? pivotBlock<f32>(matrix, k, pivot, work) : pivotBlock<f64>(matrix, k, pivot, work);
}

export function sweepPanel(
  bytes: i32, matrix: usize, k: i32, i: i32, pivot: usize, weighted: usize, packed: usize, copy: usize,
): void {
  if (bytes == 4) panelBlock<f32>(matrix, k, i, pivot, weighted, packed, copy);
  else panelBlock<f64>(matrix, k, i, pivot, weighted, packed, copy);
}

export function sweepUpdate(bytes: i32, matrix: usize, k: i32, i: i32, weighted: usize, packed: usize): void {
  if (bytes == 4) updateRow<f32>(matrix, k, i, weighted, packed);
  else updateRow<f64>(matrix, k, i, weighted, packed);
}
