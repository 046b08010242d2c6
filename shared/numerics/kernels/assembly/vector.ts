/**
 * Owns the arithmetic that every kernel shares: fused multiply-add, dots and updates over rows of f32, and the tiled
 * product with packed panels. AssemblyScript: built by ../build.mjs, checked by asc, left out of tsc.
 *
 * Rows are 64-byte aligned and `width` is a multiple of 16. Every sum has a fixed order that depends on the row alone,
 * so results do not depend on how rows are shared out among threads.
 */

/** a * b + c; one rounding with relaxed SIMD where the CPU fuses, two with plain SIMD (equal on every CPU). */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

// @ts-ignore: decorator
@inline
export function sumLanes(s: v128): f32 {
  return (
    f32x4.extract_lane(s, 0) + f32x4.extract_lane(s, 1) + (f32x4.extract_lane(s, 2) + f32x4.extract_lane(s, 3))
  );
}

/** Lane k of the result is the sum of the lanes of the k-th argument. */
// @ts-ignore: decorator
@inline
function sumFour(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
}

export function dot(a: usize, b: usize, width: i32): f32 {
  let s0 = f32x4.splat(0), s1 = f32x4.splat(0), s2 = f32x4.splat(0), s3 = f32x4.splat(0);
  const end = a + (<usize>width << 2);
  while (a < end) {
    s0 = madd(v128.load(a), v128.load(b), s0);
    s1 = madd(v128.load(a, 16), v128.load(b, 16), s1);
    s2 = madd(v128.load(a, 32), v128.load(b, 32), s2);
    s3 = madd(v128.load(a, 48), v128.load(b, 48), s3);
    a += 64;
    b += 64;
  }
  return sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
}

/** y += alpha x */
export function axpy(alpha: f32, x: usize, y: usize, width: i32): void {
  const a = f32x4.splat(alpha);
  const end = x + (<usize>width << 2);
  while (x < end) {
    v128.store(y, madd(a, v128.load(x), v128.load(y)));
    v128.store(y, madd(a, v128.load(x, 16), v128.load(y, 16)), 16);
    v128.store(y, madd(a, v128.load(x, 32), v128.load(y, 32)), 32);
    v128.store(y, madd(a, v128.load(x, 48), v128.load(y, 48)), 48);
    x += 64;
    y += 64;
  }
}

/** y = x + beta y */
export function xpby(x: usize, beta: f32, y: usize, width: i32): void {
  const b = f32x4.splat(beta);
  const end = x + (<usize>width << 2);
  while (x < end) {
    v128.store(y, madd(b, v128.load(y), v128.load(x)));
    v128.store(y, madd(b, v128.load(y, 16), v128.load(x, 16)), 16);
    v128.store(y, madd(b, v128.load(y, 32), v128.load(x, 32)), 32);
    v128.store(y, madd(b, v128.load(y, 48), v128.load(x, 48)), 48);
    x += 64;
    y += 64;
  }
}

/**
 * Four dots with one vector: lanes are y0.p, y1.p, y2.p, y3.p. Eight chains keep the multiply-add units busy
 * (latency 4, two a cycle), and p is loaded once for four rows.
 */
// @ts-ignore: decorator
@inline
export function dotFour(y0: usize, y1: usize, y2: usize, y3: usize, p: usize, width: i32): v128 {
  let a0 = f32x4.splat(0), a1 = f32x4.splat(0), a2 = f32x4.splat(0), a3 = f32x4.splat(0);
  let b0 = f32x4.splat(0), b1 = f32x4.splat(0), b2 = f32x4.splat(0), b3 = f32x4.splat(0);
  const end = p + (<usize>width << 2);
  while (p < end) {
    let q = v128.load(p);
    a0 = madd(v128.load(y0), q, a0);
    a1 = madd(v128.load(y1), q, a1);
    a2 = madd(v128.load(y2), q, a2);
    a3 = madd(v128.load(y3), q, a3);
    q = v128.load(p, 16);
    b0 = madd(v128.load(y0, 16), q, b0);
    b1 = madd(v128.load(y1, 16), q, b1);
    b2 = madd(v128.load(y2, 16), q, b2);
    b3 = madd(v128.load(y3, 16), q, b3);
    q = v128.load(p, 32);
    a0 = madd(v128.load(y0, 32), q, a0);
    a1 = madd(v128.load(y1, 32), q, a1);
    a2 = madd(v128.load(y2, 32), q, a2);
    a3 = madd(v128.load(y3, 32), q, a3);
    q = v128.load(p, 48);
    b0 = madd(v128.load(y0, 48), q, b0);
    b1 = madd(v128.load(y1, 48), q, b1);
    b2 = madd(v128.load(y2, 48), q, b2);
    b3 = madd(v128.load(y3, 48), q, b3);
    p += 64;
    y0 += 64;
    y1 += 64;
    y2 += 64;
    y3 += 64;
  }
  return sumFour(f32x4.add(a0, b0), f32x4.add(a1, b1), f32x4.add(a2, b2), f32x4.add(a3, b3));
}

