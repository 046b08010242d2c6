/**
 * Owns what may be told without noise: groups of enough people, where what is left out holds enough people too, and where no earlier figure is about almost
 * the same people. Pure; differences of sets are counted by merging.
 *
 * It does not protect from whoever combines many figures (sums of groups, three of four parts), or knows all but a few of the people: noise does.
 */
import { KEY_BYTES } from '../../shared/numerics/types.ts';

/** People behind each group: 16 bytes each, ascending, group g at start[g] .. start[g + 1]. */
export interface Cohorts {
  readonly members: Uint8Array;
  readonly start: Int32Array;
}

export const peopleOf = ({ start }: Cohorts, group: number): number => start[group + 1]! - start[group]!;

function memberAt({ members }: Cohorts, at: number): Buffer {
  return Buffer.from(members.buffer, members.byteOffset + at * KEY_BYTES, KEY_BYTES);
}

/** People in one of two groups alone, counted up to `enough`. */
export function differing(a: Cohorts, ofA: number, b: Cohorts, ofB: number, enough: number): number {
  if (Math.abs(peopleOf(a, ofA) - peopleOf(b, ofB)) >= enough) return enough;
  let [left, right, count] = [a.start[ofA]!, b.start[ofB]!, 0];
  const [leftEnd, rightEnd] = [a.start[ofA + 1]!, b.start[ofB + 1]!];
  while (count < enough && (left < leftEnd || right < rightEnd)) {
    const order =
      left === leftEnd ? 1 : right === rightEnd ? -1 : Buffer.compare(memberAt(a, left), memberAt(b, right));
    if (order !== 0) count += 1;
    if (order <= 0) left += 1;
    if (order >= 0) right += 1;
  }
  return count;
}

/** Distinct people of some groups. */
export function peopleOfAll(cohorts: Cohorts, groups: readonly number[]): number {
  const all = new Set<string>();
  for (const group of groups)
    for (let at = cohorts.start[group]!; at < cohorts.start[group + 1]!; at++)
      all.add(memberAt(cohorts, at).toString('latin1'));
  return all.size;
}

/**
 * Groups that are not told: those of fewer than `least` people, and the next smallest while the people of all that is left out are fewer: else a total
 * would give them away. Ascending.
 */
export function suppressedOf(cohorts: Cohorts, least: number): number[] {
  const groups = Array.from({ length: cohorts.start.length - 1 }, (_, group) => group);
  const bySize = groups.toSorted((a, b) => peopleOf(cohorts, a) - peopleOf(cohorts, b) || a - b);
  let end = bySize.findIndex((group) => peopleOf(cohorts, group) >= least);
  if (end < 0) return groups;
  for (; end < bySize.length; end++) {
    const hidden = peopleOfAll(cohorts, bySize.slice(0, end));
    if (hidden === 0 || hidden >= least) break;
  }
  return bySize.slice(0, end).toSorted((a, b) => a - b);
}

/** Only these groups. */
export function onlyGroups(cohorts: Cohorts, groups: readonly number[]): Cohorts {
  const start = new Int32Array(groups.length + 1);
  const parts = groups.map((group, n) => {
    start[n + 1] = start[n]! + peopleOf(cohorts, group);
    return cohorts.members.subarray(cohorts.start[group]! * KEY_BYTES, cohorts.start[group + 1]! * KEY_BYTES);
  });
  return { members: Buffer.concat(parts), start };
}
