/**
 * Owns the traces that a script leaves and people do not, each a figure of one account: the larger, the less like a person. Every figure
 * needs a least amount of evidence and is NaN below it; shares are the lower end of their Wilson interval, so that two acts in three prove
 * less than two hundred in three hundred. Time O(n log n) in the account's acts; slow reference: traces.reference.ts.
 *
 * None of them reads device, session or the list that an act answers to: a bot that fills those in is found all the same.
 */
import type { AccountActs, ItemColumns } from './acts.ts';
import { shingleHashes } from './sequences.ts';
import { wilsonLow } from './wilson.ts';

export const TRACES = [
  /** Largest share of pauses of about one length (within 2 %). */
  'regularity',
  /** 1 - entropy of pauses in quarter-octave bins / the most that as many pauses could have. */
  'order',
  /** ln(1 + most acts within a minute). */
  'burst',
  /** Share of steps to an item that lies just behind the last one in the catalogue. */
  'sweep',
  /** Share of runs of items that another account has gone through too. */
  'copied',
  /** Share of acts that repeat an earlier (type, item). */
  'repetition',
  /** Largest share of acts about one creator. */
  'devotion',
  /** Share of acts in the quietest six hours of the day; people sleep. */
  'sleepless',
  /** 1 - entropy of the percentages of views in ten bins / log2 10. */
  'sameness',
  /** Share of acts that are the lowest or highest rating, a thumb or a refusal. */
  'extremity',
] as const;
export type Trace = (typeof TRACES)[number];

export const PAUSES_MIN = 12;
/** Shorter pauses are reactions to one thing. */
export const PAUSE_MS_MIN = 2_000;
/** Longer ones are nights. */
export const PAUSE_MS_MAX = 6 * 3_600_000;
export const PAUSE_BAND = Math.log(1.02);
export const BINS_PER_OCTAVE = 4;
export const BURST_MS = 60_000;
export const STEPS_MIN = 12;
/** "Just behind": at most this share of the catalogue, and at least STEP_PLACES_MIN places. */
export const STEP_SHARE = 0.004;
export const STEP_PLACES_MIN = 3;
export const ACTS_MIN = 20;
export const SLEEP_ACTS_MIN = 48;
export const SLEEP_DAYS_MIN = 3;
export const REST_HOURS = 6;
export const VIEWS_MIN = 20;
export const SHINGLES_MIN = 8;

const HOUR_MS = 3_600_000;
const HOURS = 24;

/** Codes of the types that traces tell apart. */
export interface TypeCodes {
  readonly view: number;
  readonly rating: number;
  readonly thumb: number;
  readonly refusal: number;
}

export interface TraceRequest {
  readonly acts: AccountActs;
  readonly items: ItemColumns;
  readonly codes: TypeCodes;
  /** Highest rating there is. */
  readonly ratingMax: number;
  /** Hashes of runs of items that at least two accounts went through, ascending. */
  readonly shared: Float64Array;
  /** Acts of one moment have no order. */
  readonly coarse: boolean;
}

function entropyBits(counts: Iterable<number>, total: number): number {
  let bits = 0;
  for (const count of counts) if (count > 0) bits -= (count / total) * Math.log2(count / total);
  return bits;
}

function pausesOf({ at }: AccountActs, from: number, to: number): Float64Array {
  const pauses: number[] = [];
  for (let n = from + 1; n < to; n++) {
    const pause = at[n]! - at[n - 1]!;
    if (pause >= PAUSE_MS_MIN && pause <= PAUSE_MS_MAX) pauses.push(Math.log(pause));
  }
  return Float64Array.from(pauses).sort();
}

function regularity(pauses: Float64Array): number {
  if (pauses.length < PAUSES_MIN) return Number.NaN;
  let most = 0;
  for (let low = 0, high = 0; high < pauses.length; high++) {
    while (pauses[high]! - pauses[low]! > PAUSE_BAND) low++;
    most = Math.max(most, high - low + 1);
  }
  return wilsonLow(most, pauses.length);
}

function order(pauses: Float64Array): number {
  if (pauses.length < PAUSES_MIN) return Number.NaN;
  const width = Math.LN2 / BINS_PER_OCTAVE;
  const bins = new Map<number, number>();
  for (const pause of pauses) bins.set(Math.floor(pause / width), (bins.get(Math.floor(pause / width)) ?? 0) + 1);
  const span = Math.ceil(Math.log(PAUSE_MS_MAX / PAUSE_MS_MIN) / width);
  return 1 - entropyBits(bins.values(), pauses.length) / Math.log2(Math.min(pauses.length, span));
}

function burst({ at }: AccountActs, from: number, to: number): number {
  let most = 0;
  for (let low = from, high = from; high < to; high++) {
    while (at[high]! - at[low]! > BURST_MS) low++;
    most = Math.max(most, high - low + 1);
  }
  return Math.log1p(most);
}

