/** Coordinates in the network: who stands alike lies near, a person who does not allow it is not in it, and the bytes do not depend on threads. */
import { expect, test } from 'vitest';
import { inlinePool } from '../../shared/compute/pool.ts';
import { EVENT_TYPES } from '../../shared/contract-kit/event.ts';
import { GRAPH_DIMENSIONS } from '../../shared/numerics/features/views/graph.ts';
import { admitEvents } from '../../shared/numerics/interactions/interaction-view.ts';
import { columnsOf, nameAt } from '../../shared/numerics/interactions/interactions.reference.ts';
import { randomStream } from '../../shared/random.ts';
import type { RunContext } from '../runtime/processor.ts';
import { buildGraphView } from './graph-view.ts';

const PEOPLE = 60;
const nameOf = (n: number): string => `p${String(n).padStart(2, '0')}`;

/** Two crowds of 30 whose members mostly follow their own. */
function crowds(): [string, string][] {
  const draw = randomStream(2, 'crowds');
  return Array.from({ length: 900 }, (_, n) => {
    const from = n % PEOPLE;
    const own = draw.uniform() < 0.95;
    const to = 2 * draw.below(PEOPLE / 2) + (own ? from % 2 : 1 - (from % 2));
    return [nameOf(from), nameOf(to)];
  });
}

async function build(allows: (user: string) => boolean = () => true, threads = 1) {
  const follows = crowds().map(([user, target], n) => ({ user, target, at: n }));
  const base = { item: undefined, type: 'follow' as const, value: undefined, recordedAt: 0, source: 'activitystreams' };
  const columns = columnsOf(follows.map(({ user, at }) => ({ ...base, user, at })));
  const target = new Uint8Array(columns.rows * 16);
  for (let row = 0; row < columns.rows; row++)
    target.set(new TextEncoder().encode(follows[columns.occurredAt[row]!]!.target), row * 16);
  const context = { pool: inlinePool(threads), signal: new AbortController().signal } as unknown as RunContext;
  const allowsKey = (key: Uint8Array): boolean => allows(nameAt(key, 0));
  const admitted = await admitEvents(columns, allowsKey, context);
  const none = {
    device: new Uint8Array(columns.rows),
    session: new Uint8Array(columns.rows * 8),
    eventId: new Uint8Array(columns.rows * 16),
  };
  const events = { ...admitted, columns: { ...columns, ...none, target } };
  return buildGraphView({ events, asOf: 1e6, seed: 4, allows: allowsKey }, context);
}

test('who stands in the same crowd lies nearer than who does not', async () => {
  expect(EVENT_TYPES).toContain('follow');
  const { rows, matrix } = await build();
  expect(rows).toBe(PEOPLE);
  const of = (row: number): Float32Array => matrix.subarray(row * GRAPH_DIMENSIONS, (row + 1) * GRAPH_DIMENSIONS);
  const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, n) => sum + value * b[n]!, 0);
  const cosine = (a: Float32Array, b: Float32Array): number => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  const pairs = Array.from({ length: PEOPLE }, (_, a) => a).flatMap((a) =>
    Array.from({ length: a }, (_, b) => ({ same: a % 2 === b % 2, near: cosine(of(a), of(b)) })),
  );
  const mean = (same: boolean): number => {
    const own = pairs.filter((pair) => pair.same === same).map(({ near }) => near);
    return own.reduce((a, b) => a + b, 0) / own.length;
  };
  expect(mean(true) - mean(false)).toBeGreaterThan(0.3);
});

test('who does not allow it is not in it, followed or following, and the same ties give the same bytes', async () => {
  const without = await build((user) => user !== nameOf(7));
  expect(Array.from({ length: without.rows }, (_, row) => nameAt(without.subjects, row))).not.toContain(nameOf(7));
  expect(without.rows).toBe(PEOPLE - 1);
  expect(await build(() => true, 3)).toEqual(await build(() => true, 1));
});
