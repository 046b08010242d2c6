/** Owns the slow, readable definition of the traces and of co-actions: plain objects, one line a figure. */
import {
  ACTS_MIN,
  BINS_PER_OCTAVE,
  BURST_MS,
  PAUSE_BAND,
  PAUSE_MS_MAX,
  PAUSE_MS_MIN,
  PAUSES_MIN,
  REST_HOURS,
  SHINGLES_MIN,
  SLEEP_ACTS_MIN,
  SLEEP_DAYS_MIN,
  STEP_PLACES_MIN,
  STEP_SHARE,
  STEPS_MIN,
  type Trace,
  VIEWS_MIN,
} from './traces.ts';
import { CELL_ACCOUNTS_MAX, CHANCE_TIMES } from './co-actions.ts';
import { SHINGLE_ITEMS } from './sequences.ts';
import { wilsonLow } from './wilson.ts';

export interface PlainAct {
  readonly account: number;
  readonly item: number | undefined;
  readonly type: string;
  readonly value: number | undefined;
  readonly at: number;
}
export interface PlainItem {
  readonly place: number;
  readonly owner: number;
}

const counts = (values: readonly (number | string)[]): number[] =>
  [...Map.groupBy(values, (v) => v).values()].map((v) => v.length);
const bits = (parts: readonly number[], total: number): number =>
  -parts.reduce((sum, part) => sum + (part / total) * Math.log2(part / total), 0);
const from = (evidence: number, least: number, figure: () => number): number =>
  evidence < least ? Number.NaN : figure();

const steps = <T>(path: readonly T[]): [T, T][] => path.slice(1).map((to, n) => [path[n]!, to]);
const isTie = ([a, b]: readonly [PlainAct, PlainAct]): boolean => a.at === b.at;

/** Of more than half of those who did two things, one step in twenty takes no time: moments say nothing of order. */
function isCoarse(all: readonly (readonly PlainAct[])[]): boolean {
  const busy = all.map((acts) => steps(acts)).filter((own) => own.length > 0);
  return busy.filter((own) => own.filter(isTie).length / own.length >= 0.05).length > busy.length / 2;
}

/** Runs of SHINGLE_ITEMS items as text; on a coarse clock those whose moments all differ. */
function runs(acts: readonly PlainAct[], coarse: boolean): string[] {
  const path = acts.filter(({ item }) => item !== undefined).filter(({ item }, n, all) => item !== all[n - 1]?.item);
  return path
    .map((_, n) => path.slice(n, n + SHINGLE_ITEMS))
    .filter((run) => run.length === SHINGLE_ITEMS && !(coarse && steps(run).some(isTie)))
    .map((run) => String(run.map(({ item }) => item)));
}

