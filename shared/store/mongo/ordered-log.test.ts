import { expect, it } from 'vitest';
import { testStore } from '../testing.ts';
import { orderedLog } from './ordered-log.ts';

it('numbers of many writers are 1, 2, 3, ... and nobody loses an entry', async () => {
  await using test = await testStore();
  const logs = Array.from({ length: 4 }, () => orderedLog<{ by: number }>(test.db, 'log'));
  const numbers = await Promise.all(Array.from({ length: 40 }, (_, n) => logs[n % 4]!.append('main', { by: n })));
  expect([...numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, n) => n + 1));
  const { entries, upTo } = await logs[0]!.readAfter('main', 0);
  expect(upTo).toBe(40);
  expect(entries.map(({ sequence, body }) => [sequence, body.by])).toEqual(
    numbers.map((sequence, by) => [sequence, by]).sort((a, b) => a[0]! - b[0]!),
  );
  expect((await logs[1]!.readAfter('main', 37)).entries.map(({ sequence }) => sequence)).toEqual([38, 39, 40]);
  expect(await logs[0]!.readAfter('other', 0)).toEqual({ entries: [], upTo: 0 });
});

it('a reader waits for a writer that is between its two steps', async () => {
  await using test = await testStore();
  const log = orderedLog<string>(test.db, 'log', { staleGapMs: 60_000 });
  const first = await log.reserve('main');
  await log.append('main', 'second');
  const reading = log.readAfter('main', 0);
  await log.fill('main', first, 'first');
  expect((await reading).entries.map(({ body }) => body)).toEqual(['first', 'second']);
});

it('a stale gap is closed by a reader, and the late writer takes a new number', async () => {
  await using test = await testStore();
  const log = orderedLog<string>(test.db, 'log', { staleGapMs: 0 });
  const late = await log.reserve('main');
  await log.append('main', 'second');
  expect((await log.readAfter('main', 0)).entries).toEqual([{ sequence: 2, body: 'second' }]);
  expect(await log.fill('main', late, 'late')).toBe(false);
  expect(await log.append('main', 'late')).toBe(3);
  expect((await log.readAfter('main', 0)).entries).toEqual([
    { sequence: 2, body: 'second' },
    { sequence: 3, body: 'late' },
  ]);
});

it('what a reader was given never gets a predecessor, whoever races it', async () => {
  await using test = await testStore();
  const log = orderedLog<number>(test.db, 'log', { staleGapMs: 0 });
  const seen: number[][] = [];
  const writers = Array.from({ length: 30 }, (_, n) => log.append('main', n));
  const readers = Array.from({ length: 10 }, async () => {
    const { entries, upTo } = await log.readAfter('main', 0);
    seen.push([upTo, ...entries.map(({ sequence }) => sequence)]);
  });
  await Promise.all([...writers, ...readers]);
  const { entries } = await log.readAfter('main', 0);
  expect(entries.map(({ body }) => body).sort((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, n) => n));
  for (const [upTo, ...sequences] of seen)
    expect(entries.map(({ sequence }) => sequence).filter((sequence) => sequence <= upTo!)).toEqual(sequences);
});
