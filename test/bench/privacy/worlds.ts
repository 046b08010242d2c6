/**
 * Owns the two worlds of the audit: a crowd, and the same crowd with one person more, who does far more than counts and the most of everything. Both go the
 * whole way of a private statistic: bounded, tallied, noised, and left out where too few are there by a noisy count.
 */
import { privateStatistics } from '../../../jobs/private-statistics/contract.ts';
import { EVENT_TYPES } from '../../../shared/contract-kit/event-fields.ts';
import type { Protection } from '../../../shared/governance/differential-privacy/mechanism.ts';
import { RandomBits, type RandomSource } from '../../../shared/governance/differential-privacy/random-bits.ts';
import { KEY_BYTES } from '../../../shared/numerics/types.ts';
import { noisesOf, withNoise } from '../../../workers/private-statistics/noise.ts';
import type { StatisticInput } from '../../../workers/private-statistics/asked.ts';
import { type Tally, tallyGroups } from '../../../workers/private-statistics/tally.task.ts';

const CROWD = 40;
const EVENTS = 5;
/** Of the one person: what is beyond the bound of 5 must not show. */
const EVENTS_OF_ONE = 50;
const VIEW = EVENT_TYPES.indexOf('view');

export interface Audited {
  readonly statistic: 'events' | 'sum' | 'people';
  readonly cohortMin: number;
  /** What is promised, and what is drawn: the same, or half the noise. */
  readonly promised: Protection;
  readonly drawn: Protection;
}

export function questionOf({ statistic, cohortMin }: Audited, protection: Protection): StatisticInput {
  return privateStatistics.input.parse({
    statistic,
    release: 'audit',
    dataset: 'audit',
    contribution: { events: EVENTS, groups: 1, least: 0, most: 10, grid: 2 },
    cohortMin,
    protection,
  }) as StatisticInput;
}

function tallyOf(people: number, input: StatisticInput): Tally {
  const counts = Array.from({ length: people }, (_, n) => (n === CROWD ? EVENTS_OF_ONE : 1 + (n % EVENTS)));
  const rows = counts.reduce((sum, count) => sum + count, 0);
  const starts = new Int32Array(people + 1);
  const keys = new Uint8Array(people * KEY_BYTES);
  for (const [n, count] of counts.entries()) {
    starts[n + 1] = starts[n]! + count;
    keys[n * KEY_BYTES] = n + 1;
  }
  const columns = {
    type: new Uint8Array(rows).fill(VIEW),
    value: Float32Array.from({ length: rows }, (_, row) => (row >= starts[CROWD]! ? 100 : row % 10)),
    occurredAt: new Float64Array(rows),
    recordedAt: new Float64Array(rows),
    source: new Uint16Array(rows),
  };
  const { events, groups, least, most, grid } = input.contribution;
  return tallyGroups({
    events: {
      columns,
      runs: { subjects: people, keys, starts },
      sources: 1,
      allowed: new Uint8Array(people).fill(1),
    } as never,
    asOf: 1,
    by: 'none',
    table: Int32Array.of(0),
    groups: 1,
    types: new Uint8Array(EVENT_TYPES.length).fill(1),
    from: Number.NEGATIVE_INFINITY,
    until: Number.POSITIVE_INFINITY,
    bound: { events, groups },
    ...(input.statistic === 'sum' && { steps: { least, most, grid } }),
    wantsMembers: false,
  });
}

/** Answers of a world: what is told, -Infinity where the group is not. */
export function drawWorld(audited: Audited, hasPerson: boolean, draws: number, source: RandomSource): Float64Array {
  const input = questionOf(audited, audited.promised);
  const tally = tallyOf(CROWD + (hasPerson ? 1 : 0), input);
  const noises = noisesOf(input, audited.drawn);
  const bits = new RandomBits(source);
  return Float64Array.from({ length: draws }, () => {
    const { groups } = withNoise(input, ['all'], tally, noises, bits);
    return groups[0]?.value ?? Number.NEGATIVE_INFINITY;
  });
}
