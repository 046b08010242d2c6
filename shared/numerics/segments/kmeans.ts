/**
 * Owns segments by K-Means: standardised features, K-Means++ starts keyed by row, several restarts, Lloyd to convergence,
 * inertia and silhouette. A coordinator: all maths in threads; the same bytes for any number of threads and on every CPU.
 * Sources: Lloyd, "Least Squares Quantization in PCM" (1982); Arthur and Vassilvitskii, "k-means++" (SODA 2007); Rousseeuw,
 * "Silhouettes" (1987). Slow reference: ../kernels/clusters.reference.ts.
 * Complexity: restarts * iterations * rows * clusters * width.
 */
import { z } from 'zod';
import { type Engine, loadEngine } from '../engine/load.ts';
import { MemoryPlan, paddedWidth, type Region } from '../engine/memory.ts';
import { sharedPhase } from '../engine/work-sharing.ts';
import { sharedFloat32, sharedInt32 } from '../sparse.ts';
import type { DenseRows, FitContext } from '../types.ts';

export const kMeansParams = z
  .strictObject({
    /** Clusters wanted, 1..256; fewer come out where fewer distinct rows exist. */
    clusters: z.int().min(1).max(256).default(8),
    /** Starts; the one with the least inertia is kept. */
    restarts: z.int().min(1).max(100).default(8),
    /** Bound on Lloyd's iterations per start. */
    iterationsMax: z.int().min(1).max(10_000).default(300),
    /** Divide each column by its standard deviation after taking off its mean. */
    standardise: z.boolean().default(true),
    /** The silhouette is exact up to so many rows, beyond it that of a seeded sample of so many. */
    silhouetteRowsMax: z.int().min(2).max(50_000).default(4000),
  })
  .readonly();

export type KMeansParams = z.output<typeof kMeansParams>;

export interface KMeansInput {
  readonly points: DenseRows;
  /** `KEY_BYTES` bytes a row; draws are keyed by these, else by row number. */
  readonly rowKeys?: Uint8Array;
}

export interface KMeansResult {
  readonly engine: string;
  readonly threads: number;
  readonly params: KMeansParams;
  /** Number of clusters found. Clusters are numbered by size, the largest 0. */
  readonly clusters: number;
  /** Per row. */
  readonly labels: Int32Array;
  /** Rows per cluster. */
  readonly sizes: readonly number[];
  /** In standardised units; `centre[d] * deviation[d] + mean[d]` is in the input's. */
  readonly centroids: DenseRows;
  readonly means: readonly number[];
  /** 1 where the column is constant (or nothing was standardised): such a column then does not separate anything. */
  readonly deviations: readonly number[];
  /** Sum of squared distances to the own centroid, in standardised units. */
  readonly inertia: number;
  readonly iterations: number;
  /** Whether the kept start reached a fixed point within its bound. */
  readonly converged: boolean;
  /** Mean silhouette, -1..1; null with fewer than two clusters (not estimable). */
  readonly silhouette: { readonly value: number | null; readonly method: 'exact' | 'sample'; readonly rows: number };
}

export interface KMeansLayout {
  readonly width: number;
  readonly points: Region;
  readonly counter: Region;
  /** One a thread. */
  readonly workspaces: readonly KMeansWorkspace[];
  /** Rows of the silhouette, their labels, and each row's figure. */
  readonly sample: Region;
  readonly sampleLabels: Region;
  readonly sampleScores: Region;
}

export interface KMeansWorkspace {
  readonly labels: Region;
  readonly distances: Region;
  readonly centroids: Region;
  readonly sums: Region;
}

/** The best start that one thread saw. */
export interface KMeansStart {
  readonly restart: number;
  readonly inertia: number;
  readonly iterations: number;
  readonly converged: boolean;
  readonly clusters: number;
  readonly sizes: readonly number[];
  readonly labels: Int32Array;
  /** clusters * columns, without padding. */
  readonly centroids: Float32Array;
}

const TASKS = new URL('./kmeans.task.ts', import.meta.url).href;

/**
 * Clusters the rows.
 * @throws AppError NUMERICS_INPUT_INVALID, DATASET_EMPTY, NUMERICS_MEMORY_LIMIT (before work starts), CANCELLED, KERNEL_MISSING.
 */
