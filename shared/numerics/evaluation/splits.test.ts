import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { InteractionFile } from './interaction-file.ts';
import { type Parts, SPLITS, splitInteractions } from './splits.ts';

type Line = readonly [user: string, item: string, time: number];

const fileOf = (lines: readonly Line[]): InteractionFile => ({
  users: lines.map(([user]) => user),
  items: lines.map(([, item]) => item),
  values: Float64Array.from(lines, () => 1),
  times: Float64Array.from(lines, ([, , time]) => time),
});
const linesOf = ({ items, times, users }: InteractionFile): string[] =>
  users.map((user, n) => `${user} ${items[n]} ${times[n]}`);
const sides = (parts: Parts) => [parts.train, parts.test, parts.histories, parts.unsettled];

/** 60 people with 20 items each, at times of their own. */
const world = fileOf(
  Array.from(
    { length: 1200 },
    (_, n): Line => [`u${n % 60}`, `i${(Math.floor(n / 60) * 7 + (n % 60)) % 200}`, 1000 + ((n * 37) % 1200)],
  ),
);

describe('splits', () => {
  test.each(SPLITS)('%s puts every line on one side, the same one with other people gone', (split) => {
    const parts = splitInteractions(world, { split, share: 0.25, seed: 3 });
    expect(sides(parts).flatMap(linesOf).sort()).toEqual(linesOf(world).sort());
    if (split === 'time') return;
    const some = linesOf(world)
      .map((_, n) => n)
      .filter((n) => n % 60 < 40);
    const fewer = splitInteractions(
      fileOf(some.map((n): Line => [world.users[n]!, world.items[n]!, world.times[n]!])),
      { split, share: 0.25, seed: 3 },
    );
    const kept = (file: InteractionFile) => linesOf(file).filter((line) => Number(/^u(\d+)/.exec(line)![1]) < 40);
    for (const [n, part] of sides(fewer).entries()) expect(linesOf(part)).toEqual(kept(sides(parts)[n]!));
  });

  test('random finds about its share, and folds test every line once', () => {
    const share = splitInteractions(world, { split: 'random', share: 0.25, seed: 3 }).test.users.length / 1200;
    expect(share).toBeGreaterThan(0.2);
    expect(share).toBeLessThan(0.3);
    const folds = [0, 1, 2, 3].map((at) =>
      splitInteractions(world, { split: 'random', share: 0.5, seed: 3, fold: { at, of: 4 } }),
    );
    expect(folds.flatMap((fold) => linesOf(fold.test)).sort()).toEqual(linesOf(world).sort());
    for (const { test: found, train } of folds) expect(found.users.length + train.users.length).toBe(1200);
  });

  test('leave-one-out takes the last of everybody who has two, and nobody else', () => {
    const file = fileOf([
      ['a', 'x', 1],
      ['a', 'y', 9],
      ['a', 'z', 3],
      ['b', 'x', 5],
      ['c', 'x', 5],
      ['c', 'x', 6],
    ]);
    const { test: found, train } = splitInteractions(file, { split: 'leave-one-out', share: 0.2, seed: 1 });
    expect(linesOf(found)).toEqual(['a y 9']);
    expect(train.users).toHaveLength(5);
  });

  test('time learns from nothing that happened after what is tested, whatever the lines', () => {
    const line = fc.tuple(
      fc.constantFrom('a', 'b', 'c'),
      fc.constantFrom('x', 'y', 'z', 'v'),
      fc.integer({ min: 0, max: 50 }),
    );
    fc.assert(
      fc.property(
        fc.array(line, { minLength: 8, maxLength: 60 }),
        fc.integer({ min: 0, max: 5 }),
        (lines, maturity) => {
          let parts: Parts;
          try {
            parts = splitInteractions(fileOf(lines), { split: 'time', share: 0.4, seed: 1, maturity });
          } catch {
            return; // One side was empty: refused, as the next test shows.
          }
          expect(Math.max(...parts.train.times)).toBeLessThanOrEqual(parts.cut! - maturity);
          expect(Math.min(...parts.test.times)).toBeGreaterThanOrEqual(parts.cut!);
          expect(Math.max(...parts.test.times)).toBeLessThanOrEqual(
            Math.max(...lines.map(([, , time]) => time)) - maturity,
          );
          const known = new Set(
            lines.filter(([, , time]) => time < parts.cut!).map(([user, item]) => `${user} ${item}`),
          );
          for (const [n, user] of parts.test.users.entries())
            expect(known.has(`${user} ${parts.test.items[n]}`)).toBe(false);
        },
      ),
    );
  });

  test('strong trains on nobody who is tested, and gives each of them a history', () => {
    const { histories, test: found, train } = splitInteractions(world, { split: 'strong', share: 0.3, seed: 3 });
    const trained = new Set(train.users);
    expect(found.users.some((user) => trained.has(user))).toBe(false);
    expect(histories.users.some((user) => trained.has(user))).toBe(false);
    const withHistory = new Set(histories.users);
    expect(found.users.every((user) => withHistory.has(user))).toBe(true);
  });

  test('refuses a side without lines, and times that are missing', () => {
    const one = fileOf([['a', 'x', 1]]);
    expect(() => splitInteractions(one, { split: 'leave-one-out', share: 0.2, seed: 1 })).toThrow(
      expect.objectContaining({ code: 'DATASET_EMPTY' }),
    );
    const timeless = fileOf([
      ['a', 'x', Number.NaN],
      ['b', 'y', 1],
    ]);
    expect(() => splitInteractions(timeless, { split: 'time', share: 0.2, seed: 1 })).toThrow(
      expect.objectContaining({ code: 'NUMERICS_INPUT_INVALID' }),
    );
  });
});
