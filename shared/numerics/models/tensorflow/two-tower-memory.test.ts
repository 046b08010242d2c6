import { expect, test } from 'vitest';
import { randomStream } from '../../../random.ts';
import { adamStep, everyRow, gatherRows, newMemory, type Table } from './two-tower-memory.ts';

function fresh(): Table {
  return newMemory({ users: 5, items: 1, dimensions: 3, itemHidden: 0, seed: 2 }).users;
}

/** Adam as printed in the paper, one number at a time, in doubles. */
function paperAdam(start: number, gradients: readonly number[], rate: number): number {
  let [theta, m, v] = [start, 0, 0];
  gradients.forEach((g, n) => {
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    theta -= (rate * (m / (1 - 0.9 ** (n + 1)))) / (Math.sqrt(v / (1 - 0.999 ** (n + 1))) + 1e-8);
  });
  return theta;
}

test('rows touched at every step follow the paper, rows never touched do not move', () => {
  const table = fresh();
  const before = table.values.slice();
  const stream = randomStream(1, 'test.gradients');
  const gradients = Array.from({ length: 20 }, () => Float32Array.from({ length: 6 }, () => stream.normal()));
  gradients.forEach((gradient, step) =>
    adamStep(table, Int32Array.of(3, 1), gradient, { learningRate: 0.05, weightDecay: 0, step }),
  );
  [3, 1].forEach((row, at) => {
    for (let column = 0; column < 3; column++) {
      const series = gradients.map((gradient) => gradient[at * 3 + column]!);
      expect(table.values[row * 3 + column]).toBeCloseTo(paperAdam(before[row * 3 + column]!, series, 0.05), 5);
    }
  });
  for (const row of [0, 2, 4]) {
    expect(table.values.subarray(row * 3, row * 3 + 3)).toEqual(before.subarray(row * 3, row * 3 + 3));
  }
});

test('weight decay shrinks touched rows and only them', () => {
  const table = fresh();
  const before = table.values.slice();
  adamStep(table, Int32Array.of(2), new Float32Array(3), { learningRate: 0.1, weightDecay: 0.5, step: 0 });
  expect(table.values[6]).toBeCloseTo(before[6]! * 0.95, 6);
  expect(table.values[0]).toBe(before[0]);
});

test('rows are gathered in the order asked for', () => {
  const table = fresh();
  expect(gatherRows(table, everyRow(table))).toEqual(Float32Array.from(table.values));
  expect([...gatherRows(table, Int32Array.of(4, 0))]).toEqual([
    ...table.values.subarray(12, 15),
    ...table.values.subarray(0, 3),
  ]);
});
