import { expect, test } from 'vitest';
import { type Desk, Desks, sitDown } from './desks.ts';

test('a thread sits down at the desk it was told, in the table or at one of its own, and disturbs no other', () => {
  const desks = new Desks();
  const taken: Desk[] = Array.from({ length: 1500 }, () => desks.take());
  expect(taken.filter(({ address }) => typeof address === 'number')).toHaveLength(1024);
  for (const [n, desk] of taken.entries()) sitDown(desk.address, desks.table, n + 1, n * 2);
  for (const [n, desk] of taken.entries()) expect([desk.threadId, desk.heldBefore]).toEqual([n + 1, n * 2]);
});

test('a desk that was given back is empty for the next', () => {
  const desks = new Desks();
  const desk = desks.take();
  sitDown(desk.address, desks.table, 7, 5);
  desks.giveBack(desk);
  const again = desks.take();
  expect(again.address).toBe(desk.address);
  expect(again.threadId).toBe(0);
});
