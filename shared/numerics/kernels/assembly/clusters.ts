/**
 * Owns the inner step of K-Means: nearest centroid of each point, and the sums from which the next centroids are made.
 * Slow reference: ../clusters.reference.ts.
 */
import { sumLanes } from './vector';

// @ts-ignore: decorator
@inline
function squaredDistance(a: usize, b: usize, width: i32): f32 {
  let s0 = f32x4.splat(0), s1 = f32x4.splat(0), s2 = f32x4.splat(0), s3 = f32x4.splat(0);
  const end = a + (<usize>width << 2);
  while (a < end) {
    const d0 = f32x4.sub(v128.load(a), v128.load(b)), d1 = f32x4.sub(v128.load(a, 16), v128.load(b, 16));
    const d2 = f32x4.sub(v128.load(a, 32), v128.load(b, 32)), d3 = f32x4.sub(v128.load(a, 48), v128.load(b, 48));
    // Plain multiply and add in both modules: segments then have equal bytes on every CPU.
    s0 = f32x4.add(s0, f32x4.mul(d0, d0));
    s1 = f32x4.add(s1, f32x4.mul(d1, d1));
    s2 = f32x4.add(s2, f32x4.mul(d2, d2));
    s3 = f32x4.add(s3, f32x4.mul(d3, d3));
    a += 64;
    b += 64;
  }
  return sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
}

/**
 * labels[r], distances[r] (squared) = nearest of `count` centroids for points [from, to), the lowest number on ties; and adds each
 * point to f64 sums[label][width], sums[count * width + label] (points) and the last one (inertia); `sums` is zeroed first.
 */
export function assignClusters(
  points: usize, from: i32, to: i32, width: i32, centroids: usize, count: i32, labels: usize, distances: usize, sums: usize,
): void {
  const stride = <usize>width << 2;
  const sizes = sums + ((<usize>count * <usize>width) << 3), inertia = sizes + (<usize>count << 3);
  memory.fill(sums, 0, inertia + 8 - sums);
  for (let r = from; r < to; r++) {
    const point = points + <usize>r * stride;
    let best = 0;
    let least: f32 = Infinity;
    for (let c = 0; c < count; c++) {
      const distance = squaredDistance(point, centroids + <usize>c * stride, width);
      if (distance < least) {
        least = distance;
        best = c;
      }
    }
    store<i32>(labels + (<usize>r << 2), best);
    store<f32>(distances + (<usize>r << 2), least);
    const sum = sums + ((<usize>best * <usize>width) << 3);
    for (let d = 0; d < width; d++) {
      const at = sum + (<usize>d << 3);
      store<f64>(at, load<f64>(at) + <f64>load<f32>(point + (<usize>d << 2)));
    }
    store<f64>(sizes + (<usize>best << 3), load<f64>(sizes + (<usize>best << 3)) + 1);
    store<f64>(inertia, load<f64>(inertia) + <f64>least);
  }
}

/** distances[r] = min(distances[r], squared distance to one centroid) for points [from, to): the step of K-Means++. */
export function lowerDistances(points: usize, from: i32, to: i32, width: i32, centroid: usize, distances: usize): void {
  const stride = <usize>width << 2;
  for (let r = from; r < to; r++) {
    const at = distances + (<usize>r << 2);
    store<f32>(at, min(load<f32>(at), squaredDistance(points + <usize>r * stride, centroid, width)));
  }
}

/** sums[c] += distance (not squared) from one point to every point of cluster c; f64 sums[count] zeroed first: for the silhouette. */
export function clusterDistances(
  points: usize, n: i32, width: i32, point: i32, labels: usize, count: i32, sums: usize,
): void {
  const stride = <usize>width << 2;
  memory.fill(sums, 0, <usize>count << 3);
  for (let r = 0; r < n; r++) {
    const distance = <f64>squaredDistance(points + <usize>r * stride, points + <usize>point * stride, width);
    const at = sums + (<usize>load<i32>(labels + (<usize>r << 2)) << 3);
    store<f64>(at, load<f64>(at) + sqrt<f64>(distance));
  }
}
