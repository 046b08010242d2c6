/**
 * Owns how central each node of a network of ties is. A coordinator; paths are walked in threads, in chunks of sources whose number does not depend
 * on the threads, and summed in their order, so the bytes are the same for any number of them. Definitions are those of NetworkX.
 *
 * Closeness and betweenness need a search from every node, nodes * ties steps. Above `PATH_STEPS_MAX` they are estimated from a sample of sources
 * drawn by the nodes' keys (Brandes and Pich 2007; Eppstein and Wang 2004).
 */
import { hashBytes, randomStream } from '../../random.ts';
import type { ComputePool } from '../../compute/task.ts';
import { sharedInt32 } from '../sparse.ts';
import { KEY_BYTES, type SparseRows } from '../types.ts';

/** Steps of all searches together: some ten seconds of one thread. */
export const PATH_STEPS_MAX = 1_000_000_000;
/** A sample has at least so many sources, whatever the network's size. */
const SOURCES_MIN = 100;
const CHUNKS = 16;
const TASKS = new URL('./centrality.task.ts', import.meta.url).href;

export interface Centralities {
  /** Ties of each node. */
  readonly ties: Int32Array;
  /** Sums to 1; damping 0.85, and who is tied to nobody spreads evenly. */
  readonly pageRank: Float64Array;
  /** (reached - 1) / (nodes - 1) * (reached - 1) / sum of distances (Wasserman and Faust); 0 for who reaches nobody. */
  readonly closeness: Float64Array;
  /** Share of the pairs of others whose shortest paths lead through the node. */
  readonly betweenness: Float64Array;
  /** Searches that closeness and betweenness rest on; equal to the nodes: they are exact. */
  readonly sources: number;
}

export interface CentralityContext {
  readonly pool: ComputePool;
  readonly signal?: AbortSignal;
  readonly seed: number;
  readonly pathStepsMax?: number;
}

/** What a chunk of searches adds up. */
export interface PathSums {
  readonly betweenness: Float64Array;
  /** Sum of the distances from the chunk's sources, and of the sources that reach the node. */
  readonly distances: Float64Array;
  readonly reached: Int32Array;
}

/** `graph` as `undirected` makes it; `keys`: 16 bytes a node. */
export async function centralities(
  graph: SparseRows,
  keys: Uint8Array,
  { pool, signal, seed, pathStepsMax = PATH_STEPS_MAX }: CentralityContext,
): Promise<Centralities> {
  const nodes = graph.rows;
  const sources = chooseSources(graph, keys, seed, pathStepsMax);
  const chunks = Array.from({ length: CHUNKS }, (_, n) =>
    sources.subarray(Math.floor((n * sources.length) / CHUNKS), Math.floor(((n + 1) * sources.length) / CHUNKS)),
  );
  const searches = chunks.map((chunk) => ({ module: TASKS, name: 'walkPaths', payload: { graph, sources: chunk } }));
  const [pageRank] = await pool.runPhase<Float64Array>(
    [{ module: TASKS, name: 'rankPages', payload: { graph } }],
    signal,
  );
  const sums = await pool.runPhase<PathSums>(searches, signal);
  const ties = Int32Array.from({ length: nodes }, (_, node) => graph.indptr[node + 1]! - graph.indptr[node]!);
  return { ties, pageRank: pageRank!, ...finish(nodes, sources.length, sums), sources: sources.length };
}

function chooseSources(graph: SparseRows, keys: Uint8Array, seed: number, stepsMax: number): Int32Array {
  const nodes = graph.rows;
  const steps = graph.indices.length + nodes;
  const count = Math.min(nodes, Math.max(SOURCES_MIN, Math.floor(stepsMax / Math.max(1, steps))));
  const all = Array.from({ length: nodes }, (_, node) => node);
  if (count === nodes) return sharedInt32(nodes, all);
  // By the node's own key: another person more or less changes nobody else's draw.
  const draws = all.map((node) =>
    randomStream(seed, 'path sources', hashBytes(keys.subarray(node * KEY_BYTES, (node + 1) * KEY_BYTES))).uint32(),
  );
  const chosen = all.sort((a, b) => draws[a]! - draws[b]! || a - b).slice(0, count);
  return sharedInt32(
    count,
    chosen.sort((a, b) => a - b),
  );
}

/** Undirected distances are the same both ways, so what sources reach is what reaches them. */
function finish(
  nodes: number,
  sources: number,
  sums: readonly PathSums[],
): Pick<Centralities, 'closeness' | 'betweenness'> {
  const [closeness, betweenness] = [new Float64Array(nodes), new Float64Array(nodes)];
  const scale = nodes > 2 ? nodes / sources / ((nodes - 1) * (nodes - 2)) : 0;
  for (let node = 0; node < nodes; node++) {
    let [distance, reached] = [0, 0];
    for (const sum of sums) {
      betweenness[node]! += sum.betweenness[node]!;
      distance += sum.distances[node]!;
      reached += sum.reached[node]!;
    }
    betweenness[node]! *= scale;
    // Exact: `reached` counts others. A sample: their share of the sources is their share of all.
    const share = reached / (sources === nodes ? nodes - 1 : sources);
    if (distance > 0) closeness[node] = share * (reached / distance);
  }
  return { closeness, betweenness };
}