export async function fitKMeans(input: KMeansInput, params: KMeansParams, context: FitContext): Promise<KMeansResult> {
  const { onProgress, pool, seed, signal } = context;
  const { plan, layout } = layOut(input, params, pool.threads);
  const memory = plan.allocate(context.memoryBytesMax);
  const engine = await loadEngine(context);
  const shared = { module: engine.module, memory, layout, input, params, seed };
  const [scale] = await pool.runPhase<Scale>([{ module: TASKS, name: 'standardise', payload: shared }], signal);
  onProgress?.({ done: 1, total: 3, label: 'phases' });
  const task = { module: TASKS, name: 'runStarts', payload: shared };
  const starts = await pool.runPhase<KMeansStart | null>(
    sharedPhase(pool.threads, memory, layout.counter, task),
    signal,
  );
  onProgress?.({ done: 2, total: 3, label: 'phases' });
  const best = starts
    .filter((start) => start !== null)
    .reduce((a, b) => (b.inertia < a.inertia || (b.inertia === a.inertia && b.restart < a.restart) ? b : a));
  const silhouette = await measureSilhouette(best, shared, context);
  onProgress?.({ done: 3, total: 3, label: 'phases' });
  return result(engine, best, scale!, silhouette, input, params, context);
}

export interface Scale {
  readonly means: number[];
  readonly deviations: number[];
}

async function measureSilhouette(
  best: KMeansStart,
  shared: { readonly memory: WebAssembly.Memory; readonly layout: KMeansLayout; readonly input: KMeansInput } & object,
  { pool, signal }: FitContext,
): Promise<KMeansResult['silhouette']> {
  const rows = shared.layout.sampleLabels.length;
  const method = rows === shared.input.points.rows ? 'exact' : 'sample';
  if (best.clusters < 2) return { value: null, method, rows };
  const labels = sharedInt32(best.labels.length, best.labels);
  const payload = { ...shared, labels, clusters: best.clusters };
  await pool.runPhase([{ module: TASKS, name: 'chooseSample', payload }], signal);
  const task = { module: TASKS, name: 'scoreSample', payload: { ...shared, clusters: best.clusters } };
  await pool.runPhase(sharedPhase(pool.threads, shared.memory, shared.layout.counter, task), signal);
  const [value] = await pool.runPhase<number | null>([{ module: TASKS, name: 'averageSample', payload }], signal);
  return { value: value!, method, rows };
}

function result(
  engine: Engine,
  best: KMeansStart,
  scale: Scale,
  silhouette: KMeansResult['silhouette'],
  { points }: KMeansInput,
  params: KMeansParams,
  { pool }: FitContext,
): KMeansResult {
  const { clusters, converged, inertia, iterations, sizes } = best;
  return {
    engine: engine.name,
    threads: pool.threads,
    params,
    clusters,
    labels: sharedInt32(best.labels.length, best.labels),
    sizes,
    centroids: { rows: clusters, width: points.width, data: sharedFloat32(best.centroids.length, best.centroids) },
    ...scale,
    inertia,
    iterations,
    converged,
    silhouette,
  };
}

function layOut(
  { points }: KMeansInput,
  params: KMeansParams,
  threads: number,
): { readonly plan: MemoryPlan; readonly layout: KMeansLayout } {
  const plan = new MemoryPlan();
  const width = paddedWidth(Math.max(1, points.width));
  const sample = Math.min(points.rows, params.silhouetteRowsMax);
  const { clusters } = params;
  const layout = {
    width,
    points: plan.reserve(points.rows * width),
    counter: plan.reserve(1),
    workspaces: Array.from({ length: threads }, () => ({
      labels: plan.reserve(points.rows),
      distances: plan.reserve(points.rows),
      centroids: plan.reserve(clusters * width),
      sums: plan.reserve(clusters * width + clusters + 1, 8),
    })),
    sample: plan.reserve(sample * width),
    sampleLabels: plan.reserve(sample),
    sampleScores: plan.reserve(sample, 8),
  };
  return { plan, layout };
}
