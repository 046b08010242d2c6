/** Owns the behaviour features of one person, from the person's rows. Pure; O(n log n) in the person's rows. */
import { DEVICES } from '../../shared/contract-kit/event.ts';
import type { ItemFacts } from '../reading/item-facts.ts';
import { DEVICE_SHARES, type Feature, NIGHT_END_HOUR } from './feature-list.ts';
import {
  DAY_MS,
  type Fill,
  HOUR_MS,
  isNewSession,
  isPositive,
  type PersonActs,
  type PersonRows,
} from './person-rows.ts';

const DEVICE_CODES = DEVICE_SHARES.map((device) => DEVICES.indexOf(device));

/** What is summed by source; devices follow one another. */
const SUM = {
  acts: 0,
  recent: 1,
  nights: 2,
  views: 3,
  viewed: 4,
  ratings: 5,
  rated: 6,
  positive: 7,
  negative: 8,
  known: 9,
  devices: 10,
} as const;
export const BEHAVIOUR_SUMS = SUM.devices + DEVICE_SHARES.length;

type Set = (name: Feature, value: number) => void;

export const fillBehaviour: Fill<Feature> = (rows, acts, set) => {
  for (const row of acts.byItem) addAct(rows, acts, row);
  amounts(acts, set);
  tastes(rows, acts.byItem, set);
  days(rows, acts.byTime, set);
  sessions(rows, acts.byTime, set);
};

function addAct(rows: PersonRows, { sums }: PersonActs, row: number): void {
  const { events, basis, table, codes, asOf, halfLifeDays } = rows;
  const { columns } = events;
  const source = columns.source[row]!;
  const [type, value, at] = [columns.type[row]!, columns.value[row]!, columns.occurredAt[row]!];
  const counts = basis.counts[row]!;
  const add = (sum: number, amount: number): void => sums.add(sum, source, counts * amount);
  add(SUM.acts, 1);
  add(SUM.recent, 2 ** (-(asOf - at) / DAY_MS / halfLifeDays));
  if (at - Math.floor(at / DAY_MS) * DAY_MS < NIGHT_END_HOUR * HOUR_MS) add(SUM.nights, 1);
  if (type === codes.view) {
    add(SUM.views, 1);
    add(SUM.viewed, value);
  }
  if (type === codes.rating) {
    add(SUM.ratings, 1);
    add(SUM.rated, value / basis.scale[row]!);
  }
  if (table.explicit[type] === 1) add(isPositive(rows, row) ? SUM.positive : SUM.negative, 1);
  const device = columns.device[row]!;
  if (device === 0) return;
  add(SUM.known, 1);
  const of = DEVICE_CODES.indexOf(device);
  if (of >= 0) add(SUM.devices + of, 1);
}

/** Figures that are sums. */
function amounts({ sums }: PersonActs, set: Set): void {
  set('activity', Math.log1p(sums.total(SUM.acts)));
  set('recentActivity', Math.log1p(sums.total(SUM.recent)));
  set('nightShare', sums.mean(SUM.nights, SUM.acts));
  set('positiveShare', sums.mean(SUM.positive, SUM.acts));
  set('negativeShare', sums.mean(SUM.negative, SUM.acts));
  set('viewPercent', sums.mean(SUM.viewed, SUM.views));
  set('ratingMean', sums.mean(SUM.rated, SUM.ratings));
  for (const [n, name] of DEVICE_SHARES.entries()) set(`${name}Share`, sums.mean(SUM.devices + n, SUM.known));
}

/** What the person consumed. Each item's acts follow one another here, the first in time first. */
function tastes(rows: PersonRows, acts: readonly number[], set: Set): void {
  const { events, basis, table, catalogue } = rows;
  const { item, facts } = catalogue!;
  const consumed: number[] = [];
  let [popularity, ages, aged] = [0, 0, 0];
  for (const row of acts) {
    const met = item[row]!;
    if (met < 0 || table.seen[events.columns.type[row]!] === 0 || consumed.at(-1) === met) continue;
    consumed.push(met);
    popularity += Math.log(basis.people[met]!);
    const published = facts.publishedAt[met]!;
    if (Number.isNaN(published)) continue;
    aged++;
    ages += Math.log1p(Math.max(0, events.columns.occurredAt[row]! - published) / DAY_MS);
  }
  set('distinctItems', Math.log1p(consumed.length));
  set('popularity', popularity / consumed.length);
  set('itemAge', ages / aged);
  const weights = new Map<number, number>();
  for (const met of consumed) addTo(weights, facts.creator[met]!, 1);
  set('creatorEntropy', entropyBits(weights));
  set('topicEntropy', entropyBits(topicWeights(consumed, facts)));
}

function topicWeights(consumed: readonly number[], facts: ItemFacts): Map<number, number> {
  const weights = new Map<number, number>();
  for (const met of consumed) {
    const [from, to] = [facts.topicStart[met]!, facts.topicStart[met + 1]!];
    for (let n = from; n < to; n++) addTo(weights, facts.topics[n]!, 1 / (to - from));
  }
  return weights;
}

function addTo(weights: Map<number, number>, name: number, weight: number): void {
  if (name >= 0) weights.set(name, (weights.get(name) ?? 0) + weight);
}

/** Shannon entropy of the weights' shares, bits; NaN of nothing. */
function entropyBits(weights: ReadonlyMap<number, number>): number {
  if (weights.size === 0) return Number.NaN;
  let total = 0;
  for (const weight of weights.values()) total += weight;
  let bits = 0;
  for (const weight of weights.values()) bits -= (weight / total) * Math.log2(weight / total);
  return bits;
}

/** Acts are in order of time. */
function days({ events, asOf }: PersonRows, acts: readonly number[], set: Set): void {
  const { occurredAt } = events.columns;
  const active = new Set(acts.map((row) => Math.floor(occurredAt[row]! / DAY_MS)));
  set('daysSinceLast', (asOf - occurredAt[acts.at(-1)!]!) / DAY_MS);
  set('activeDays', Math.log1p(active.size));
}

/** Acts are in order of time. */
function sessions({ events, basis }: PersonRows, acts: readonly number[], set: Set): void {
  const { occurredAt } = events.columns;
  let [count, spentMs, beganAt] = [0, 0, 0];
  for (const [n, row] of acts.entries()) {
    const before = acts[n - 1];
    if (before === undefined || isNewSession(events, before, row)) {
      count++;
      beganAt = occurredAt[row]!;
    }
    const after = acts[n + 1];
    if (after === undefined || isNewSession(events, row, after)) spentMs += occurredAt[row]! - beganAt;
  }
  set('sessionMinutes', Math.log1p(spentMs / count / 60_000));
  const weight = acts.reduce((sum, row) => sum + basis.counts[row]!, 0);
  set('sessionActs', Math.log1p(weight / count));
}
