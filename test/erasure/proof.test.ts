/** Erasure proved on people who were made up: the only one who met an item, the first who came in, a hub, and one from the middle. */
import { expect, test } from 'vitest';
import { generated } from './data-set.ts';
import { proved } from './proved.ts';

test('four people leave, and nothing that is stored, logged, served or trained tells of them', async () => {
  const told = await proved(generated());
  expect(told).toMatch(/scanned$/);
  console.log(told);
}, 300_000);
