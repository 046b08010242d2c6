import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { computePool, inlinePool, type OwnedComputePool } from '../../compute/pool.ts';
import { randomStream } from '../../random.ts';
import { stepFactor, walkReference } from '../kernels/walks.reference.ts';
import { fromTriples } from '../sparse.ts';
import { entityHashes } from '../tie-hash.ts';
import type { SparseRows } from '../types.ts';
import type { Sequences } from './sgns.ts';
import { SGNS_DEFAULTS, trainSgns } from './sgns.ts';
import { buildAliases } from './strata.ts';
import { randomWalks } from './walks.ts';

let pool: OwnedComputePool;
beforeAll(() => {
  pool = computePool({ threads: 2 });
});
afterAll(() => pool.close());

function undirected(nodes: number, ties: readonly (readonly [number, number, number])[]): SparseRows {
  return fromTriples(
    nodes,
    nodes,
    ties.flatMap(([a, b]) => [a, b]),
    ties.flatMap(([a, b]) => [b, a]),
    ties.flatMap(([, , weight]) => [weight, weight]),
  );
}

/** Circles of friends with a few ties between them. */
function circles(count: number, size: number, share: number): SparseRows {
  const stream = randomStream(51, 'circles');
  const ties: [number, number, number][] = [];
  for (let a = 0; a < count * size; a++) {
    for (let b = a + 1; b < count * size; b++) {
      const same = Math.floor(a / size) === Math.floor(b / size);
      if (stream.uniform() < (same ? share : 0.004)) ties.push([a, b, 1 + stream.below(3)]);
    }
  }
  return undirected(count * size, ties);
}

const walksOf = ({ indptr, tokens }: Sequences): number[][] =>
  Array.from({ length: indptr.length - 1 }, (_, n) => [...tokens.subarray(indptr[n], indptr[n + 1])]);

