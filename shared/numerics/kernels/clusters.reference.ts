/** Owns the slow, readable version of ./assembly/clusters.ts and of the silhouette, in float64. Points are arrays of numbers. */

export type Point = ArrayLike<number>;

export function squaredDistance(a: Point, b: Point): number {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += (a[d]! - b[d]!) ** 2;
  return sum;
}

/** The nearest centroid, the lowest number on ties. */
export function nearest(
  point: Point,
  centroids: readonly Point[],
): { readonly label: number; readonly distance: number } {
  let [label, distance] = [0, Number.POSITIVE_INFINITY];
  centroids.forEach((centroid, c) => {
    const own = squaredDistance(point, centroid);
    if (own < distance) [label, distance] = [c, own];
  });
  return { label, distance };
}

/** One step of Lloyd's algorithm: labels, inertia, and the means of the points of each cluster (null where it has none). */
export function lloydStep(points: readonly Point[], centroids: readonly Point[]) {
  const assigned = points.map((point) => nearest(point, centroids));
  const means = centroids.map((centroid, c) => {
    const own = points.filter((_, n) => assigned[n]!.label === c);
    if (own.length === 0) return null;
    return Array.from(
      { length: centroid.length },
      (_, d) => own.reduce((sum, point) => sum + point[d]!, 0) / own.length,
    );
  });
  return {
    labels: assigned.map(({ label }) => label),
    inertia: assigned.reduce((sum, { distance }) => sum + distance, 0),
    means,
  };
}

/**
 * Mean of (b - a) / max(a, b): a is the mean distance to the own cluster's other points, b the least mean distance to another
 * cluster. A point alone in its cluster counts 0. Source: Rousseeuw, "Silhouettes" (J. Comput. Appl. Math. 1987).
 */
export function silhouetteReference(points: readonly Point[], labels: readonly number[]): number {
  const clusters = [...new Set(labels)];
  const scores = points.map((point, n) => {
    const meanTo = (cluster: number) => {
      const others = points.filter((_, m) => m !== n && labels[m] === cluster);
      return others.reduce((sum, other) => sum + Math.sqrt(squaredDistance(point, other)), 0) / others.length;
    };
    const a = meanTo(labels[n]!);
    if (Number.isNaN(a)) return 0;
    const b = Math.min(...clusters.filter((cluster) => cluster !== labels[n]).map(meanTo));
    return Math.max(a, b) === 0 ? 0 : (b - a) / Math.max(a, b);
  });
  return scores.reduce((sum, score) => sum + score, 0) / scores.length;
}