/** Acts of each account in order of time. */
export function referenceTraces(
  all: readonly (readonly PlainAct[])[],
  items: readonly PlainItem[],
  ratingMax: number,
): Record<Trace, number>[] {
  const far = Math.max(STEP_PLACES_MIN, Math.floor(items.length * STEP_SHARE));
  const coarse = isCoarse(all);
  return all.map((acts, account) => {
    const pauses = acts
      .slice(1)
      .map(({ at }, n) => at - acts[n]!.at)
      .filter((p) => p >= PAUSE_MS_MIN && p <= PAUSE_MS_MAX);
    const logs = pauses.map(Math.log);
    const alike = logs.map((low) => logs.filter((log) => log >= low && log - low <= PAUSE_BAND).length);
    const octaves = Math.LN2 / BINS_PER_OCTAVE;
    const bins = Math.ceil(Math.log(PAUSE_MS_MAX / PAUSE_MS_MIN) / octaves);
    const about = acts.filter(({ item }) => item !== undefined);
    const placeOf = ({ item }: PlainAct): number => items[item!]!.place;
    const moves = about.filter((act, n) => n === 0 || placeOf(act) !== placeOf(about[n - 1]!));
    const distances = steps(moves).flatMap((step) =>
      coarse && isTie(step) ? [] : [placeOf(step[1]) - placeOf(step[0])],
    );
    const own = runs(acts, coarse);
    const others = new Set(all.flatMap((theirs, other) => (other === account ? [] : runs(theirs, coarse))));
    const hours = acts.map(({ at }) => new Date(at).getUTCHours());
    const rests = Array.from(
      { length: 24 },
      (_, start) => hours.filter((h) => (h - start + 24) % 24 < REST_HOURS).length,
    );
    const views = acts.flatMap(({ type, value }) => (type === 'view' && value !== undefined ? [value] : []));
    const extreme = ({ type, value }: PlainAct): boolean =>
      type === 'thumb' || type === 'not-interested' || (type === 'rating' && (value! <= 1 || value! >= ratingMax));
    const n = acts.length;
    return {
      regularity: from(pauses.length, PAUSES_MIN, () => wilsonLow(Math.max(...alike), pauses.length)),
      order: from(pauses.length, PAUSES_MIN, () => {
        const filled = counts(logs.map((log) => Math.floor(log / octaves)));
        return 1 - bits(filled, pauses.length) / Math.log2(Math.min(pauses.length, bins));
      }),
      burst: Math.log1p(
        Math.max(0, ...acts.map((last) => acts.filter(({ at }) => at <= last.at && last.at - at <= BURST_MS).length)),
      ),
      sweep: from(distances.length, STEPS_MIN, () =>
        wilsonLow(distances.filter((s) => s > 0 && s <= far).length, distances.length),
      ),
      copied: from(own.length, SHINGLES_MIN, () => wilsonLow(own.filter((run) => others.has(run)).length, own.length)),
      repetition: from(about.length, ACTS_MIN, () =>
        wilsonLow(about.length - new Set(about.map(({ type, item }) => `${type} ${item}`)).size, about.length),
      ),
      devotion: from(about.length, ACTS_MIN, () =>
        wilsonLow(Math.max(...counts(about.map(({ item }) => items[item!]!.owner))), about.length),
      ),
      sleepless:
        n < SLEEP_ACTS_MIN || new Set(acts.map(({ at }) => Math.floor(at / 86_400_000))).size < SLEEP_DAYS_MIN
          ? Number.NaN
          : wilsonLow(Math.min(...rests), n),
      sameness: from(views.length, VIEWS_MIN, () => {
        const tens = views.map((value) => Math.min(9, Math.floor(value / 10)));
        return 1 - bits(counts(tens), views.length) / Math.log2(10);
      }),
      extremity: from(n, ACTS_MIN, () => wilsonLow(acts.filter(extreme).length, n)),
    };
  });
}

/** How strongly two accounts are linked, and by how many cells. `kind`: undefined leaves an act out. */
export function referenceLink(
  all: readonly (readonly PlainAct[])[],
  kind: (type: string) => number | undefined,
  a: number,
  b: number,
): { readonly share: number; readonly cells: number } {
  const cellsOf = (acts: readonly PlainAct[]): Set<string> =>
    new Set(
      acts
        .filter(({ type, item }) => item !== undefined && kind(type) !== undefined)
        .map(({ type, item, at }) => `${item} ${Math.floor(at / 86_400_000)} ${kind(type)}`),
    );
  const own = all.map(cellsOf);
  const size = (cell: string): number => own.filter((cells) => cells.has(cell)).length;
  const common = [...own[a]!].filter((cell) => own[b]!.has(cell) && size(cell) <= CELL_ACCOUNTS_MAX);
  const [smaller, larger] = [a, b].toSorted((x, y) => own[x]!.size - own[y]!.size || x - y) as [number, number];
  const usual = own.reduce((sum, cells) => sum + cells.size, 0) / all.length;
  const met = [...own[smaller]!].reduce((sum, cell) => sum + (size(cell) - 1) / (all.length - 1), 0);
  const excess = common.length - (CHANCE_TIMES * met * own[larger]!.size) / usual;
  return { share: wilsonLow(Math.max(0, excess), own[smaller]!.size), cells: common.length };
}
