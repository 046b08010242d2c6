/** Owns the circumstances of one person at a moment, from the person's rows and profile. Pure; O(n log n) in the rows. */
import { DEVICES } from '../../shared/contract-kit/event.ts';
import type { FeatureOf } from '../../shared/numerics/features/registry.ts';
import { USUAL_DAYS } from '../../shared/numerics/features/views/context.ts';
import { SESSION_GAP_MS } from './feature-list.ts';
import { LocalClock } from './local-time.ts';
import { DAY_MS, type Fill, isNewSession, type PersonActs, type PersonRows } from './person-rows.ts';

type Name = FeatureOf<'context'>;
type Set = (name: Name, value: number) => void;

const SUM = { weight: 0, sines: 1, cosines: 2, weekend: 3 } as const;
export const CONTEXT_SUMS = 4;

const ON = { phone: 'onPhone', tablet: 'onTablet', desktop: 'onDesktop', tv: 'onTv' } as const;
/** 1970-01-01 was a Thursday; days of the week from Sunday. */
const THURSDAY = 4;

/** One clock a zone and thread. */
const clocks = new Map<string, LocalClock>();
const CLOCKS_MAX = 1_000;

export const fillContext: Fill<Name> = (rows, acts, set) => {
  device(rows, acts.byTime, set);
  const { latitude, longitude } = rows.profiles!;
  set('placeLatitude', latitude[acts.subject]!);
  set('placeLongitude', longitude[acts.subject]!);
  clockTime(rows, acts, set);
  season(rows.asOf, latitude[acts.subject]!, set);
  session(rows, acts.byTime, set);
};

function device({ events }: PersonRows, acts: readonly number[], set: Set): void {
  const last = acts.findLast((row) => events.columns.device[row] !== 0);
  if (last === undefined) return;
  for (const [name, feature] of Object.entries(ON))
    set(feature, Number(DEVICES[events.columns.device[last]!] === name));
}

function clockOf(zone: string): LocalClock {
  const known = clocks.get(zone);
  if (known !== undefined) return known;
  if (clocks.size >= CLOCKS_MAX) clocks.clear();
  const clock = new LocalClock(zone);
  clocks.set(zone, clock);
  return clock;
}

/** Angle of the time of day. */
const hourAngle = (localMs: number): number =>
  (2 * Math.PI * (localMs - Math.floor(localMs / DAY_MS) * DAY_MS)) / DAY_MS;

function clockTime(
  { events, basis, profiles, asOf }: PersonRows,
  { byItem, sums, subject }: PersonActs,
  set: Set,
): void {
  const zone = profiles!.zones[profiles!.zone[subject]!];
  if (zone === undefined) return;
  const clock = clockOf(zone);
  const { occurredAt, source } = events.columns;
  for (const row of byItem) {
    const [at, from] = [occurredAt[row]!, source[row]!];
    const weight = basis.counts[row]! * 2 ** (-(asOf - at) / DAY_MS / USUAL_DAYS);
    const local = clock.localMs(at);
    const weekday = (Math.floor(local / DAY_MS) + THURSDAY) % 7;
    sums.add(SUM.weight, from, weight);
    sums.add(SUM.sines, from, weight * Math.sin(hourAngle(local)));
    sums.add(SUM.cosines, from, weight * Math.cos(hourAngle(local)));
    if (weekday === 0 || weekday === 6) sums.add(SUM.weekend, from, weight);
  }
  const now = hourAngle(clock.localMs(asOf));
  set('hourSin', Math.sin(now));
  set('hourCos', Math.cos(now));
  set('usualHourSin', sums.mean(SUM.sines, SUM.weight));
  set('usualHourCos', sums.mean(SUM.cosines, SUM.weight));
  set('weekendShare', sums.mean(SUM.weekend, SUM.weight));
}

/** Where no place is known it is taken to be north of the equator. */
function season(asOf: number, latitude: number, set: Set): void {
  const year = new Date(asOf).getUTCFullYear();
  const [begin, end] = [Date.UTC(year, 0), Date.UTC(year + 1, 0)];
  const angle = (2 * Math.PI * (asOf - begin)) / (end - begin) + (latitude < 0 ? Math.PI : 0);
  set('seasonSin', Math.sin(angle));
  set('seasonCos', Math.cos(angle));
}

function session({ events, basis, asOf }: PersonRows, acts: readonly number[], set: Set): void {
  const { occurredAt } = events.columns;
  let first = acts.length - 1;
  while (first > 0 && !isNewSession(events, acts[first - 1]!, acts[first]!)) first--;
  const isOpen = asOf - occurredAt[acts.at(-1)!]! <= SESSION_GAP_MS;
  const before = isOpen ? acts[first - 1] : acts.at(-1);
  set('inSession', Number(isOpen));
  const weight = acts.slice(first).reduce((sum, row) => sum + basis.counts[row]!, 0);
  set('sessionActs', Math.log1p(isOpen ? weight : 0));
  set('isReturning', Number(before !== undefined));
  if (before !== undefined) set('daysAway', (asOf - occurredAt[before]!) / DAY_MS);
}
