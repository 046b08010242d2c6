/** Owns how detection is scored against the truth, and which families of bots limits may be set on. */
import type { BotFamily } from '../../../shared/sources/simulated/index.ts';
import type { World } from './world.ts';

export const TUNING_FAMILIES = ['metronome', 'burst', 'sweeper', 'replayer', 'ring'] as const satisfies BotFamily[];
/** No limit is set on them. They were written beside the traces, and were in view when the rule for moving limits was chosen. */
export const LEFT_OUT_FAMILIES = [
  'rating-farm',
  'downvote-ring',
  'copycat',
  'looper',
  'drip',
] as const satisfies BotFamily[];

/** The liveliest twentieth. */
const HEAVY_SHARE = 0.05;

export interface Found {
  readonly bots: number;
  readonly hit: number;
  readonly people: number;
  readonly wrong: number;
  readonly heavy: number;
  readonly heavyWrong: number;
  readonly families: Readonly<Record<string, { readonly bots: number; readonly hit: number }>>;
}

/** `flagged`: numbers of the accounts taken for bots. */
export function found({ acts, bot }: World, flagged: ReadonlySet<number>): Found {
  const people = [...bot.keys()].filter((account) => bot[account] === null);
  const bots = [...bot.keys()].filter((account) => bot[account] !== null);
  const actsOf = (account: number): number => acts.starts[account + 1]! - acts.starts[account]!;
  const heavy = people.toSorted((a, b) => actsOf(b) - actsOf(a)).slice(0, Math.ceil(people.length * HEAVY_SHARE));
  const count = (accounts: readonly number[]): number => accounts.filter((account) => flagged.has(account)).length;
  const families = Object.fromEntries(
    [...Map.groupBy(bots, (account) => bot[account]!)].map(([family, own]) => [
      family,
      { bots: own.length, hit: count(own) },
    ]),
  );
  const totals = { bots: bots.length, hit: count(bots), people: people.length, wrong: count(people) };
  return { ...totals, heavy: heavy.length, heavyWrong: count(heavy), families };
}
