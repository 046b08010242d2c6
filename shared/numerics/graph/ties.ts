/** Owns a network of ties: who is tied to whom as sparse rows, whatever the direction in which a tie was said. */
import { AppError } from '../../errors.ts';
import { fromTriples } from '../sparse.ts';
import type { SparseRows } from '../types.ts';

/** Bounds of what is computed on in one process; shortest paths are drawn from a sample long before. */
export const NODES_MAX = 2_000_000;
export const TIES_MAX = 5_000_000;

/** Both rows hold a tie; nobody is tied to themselves, and saying it twice is saying it once. @throws AppError NUMERICS_MEMORY_LIMIT. */
export function undirected(nodes: number, from: ArrayLike<number>, to: ArrayLike<number>): SparseRows {
  if (nodes > NODES_MAX || from.length > TIES_MAX)
    throw new AppError('NUMERICS_MEMORY_LIMIT', {
      message: `A network of ${nodes} people and ${from.length} ties is more than ${NODES_MAX} and ${TIES_MAX}.`,
      details: { nodes, ties: from.length, nodesMax: NODES_MAX, tiesMax: TIES_MAX },
    });
  const ends = { from: [] as number[], to: [] as number[] };
  for (let n = 0; n < from.length; n++) {
    if (from[n] === to[n]) continue;
    ends.from.push(from[n]!, to[n]!);
    ends.to.push(to[n]!, from[n]!);
  }
  return fromTriples(nodes, nodes, ends.from, ends.to, new Float32Array(ends.from.length).fill(1));
}
