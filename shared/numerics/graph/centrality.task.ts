/** Owns the passes over a network of ties, in threads. */
import type { SparseRows } from '../types.ts';
import type { PathSums } from './centrality.ts';

const DAMPING = 0.85;
const RANK_TOLERANCE = 1e-12;
const RANK_ROUNDS_MAX = 500;

/** Page and Brin, "The PageRank citation ranking" (1998), by power iteration. Linear in ties a round. */
export function rankPages({ graph }: { readonly graph: SparseRows }): Float64Array {
  const { rows: nodes, indptr, indices } = graph;
  let rank = new Float64Array(nodes).fill(1 / nodes);
  for (let round = 0; round < RANK_ROUNDS_MAX; round++) {
    const next = new Float64Array(nodes);
    let dangling = 0;
    for (let node = 0; node < nodes; node++) {
      const ties = indptr[node + 1]! - indptr[node]!;
      if (ties === 0) dangling += rank[node]!;
      for (let at = indptr[node]!; at < indptr[node + 1]!; at++) next[indices[at]!]! += rank[node]! / ties;
    }
    let change = 0;
    for (let node = 0; node < nodes; node++) {
      next[node] = (1 - DAMPING + DAMPING * dangling) / nodes + DAMPING * next[node]!;
      change += Math.abs(next[node]! - rank[node]!);
    }
    rank = next;
    if (change < RANK_TOLERANCE) break;
  }
  return rank;
}

/**
 * Shortest paths from each source, counted, and what they lead through.
 * Brandes, "A faster algorithm for betweenness centrality" (2001). sources * ties.
 */
export function walkPaths({ graph, sources }: { readonly graph: SparseRows; readonly sources: Int32Array }): PathSums {
  const nodes = graph.rows;
  const sums: PathSums = {
    betweenness: new Float64Array(nodes),
    distances: new Float64Array(nodes),
    reached: new Int32Array(nodes),
  };
  const search = {
    order: new Int32Array(nodes),
    distance: new Int32Array(nodes),
    paths: new Float64Array(nodes),
    through: new Float64Array(nodes),
  };
  for (const source of sources) walkFrom(graph, source, search, sums);
  return sums;
}

interface Search {
  /** Nodes in the order in which they are reached. */
  readonly order: Int32Array;
  readonly distance: Int32Array;
  readonly paths: Float64Array;
  readonly through: Float64Array;
}

function walkFrom({ indptr, indices }: SparseRows, source: number, search: Search, sums: PathSums): void {
  const { order, distance, paths, through } = search;
  distance.fill(-1);
  paths.fill(0);
  through.fill(0);
  distance[source] = 0;
  paths[source] = 1;
  order[0] = source;
  let found = 1;
  for (let head = 0; head < found; head++) {
    const node = order[head]!;
    for (let at = indptr[node]!; at < indptr[node + 1]!; at++) {
      const other = indices[at]!;
      if (distance[other] === -1) {
        distance[other] = distance[node]! + 1;
        order[found++] = other;
      }
      if (distance[other] === distance[node]! + 1) paths[other]! += paths[node]!;
    }
  }
  for (let place = found - 1; place > 0; place--) {
    const node = order[place]!;
    sums.distances[node]! += distance[node]!;
    sums.reached[node]!++;
    sums.betweenness[node]! += through[node]!;
    for (let at = indptr[node]!; at < indptr[node + 1]!; at++) {
      const before = indices[at]!;
      if (distance[before] === distance[node]! - 1)
        through[before]! += (paths[before]! / paths[node]!) * (1 + through[node]!);
    }
  }
}
