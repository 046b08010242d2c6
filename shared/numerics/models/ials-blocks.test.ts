/** iALS in blocks of rows beside a fit in one process. */
import { expect, test } from 'vitest';
import { computePool, inlinePool } from '../../compute/pool.ts';
import { randomStream } from '../../random.ts';
import { fromTriples } from '../sparse.ts';
import { KEY_BYTES, type TrainInput } from '../types.ts';
import { fitIals, ialsParams } from './ials.ts';
import { cutIals, joinRows, type SolvedRows, solveIalsBlock } from './ials-blocks.ts';

const [USERS, ITEMS] = [700, 600];

function input(signed: boolean): TrainInput {
  const stream = randomStream(5, 'blocks');
  const [rows, columns, values]: [number[], number[], number[]] = [[], [], []];
  for (let user = 0; user < USERS; user++) {
    for (let n = 0; n < 12; n++) {
      rows.push(user);
      columns.push(stream.below(ITEMS));
      values.push((signed && n === 0 ? -1 : 1) * (1 + stream.below(4)));
    }
  }
  const itemKeys = Uint8Array.from({ length: ITEMS * KEY_BYTES }, () => stream.below(256));
  return { interactions: fromTriples(USERS, ITEMS, rows, columns, Float32Array.from(values)), itemKeys };
}

test.each([
  ['plain', false, { factors: 20, epochs: 3 }],
  ['weighted, with dislikes, several steps', true, { factors: 32, epochs: 2, weighting: 'log', steps: 3, nu: 0.5 }],
])('solves the same bytes block by block as at once: %s', async (_what, signed, given) => {
  await using pool = computePool({ threads: 2 });
  await using single = inlinePool();
  const params = ialsParams.parse(given);
  const data = input(signed);
  const whole = await fitIals(data, params, { pool, seed: 3, deterministic: true });
  const cut = await cutIals(data, params, 3, { pool, seed: 3 });
  expect([cut.users.blocks.length, cut.items.blocks.length]).toEqual([3, 3]);
  const solve = (side: 'users' | 'items', others: SolvedRows, warm: (n: number) => Float32Array | undefined) =>
    Promise.all(
      cut[side].blocks.map((block, n) => {
        const before = warm(n);
        const of = side === 'users' ? USERS : ITEMS;
        const request = { block, of, shift: cut[side].shift, params: cut.params, others };
        // Blocks may be solved on machines of any number of threads.
        const context = { pool: n === 1 ? single : pool, seed: 3 };
        return solveIalsBlock({ ...request, ...(before && { warm: before }) }, context);
      }),
    );
  const width = cut.start.factors.length / ITEMS;
  let items: SolvedRows[] | undefined;
  let users: SolvedRows[] | undefined;
  for (let epoch = 0; epoch < params.epochs; epoch++) {
    const [before, others] = [users, items === undefined ? cut.start : joinRows(items)];
    users = await solve('users', others, (n) => before?.[n]?.factors);
    const earlier = items;
    items = await solve('items', joinRows(users), (n) => {
      const { from, to } = cut.items.blocks[n]!;
      return earlier?.[n]?.factors ?? cut.start.factors.subarray(from * width, to * width);
    });
  }
  for (const [side, solved] of [
    ['users', users],
    ['items', items],
  ] as const) {
    const padded = joinRows(solved!).factors;
    const { data: expected, rows, width: own } = whole.factors![side];
    const stride = padded.length / rows;
    const kept = expected.map((_, at) => padded[Math.floor(at / own) * stride + (at % own)]!);
    expect(kept).toEqual(expected);
  }
});
