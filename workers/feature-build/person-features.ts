/** Owns the features of one person, from the person's rows. Pure; O(n log n) in the person's rows. */
import { DEVICES } from '../../shared/contract-kit/event.ts';
import type { InteractionArrays } from '../../shared/numerics/interactions/weights.ts';
import { DEVICE_SHARES, FEATURES, type Feature, NIGHT_END_HOUR, SESSION_GAP_MS } from './feature-list.ts';
import type { ItemFacts } from '../reading/item-facts.ts';
import type { Basis, FeatureEvents } from './features.task.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const DEVICE_CODES = DEVICE_SHARES.map((device) => DEVICES.indexOf(device));

export interface PersonRows {
  readonly events: FeatureEvents;
  readonly basis: Basis;
  readonly table: InteractionArrays;
  /** Codes of event types that features treat on their own. */
  readonly codes: { readonly impression: number; readonly view: number; readonly rating: number };
  readonly item: Int32Array;
  readonly facts: ItemFacts;
  readonly asOf: number;
  readonly halfLifeDays: number;
}

/** Memory that is used again for every person. */
export interface PersonScratch {
  readonly features: Float32Array;
  readonly acts: number[];
  readonly weights: Map<number, number>;
}

export const personScratch = (): PersonScratch => ({
  features: new Float32Array(FEATURES.length),
  acts: [],
  weights: new Map(),
});

/** Features of person `s` in the order of FEATURES (valid until the next call), or undefined without an act. */
export function featuresOf(rows: PersonRows, s: number, scratch: PersonScratch): Float32Array | undefined {
  const { events, basis, codes } = rows;
  const { acts, features } = scratch;
  acts.length = 0;
  for (let row = events.runs.starts[s]!; row < events.runs.starts[s + 1]!; row++)
    if (basis.counts[row] === 1 && events.columns.type[row] !== codes.impression) acts.push(row);
  if (acts.length === 0) return undefined;
  features.fill(Number.NaN);
  const set = (name: Feature, value: number): void => {
    features[FEATURES.indexOf(name)] = value;
  };
  // Rows come by item; sums over them must not depend on more than the rows themselves, so they are taken in this order.
  feedback(rows, acts, set);
  tastes(rows, acts, scratch.weights, set);
  const { occurredAt } = events.columns;
  acts.sort((a, b) => occurredAt[a]! - occurredAt[b]! || a - b);
  rhythm(rows, acts, set);
  sessions(rows, acts, set);
  return features;
}

type Set = (name: Feature, value: number) => void;

function feedback({ events, basis, table, codes }: PersonRows, acts: readonly number[], set: Set): void {
  const { columns } = events;
  let [positive, negative, views, viewed, ratings, rated] = [0, 0, 0, 0, 0, 0];
  for (const row of acts) {
    const type = columns.type[row]!;
    const value = columns.value[row]!;
    const scale = basis.scales[columns.source[row]!]!;
    if (type === codes.view) {
      views++;
      viewed += value;
    }
    if (type === codes.rating) {
      ratings++;
      rated += value / scale;
    }
    if (table.explicit[type] === 0) continue;
    const from = table.positiveFrom[type]! * (table.scaled[type] === 1 ? scale : 1);
    const likes = table.weight[type]! > 0 && (from === -Infinity || value >= from - 1e-5);
    if (likes) positive++;
    else negative++;
  }
  set('activity', Math.log1p(acts.length));
  set('positiveShare', positive / acts.length);
  set('negativeShare', negative / acts.length);
  set('viewPercent', viewed / views); // 0 / 0: no value
  set('ratingMean', rated / ratings);
}

/** What the person consumed. Acts are ordered by item here, so each item's acts follow one another, the first in time first. */
function tastes(rows: PersonRows, acts: readonly number[], weights: Map<number, number>, set: Set): void {
  const { events, basis, table, item, facts } = rows;
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
  weights.clear();
  for (const met of consumed) addTo(weights, facts.creator[met]!, 1);
  set('creatorEntropy', entropyBits(weights));
  weights.clear();
  for (const met of consumed) {
    const [from, to] = [facts.topicStart[met]!, facts.topicStart[met + 1]!];
    for (let n = from; n < to; n++) addTo(weights, facts.topics[n]!, 1 / (to - from));
  }
  set('topicEntropy', entropyBits(weights));
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

/** When the person acts, and with what. Acts are in order of time. */
function rhythm({ events, asOf, halfLifeDays }: PersonRows, acts: readonly number[], set: Set): void {
  const { occurredAt, device } = events.columns;
  let [recent, days, nights, lastDay] = [0, 0, 0, Number.NaN];
  for (const row of acts) {
    const at = occurredAt[row]!;
    recent += 2 ** (-(asOf - at) / DAY_MS / halfLifeDays);
    const day = Math.floor(at / DAY_MS);
    if (day !== lastDay) days++;
    lastDay = day;
    if (at - day * DAY_MS < NIGHT_END_HOUR * HOUR_MS) nights++;
  }
  set('daysSinceLast', (asOf - occurredAt[acts.at(-1)!]!) / DAY_MS);
  set('recentActivity', Math.log1p(recent));
  set('activeDays', Math.log1p(days));
  set('nightShare', nights / acts.length);
  const known = acts.filter((row) => device[row] !== 0).length;
  for (const [n, name] of DEVICE_SHARES.entries())
    set(`${name}Share`, acts.filter((row) => device[row] === DEVICE_CODES[n]).length / known);
}

/** Sessions as their source names them; where it does not, a long gap ends one. Acts are in order of time. */
function sessions({ events }: PersonRows, acts: readonly number[], set: Set): void {
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
  set('sessionActs', Math.log1p(acts.length / count));
}

const SESSION_BYTES = 8;

function isNewSession({ columns }: FeatureEvents, before: number, row: number): boolean {
  let [named, same] = [false, true];
  for (let n = 0; n < SESSION_BYTES; n++) {
    const [a, b] = [columns.session[before * SESSION_BYTES + n]!, columns.session[row * SESSION_BYTES + n]!];
    if (a !== 0 || b !== 0) named = true;
    if (a !== b) same = false;
  }
  return named ? !same : columns.occurredAt[row]! - columns.occurredAt[before]! > SESSION_GAP_MS;
}