describe('randomWalks', () => {
  const graph = circles(4, 12, 0.4);

  test.each([
    [1, 1],
    [0.25, 4],
    [4, 0.5],
  ])('walks as the reference does with p %d and q %d', async (p, q) => {
    const walks = await randomWalks(graph, { length: 15, perNode: 3, p, q }, { pool, seed: 3 });
    const [thresholds, aliases] = [new Uint32Array(graph.indices.length), new Int32Array(graph.indices.length)];
    for (let node = 0; node < graph.rows; node++) {
      const weight = (place: number) => graph.values[place]!;
      buildAliases(graph.indptr[node]!, graph.indptr[node + 1]!, weight, thresholds, aliases);
    }
    const reference = {
      indptr: graph.indptr,
      indices: graph.indices,
      tables: { thresholds, aliases },
      nodeHashes: entityHashes(0, graph.rows, undefined, 'item'),
      seed: randomStream(3, 'walks').uint32(),
      back: Math.fround(1 / p),
      away: Math.fround(1 / q),
    };
    const expected = Array.from({ length: graph.rows * 3 }, (_, n) => walkReference(reference, n, 15));
    expect(walksOf(walks)).toEqual(expected.map((own) => (own.length > 1 ? own : [])));
  });

  test('steps have the chances of node2vec, weights included', async () => {
    // From 1 after 0: back to 0 (weight 2 / p), on to 2 (weight 1, a friend of 0), away to 3 (weight 3 / q).
    const small = undirected(4, [
      [0, 1, 2],
      [1, 2, 1],
      [0, 2, 1],
      [1, 3, 3],
    ]);
    const [p, q] = [4, 0.5];
    const { indptr, tokens } = await randomWalks(small, { length: 40, perNode: 400, p, q }, { pool, seed: 5 });
    const seen = new Map<number, number>();
    for (let n = 0; n + 1 < indptr.length; n++) {
      for (let at = indptr[n]! + 2; at < indptr[n + 1]!; at++) {
        if (tokens[at - 2] === 0 && tokens[at - 1] === 1) seen.set(tokens[at]!, (seen.get(tokens[at]!) ?? 0) + 1);
      }
    }
    const factor = (next: number) => stepFactor({ ...small, back: 1 / p, away: 1 / q }, 0, next);
    const chances = [2 * factor(0), 0, factor(2), 3 * factor(3)];
    const [total, all] = [chances.reduce((a, b) => a + b), [...seen.values()].reduce((a, b) => a + b)];
    for (const next of [0, 2, 3]) expect((seen.get(next) ?? 0) / all).toBeCloseTo(chances[next]! / total, 1.5);
    expect(seen.get(1)).toBeUndefined();
  });

  test('gives the same walks for 1, 2 and 3 threads, and without threads', async () => {
    const params = { length: 20, perNode: 5, p: 0.5, q: 2 };
    const results = await Promise.all(
      [1, 2, 3].map(async (threads) => {
        await using own = computePool({ threads });
        return walksOf(await randomWalks(graph, params, { pool: own, seed: 8 }));
      }),
    );
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    expect(walksOf(await randomWalks(graph, params, { pool: inlinePool(1), seed: 8 }))).toEqual(results[0]);
  });

  test('ends where there is nowhere to go and leaves out who has no ties', async () => {
    const directed = fromTriples(3, 3, [0], [1], [1]);
    const walks = await randomWalks(directed, { length: 9, perNode: 2, p: 1, q: 1 }, { pool, seed: 1 });
    expect(walksOf(walks)).toEqual([[0, 1], [], [], [0, 1], [], []]);
  });

  test.each([
    ['a graph that is not square', fromTriples(2, 3, [0], [1], [1]), {}, 'NUMERICS_INPUT_INVALID'],
    ['a weight below 0', fromTriples(2, 2, [0], [1], [-1]), {}, 'NUMERICS_INPUT_INVALID'],
    ['a weight that is NaN', fromTriples(2, 2, [0], [1], [Number.NaN]), {}, 'NUMERICS_INPUT_INVALID'],
    ['a graph without edges', fromTriples(2, 2, [], [], []), {}, 'DATASET_EMPTY'],
    ['p of 0', graph, { p: 0 }, 'MODEL_PARAMS_INVALID'],
    ['more walks than memory', graph, { length: 10_000, perNode: 10_000 }, 'NUMERICS_MEMORY_LIMIT'],
  ])('refuses %s', async (_what, bad, params, code) => {
    const walks = randomWalks(bad, { length: 5, perNode: 1, p: 1, q: 1, ...params }, { pool, seed: 1 });
    await expect(walks).rejects.toMatchObject({ code });
  });

  test('skip-gram on its walks puts people of one circle together', async () => {
    const [count, size] = [8, 20];
    const social = circles(count, size, 0.3);
    const sequences = await randomWalks(social, { length: 20, perNode: 10, p: 1, q: 0.5 }, { pool, seed: 2 });
    const { inputs } = await trainSgns(
      { words: count * size, sequences },
      { ...SGNS_DEFAULTS, dimensions: 16, epochs: 3 },
      { pool, seed: 2 },
    );
    const vector = (n: number) => inputs.data.subarray(n * 16, n * 16 + 16);
    const cosine = (a: Float32Array, b: Float32Array) =>
      a.reduce((sum, value, d) => sum + value * b[d]!, 0) / (Math.hypot(...a) * Math.hypot(...b));
    let own = 0;
    for (let a = 0; a < count * size; a++) {
      const others = Array.from({ length: count * size }, (_, b) => b).filter((b) => b !== a);
      others.sort((x, y) => cosine(vector(a), vector(y)) - cosine(vector(a), vector(x)));
      own += others.slice(0, 10).filter((b) => Math.floor(a / size) === Math.floor(b / size)).length;
    }
    expect(own / (count * size * 10)).toBeGreaterThan(0.95);
  });
});
