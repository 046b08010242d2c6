/** Network position: against NetworkX on a real network of ties, against definitions on small drawn ones, and on networks whose groups are known. */
import { hash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inlinePool } from '../../compute/pool.ts';
import { randomStream } from '../../random.ts';
import type { SparseRows } from '../types.ts';
import { type Centralities, centralities } from './centrality.ts';
import { findCommunities, modularity } from './communities.task.ts';
import { undirected } from './ties.ts';

const keysOf = (nodes: number): Uint8Array => {
  const keys = new Uint8Array(nodes * 16);
  for (let node = 0; node < nodes; node++)
    new DataView(keys.buffer).setUint32(node * 16, Math.imul(node + 1, 0x9e3779b1));
  return keys;
};
const central = (graph: SparseRows, more: object = {}): Promise<Centralities> =>
  centralities(graph, keysOf(graph.rows), { pool: inlinePool(1), seed: 1, ...more });
const graphOf = (nodes: number, pairs: readonly (readonly [number, number])[]): SparseRows =>
  undirected(
    nodes,
    Int32Array.from(pairs, ([a]) => a),
    Int32Array.from(pairs, ([, b]) => b),
  );

/** All shortest paths by their definition, for small networks. */
function reference(graph: SparseRows): Pick<Centralities, 'closeness' | 'betweenness'> {
  const n = graph.rows;
  const tied = (a: number, b: number): boolean =>
    graph.indices.subarray(graph.indptr[a], graph.indptr[a + 1]).includes(b);
  const nodes = Array.from({ length: n }, (_, node) => node);
  const distance = nodes.map((a) => nodes.map((b) => (a === b ? 0 : tied(a, b) ? 1 : Infinity)));
  for (const via of nodes)
    for (const a of nodes)
      for (const b of nodes) distance[a]![b] = Math.min(distance[a]![b]!, distance[a]![via]! + distance[via]![b]!);
  const count = (a: number, b: number): number =>
    a === b
      ? 1
      : nodes
          .filter((last) => tied(last, b) && distance[a]![last]! + 1 === distance[a]![b])
          .reduce((sum, last) => sum + count(a, last), 0);
  const through = (v: number, a: number, b: number): number =>
    distance[a]![b] !== Infinity && distance[a]![b] === distance[a]![v]! + distance[v]![b]!
      ? (count(a, v) * count(v, b)) / count(a, b)
      : 0;
  const pairs = nodes.flatMap((a) => nodes.filter((b) => b !== a).map((b) => [a, b] as const));
  return {
    closeness: Float64Array.from(nodes, (v) => {
      const near = distance[v]!.filter((d) => d > 0 && d < Infinity);
      return near.length === 0 ? 0 : (near.length / (n - 1)) * (near.length / near.reduce((sum, d) => sum + d, 0));
    }),
    betweenness: Float64Array.from(nodes, (v) => {
      const others = pairs.filter(([a, b]) => a !== v && b !== v);
      return others.length === 0 ? 0 : others.reduce((sum, [a, b]) => sum + through(v, a, b), 0) / others.length;
    }),
  };
}

const networks = fc.integer({ min: 1, max: 9 }).chain((nodes) =>
  fc
    .array(fc.tuple(fc.integer({ min: 0, max: nodes - 1 }), fc.integer({ min: 0, max: nodes - 1 })), {
      maxLength: 20,
    })
    .map((pairs) => graphOf(nodes, pairs)),
);

const close = (a: Float64Array, b: Float64Array): void => {
  for (const [n, value] of a.entries()) expect(value).toBeCloseTo(b[n]!, 9);
};

describe('centralities', () => {
  test('are those of their definitions', async () => {
    await fc.assert(
      fc.asyncProperty(networks, async (graph) => {
        const got = await central(graph);
        const expected = reference(graph);
        close(got.closeness, expected.closeness);
        close(got.betweenness, expected.betweenness);
        expect(got.pageRank.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 9);
        expect(got.sources).toBe(graph.rows);
      }),
      { numRuns: 150 },
    );
  });

  test('are the same bytes for any number of threads, exact or from a sample', async () => {
    const pairs = Array.from({ length: 900 }, (_, n) => [(n * 7919) % 300, (n * n * 31 + n) % 300] as const);
    const graph = graphOf(300, pairs);
    for (const pathStepsMax of [1e9, 1]) {
      const [one, three] = [
        await central(graph, { pathStepsMax }),
        await central(graph, { pathStepsMax, pool: inlinePool(3) }),
      ];
      expect(three).toEqual(one);
    }
  });

  test('of a sample of sources lie near the exact ones', async () => {
    const draw = randomStream(5, 'ties');
    const pairs = Array.from({ length: 3_000 }, () => [draw.below(1_000), draw.below(1_000)] as const);
    const graph = graphOf(1_000, pairs);
    const [exact, sampled] = [await central(graph), await central(graph, { pathStepsMax: 1 })];
    expect(sampled.sources).toBe(100);
    const off = (name: 'closeness' | 'betweenness'): number => {
      const errors = exact[name].map((value, n) => Math.abs(value - sampled[name][n]!));
      return errors.reduce((a, b) => a + b, 0) / exact[name].reduce((a, b) => a + b, 0);
    };
    expect(off('closeness')).toBeLessThan(0.05);
    expect(off('betweenness')).toBeLessThan(0.4);
  });
});

