/** Owns the slow, readable definition of the behaviour features that the passes in threads are tested against: plain objects, one line a figure. */
import { INTERACTION_TABLE, RATING_SCALES } from '../../shared/numerics/interactions/weights.ts';
import type { PlainEvent } from '../../shared/numerics/interactions/interactions.reference.ts';
import { DEVICE_SHARES, type Feature, NIGHT_END_HOUR, SESSION_GAP_MS } from './feature-list.ts';

export interface PlainAct extends PlainEvent {
  readonly device: string;
  /** '': the source names no session. */
  readonly session: string;
}
export interface PlainItem {
  readonly creator?: string;
  readonly topics?: readonly string[];
  readonly publishedAt?: number;
}

const DAY_MS = 86_400_000;
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function entropyBits(shares: readonly { readonly name: string; readonly weight: number }[]): number {
  const total = shares.reduce((sum, { weight }) => sum + weight, 0);
  const sums = [...Map.groupBy(shares, ({ name }) => name).values()].map((group) =>
    group.reduce((sum, { weight }) => sum + weight, 0),
  );
  return sums.length === 0 ? Number.NaN : -sums.reduce((bits, sum) => bits + (sum / total) * Math.log2(sum / total), 0);
}

/** Names of sessions are those of one source; between sources, and where one has no name, half an hour decides. */
export function isOneSession(before: PlainAct, act: PlainAct): boolean {
  const bothNamed = before.session !== '' && act.session !== '';
  if (bothNamed && before.session === act.session) return true;
  if (bothNamed && before.source === act.source) return false;
  return act.at - before.at <= SESSION_GAP_MS;
}

/** Features by person. Events in order of time, at distinct moments. */
export function referenceFeatures(
  events: readonly PlainAct[],
  items: ReadonlyMap<string, PlainItem>,
  options: {
    readonly asOf: number;
    readonly halfLifeDays: number;
    readonly allows: (user: string, source: string) => boolean;
  },
): Map<string, Record<Feature, number>> {
  const { asOf, halfLifeDays, allows } = options;
  const acts = events
    .filter(({ at, recordedAt }) => at <= asOf && recordedAt <= asOf)
    .filter(({ user, source }) => allows(user, source))
    .filter(({ type }) => type !== 'impression');
  const meets = ({ item, type }: PlainAct): boolean => item !== undefined && INTERACTION_TABLE[type].seen;
  const peopleOf = (item: string): number =>
    new Set(acts.filter((act) => meets(act) && act.item === item).map(({ user }) => user)).size;
  const scaleOf = (source: string): number => {
    const highest = Math.max(
      0,
      ...acts.filter((act) => act.type === 'rating' && act.source === source).map(({ value }) => value!),
    );
    return RATING_SCALES.find((scale) => highest <= scale)!;
  };
  const likes = ({ type, value, source }: PlainAct): boolean => {
    const { weight, positiveFrom } = INTERACTION_TABLE[type];
    if (positiveFrom === undefined) return weight > 0;
    const from = 'value' in positiveFrom ? positiveFrom.value : positiveFrom.scale * scaleOf(source);
    return value !== undefined && value >= from - 1e-5;
  };
  const ofPerson = (own: readonly PlainAct[]): Record<Feature, number> => {
    const first = new Map(
      own
        .filter(meets)
        .toReversed()
        .map((act) => [act.item!, act]),
    );
    const consumed = [...first.keys()].map((item) =>
      Object.assign({ item } as PlainItem & { item: string }, items.get(item)),
    );
    const sessions: PlainAct[][] = [];
    for (const act of own) {
      const before = sessions.at(-1)?.at(-1);
      if (before !== undefined && isOneSession(before, act)) sessions.at(-1)!.push(act);
      else sessions.push([act]);
    }
    const explicit = own.filter(({ type }) => INTERACTION_TABLE[type].explicit);
    const devices = own.filter(({ device }) => device !== 'unknown');
    const shareOf = (device: string): number => devices.filter((act) => act.device === device).length / devices.length;
    const shares = DEVICE_SHARES.map((device) => [`${device}Share`, shareOf(device)]);
    return {
      activity: Math.log1p(own.length),
      daysSinceLast: (asOf - own.at(-1)!.at) / DAY_MS,
      recentActivity: Math.log1p(own.reduce((sum, { at }) => sum + 2 ** (-(asOf - at) / DAY_MS / halfLifeDays), 0)),
      activeDays: Math.log1p(new Set(own.map(({ at }) => Math.floor(at / DAY_MS))).size),
      viewPercent: mean(own.filter(({ type }) => type === 'view').map(({ value }) => value!)),
      positiveShare: explicit.filter(likes).length / own.length,
      negativeShare: explicit.filter((act) => !likes(act)).length / own.length,
      ratingMean: mean(
        own.filter(({ type }) => type === 'rating').map(({ value, source }) => value! / scaleOf(source)),
      ),
      distinctItems: Math.log1p(consumed.length),
      topicEntropy: entropyBits(
        consumed.flatMap(({ topics = [] }) => topics.map((name) => ({ name, weight: 1 / topics.length }))),
      ),
      creatorEntropy: entropyBits(
        consumed.flatMap(({ creator }) => (creator === undefined ? [] : [{ name: creator, weight: 1 }])),
      ),
      popularity: mean(consumed.map(({ item }) => Math.log(peopleOf(item)))),
      itemAge: mean(
        consumed.flatMap(({ item, publishedAt }) =>
          publishedAt === undefined ? [] : [Math.log1p(Math.max(0, first.get(item)!.at - publishedAt) / DAY_MS)],
        ),
      ),
      nightShare: mean(own.map(({ at }) => Number(new Date(at).getUTCHours() < NIGHT_END_HOUR))),
      sessionMinutes: Math.log1p(mean(sessions.map((session) => (session.at(-1)!.at - session[0]!.at) / 60_000))),
      sessionActs: Math.log1p(mean(sessions.map((session) => session.length))),
      ...(Object.fromEntries(shares) as Record<'phoneShare' | 'tabletShare' | 'desktopShare' | 'tvShare', number>),
    };
  };
  return new Map([...Map.groupBy(acts, ({ user }) => user)].map(([user, own]) => [user, ofPerson(own)]));
}
