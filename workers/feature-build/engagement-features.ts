/** Owns how recently, how often and how strongly one person acts, from the person's rows. Pure; linear in them but for their order. */
import { EFFORTS } from '../../shared/numerics/features/effort.ts';
import type { FeatureOf } from '../../shared/numerics/features/registry.ts';
import {
  AVERAGE_DAYS,
  COMPLETE_PERCENT,
  FREQUENCY_DAYS,
  HALF_BELIEVED_ACTS,
  LATELY_DAYS,
  RECENCY_DAYS,
} from '../../shared/numerics/features/views/engagement.ts';
import { DAY_MS, type Fill, isPositive, type PersonActs, type PersonRows } from './person-rows.ts';

type Name = FeatureOf<'engagement'>;

/** What is summed by source, all but `recency` under the half-life of averages unless it says `lately`; one recency a half-life follows. */
const SUM = {
  weight: 0,
  squares: 1,
  effort: 2,
  lately: 3,
  effortLately: 4,
  views: 5,
  viewed: 6,
  complete: 7,
  stated: 8,
  positive: 9,
  recency: 10,
} as const;
export const ENGAGEMENT_SUMS = SUM.recency + RECENCY_DAYS.length;

export const fillEngagement: Fill<Name> = (rows, acts, set) => {
  for (const row of acts.byItem) addAct(rows, acts, row);
  const { sums } = acts;
  for (const [n, days] of RECENCY_DAYS.entries()) set(`recency${days}`, Math.log1p(sums.total(SUM.recency + n)));
  for (const days of FREQUENCY_DAYS) set(`frequency${days}`, activeDays(rows, acts, days) / days);
  const effective = sums.total(SUM.weight) ** 2 / sums.total(SUM.squares, SUM.weight);
  set('confidence', Number.isNaN(effective) ? 0 : effective / (effective + HALF_BELIEVED_ACTS));
  set('intensity', sums.mean(SUM.effort, SUM.weight));
  set('intensityLately', sums.mean(SUM.effortLately, SUM.lately));
  set('viewPercent', sums.mean(SUM.viewed, SUM.views));
  set('completeShare', sums.mean(SUM.complete, SUM.views));
  const stated = sums.total(SUM.stated);
  if (stated > 0) set('likingShare', (sums.total(SUM.positive, SUM.stated) + 1) / (stated + 2));
};

function addAct(rows: PersonRows, { sums }: PersonActs, row: number): void {
  const { events, basis, table, codes, asOf } = rows;
  const { columns } = events;
  const [type, value, source] = [columns.type[row]!, columns.value[row]!, columns.source[row]!];
  const age = (asOf - columns.occurredAt[row]!) / DAY_MS;
  const counts = basis.counts[row]!;
  const add = (sum: number, amount: number): void => sums.add(sum, source, counts * amount);
  for (const [n, days] of RECENCY_DAYS.entries()) add(SUM.recency + n, 2 ** (-age / days));
  const isView = type === codes.view;
  const effort = EFFORTS[type]! * (isView ? value / 100 : 1);
  const [weight, lately] = [2 ** (-age / AVERAGE_DAYS), 2 ** (-age / LATELY_DAYS)];
  add(SUM.weight, weight);
  add(SUM.squares, weight * weight);
  add(SUM.effort, weight * effort);
  add(SUM.lately, lately);
  add(SUM.effortLately, lately * effort);
  if (isView) {
    add(SUM.views, weight);
    add(SUM.viewed, weight * value);
    if (value >= COMPLETE_PERCENT) add(SUM.complete, weight);
  }
  if (table.explicit[type] === 0) return;
  add(SUM.stated, weight);
  if (isPositive(rows, row)) add(SUM.positive, weight);
}

/** Of the last `days` times 24 hours, those with an act. */
function activeDays({ events, asOf }: PersonRows, { byTime }: PersonActs, days: number): number {
  const ages = byTime.map((row) => Math.floor((asOf - events.columns.occurredAt[row]!) / DAY_MS));
  return new Set(ages.filter((age) => age < days)).size;
}
