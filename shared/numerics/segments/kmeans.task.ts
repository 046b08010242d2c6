/** Owns what the threads of K-Means do. */
import { AppError } from '../../errors.ts';
import { randomStream } from '../../random.ts';
import type { KernelExports } from '../engine/exports.ts';
import { instantiate } from '../engine/load.ts';
import { f32, f64, i32 } from '../engine/memory.ts';
import { takeChunks } from '../engine/work-sharing.ts';
import { entityKey } from '../entity-key.ts';
import { KEY_BYTES } from '../types.ts';
import type { KMeansInput, KMeansLayout, KMeansParams, KMeansStart, KMeansWorkspace, Scale } from './kmeans.ts';

interface Shared {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly layout: KMeansLayout;
  readonly input: KMeansInput;
  readonly params: KMeansParams;
  readonly seed: number;
  readonly thread?: number;
}

const SAMPLE_ROWS_PER_CHUNK = 32;
/** A deviation below this share of the column's size is rounding, not variance. */
const CONSTANT_SHARE = 1e-9;

/** Checks the input and writes the standardised rows. Means and deviations (population) in float64, rows in order. One thread. */
export function standardise({ input, layout, memory, params }: Shared): Scale {
  const { data, rows, width } = input.points;
  checkPoints(input);
  const means = Array.from({ length: width }, () => 0);
  const deviations = Array.from({ length: width }, () => 1);
  if (params.standardise) {
    for (let at = 0; at < data.length; at++) means[at % width]! += data[at]! / rows;
    const squares = Array.from({ length: width }, () => 0);
    for (let at = 0; at < data.length; at++) squares[at % width]! += (data[at]! - means[at % width]!) ** 2;
    squares.forEach((square, d) => {
      const deviation = Math.sqrt(square / rows);
      if (deviation > CONSTANT_SHARE * Math.abs(means[d]!)) deviations[d] = deviation;
    });
  }
  const points = f32(memory, layout.points);
  for (let row = 0; row < rows; row++) {
    for (let d = 0; d < width; d++) {
      points[row * layout.width + d] = (data[row * width + d]! - means[d]!) / deviations[d]!;
    }
  }
  return { means, deviations };
}

function checkPoints({ points, rowKeys }: KMeansInput): void {
  const { data, rows, width } = points;
  const refuse = (message: string, details: object) => {
    throw new AppError('NUMERICS_INPUT_INVALID', { message, details: { array: 'points', ...details } });
  };
  if (rows === 0 || width === 0) throw new AppError('DATASET_EMPTY', { message: 'There are no rows to cluster.' });
  if (data.length !== rows * width) refuse('points: the data do not fill the rows.', { rows, width });
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) refuse('points: a value is not finite.', { row: Math.floor(bad / width), column: bad % width });
  if (rowKeys !== undefined && rowKeys.length !== rows * KEY_BYTES) refuse('rowKeys do not fit the rows.', { rows });
}

/** Runs starts, taking them one by one, and returns the best that this thread saw. */
export function runStarts(shared: Shared): KMeansStart | null {
  const { layout, memory, params } = shared;
  const kernels = instantiate(shared.module, memory);
  const workspace = layout.workspaces[shared.thread ?? 0]!;
  let best: KMeansStart | null = null;
  takeChunks(memory, layout.counter, params.restarts, 1, (restart) => {
    const clusters = plantCentroids(shared, kernels, workspace, restart);
    const outcome = iterate(shared, kernels, workspace, clusters);
    // Starts come in ascending order to each thread: on equal inertia the earlier one stays.
    if (best === null || outcome.inertia < best.inertia) best = describe(shared, workspace, clusters, restart, outcome);
  });
  return best;
}

/**
 * K-Means++ with keyed draws: the next centroid is the row with the least exponential draw of rate D^2 (that is a draw with chance
 * D^2 / sum D^2), each row's draw keyed by its own key, so a row left out changes nobody else's. Returns how many were planted.
 */
