import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkSparseRows } from './check-input.ts';
import { emptyRows, fromTriples, transpose, unionRows } from './sparse.ts';
import { entityHashes, tieHash } from './tie-hash.ts';
import type { SparseRows } from './types.ts';

const triples = fc.array(fc.tuple(fc.nat(9), fc.nat(6), fc.integer({ min: 1, max: 5 })), { maxLength: 60 });
const build = (all: readonly (readonly [number, number, number])[]) =>
  fromTriples(
    10,
    7,
    all.map(([user]) => user),
    all.map(([, item]) => item),
    all.map(([, , value]) => value),
  );

/** `user,item` to value. */
function asMap({ rows, indptr, indices, values }: SparseRows): Map<string, number> {
  const map = new Map<string, number>();
  for (let row = 0; row < rows; row++) {
    for (let at = indptr[row]!; at < indptr[row + 1]!; at++) map.set(`${row},${indices[at]}`, values[at]!);
  }
  return map;
}

test('triples in any order become valid rows that keep the largest value of a pair', () => {
  fc.assert(
    fc.property(triples, (all) => {
      const rows = build(all);
      checkSparseRows(rows, 'rows', true);
      const expected = new Map<string, number>();
      for (const [user, item, value] of all) {
        const key = `${user},${item}`;
        expected.set(key, Math.max(value, expected.get(key) ?? 0));
      }
      expect(asMap(rows)).toEqual(expected);
      expect([...build(all.toReversed()).values]).toEqual([...rows.values]);
    }),
  );
});

test('rows turned twice are themselves', () => {
  fc.assert(
    fc.property(triples, (all) => {
      const rows = build(all);
      const turned = transpose(rows);
      checkSparseRows(turned, 'turned', true);
      expect(asMap(transpose(turned))).toEqual(asMap(rows));
    }),
  );
});

test('a union has the pairs of both, with the values of the first', () => {
  fc.assert(
    fc.property(triples, triples, (a, b) => {
      const both = unionRows(build(a), build(b));
      checkSparseRows(both, 'both', true);
      expect(asMap(both)).toEqual(new Map([...asMap(build(b)), ...asMap(build(a))]));
    }),
  );
  expect(asMap(unionRows(emptyRows(10, 7), emptyRows(10, 7))).size).toBe(0);
});

test('tie hashes are whole numbers of 32 bits that depend on both sides', () => {
  const [users, items] = [entityHashes(0, 50, undefined, 'user'), entityHashes(0, 50, undefined, 'item')];
  const all = new Set([...users].flatMap((user) => [...items].map((item) => tieHash(user, item))));
  expect(all.size).toBeGreaterThan(2490);
  for (const hash of all) expect(Number.isInteger(hash) && hash >= 0 && hash < 2 ** 32).toBe(true);
  expect([...entityHashes(20, 23, undefined, 'user')]).toEqual([...users.subarray(20, 23)]);
});
