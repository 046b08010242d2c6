import { describe, expect, test } from 'vitest';
import { randomStream } from '../../random.ts';
import { exposureFigures, groupRows, recallByPopularity, tailItems } from './breakdown.ts';
import { bootstrapIntervals, compareMetrics } from './compare.ts';
import { measureLists } from './measure.task.ts';
import type { UserMetrics } from './ranking-metrics.ts';

const own = (values: readonly number[]): UserMetrics => {
  const all = Float64Array.from(values);
  return { recall: all, ndcg: all, map: all, mrr: all, hits: new Int32Array(values.length) };
};
const noise = (n: number) => {
  const stream = randomStream(5, 'test.compare', n);
  return Array.from({ length: 400 }, () => stream.uniform());
};

describe('intervals and comparisons', () => {
  test('an interval is as wide as the normal one where the mean is normal', () => {
    const values = noise(1);
    const mean = values.reduce((sum, value) => sum + value, 0) / 400;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 399);
    const [low, high] = bootstrapIntervals(own(values), { seed: 1 }).ndcg;
    expect((low + high) / 2).toBeCloseTo(mean, 2);
    expect((high - low) / (2 * 1.96 * (deviation / 20))).toBeCloseTo(1, 0);
    expect(bootstrapIntervals(own(values), { seed: 1 }).ndcg).toEqual([low, high]);
    expect(bootstrapIntervals(own([0.5]), { seed: 1 }).ndcg[0]).toBeNaN();
  });

  test('a small gain that most people have shows in the paired interval, though the intervals of both overlap', () => {
    const base = noise(2);
    const better = base.map((value, n) => value + (n % 10 === 0 ? -0.01 : 0.02));
    const [first, second] = [own(better), own(base)];
    const found = compareMetrics(first, second, { seed: 1 }).find(({ metric }) => metric === 'ndcg')!;
    expect(found.difference).toBeCloseTo(0.017, 10);
    expect(found.interval[0]).toBeGreaterThan(0);
    expect(found).toMatchObject({ better: 0.9, worse: 0.1 });
    const [a, b] = [bootstrapIntervals(first, { seed: 1 }).ndcg, bootstrapIntervals(second, { seed: 1 }).ndcg];
    expect(a[0]).toBeLessThan(b[1]);
    const none = compareMetrics(second, own(base.map((value, n) => value + (n % 2 === 0 ? -0.01 : 0.01))), {
      seed: 1,
    }).find(({ metric }) => metric === 'ndcg')!;
    expect(none.interval[0]).toBeLessThan(0);
    expect(none.interval[1]).toBeGreaterThan(0);
  });
});

describe('breakdown', () => {
  // Item 0 holds 8 of 10 interactions: it alone is the head.
  const counts = { users: 8, itemUsers: Int32Array.of(8, 1, 1, 0) };
  const lists = { users: 2, k: 2, items: Int32Array.of(0, 1, 0, -1), scores: new Float32Array(4) };
  const wanted = { users: Int32Array.of(0, 1), indptr: Int32Array.of(0, 3, 4), items: Int32Array.of(0, 2, -1, 0) };

  test('has the figures that the definitions give by hand', () => {
    expect([...tailItems(counts.itemUsers)]).toEqual([0, 1, 1, 1]);
    const figures = exposureFigures(lists, counts);
    expect(figures.novelty).toBeCloseTo((0 + 3 + 0) / 3, 12);
    expect(figures.popularity).toBeCloseTo(17 / 3, 12);
    expect(figures.tailShare).toBeCloseTo(1 / 3, 12);
    // Exposures 0, 0, 1, 2: (1 * 1 + 3 * 2) / (4 * 3).
    expect(figures.gini).toBeCloseTo(7 / 12, 12);
    expect(recallByPopularity(lists, wanted, counts)).toEqual([
      { name: 'head', items: 1, wanted: 2, recall: 1 },
      { name: 'tail', items: 3, wanted: 1, recall: 0 },
      { name: 'unseen', items: 0, wanted: 1, recall: 0 },
    ]);
  });

  test('measures groups with their sizes, leaves empty ones out, and says null where nothing can be said', () => {
    const measured = own([1, 0, 0.5]);
    expect(groupRows(measured, Int32Array.of(0, -1, 0), ['a', 'b'])).toEqual([
      { name: 'a', users: 2, recall: 0.75, ndcg: 0.75 },
    ]);
    const nothing = { ...lists, items: Int32Array.of(-1, -1, -1, -1) };
    expect(exposureFigures(nothing, counts).novelty).toBeNull();
    const empty = measureLists({ parts: [{ lists: nothing, test: wanted }], catalogue: 4, counts });
    expect(empty.breakdown).toMatchObject({ gini: null, groups: [] });
  });
});
