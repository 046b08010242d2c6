/** The passes of candidate-generation on data small enough to see through. */
import { describe, expect, test } from 'vitest';
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import { expiresAtMs } from './expiry.ts';
import { findReasons, HISTORY_MAX, latestLikings, REASONED_MAX, unitRows } from './reasons.task.ts';
import { keepServable, momentOf } from './servable.task.ts';

const keys = (...names: readonly number[]): Uint8Array => {
  const bytes = new Uint8Array(names.length * KEY_BYTES);
  names.forEach((name, n) => bytes.fill(name, n * KEY_BYTES, (n + 1) * KEY_BYTES));
  return bytes;
};

describe('expiry', () => {
  test.each([
    [1_700_000_000_000, 1_700_000_000_000],
    ['1700000000000', 1_700_000_000_000],
    ['2025-10-01T00:00:00.000Z', Date.UTC(2025, 9, 1)],
    ['soon', Number.NaN],
    ['', Number.NaN],
    [true, Number.NaN],
    [undefined, Number.NaN],
  ])('%j is %d', (value, ms) => {
    expect(expiresAtMs(value)).toBe(ms);
  });

  test('an item expires at its moment, not before; one without an end never does', () => {
    const factors = { rows: 3, width: 2, data: Float32Array.of(1, 2, 3, 4, 5, 6) };
    const expiresAt = Float64Array.of(100, Number.NaN, 101);
    const kept = keepServable({ keys: keys(7, 8, 9), factors, expiresAt, moment: 100 });
    expect([...kept.places]).toEqual([1, 2]);
    expect([...kept.factors.data]).toEqual([3, 4, 5, 6]);
    expect([...kept.itemKeys]).toEqual([...keys(8, 9)]);
  });

  test('a data set speaks of its last admitted act, never of a moment after the run', () => {
    const columns = { occurredAt: Float64Array.of(10, 50, 30, 90), source: Uint16Array.of(0, 1, 0, 0) };
    const runs = { subjects: 2, starts: Int32Array.of(0, 3, 4), keys: keys(1, 2) };
    const events = { columns, runs, sources: 2, allowed: Uint8Array.of(1, 0, 1, 1) } as never;
    expect(momentOf({ events, asOf: 60 })).toBe(30);
    expect(momentOf({ events, asOf: 100 })).toBe(90);
    expect(momentOf({ events, asOf: 5 })).toBe(5);
  });
});

describe('reasons', () => {
  const likings = (count: number) => ({
    userKeys: keys(1),
    itemKeys: keys(...Array.from({ length: count }, (_, n) => n + 1)),
    times: Float64Array.from({ length: count }, (_, n) => n),
    capped: [],
    origins: { names: ['web'], of: new Uint16Array(count) },
    interactions: {
      rows: 1,
      columns: count,
      indptr: Int32Array.of(0, count),
      indices: Int32Array.from({ length: count }, (_, n) => n),
      values: new Float32Array(count).fill(1),
    },
  });

  test('look at the latest likings only, and at nobody without likings', () => {
    const view = likings(HISTORY_MAX + 5);
    const { indptr, items } = latestLikings({ view, people: keys(9, 1), itemKeys: view.itemKeys });
    expect([...indptr]).toEqual([0, 0, HISTORY_MAX]);
    expect([...items]).toEqual(Array.from({ length: HISTORY_MAX }, (_, n) => n + 5));
  });

  test('are the nearest liking by cosine, none where nothing is near, and stop at a bound', () => {
    // Items 0 and 1 are liked; 2 points like 1, 3 against both, 4 is nothing at all.
    const data = Float32Array.of(1, 0, 0, 5, 0.1, 3, -1, -1, 0, 0);
    const unit = unitRows({ factors: { rows: 5, width: 2, data } });
    expect([...unit.data.subarray(8)]).toEqual([0, 0]);
    const k = REASONED_MAX + 2;
    const items = new Int32Array(k).fill(0);
    items.set([1, 2]);
    const reasons = new Int32Array(k).fill(-1);
    const histories = { indptr: Int32Array.of(0, 2), items: Int32Array.of(0, 1) };
    findReasons({ from: 0, to: 1, k, items, places: Int32Array.of(2, 3, 4), histories, unit, reasons });
    expect([...reasons.subarray(0, 3)]).toEqual([-1, -1, 1]);
    expect([...reasons.subarray(REASONED_MAX)]).toEqual([-1, -1]);
  });
});