/** out += c0 y0 + c1 y1 + c2 y2 + c3 y3, the c being the lanes of `coefficients`: one load and one store of out for four rows. */
// @ts-ignore: decorator
@inline
export function addFour(coefficients: v128, y0: usize, y1: usize, y2: usize, y3: usize, out: usize, width: i32): void {
  const c0 = v128.shuffle<f32>(coefficients, coefficients, 0, 0, 0, 0);
  const c1 = v128.shuffle<f32>(coefficients, coefficients, 1, 1, 1, 1);
  const c2 = v128.shuffle<f32>(coefficients, coefficients, 2, 2, 2, 2);
  const c3 = v128.shuffle<f32>(coefficients, coefficients, 3, 3, 3, 3);
  const end = out + (<usize>width << 2);
  while (out < end) {
    v128.store(out, madd(c3, v128.load(y3), madd(c2, v128.load(y2), madd(c1, v128.load(y1), madd(c0, v128.load(y0), v128.load(out))))));
    v128.store(out, madd(c3, v128.load(y3, 16), madd(c2, v128.load(y2, 16), madd(c1, v128.load(y1, 16), madd(c0, v128.load(y0, 16), v128.load(out, 16))))), 16);
    v128.store(out, madd(c3, v128.load(y3, 32), madd(c2, v128.load(y2, 32), madd(c1, v128.load(y1, 32), madd(c0, v128.load(y0, 32), v128.load(out, 32))))), 32);
    v128.store(out, madd(c3, v128.load(y3, 48), madd(c2, v128.load(y2, 48), madd(c1, v128.load(y1, 48), madd(c0, v128.load(y0, 48), v128.load(out, 48))))), 48);
    out += 64;
    y0 += 64;
    y1 += 64;
    y2 += 64;
    y3 += 64;
  }
}

/**
 * Four rows times one panel of eight columns: out[r][0..8) = sum_k rows[r][k] * panel[k][0..8). Eight accumulators stay in
 * registers; per k two loads of the panel and four broadcasts feed eight multiply-adds. Strides in bytes.
 */
// @ts-ignore: decorator
@inline
function tile(rows: usize, rowStride: usize, panel: usize, width: i32, out: usize, outStride: usize): void {
  let p0 = rows, p1 = rows + rowStride, p2 = rows + 2 * rowStride, p3 = rows + 3 * rowStride;
  let a0 = f32x4.splat(0), a1 = f32x4.splat(0), b0 = f32x4.splat(0), b1 = f32x4.splat(0);
  let c0 = f32x4.splat(0), c1 = f32x4.splat(0), d0 = f32x4.splat(0), d1 = f32x4.splat(0);
  const end = p0 + (<usize>width << 2);
  while (p0 < end) {
    let g = v128.load(panel), h = v128.load(panel, 16);
    let x = v128.load_splat<f32>(p0), y = v128.load_splat<f32>(p1);
    a0 = madd(x, g, a0); a1 = madd(x, h, a1); b0 = madd(y, g, b0); b1 = madd(y, h, b1);
    x = v128.load_splat<f32>(p2); y = v128.load_splat<f32>(p3);
    c0 = madd(x, g, c0); c1 = madd(x, h, c1); d0 = madd(y, g, d0); d1 = madd(y, h, d1);
    g = v128.load(panel, 32); h = v128.load(panel, 48);
    x = v128.load_splat<f32>(p0, 4); y = v128.load_splat<f32>(p1, 4);
    a0 = madd(x, g, a0); a1 = madd(x, h, a1); b0 = madd(y, g, b0); b1 = madd(y, h, b1);
    x = v128.load_splat<f32>(p2, 4); y = v128.load_splat<f32>(p3, 4);
    c0 = madd(x, g, c0); c1 = madd(x, h, c1); d0 = madd(y, g, d0); d1 = madd(y, h, d1);
    g = v128.load(panel, 64); h = v128.load(panel, 80);
    x = v128.load_splat<f32>(p0, 8); y = v128.load_splat<f32>(p1, 8);
    a0 = madd(x, g, a0); a1 = madd(x, h, a1); b0 = madd(y, g, b0); b1 = madd(y, h, b1);
    x = v128.load_splat<f32>(p2, 8); y = v128.load_splat<f32>(p3, 8);
    c0 = madd(x, g, c0); c1 = madd(x, h, c1); d0 = madd(y, g, d0); d1 = madd(y, h, d1);
    g = v128.load(panel, 96); h = v128.load(panel, 112);
    x = v128.load_splat<f32>(p0, 12); y = v128.load_splat<f32>(p1, 12);
    a0 = madd(x, g, a0); a1 = madd(x, h, a1); b0 = madd(y, g, b0); b1 = madd(y, h, b1);
    x = v128.load_splat<f32>(p2, 12); y = v128.load_splat<f32>(p3, 12);
    c0 = madd(x, g, c0); c1 = madd(x, h, c1); d0 = madd(y, g, d0); d1 = madd(y, h, d1);
    panel += 128;
    p0 += 16; p1 += 16; p2 += 16; p3 += 16;
  }
  v128.store(out, a0); v128.store(out, a1, 16);
  out += outStride;
  v128.store(out, b0); v128.store(out, b1, 16);
  out += outStride;
  v128.store(out, c0); v128.store(out, c1, 16);
  out += outStride;
  v128.store(out, d0); v128.store(out, d1, 16);
}

/**
 * out (groups * 4 rows x panels * 8 columns) = rows (x width) times a packed matrix `[panel][width][8]`. Panels are the outer
 * loop: one panel (32 * width bytes) stays in the first cache while all rows of the batch pass. Strides in bytes.
 */
export function product(
  rows: usize, rowStride: usize, groups: i32, packed: usize, panels: i32, width: i32, out: usize, outStride: usize,
): void {
  const panelBytes = <usize>width << 5;
  for (let j = 0; j < panels; j++) {
    const panel = packed + <usize>j * panelBytes;
    for (let g = 0; g < groups; g++) {
      const row = <usize>(g << 2);
      tile(rows + row * rowStride, rowStride, panel, width, out + row * outStride + (<usize>j << 5), outStride);
    }
  }
}
