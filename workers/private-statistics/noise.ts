/**
 * Owns an answer with noise: every group gets some, also those of nobody, and which groups are told is decided by a noisy count of their people. With a
 * minimum cohort the protection is halved between the two draws; they cost it together.
 */
import { picoSpent } from '../../shared/governance/differential-privacy/accountant.ts';
import {
  addNoise,
  type Mechanism,
  mechanismFor,
  type Protection,
  type Sensitivity,
} from '../../shared/governance/differential-privacy/mechanism.ts';
import { numberOf, plus } from '../../shared/governance/differential-privacy/rational.ts';
import { RandomBits } from '../../shared/governance/differential-privacy/random-bits.ts';
import type { StatisticInput, ToldGroup } from './asked.ts';
import type { Tally } from './tally.task.ts';

/** The most that one person changes a statistic, in its whole steps: all their events in one group, or one in each of theirs. */
export function sensitivityOf({ statistic, contribution }: StatisticInput): Sensitivity {
  const { events, groups, least, most, grid } = contribution;
  if (statistic === 'people') return { sum: BigInt(groups), squares: BigInt(groups) };
  const furthest = Math.max(1, Math.floor(Math.abs(most) / grid), Math.floor(Math.abs(least) / grid));
  const sum = BigInt(events) * (statistic === 'events' ? 1n : BigInt(furthest));
  return { sum, squares: sum * sum };
}

export interface Noises {
  readonly values: Mechanism;
  /** Of the people of each group; absent: all groups are told. */
  readonly people: Mechanism | undefined;
  readonly rho: number;
  readonly pico: number;
}

export function noisesOf(input: StatisticInput, protection: Protection): Noises {
  const { statistic, cohortMin, contribution } = input;
  // Of people the count itself is looked at.
  const countsApart = cohortMin > 0 && statistic !== 'people';
  const parts = countsApart ? 2 : 1;
  const values = mechanismFor(protection, sensitivityOf(input), parts);
  const groups = BigInt(contribution.groups);
  const people = countsApart ? mechanismFor(protection, { sum: groups, squares: groups }, parts) : undefined;
  const rho = people === undefined ? values.rho : plus(values.rho, people.rho);
  return { values, people, rho: numberOf(rho), pico: picoSpent(rho) };
}

const wholes = (figures: Float64Array | Int32Array): bigint[] => Array.from(figures, (figure) => BigInt(figure));

/** `bits`: of another source than the system's, for tests and audits. */
export function withNoise(
  input: StatisticInput,
  names: readonly string[],
  tally: Pick<Tally, 'events' | 'steps' | 'people'>,
  { values, people }: Noises,
  bits = new RandomBits(),
): { readonly groups: ToldGroup[]; readonly suppressed: string[] } {
  const { statistic, cohortMin, contribution } = input;
  const exact = { events: tally.events, sum: tally.steps, people: tally.people }[statistic];
  const drawn = addNoise(wholes(exact), values, bits).map(Number);
  const counted = statistic === 'people' ? drawn : people && addNoise(wholes(tally.people), people, bits).map(Number);
  const unit = statistic === 'sum' ? contribution.grid : 1;
  const groups: ToldGroup[] = [];
  const suppressed: string[] = [];
  for (const [n, group] of names.entries()) {
    if (counted !== undefined && cohortMin > 0 && counted[n]! < cohortMin) {
      suppressed.push(group);
      continue;
    }
    groups.push({
      group,
      value: drawn[n]! * unit,
      low: (drawn[n]! - values.within95) * unit,
      high: (drawn[n]! + values.within95) * unit,
      people: counted?.[n] ?? null,
    });
  }
  return { groups, suppressed };
}
