/** Owns the slow, readable version of ./assembly/walks.ts, and the chances of a step that both must follow. */
import { hashDraw, hashMix, hashPlace } from './draws.reference.ts';

export interface GraphReference {
  readonly indptr: ArrayLike<number>;
  readonly indices: ArrayLike<number>;
  readonly tables: { readonly thresholds: ArrayLike<number>; readonly aliases: ArrayLike<number> };
  readonly nodeHashes: ArrayLike<number>;
  readonly seed: number;
  /** 1 / p and 1 / q. */
  readonly back: number;
  readonly away: number;
}

function neighbours({ indices, indptr }: Pick<GraphReference, 'indices' | 'indptr'>, node: number): number[] {
  return Array.from({ length: indptr[node + 1]! - indptr[node]! }, (_, n) => indices[indptr[node]! + n]!);
}

/** What the weight of going from `node` to `next` is multiplied with, having come from `last`. */
export function stepFactor(
  graph: Pick<GraphReference, 'indices' | 'indptr' | 'back' | 'away'>,
  last: number,
  next: number,
): number {
  if (next === last) return graph.back;
  return neighbours(graph, last).includes(next) ? 1 : graph.away;
}

/** Walk number `walk`; it ends early where there is nowhere to go. */
export function walkReference(graph: GraphReference, walk: number, length: number): number[] {
  const nodes = graph.indptr.length - 1;
  const most = Math.max(1, graph.back, graph.away);
  const key = hashMix((hashMix(graph.nodeHashes[walk % nodes]! ^ graph.seed) + Math.floor(walk / nodes)) | 0);
  const path = [walk % nodes];
  let t = 0;
  while (path.length < length) {
    const node = path.at(-1)!;
    const last = path.at(-2);
    const begin = graph.indptr[node]!;
    const size = graph.indptr[node + 1]! - begin;
    if (size === 0) break;
    for (;;) {
      const next = graph.indices[hashPlace(hashDraw(key, t), begin, size, graph.tables)]!;
      const bar = ((hashDraw(key, t + 1) >>> 8) / 2 ** 24) * most;
      t += 2;
      if (last !== undefined && bar >= stepFactor(graph, last, next)) continue;
      path.push(next);
      break;
    }
  }
  return path;
}