function plantCentroids(shared: Shared, kernels: KernelExports, workspace: KMeansWorkspace, restart: number): number {
  const { input, layout, memory, params } = shared;
  const { rows } = input.points;
  const [points, centroids] = [f32(memory, layout.points), f32(memory, workspace.centroids)];
  const distances = f32(memory, workspace.distances).fill(Number.POSITIVE_INFINITY);
  const root = randomStream(shared.seed, 'kmeans++', restart);
  for (let planted = 0; planted < params.clusters; planted++) {
    const step = root.derive(planted);
    let [chosen, least] = [-1, Number.POSITIVE_INFINITY];
    for (let row = 0; row < rows; row++) {
      const rate = planted === 0 ? 1 : distances[row]!;
      if (rate === 0) continue;
      const wait = -Math.log(1 - step.derive(...entityKey(input.rowKeys, row)).uniform()) / rate;
      if (wait < least) [chosen, least] = [row, wait];
    }
    if (chosen < 0) return planted;
    const centroid = points.subarray(chosen * layout.width, (chosen + 1) * layout.width);
    centroids.set(centroid, planted * layout.width);
    const at = workspace.centroids.at + planted * layout.width * 4;
    kernels.lowerDistances(layout.points.at, 0, rows, layout.width, at, workspace.distances.at);
  }
  return params.clusters;
}

interface Outcome {
  readonly inertia: number;
  readonly iterations: number;
  readonly converged: boolean;
}

/** Lloyd's iterations until no centroid moves. The inertia is that of the last centroids. */
function iterate(shared: Shared, kernels: KernelExports, workspace: KMeansWorkspace, clusters: number): Outcome {
  const { input, layout, memory, params } = shared;
  const sums = f64(memory, workspace.sums);
  const inertiaAt = clusters * layout.width + clusters;
  const assign = () => {
    const [labels, distances] = [workspace.labels.at, workspace.distances.at];
    const [rows, { width }] = [input.points.rows, layout];
    kernels.assignClusters(
      layout.points.at,
      0,
      rows,
      width,
      workspace.centroids.at,
      clusters,
      labels,
      distances,
      workspace.sums.at,
    );
  };
  assign();
  for (let iteration = 1; iteration <= params.iterationsMax; iteration++) {
    if (!moveCentroids(shared, workspace, clusters)) {
      return { inertia: sums[inertiaAt]!, iterations: iteration, converged: true };
    }
    assign();
  }
  return { inertia: sums[inertiaAt]!, iterations: params.iterationsMax, converged: false };
}

/** Sets each centroid to the mean of its points (an empty cluster's to the farthest point); returns whether any moved. */
function moveCentroids({ layout, memory }: Shared, workspace: KMeansWorkspace, clusters: number): boolean {
  const { width } = layout;
  const [centroids, sums] = [f32(memory, workspace.centroids), f64(memory, workspace.sums)];
  const distances = f32(memory, workspace.distances);
  let moved = false;
  const set = (at: number, value: number) => {
    const kept = Math.fround(value);
    moved ||= centroids[at] !== kept;
    centroids[at] = kept;
  };
  for (let cluster = 0; cluster < clusters; cluster++) {
    const size = sums[clusters * width + cluster]!;
    if (size > 0) {
      for (let d = 0; d < width; d++) set(cluster * width + d, sums[cluster * width + d]! / size);
      continue;
    }
    const farthest = distances.reduce((best, distance, row) => (distance > distances[best]! ? row : best), 0);
    const points = f32(memory, layout.points);
    for (let d = 0; d < width; d++) set(cluster * width + d, points[farthest * width + d]!);
    // The next empty cluster takes another point.
    distances[farthest] = 0;
  }
  return moved;
}

