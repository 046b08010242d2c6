import { expect, test } from 'vitest';
import { advance, progressCell, watchProgress } from './progress-cell.ts';

test('reports where a task stands, and the last state when it settles', async () => {
  const cell = progressCell();
  const seen: number[] = [];
  const work = Promise.withResolvers<string>();
  const options = {
    total: 10,
    label: 'steps',
    intervalMs: 1,
    onProgress: ({ done, total, label }: { done: number; total: number; label: string }) => {
      seen.push(done);
      expect([total, label]).toEqual([10, 'steps']);
      // The report of 4 is what lets the work go on.
      if (done === 4) {
        advance(cell, 25);
        work.resolve('finished');
      }
    },
  };
  advance(cell, 4);
  expect(await watchProgress(cell, options, work.promise)).toBe('finished');
  expect(seen).toEqual([4, 10]);
});
