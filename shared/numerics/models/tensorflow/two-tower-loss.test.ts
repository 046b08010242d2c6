import { assert, constantFrom, integer, property } from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { randomStream } from '../../../random.ts';
import { fromTriples } from '../../sparse.ts';
import { loadTensorFlow, type TensorFlow } from './engine.ts';
import { type Batch, BatchMaker, logShares, type Pairs, toPairs } from './two-tower-batches.ts';
import { lossAndGradients, type TowerRows } from './two-tower-loss.ts';

let tf: TensorFlow;
beforeAll(async () => {
  ({ tf } = await loadTensorFlow({ prefer: 'tfjs-wasm' }));
});

const DIMENSIONS = 4;
const TEMPERATURE = 0.5;

/** Five users, six items, some pairs of each; a batch with repeated users and items. */
function example(seed: number): { pairs: Pairs; positions: Int32Array; batch: Batch } {
  const stream = randomStream(seed, 'test.pairs');
  const users = Array.from({ length: 14 }, (_, n) => (n < 5 ? n : stream.below(5)));
  const items = users.map((_, n) => (n < 6 ? n : stream.below(6)));
  const pairs = toPairs(
    fromTriples(
      5,
      6,
      users,
      items,
      users.map(() => 1),
    ),
  );
  const positions = Int32Array.from({ length: 9 }, (_, n) => (n * 5) % pairs.item.length);
  const batch = new BatchMaker(pairs, logShares(pairs)).make(positions);
  return { pairs, positions, batch };
}

function randomRows(batch: Batch, seed: number, hidden: number): TowerRows {
  const stream = randomStream(seed, 'test.rows');
  const draw = (length: number) => Float32Array.from({ length }, () => stream.normal());
  const rows = {
    dimensions: DIMENSIONS,
    users: draw(batch.userIds.length * DIMENSIONS),
    items: draw(batch.itemIds.length * DIMENSIONS),
  };
  if (hidden === 0) return rows;
  return { ...rows, hidden: { up: draw(DIMENSIONS * hidden), bias: draw(hidden), down: draw(hidden * DIMENSIONS) } };
}

function unit(row: Float64Array): Float64Array {
  const norm = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0));
  return row.map((x) => x / norm);
}

function towers(rows: TowerRows): { user: (at: number) => Float64Array; item: (at: number) => Float64Array } {
  const cut = (data: Float32Array, at: number) =>
    Float64Array.from(data.subarray(at * DIMENSIONS, (at + 1) * DIMENSIONS));
  const item = (at: number): Float64Array => {
    const row = cut(rows.items, at);
    const { hidden } = rows;
    if (hidden === undefined) return unit(row);
    const width = hidden.bias.length;
    const inner = Array.from(hidden.bias, (bias, h) =>
      Math.max(
        0,
        row.reduce((sum, x, d) => sum + x * hidden.up[d * width + h]!, bias),
      ),
    );
    return unit(row.map((x, d) => inner.reduce((sum, y, h) => sum + y * hidden.down[h * DIMENSIONS + d]!, x)));
  };
  return { user: (at) => unit(cut(rows.users, at)), item };
}

/** The definition, slot by slot in doubles: -log softmax over the batch's slots of s / t - log q, accidental hits and known items masked. */
function slowLoss(rows: TowerRows, { pairs, positions, batch }: ReturnType<typeof example>): number {
  const { user, item } = towers(rows);
  const counts = new Map<number, number>();
  for (const i of pairs.item) counts.set(i, (counts.get(i) ?? 0) + 1);
  const known = (u: number, i: number) => pairs.item.subarray(pairs.indptr[u], pairs.indptr[u + 1]).includes(i);
  let sum = 0;
  for (let r = 0; r < positions.length; r++) {
    const own = user(batch.userAt[r]!);
    const logit = (slot: number) => {
      const score = item(batch.itemAt[slot]!).reduce((dot, x, d) => dot + x * own[d]!, 0);
      return score / TEMPERATURE - Math.log(counts.get(pairs.item[positions[slot]!]!)! / pairs.item.length);
    };
    let total = Math.exp(logit(r));
    for (let slot = 0; slot < positions.length; slot++) {
      if (slot === r || known(pairs.user[positions[r]!]!, pairs.item[positions[slot]!]!)) continue;
      total += Math.exp(logit(slot));
    }
    sum += Math.log(total) - logit(r);
  }
  return sum / positions.length;
}

test('the folded loss equals the batch softmax written slot by slot', () => {
  assert(
    property(integer({ min: 0, max: 1_000_000 }), constantFrom(0, 3), (seed, hidden) => {
      const data = example(seed);
      const rows = randomRows(data.batch, seed, hidden);
      const { loss } = lossAndGradients(tf, rows, data.batch, TEMPERATURE);
      expect(loss).toBeCloseTo(slowLoss(rows, data), 4);
    }),
    { numRuns: 30 },
  );
});

test.each([0, 3])('gradients agree with finite differences of the slow loss (hidden width %i)', (hidden) => {
  const data = example(11);
  const rows = randomRows(data.batch, 5, hidden);
  const { gradients } = lossAndGradients(tf, rows, data.batch, TEMPERATURE);
  const parts: [Float32Array, Float32Array][] = [
    [rows.users, gradients.users],
    [rows.items, gradients.items],
  ];
  if (rows.hidden !== undefined) {
    for (const name of ['up', 'bias', 'down'] as const) parts.push([rows.hidden[name], gradients.hidden![name]]);
  }
  const step = 2 ** -10;
  let largest = 0;
  for (const [values, gradient] of parts) {
    expect(gradient).toHaveLength(values.length);
    for (let at = 0; at < values.length; at++) {
      const kept = values[at]!;
      const [above, below] = [step, -step].map((shift) => {
        values[at] = kept + shift;
        return slowLoss(rows, data);
      });
      values[at] = kept;
      expect(gradient[at]!).toBeCloseTo((above! - below!) / (2 * step), 3);
      largest = Math.max(largest, Math.abs(gradient[at]!));
    }
  }
  expect(largest).toBeGreaterThan(0.05);
});

test('a batch of one pair has nothing to tell apart: no loss, no gradient', () => {
  const { pairs } = example(3);
  const batch = new BatchMaker(pairs, logShares(pairs)).make(Int32Array.of(2));
  const { loss, gradients } = lossAndGradients(tf, randomRows(batch, 1, 0), batch, TEMPERATURE);
  expect(loss).toBeCloseTo(0, 6);
  expect(Math.max(...gradients.users.map(Math.abs), ...gradients.items.map(Math.abs))).toBeLessThan(1e-6);
});

test('a step leaves no tensor behind', () => {
  const { batch } = example(3);
  const before = tf.memory().numTensors;
  for (let n = 0; n < 5; n++) lossAndGradients(tf, randomRows(batch, n, 3), batch, TEMPERATURE);
  expect(tf.memory().numTensors).toBe(before);
});
