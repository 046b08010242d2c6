/**
 * Owns what the figures of a source's days say of it: shares of refused, repeated and late events, how complete they are, whether what the source
 * sends has changed its mix, whether its volume leaps, and a score that its declared grade and its measured quality give together.
 */
import { scaleOf } from '../signals/robust-scale.ts';
import { psi, psiLimit } from './psi.ts';

/** What came from one source on one day (UTC, by when it was taken in). */
export interface SourceDay {
  readonly source: string;
  /** `2026-11-24`. */
  readonly day: string;
  readonly batches: number;
  /** Events in the batches, whatever became of them. */
  readonly received: number;
  /** Events that passed every check, duplicates among them. */
  readonly passed: number;
  readonly duplicates: number;
  /** Recorded more than a day after they occurred. */
  readonly late: number;
  /** Passed events that have one. */
  readonly filled: Readonly<Record<'item' | 'value' | 'session' | 'device', number>>;
  /** Refused events by code, and by code and field: `EVENT_INVALID value`. */
  readonly refused: Readonly<Record<string, number>>;
  /** Passed events by type, in the order of the types. */
  readonly types: readonly number[];
  /** Passed events with a value, by tenths of the most that their type allows. */
  readonly values: readonly number[];
}

export const ALERTS = {
  'volume-up': 'far more events than on the days before',
  'volume-down': 'far fewer events than on the days before',
  refused: 'many events are refused',
  repeated: 'most events were sent before',
  late: 'most events come more than a day late',
  'types-changed': 'the mix of event types has changed',
  'values-changed': 'the values have moved',
} as const;
export type Alert = keyof typeof ALERTS;

export interface DayReport extends SourceDay {
  readonly refusedShare: number;
  readonly duplicateShare: number;
  readonly lateShare: number;
  /** Against the days before; absent: too little to tell. */
  readonly typesMoved?: number;
  readonly valuesMoved?: number;
  readonly alerts: readonly Alert[];
}

export type Standing = 'high-signal' | 'fair' | 'poor' | 'unknown';

export interface SourceReport {
  readonly source: string;
  /** 0 to 1: the grade's trust times what was measured. NaN: too little came. */
  readonly score: number;
  readonly standing: Standing;
  readonly days: readonly DayReport[];
}

/** Trust by grade of the maturity model, before anything was measured. */
const TRUST: Readonly<Record<string, number>> = { verified: 1, measured: 0.9, reported: 0.7, synthetic: 0.5 };
/** Fewer events on a day say nothing. */
const EVENTS_MIN = 100;
const REFUSED_MAX = 0.2;
const REPEATED_MAX = 0.5;
const LATE_MAX = 0.5;
/** Days that a day is held against, at most and at least. */
const BEFORE_MAX = 28;
const BEFORE_MIN = 7;
/** Volume leaps when it lies so many robust deviations off on the logarithmic scale, and is at least so many times as much or as little. */
const DEVIATIONS = 5;
const TIMES = 3;
/** Volumes of a steady source vary by this much all the same. */
const SPREAD_MIN = 0.1;
const HIGH = 0.75;
const POOR = 0.4;

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
const pooled = (days: readonly SourceDay[], of: 'types' | 'values'): number[] =>
  days.length === 0 ? [] : days[0]![of].map((_, bin) => sum(days.map((day) => day[of][bin]!)));

function movedAgainst(before: readonly SourceDay[], day: SourceDay, of: 'types' | 'values') {
  const [reference, now] = [pooled(before, of), day[of]];
  if (sum(reference) < EVENTS_MIN || sum(now) < EVENTS_MIN) return undefined;
  const figure = psi(reference, now);
  return { figure, isChange: figure > psiLimit(reference, now) };
}

/** Undefined: nothing leaps, or there are too few days to tell. */
function volumeAlert(before: readonly SourceDay[], day: SourceDay): Alert | undefined {
  if (before.length < BEFORE_MIN) return undefined;
  const { median, spread } = scaleOf(Float64Array.from(before, ({ received }) => Math.log1p(received)));
  const off = Math.log1p(day.received) - median;
  if (Math.abs(off) < Math.max(Math.log(TIMES), DEVIATIONS * Math.max(spread, SPREAD_MIN))) return undefined;
  return off > 0 ? 'volume-up' : 'volume-down';
}

/** `before`: the days before it, in order. `isWhole`: the day is over. */
export function dayReport(day: SourceDay, before: readonly SourceDay[], isWhole: boolean): DayReport {
  const held = before.slice(-BEFORE_MAX);
  const refusedShare = share(day.received - day.passed, day.received);
  const duplicateShare = share(day.duplicates, day.passed);
  const lateShare = share(day.late, day.passed);
  const [types, values] = [movedAgainst(held, day, 'types'), movedAgainst(held, day, 'values')];
  const volume = volumeAlert(held, day);
  const isMuch = day.received >= EVENTS_MIN;
  const found: readonly (readonly [Alert | undefined, boolean])[] = [
    // A day that is not over yet has fewer events than one that is.
    [volume, volume === 'volume-up' || isWhole],
    ['refused', isMuch && refusedShare > REFUSED_MAX],
    ['repeated', isMuch && duplicateShare > REPEATED_MAX],
    ['late', isMuch && lateShare > LATE_MAX],
    ['types-changed', types?.isChange === true],
    ['values-changed', values?.isChange === true],
  ];
  const alerts = found.flatMap(([alert, holds]) => (alert !== undefined && holds ? [alert] : []));
  return {
    ...day,
    refusedShare,
    duplicateShare,
    lateShare,
    ...(types === undefined ? {} : { typesMoved: types.figure }),
    ...(values === undefined ? {} : { valuesMoved: values.figure }),
    alerts,
  };
}

/** Of the grade's trust, the part that what came bears out: refused events cost whole, repeated and late ones in part, days with a change in part. */
function scoreOf(grade: string, days: readonly DayReport[]): number {
  const [received, passed] = [sum(days.map((day) => day.received)), sum(days.map((day) => day.passed))];
  if (received < EVENTS_MIN) return Number.NaN;
  const repeated = share(sum(days.map((day) => day.duplicates)), passed);
  const late = share(sum(days.map((day) => day.late)), passed);
  const changed = share(days.filter(({ alerts }) => alerts.length > 0).length, days.length);
  return TRUST[grade]! * share(passed, received) * (1 - repeated / 2) * (1 - late / 4) * (1 - changed / 2);
}

function standingOf(score: number): Standing {
  if (Number.isNaN(score)) return 'unknown';
  if (score >= HIGH) return 'high-signal';
  return score < POOR ? 'poor' : 'fair';
}

/** Reports by source, in order of names. `today`: the day that is not over. */
export function sourceReports(
  days: readonly SourceDay[],
  gradeOf: (source: string) => string,
  today: string,
): SourceReport[] {
  const bySource = Map.groupBy(
    days.toSorted((a, b) => a.day.localeCompare(b.day)),
    ({ source }) => source,
  );
  return [...bySource]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([source, own]) => {
      const reports = own.map((day, n) => dayReport(day, own.slice(0, n), day.day < today));
      const score = scoreOf(gradeOf(source), reports.slice(-BEFORE_MAX));
      return { source, score, standing: standingOf(score), days: reports };
    });
}