/** Numbers the clusters by size (then by centroid), leaves out empty ones and drops the padding. */
function describe(
  { input, layout, memory }: Shared,
  workspace: KMeansWorkspace,
  clusters: number,
  restart: number,
  outcome: Outcome,
): KMeansStart {
  const { width } = input.points;
  const sums = f64(memory, workspace.sums);
  const all = f32(memory, workspace.centroids);
  const size = (cluster: number) => sums[clusters * layout.width + cluster]!;
  const centroid = (cluster: number) => all.subarray(cluster * layout.width, cluster * layout.width + width);
  const order = Array.from({ length: clusters }, (_, cluster) => cluster)
    .filter((cluster) => size(cluster) > 0)
    .sort((a, b) => size(b) - size(a) || compare(centroid(a), centroid(b)));
  const numbers = new Int32Array(clusters);
  order.forEach((cluster, number) => {
    numbers[cluster] = number;
  });
  const centroids = new Float32Array(order.length * width);
  order.forEach((cluster, number) => centroids.set(centroid(cluster), number * width));
  return {
    ...outcome,
    restart,
    clusters: order.length,
    sizes: order.map(size),
    labels: Int32Array.from(i32(memory, workspace.labels), (label) => numbers[label]!),
    centroids,
  };
}

function compare(a: Float32Array, b: Float32Array): number {
  for (let d = 0; d < a.length; d++) if (a[d] !== b[d]) return a[d]! - b[d]!;
  return 0;
}

/** Copies the rows of the silhouette: all of them, or those with the least keyed draws, in row order. One thread. */
export function chooseSample(shared: Shared & { readonly labels: Int32Array }): void {
  const { input, labels, layout, memory } = shared;
  const count = layout.sampleLabels.length;
  const root = randomStream(shared.seed, 'silhouette');
  const rows = Int32Array.from({ length: input.points.rows }, (_, row) => row);
  const draws =
    count < rows.length
      ? Float64Array.from(rows, (row) => root.derive(...entityKey(input.rowKeys, row)).uniform())
      : rows;
  const chosen =
    count < rows.length
      ? rows
          .toSorted((a, b) => draws[a]! - draws[b]! || a - b)
          .subarray(0, count)
          .sort()
      : rows;
  const [points, sample] = [f32(memory, layout.points), f32(memory, layout.sample)];
  const sampleLabels = i32(memory, layout.sampleLabels);
  chosen.forEach((row, n) => {
    sample.set(points.subarray(row * layout.width, (row + 1) * layout.width), n * layout.width);
    sampleLabels[n] = labels[row]!;
  });
}

/** The silhouette of each sampled row within the sample. Threads share the rows. Quadratic in the sample. */
export function scoreSample(shared: Shared & { readonly clusters: number }): void {
  const { clusters, layout, memory } = shared;
  const kernels = instantiate(shared.module, memory);
  const workspace = layout.workspaces[shared.thread ?? 0]!;
  const labels = i32(memory, layout.sampleLabels);
  const [sums, scores] = [f64(memory, workspace.sums), f64(memory, layout.sampleScores)];
  const sizes = new Int32Array(clusters);
  for (const label of labels) sizes[label]!++;
  takeChunks(memory, layout.counter, labels.length, SAMPLE_ROWS_PER_CHUNK, (from, to) => {
    for (let row = from; row < to; row++) {
      const [rows, at] = [labels.length, layout.sampleLabels.at];
      kernels.clusterDistances(layout.sample.at, rows, layout.width, row, at, clusters, workspace.sums.at);
      scores[row] = rowSilhouette(labels[row]!, sums, sizes);
    }
  });
}

function rowSilhouette(own: number, sums: Float64Array, sizes: Int32Array): number {
  if (sizes[own]! < 2) return 0;
  const inside = sums[own]! / (sizes[own]! - 1);
  let outside = Number.POSITIVE_INFINITY;
  sizes.forEach((size, cluster) => {
    if (cluster !== own && size > 0) outside = Math.min(outside, sums[cluster]! / size);
  });
  // Every sampled row fell into one cluster: nothing to compare with.
  if (outside === Number.POSITIVE_INFINITY) return Number.NaN;
  const larger = Math.max(inside, outside);
  return larger === 0 ? 0 : (outside - inside) / larger;
}

/** The mean in row order, null when it is not estimable. One thread. */
export function averageSample({ layout, memory }: Shared): number | null {
  const scores = f64(memory, layout.sampleScores);
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  return Number.isNaN(mean) ? null : mean;
}
