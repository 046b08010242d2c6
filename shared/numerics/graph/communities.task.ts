/**
 * Owns finding communities: groups with more ties among them than chance would give, by the Louvain method (Blondel et al. 2008) of graphology. One
 * thread; the same ties and seed give the same groups. Groups are numbered by their size, then by their first node.
 */
import { UndirectedGraph } from 'graphology';
import louvain from 'graphology-communities-louvain';
import { AppError } from '../../errors.ts';
import { randomStream } from '../../random.ts';
import { sharedInt32 } from '../sparse.ts';
import type { SparseRows } from '../types.ts';

/** The package is CommonJS whose types say otherwise. */
const divide = louvain as unknown as typeof louvain.default;

/** The graph is one of objects here, ~400 bytes a tie. */
export const COMMUNITY_TIES_MAX = 1_000_000;

export interface Communities {
  /** Number of each node's community. */
  readonly of: Int32Array;
  /** Nodes of each community. */
  readonly sizes: Int32Array;
  /** Of the division, -0.5..1. */
  readonly modularity: number;
}

/** `graph` as `undirected` makes it. @throws AppError NUMERICS_MEMORY_LIMIT. */
export function findCommunities({ graph, seed }: { readonly graph: SparseRows; readonly seed: number }): Communities {
  const ties = graph.indices.length / 2;
  if (ties > COMMUNITY_TIES_MAX)
    throw new AppError('NUMERICS_MEMORY_LIMIT', {
      message: `Communities are found in up to ${COMMUNITY_TIES_MAX} ties, and there are ${ties}.`,
      details: { ties, tiesMax: COMMUNITY_TIES_MAX },
    });
  const network = new UndirectedGraph({ allowSelfLoops: false, multi: false });
  for (let node = 0; node < graph.rows; node++) network.addNode(node);
  for (let node = 0; node < graph.rows; node++)
    for (let at = graph.indptr[node]!; at < graph.indptr[node + 1]!; at++)
      if (graph.indices[at]! > node) network.addEdge(node, graph.indices[at]!);
  const stream = randomStream(seed, 'communities');
  const given =
    ties === 0
      ? Array.from({ length: graph.rows }, (_, node) => node)
      : ofNodes(divide(network, { rng: () => stream.uniform(), getEdgeWeight: null }), graph.rows);
  const { of, sizes } = bySize(given);
  return { of, sizes, modularity: modularity(graph, of) };
}

const ofNodes = (mapping: Readonly<Record<string, number>>, nodes: number): number[] =>
  Array.from({ length: nodes }, (_, node) => mapping[node]!);

function bySize(given: readonly number[]): Pick<Communities, 'of' | 'sizes'> {
  const groups = [...Map.groupBy(given.keys(), (node) => given[node]!).values()];
  groups.sort((a, b) => b.length - a.length || a[0]! - b[0]!);
  const of = sharedInt32(given.length);
  for (const [number, nodes] of groups.entries()) for (const node of nodes) of[node] = number;
  return { of, sizes: Int32Array.from(groups, (nodes) => nodes.length) };
}

/** Newman and Girvan (2004): the share of ties within groups, less what chance would give. 0 without ties. */
export function modularity({ rows, indptr, indices }: SparseRows, of: ArrayLike<number>): number {
  const ends = indices.length;
  if (ends === 0) return 0;
  const [within, degrees] = [new Map<number, number>(), new Map<number, number>()];
  for (let node = 0; node < rows; node++) {
    const own = of[node]!;
    degrees.set(own, (degrees.get(own) ?? 0) + indptr[node + 1]! - indptr[node]!);
    for (let at = indptr[node]!; at < indptr[node + 1]!; at++)
      if (of[indices[at]!] === own) within.set(own, (within.get(own) ?? 0) + 1);
  }
  let sum = 0;
  for (const [group, degree] of degrees) sum += (within.get(group) ?? 0) / ends - (degree / ends) ** 2;
  return sum;
}
