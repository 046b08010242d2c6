import { describe, expect, test } from 'vitest';
import { randomStream } from '../../random.ts';
import { type FeatureTable, findSkew } from './feature-skew.ts';

const NAMES = ['age', 'watched', 'region'];

/** Normal, exponential, and one of three. */
function table(count: number, seed: number, more: Partial<FeatureTable> = {}): FeatureTable {
  const stream = randomStream(seed, 'skew');
  const data = Float32Array.from({ length: count * 3 }, (_, at) =>
    [() => stream.normal(), () => -Math.log(1 - stream.uniform()), () => stream.below(3)][at % 3]!(),
  );
  return { names: NAMES, rows: { rows: count, width: 3, data }, ...more };
}

function changed(from: FeatureTable, feature: string, change: (value: number, row: number) => number): FeatureTable {
  const place = NAMES.indexOf(feature);
  const data = from.rows.data.map((value, at) => (at % 3 === place ? change(value, Math.floor(at / 3)) : value));
  return { ...from, rows: { ...from.rows, data } };
}

const skewed = (trained: FeatureTable, served: FeatureTable) =>
  findSkew(trained, served)
    .filter(({ isSkewed }) => isSkewed)
    .map(({ name }) => name);

describe('findSkew', () => {
  test('raises hardly an alarm where both sides come from one distribution, of any size', () => {
    const trials = Array.from({ length: 200 }, (_, n) =>
      skewed(table(40 + 5 * n, 2 * n), table(60 + 3 * n, 2 * n + 1)),
    );
    // At a false discovery rate of .01: Binomial(200, .01) is above 8 once in 10,000.
    expect(trials.filter((names) => names.length > 0).length).toBeLessThanOrEqual(8);
  });

  test('names the feature whose unit, default or mean is another one when serving', () => {
    const [trained, served] = [table(800, 1), table(500, 2)];
    expect(
      skewed(
        trained,
        changed(served, 'watched', (value) => value * 60),
      ),
    ).toEqual(['watched']);
    expect(
      skewed(
        trained,
        changed(served, 'age', (value) => value + 0.5),
      ),
    ).toEqual(['age']);
    expect(
      skewed(
        trained,
        changed(served, 'region', () => 0),
      ),
    ).toEqual(['region']);
    const missing = changed(served, 'age', (value, row) => (row % 8 === 0 ? Number.NaN : value));
    expect(skewed(trained, missing)).toEqual(['age']);
    expect(findSkew(trained, missing)[0]!.missing).toEqual({ trained: 0, served: 63 / 500 });
  });

  test('sees one entity with another value where distributions are alike', () => {
    const ids = Array.from({ length: 300 }, (_, n) => `person ${n}`);
    const trained = table(300, 3, { ids });
    expect(skewed(trained, trained)).toEqual([]);
    const served = changed(trained, 'watched', (value, row) => (row === 17 ? value + 0.01 : value));
    expect(findSkew(trained, served)[1]).toMatchObject({ compared: 300, different: 1, isSkewed: true });
    // Rows may come in another order, and others may be there.
    const turned = Array.from({ length: 100 }, (_, n) => 299 - n);
    const data = Float32Array.from(
      { length: 300 },
      (_, at) => trained.rows.data[turned[Math.floor(at / 3)]! * 3 + (at % 3)]!,
    );
    const part = { ...trained, rows: { rows: 100, width: 3, data }, ids: turned.map((n) => ids[n]!) };
    for (const row of findSkew(trained, part)) expect(row).toMatchObject({ compared: 100, different: 0 });
  });

  test('a feature without variance is the same until it varies, and one without values says nothing', () => {
    const constant = changed(table(200, 4), 'age', () => 3);
    expect(skewed(constant, constant)).toEqual([]);
    expect(
      skewed(
        constant,
        changed(constant, 'age', (value, row) => value + (row % 3)),
      ),
    ).toEqual(['age']);
    const empty = changed(constant, 'age', () => Number.NaN);
    expect(findSkew(empty, empty)[0]).toMatchObject({ distance: null, isSkewed: false });
  });

  test('lets a drift pass that is beyond chance but smaller than what was asked for, and never a value that differs', () => {
    const trained = changed(table(4000, 7), 'age', (_, row) => row / 4000);
    const served = changed(trained, 'age', (value) => value + 0.06);
    expect(findSkew(trained, served)[0]).toMatchObject({ name: 'age', isSkewed: true });
    expect(findSkew(trained, served, { distanceMin: 0.1 })[0]!.isSkewed).toBe(false);
    expect(findSkew(trained, served, { distanceMin: 0.05 })[0]!.isSkewed).toBe(true);
    const ids = Array.from({ length: 4000 }, (_, n) => `person ${n}`);
    expect(findSkew({ ...trained, ids }, { ...served, ids }, { distanceMin: 0.1 })[0]!.isSkewed).toBe(true);
  });

  test('gives the distance that is seen by eye', () => {
    const of = (...values: number[]): FeatureTable => ({
      names: ['x'],
      rows: { rows: values.length, width: 1, data: Float32Array.from(values) },
    });
    expect(findSkew(of(1, 2, 3, 4), of(3, 4, 5, 6))[0]!.distance).toBe(0.5);
    expect(findSkew(of(1, 1, 2), of(1, 2, 2))[0]!.distance).toBeCloseTo(1 / 3, 12);
  });

  test('refuses other features, no rows, and infinite values, by name', () => {
    const good = table(5, 1);
    const bad: [FeatureTable, object][] = [
      [{ ...good, names: ['age', 'region', 'watched'] }, { array: 'served' }],
      [{ ...good, names: ['age', 'age', 'region'] }, { array: 'served' }],
      [{ ...good, rows: { rows: 0, width: 3, data: new Float32Array(0) } }, { array: 'served' }],
      [
        { ...good, ids: ['one'] },
        { array: 'served', ids: 1 },
      ],
      [changed(good, 'watched', (value, row) => (row === 2 ? Infinity : value)), { feature: 'watched', row: 2 }],
    ];
    for (const [served, details] of bad) {
      expect(() => findSkew(good, served)).toThrow(
        expect.objectContaining({ code: 'NUMERICS_INPUT_INVALID', details: expect.objectContaining(details) }),
      );
    }
  });
});
