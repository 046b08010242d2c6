/**
 * Owns parting a file of interactions into what is learned from and what is to be found. Draws are keyed by (seed, user, item), never by a
 * line's place: leaving a person out moves nobody else's lines. A pair that comes twice is on one side. Linear in the lines, but for sorting.
 *   random           a share of everybody's lines; with `folds`, each line is tested in one fold
 *   leave-one-out    everybody's last item by time (by hash where the file has no times)
 *   time             what happened after a moment, the same for everybody: the only split that cannot learn from the future
 *   strong           some people are not in training at all; a share of each one's lines is their history, the rest is to be found
 *                    (Liang et al., "Variational Autoencoders for Collaborative Filtering", WWW 2018)
 */
import { AppError } from '../../errors.ts';
import { hashText, randomStream } from '../../random.ts';
import type { InteractionFile } from './interaction-file.ts';

export const SPLITS = ['random', 'leave-one-out', 'time', 'strong'] as const;
export type SplitName = (typeof SPLITS)[number];

export interface SplitOptions {
  readonly split: SplitName;
  /** Share of the lines to find; `strong`: of the people, and of each one's lines. Within (0, 1). */
  readonly share: number;
  readonly seed: number;
  /** `random`: instead of a share, the fold `at` of `of` is tested. */
  readonly fold?: { readonly at: number; readonly of: number };
  /**
   * How long it takes until it is known whether something was liked (a purchase after a click), in the file's unit of time; `time` only.
   * Labels younger than that at the moment of the cut are not learned from, nor are those tested that are younger at the end of the file.
   */
  readonly maturity?: number;
}

export interface Parts {
  readonly train: InteractionFile;
  readonly test: InteractionFile;
  /** `strong`: what is known of the people whom training never saw. */
  readonly histories: InteractionFile;
  /** Neither learned from nor tested, but known: not to be recommended. */
  readonly unsettled: InteractionFile;
  /** `time`: the moment of the cut. */
  readonly cut?: number;
}

/** The lines at these places. */
export function linesOf(file: InteractionFile, places: readonly number[]): InteractionFile {
  return {
    users: places.map((n) => file.users[n]!),
    items: places.map((n) => file.items[n]!),
    values: Float64Array.from(places, (n) => file.values[n]!),
    times: Float64Array.from(places, (n) => file.times[n]!),
  };
}

/** @throws AppError DATASET_EMPTY when a side would be empty, NUMERICS_INPUT_INVALID when `time` finds lines without a time. */
export function splitInteractions(file: InteractionFile, options: SplitOptions): Parts {
  const places = new Map<string, number[]>(['train', 'test', 'histories', 'unsettled'].map((side) => [side, []]));
  const { sideOf, cut } = SIDES[options.split](file, options);
  for (let n = 0; n < file.users.length; n++) places.get(sideOf(n))!.push(n);
  const part = (side: Side) => linesOf(file, places.get(side)!);
  const parts = {
    train: part('train'),
    test: part('test'),
    histories: part('histories'),
    unsettled: part('unsettled'),
    ...(cut === undefined ? {} : { cut }),
  };
  for (const side of ['train', 'test'] as const) {
    if (parts[side].users.length > 0) continue;
    throw new AppError('DATASET_EMPTY', {
      message: `The split ${options.split} leaves no lines in ${side}.`,
      details: { split: options.split, side },
    });
  }
  return parts;
}

type Side = 'train' | 'test' | 'histories' | 'unsettled';
interface Sides {
  readonly sideOf: (line: number) => Side;
  readonly cut?: number;
}

const SIDES: Readonly<Record<SplitName, (file: InteractionFile, options: SplitOptions) => Sides>> = {
  random: (file, { fold, seed, share }) => {
    const chance = pairChance(file, seed, 'evaluation.split');
    return {
      sideOf: (n) => {
        const drawn = chance(n);
        const tested = fold === undefined ? drawn < share : Math.floor(drawn * fold.of) === fold.at;
        return tested ? 'test' : 'train';
      },
    };
  },
  'leave-one-out': (file, { seed }) => {
    const last = lastItems(file, pairChance(file, seed, 'evaluation.last'));
    return { sideOf: (n) => (last.get(file.users[n]!) === file.items[n] ? 'test' : 'train') };
  },
  time: (file, { maturity = 0, share }) => {
    const times = settledTimes(file);
    const cut = times[Math.min(times.length - 1, Math.floor(times.length * (1 - share)))]!;
    const end = times.at(-1)!;
    // What was known before the cut is not to be found again.
    const before = new Set<string>();
    for (const [n, time] of file.times.entries()) if (time < cut) before.add(pairName(file, n));
    return {
      cut,
      sideOf: (n) => {
        const time = file.times[n]!;
        if (time < cut) return time <= cut - maturity ? 'train' : 'unsettled';
        return time <= end - maturity && !before.has(pairName(file, n)) ? 'test' : 'unsettled';
      },
    };
  },
  strong: (file, { seed, share }) => {
    const users = new Map<string, boolean>();
    const root = randomStream(seed, 'evaluation.people');
    for (const user of file.users) {
      if (!users.has(user)) users.set(user, root.derive(hashText(user)).uniform() < share);
    }
    const chance = pairChance(file, seed, 'evaluation.history');
    return {
      sideOf: (n) => {
        if (!users.get(file.users[n]!)!) return 'train';
        return chance(n) < share ? 'test' : 'histories';
      },
    };
  },
};

/** No id holds a tab: it parts the fields of a file. */
const pairName = ({ items, users }: InteractionFile, n: number): string => `${users[n]!}\t${items[n]!}`;

function pairChance({ items, users }: InteractionFile, seed: number, purpose: string): (line: number) => number {
  const root = randomStream(seed, purpose);
  return (n) => root.derive(hashText(users[n]!), hashText(items[n]!)).uniform();
}

/** The last item of everybody who has at least two. */
function lastItems(file: InteractionFile, chance: (line: number) => number): Map<string, string> {
  const best = new Map<string, { readonly line: number; readonly time: number; readonly chance: number }>();
  const first = new Map<string, string>();
  const several = new Set<string>();
  for (let n = 0; n < file.users.length; n++) {
    const [user, item] = [file.users[n]!, file.items[n]!];
    const known = first.get(user);
    if (known === undefined) first.set(user, item);
    else if (known !== item) several.add(user);
    const time = Number.isNaN(file.times[n]!) ? 0 : file.times[n]!;
    const own = { line: n, time, chance: chance(n) };
    const other = best.get(user);
    const later = other === undefined || time > other.time || (time === other.time && own.chance > other.chance);
    if (later) best.set(user, own);
  }
  return new Map([...best].filter(([user]) => several.has(user)).map(([user, { line }]) => [user, file.items[line]!]));
}

function settledTimes({ times }: InteractionFile): Float64Array {
  const missing = times.findIndex((time) => Number.isNaN(time));
  if (missing >= 0) {
    throw new AppError('NUMERICS_INPUT_INVALID', {
      message: 'A split by time needs a time in every line (user item value time).',
      details: { field: 'time', place: missing },
    });
  }
  return times.slice().sort();
}