function sweep(
  { at, item }: AccountActs,
  { items, place }: ItemColumns,
  coarse: boolean,
  from: number,
  to: number,
): number {
  const far = Math.max(STEP_PLACES_MIN, Math.floor(items * STEP_SHARE));
  let steps = 0;
  let near = 0;
  let last = -1;
  let lastAt = Number.NaN;
  for (let n = from; n < to; n++) {
    const here = item[n]! < 0 ? -1 : place[item[n]!]!;
    if (here < 0 || here === last) continue;
    if (last >= 0 && !(coarse && at[n] === lastAt)) {
      steps++;
      if (here > last && here - last <= far) near++;
    }
    last = here;
    lastAt = at[n]!;
  }
  return steps < STEPS_MIN ? Number.NaN : wilsonLow(near, steps);
}

function copied(acts: AccountActs, account: number, shared: Float64Array, coarse: boolean): number {
  const hashes = shingleHashes(acts, account, coarse);
  if (hashes.length < SHINGLES_MIN) return Number.NaN;
  let known = 0;
  for (const hash of hashes) if (isIn(shared, hash)) known++;
  return wilsonLow(known, hashes.length);
}

function isIn(sorted: Float64Array, value: number): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === value;
}

function repetition({ item, type }: AccountActs, from: number, to: number): number {
  const met = new Set<number>();
  let acts = 0;
  for (let n = from; n < to; n++) {
    if (item[n]! < 0) continue;
    acts++;
    met.add(item[n]! * 256 + type[n]!);
  }
  return acts < ACTS_MIN ? Number.NaN : wilsonLow(acts - met.size, acts);
}

function devotion({ item }: AccountActs, { owner }: ItemColumns, from: number, to: number): number {
  const acts = new Map<number, number>();
  let known = 0;
  for (let n = from; n < to; n++) {
    const whose = item[n]! < 0 ? -1 : owner[item[n]!]!;
    if (whose < 0) continue;
    known++;
    acts.set(whose, (acts.get(whose) ?? 0) + 1);
  }
  return known < ACTS_MIN ? Number.NaN : wilsonLow(Math.max(...acts.values()), known);
}

function sleepless({ at }: AccountActs, from: number, to: number): number {
  if (to - from < SLEEP_ACTS_MIN) return Number.NaN;
  const hours = new Int32Array(HOURS);
  const days = new Set<number>();
  for (let n = from; n < to; n++) {
    const hour = Math.floor(at[n]! / HOUR_MS);
    hours[((hour % HOURS) + HOURS) % HOURS]!++;
    days.add(Math.floor(hour / HOURS));
  }
  if (days.size < SLEEP_DAYS_MIN) return Number.NaN;
  let least = Number.POSITIVE_INFINITY;
  for (let start = 0; start < HOURS; start++) {
    let sum = 0;
    for (let h = 0; h < REST_HOURS; h++) sum += hours[(start + h) % HOURS]!;
    least = Math.min(least, sum);
  }
  return wilsonLow(least, to - from);
}

function sameness({ type, value }: AccountActs, view: number, from: number, to: number): number {
  const bins = new Int32Array(10);
  let views = 0;
  for (let n = from; n < to; n++) {
    if (type[n] !== view || Number.isNaN(value[n]!)) continue;
    views++;
    bins[Math.max(0, Math.min(9, Math.floor(value[n]! / 10)))]!++;
  }
  return views < VIEWS_MIN ? Number.NaN : 1 - entropyBits(bins, views) / Math.log2(10);
}

function extremity(request: TraceRequest, from: number, to: number): number {
  const { acts, codes, ratingMax } = request;
  if (to - from < ACTS_MIN) return Number.NaN;
  let extreme = 0;
  for (let n = from; n < to; n++) {
    const type = acts.type[n]!;
    const value = acts.value[n]!;
    const ends = type === codes.rating && (value <= 1 || value >= ratingMax);
    if (ends || type === codes.thumb || type === codes.refusal) extreme++;
  }
  return wilsonLow(extreme, to - from);
}

/** The traces of one account, in the order of TRACES. */
export function tracesOf(request: TraceRequest, account: number): number[] {
  const { acts, items, codes, coarse, shared } = request;
  const from = acts.starts[account]!;
  const to = acts.starts[account + 1]!;
  const pauses = pausesOf(acts, from, to);
  const figures: Readonly<Record<Trace, number>> = {
    regularity: regularity(pauses),
    order: order(pauses),
    burst: burst(acts, from, to),
    sweep: sweep(acts, items, coarse, from, to),
    copied: copied(acts, account, shared, coarse),
    repetition: repetition(acts, from, to),
    devotion: devotion(acts, items, from, to),
    sleepless: sleepless(acts, from, to),
    sameness: sameness(acts, codes.view, from, to),
    extremity: extremity(request, from, to),
  };
  return TRACES.map((trace) => figures[trace]);
}