/** Zachary (1977): 34 members of a club and their friendships; its best division has modularity 0.4198 in four groups. */
const CLUB =
  '1-2 1-3 2-3 1-4 2-4 3-4 1-5 1-6 1-7 5-7 6-7 1-8 2-8 3-8 4-8 1-9 3-9 3-10 1-11 5-11 6-11 1-12 1-13 4-13 1-14 2-14 3-14 4-14 6-17 7-17 1-18 2-18 1-20 2-20 1-22 2-22 24-26 25-26 3-28 24-28 25-28 3-29 24-30 27-30 2-31 9-31 1-32 25-32 26-32 29-32 3-33 9-33 15-33 16-33 19-33 21-33 23-33 24-33 30-33 31-33 32-33 9-34 10-34 14-34 15-34 16-34 19-34 20-34 21-34 23-34 24-34 27-34 28-34 29-34 30-34 31-34 32-34 33-34';

describe('communities', () => {
  test('of the karate club are its best known division', () => {
    const graph = graphOf(
      34,
      CLUB.split(' ').map((tie) => tie.split('-').map((id) => Number(id) - 1) as [number, number]),
    );
    const best = Math.max(...[1, 2, 3, 4, 5].map((seed) => findCommunities({ graph, seed }).modularity));
    expect(best).toBeCloseTo(0.4198, 4);
  });

  test('are the groups that were planted, numbered by size', () => {
    const sizes = [12, 9, 7, 5];
    const starts = sizes.map((_, n) => sizes.slice(0, n).reduce((a, b) => a + b, 0));
    const inside = sizes.flatMap((size, g) =>
      Array.from(
        { length: size * size },
        (_, n) => [starts[g]! + (n % size), starts[g]! + Math.floor(n / size)] as const,
      ),
    );
    const bridges = starts.map((start, g) => [start, starts[(g + 1) % 4]! + 1] as const);
    const found = findCommunities({ graph: graphOf(33, [...inside, ...bridges]), seed: 7 });
    expect([...found.sizes]).toEqual(sizes);
    expect([...found.of]).toEqual(sizes.flatMap((size, g) => Array.from({ length: size }, () => g)));
  });

  test('are the same for the same seed, and everybody alone where there are no ties', () => {
    const graph = graphOf(
      60,
      Array.from({ length: 200 }, (_, n) => [(n * 7) % 60, (n * n) % 60] as const),
    );
    expect(findCommunities({ graph, seed: 3 })).toEqual(findCommunities({ graph, seed: 3 }));
    expect([...findCommunities({ graph: graphOf(3, []), seed: 1 }).sizes]).toEqual([1, 1, 1]);
  });
});

interface Golden {
  readonly ties: string;
  readonly nodes: number;
  readonly edges: number;
  readonly sums: Readonly<Record<string, [number, number]>>;
  readonly tops: Readonly<Record<string, number[]>>;
  readonly values: Readonly<Record<string, number[]>>;
  readonly moduloSeven: number;
  readonly louvain: { readonly modularity: [number, number]; readonly communities: [number, number] };
}
const golden = JSON.parse(
  readFileSync(new URL('../../../test/reference/golden/graph.json', import.meta.url), 'utf8'),
) as Golden;
const file = join(
  process.env['MILLRACE_TEST_DATA'] ?? join(import.meta.dirname, '../../../../shared/data'),
  'lastfm/trustnetwork.txt',
);

describe.skipIf(!existsSync(file))('the friends of lastfm, against NetworkX (needs the data set lastfm)', () => {
  const pairs = existsSync(file)
    ? readFileSync(file, 'utf8')
        .trim()
        .split('\n')
        .map((line) => line.trim().split(/\s+/).map(Number) as [number, number])
    : [];
  const ids = [...new Set(pairs.flat())].sort((a, b) => a - b);
  const place = new Map(ids.map((id, n) => [id, n]));
  const graph = graphOf(
    ids.length,
    pairs.map(([a, b]) => [place.get(a)!, place.get(b)!] as const),
  );

  test('is the network that the golden file is of', () => {
    const ties = [
      ...new Map(
        pairs.map(([a, b]) => [`${Math.min(a, b)} ${Math.max(a, b)}`, [Math.min(a, b), Math.max(a, b)]]),
      ).values(),
    ];
    ties.sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]!);
    expect(hash('sha256', ties.map((tie) => `${tie.join(' ')}\n`).join(''))).toBe(golden.ties);
    expect([graph.rows, graph.indices.length / 2]).toEqual([golden.nodes, golden.edges]);
  });

  test('has its centralities', async () => {
    const { ties, pageRank, closeness, betweenness } = await central(graph);
    const figures = { degree: Float64Array.from(ties, (n) => n / (graph.rows - 1)), pageRank, closeness, betweenness };
    for (const [n, [name, values]] of Object.entries(figures).entries()) {
      const [sum, squares] = golden.sums[name]!;
      expect(values.reduce((a, b) => a + b, 0) / sum).toBeCloseTo(1, 8);
      expect(values.reduce((a, b) => a + b * b, 0) / squares).toBeCloseTo(1, 8);
      const top = [...ids].sort((a, b) => values[place.get(b)!]! - values[place.get(a)!]! || a - b).slice(0, 10);
      expect(top).toEqual(golden.tops[name]);
      for (const [id, expected] of Object.entries(golden.values))
        expect(Math.abs(values[place.get(Number(id))!]! - expected[n]!)).toBeLessThan(1e-9);
    }
  });

  test('has its modularity for a given division, and communities as good as those of its Louvain', () => {
    expect(
      modularity(
        graph,
        ids.map((id) => id % 7),
      ),
    ).toBeCloseTo(golden.moduloSeven, 9);
    const found = [1, 2, 3].map((seed) => findCommunities({ graph, seed }));
    const [worst] = golden.louvain.modularity;
    for (const { modularity: reached } of found) expect(reached).toBeGreaterThan(worst - 0.01);
  });
});
