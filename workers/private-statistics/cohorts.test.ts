/** What is told without noise, against sets counted by hand. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import { type Cohorts, differing, onlyGroups, peopleOfAll, suppressedOf } from './cohorts.ts';
import { findOverlap } from './overlaps.task.ts';

const keyOf = (person: number): Buffer => {
  const key = Buffer.alloc(KEY_BYTES);
  key.writeUInt32BE(person, 0);
  return key;
};
function cohortsOf(groups: readonly (readonly number[])[]): Cohorts {
  const start = new Int32Array(groups.length + 1);
  for (const [n, group] of groups.entries()) start[n + 1] = start[n]! + group.length;
  return { members: Buffer.concat(groups.flatMap((group) => group.toSorted((a, b) => a - b).map(keyOf))), start };
}
const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, n) => from + n);

test('people in one of two groups alone are counted as sets say', () => {
  const people = fc.uniqueArray(fc.nat(30), { maxLength: 20 });
  fc.assert(
    fc.property(people, people, fc.integer({ min: 1, max: 40 }), (a, b, enough) => {
      const cohorts = cohortsOf([a, b]);
      const inOne = a.filter((one) => !b.includes(one)).length + b.filter((one) => !a.includes(one)).length;
      expect(differing(cohorts, 0, cohorts, 1, enough)).toBe(Math.min(enough, inOne));
    }),
  );
});

test('groups of few are left out, and with one of them alone the next smallest too, so that a total gives nobody away', () => {
  expect(suppressedOf(cohortsOf([range(0, 20), range(20, 3), range(23, 9), range(32, 8)]), 5)).toEqual([1, 3]);
  expect(suppressedOf(cohortsOf([range(0, 20), range(20, 3), range(23, 4)]), 5)).toEqual([1, 2]);
  expect(suppressedOf(cohortsOf([range(0, 20), [], range(20, 9)]), 5)).toEqual([1]);
  expect(suppressedOf(cohortsOf([range(0, 4), range(4, 4)]), 5)).toEqual([0, 1]);
  expect(suppressedOf(cohortsOf([range(0, 6), range(6, 7)]), 5)).toEqual([]);
});

test('whatever the groups, those told have enough people, and those left out together none or enough', () => {
  const groups = fc.array(fc.uniqueArray(fc.nat(40), { maxLength: 25 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(groups, fc.integer({ min: 2, max: 10 }), (found, least) => {
      const cohorts = cohortsOf(found);
      const hidden = suppressedOf(cohorts, least);
      const isTold = (group: number): boolean => !hidden.includes(group);
      const people = peopleOfAll(cohorts, hidden);
      const isSafe = people === 0 || people >= least || found.every((_, group) => !isTold(group));
      expect(isSafe).toBe(true);
      for (const [n, group] of found.entries()) expect(!isTold(n) || group.length >= least).toBe(true);
    }),
  );
});

test('a figure about all but one of the people of an earlier one is found, one about the same or about others is not', () => {
  const now = cohortsOf([range(0, 20), range(100, 12)]);
  const before = (...groups: number[][]) => ({ cohorts: cohortsOf(groups) });
  const found = (...earlier: ReturnType<typeof before>[]) => findOverlap({ now, before: earlier, least: 5 });
  expect(found(before(range(0, 20)))).toBe(-1);
  expect(found(before(range(200, 30)), before(range(0, 19)))).toBe(1);
  expect(found(before(range(0, 21)))).toBe(0);
  expect(found(before(range(2, 18)))).toBe(0);
  expect(found(before(range(0, 25)))).toBe(-1);
  expect(found(before(range(300, 12), range(101, 12)))).toBe(0);
});

test('where it is not known any more who was in a figure, only a number far off is no matter', () => {
  const now = cohortsOf([range(0, 20)]);
  expect(findOverlap({ now, before: [{ people: [40, 9] }], least: 5 })).toBe(-1);
  expect(findOverlap({ now, before: [{ people: [40, 23] }], least: 5 })).toBe(0);
});

test('groups that are told go on with their own people', () => {
  const kept = onlyGroups(cohortsOf([range(0, 3), range(5, 4), range(20, 2)]), [0, 2]);
  expect([...kept.start]).toEqual([0, 3, 5]);
  expect(kept.members.subarray(3 * KEY_BYTES)).toEqual(Buffer.concat([keyOf(20), keyOf(21)]));
});
