/** Owns the slow, readable definition of context features: plain objects, one line a figure. Two fixed zones, for a season without a change of clocks. */
import type { FeatureOf } from '../../shared/numerics/features/registry.ts';
import { isOneSession, type PlainAct } from './features.reference.ts';
import { SESSION_GAP_MS } from './feature-list.ts';

const DAY_MS = 86_400_000;
const mean = (values: readonly number[], weights: readonly number[]): number =>
  values.reduce((sum, value, n) => sum + value * weights[n]!, 0) / weights.reduce((sum, weight) => sum + weight, 0);

export interface PlainProfile {
  readonly minutesAhead?: number;
  readonly place?: readonly [latitude: number, longitude: number];
}

/** Context by person; acts are those that count, in order of time. */
export function referenceContext(
  acts: readonly PlainAct[],
  asOf: number,
  profiles: ReadonlyMap<string, PlainProfile>,
): Map<string, Record<FeatureOf<'context'>, number>> {
  const year = new Date(asOf).getUTCFullYear();
  const inYear = (asOf - Date.UTC(year, 0)) / (Date.UTC(year + 1, 0) - Date.UTC(year, 0));
  const ofPerson = (own: readonly PlainAct[], profile: PlainProfile): Record<FeatureOf<'context'>, number> => {
    const { minutesAhead = Number.NaN, place = [Number.NaN, Number.NaN] } = profile;
    const local = (at: number): Date => new Date(at + minutesAhead * 60_000);
    const angle = (at: number): number =>
      2 * Math.PI * ((local(at).getTime() - new Date(local(at)).setUTCHours(0, 0, 0, 0)) / DAY_MS);
    const weights = own.map(({ at }) => 0.5 ** ((asOf - at) / DAY_MS / 30));
    const device = own.findLast((act) => act.device !== 'unknown')?.device;
    const on = (name: string): number => (device === undefined ? Number.NaN : Number(device === name));
    const first = own.findLastIndex((act, n) => n === 0 || !isOneSession(own[n - 1]!, act));
    const inSession = asOf - own.at(-1)!.at <= SESSION_GAP_MS;
    const earlier = inSession ? own.slice(0, first) : own;
    const season = 2 * Math.PI * (inYear + (place[0] < 0 ? 0.5 : 0));
    const noClock = Number.isNaN(minutesAhead);
    return {
      onPhone: on('phone'),
      onTablet: on('tablet'),
      onDesktop: on('desktop'),
      onTv: on('tv'),
      placeLatitude: place[0],
      placeLongitude: place[1],
      hourSin: Math.sin(angle(asOf)),
      hourCos: Math.cos(angle(asOf)),
      usualHourSin: mean(
        own.map(({ at }) => Math.sin(angle(at))),
        weights,
      ),
      usualHourCos: mean(
        own.map(({ at }) => Math.cos(angle(at))),
        weights,
      ),
      weekendShare: noClock
        ? Number.NaN
        : mean(
            own.map(({ at }) => Number([0, 6].includes(local(at).getUTCDay()))),
            weights,
          ),
      seasonSin: Math.sin(season),
      seasonCos: Math.cos(season),
      inSession: Number(inSession),
      sessionActs: inSession ? Math.log1p(own.length - first) : 0,
      isReturning: Number(earlier.length > 0),
      daysAway: earlier.length > 0 ? (asOf - earlier.at(-1)!.at) / DAY_MS : Number.NaN,
    };
  };
  return new Map(
    [...Map.groupBy(acts, ({ user }) => user)].map(([user, own]) => [user, ofPerson(own, profiles.get(user) ?? {})]),
  );
}
