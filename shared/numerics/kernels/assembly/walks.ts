/**
 * Owns biased random walks over a graph in sparse rows (node2vec). Slow reference: ../walks.reference.ts.
 * Sources: Grover, Leskovec, "node2vec" (KDD 2016); the rejection: Yang et al., "KnightKing" (SOSP 2019).
 */
import { contains, draw, mix, place } from './draws';

/** Rejected proposals after which one is taken as it is: at 1/16 acceptance it happens once in 10^28 steps. */
const PROPOSALS_MAX = 1024;

/**
 * Walks [from, to), walk w starting at node w % nodes, each `length` nodes to tokens[w * length ..]; a walk that meets a node
 * without neighbours is filled with -1 from there. From `last` via `node`, a neighbour x has weight(node, x) times 1/p if x is
 * `last`, 1 if it is a neighbour of `last`, else 1/q: proposed by weight, accepted by that factor over the largest.
 */
export function walkGraph(
  indptr: usize, indices: usize, thresholds: usize, aliases: usize, nodeHashes: usize, nodes: i32, seed: u32, back: f32,
  away: f32, from: i32, to: i32, length: i32, tokens: usize,
): void {
  const most = max<f32>(1, max<f32>(back, away));
  for (let walk = from; walk < to; walk++) {
    const start = walk % nodes;
    const key = mix(mix(load<u32>(nodeHashes + (<usize>start << 2)) ^ seed) + <u32>(walk / nodes));
    let out = tokens + (<usize>walk * <usize>length << 2), last = -1, node = start, t: u32 = 0;
    for (let step = 0; step < length; step++) {
      store<i32>(out, node);
      out += 4;
      if (node < 0) continue;
      const begin = load<i32>(indptr + (<usize>node << 2)), size = load<i32>(indptr + (<usize>(node + 1) << 2)) - begin;
      if (size == 0) {
        node = -1;
        continue;
      }
      let next = -1;
      for (let proposal = 0; proposal < PROPOSALS_MAX; proposal++) {
        next = load<i32>(indices + (<usize>place(draw(key, t), begin, size, thresholds, aliases) << 2));
        const bar = <f32>(draw(key, t + 1) >>> 8) * (1.0 / 16777216.0) * most;
        t += 2;
        if (last < 0) break;
        let factor = away;
        if (next == last) factor = back;
        else if (contains(indices, load<i32>(indptr + (<usize>last << 2)), load<i32>(indptr + (<usize>(last + 1) << 2)), next)) factor = 1;
        if (bar < factor) break;
      }
      last = node;
      node = next;
    }
  }
}
