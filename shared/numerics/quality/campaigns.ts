/**
 * Owns campaigns of explicit feedback: days on which an item gets far more statements of one direction than its attention explains.
 *
 * Statements of one direction about an item and day are compared with a Poisson law whose mean is the item's other acts of that day times
 * the usual statements per act; a count that such a mean gives once in a million item-days is a campaign.
 */
import type { AccountActs } from './acts.ts';

const DAY_MS = 86_400_000;
/** Fewer statements are never a campaign. */
export const STATEMENTS_MIN = 6;
export const CHANCE_MAX = 1e-6;
/** Attention of an item that nobody else touched, so that a first statement is no miracle. */
export const ATTENTION_PRIOR = 1;

export interface Campaign {
  readonly item: number;
  /** Days since 1970 (UTC). */
  readonly day: number;
  /** 1: praise, -1: blame. */
  readonly direction: 1 | -1;
  readonly statements: number;
  readonly expected: number;
  /** Accounts that took part, ascending. */
  readonly accounts: readonly number[];
}

/** -1, 0 or 1 for each type and value: what a statement says, 0 for acts that state nothing. */
export interface StatementRules {
  /** By type: 1 praises whatever its value, -1 blames, 2 goes by value against `from`, 0 states nothing. */
  readonly rule: Int8Array;
  /** By type: values from here on praise, values below blame. */
  readonly from: Float32Array;
}

export function directionOf({ rule, from }: StatementRules, type: number, value: number): -1 | 0 | 1 {
  const own = rule[type]!;
  if (own !== 2) return own as -1 | 0 | 1;
  return Number.isNaN(value) ? 0 : value >= from[type]! ? 1 : -1;
}

/** P(X >= count) of a Poisson law, by its upper sum; exact to rounding where it matters (small chances). */
export function poissonTail(count: number, mean: number): number {
  if (count <= 0) return 1;
  let term = -mean;
  for (let k = 1; k <= count; k++) term += Math.log(mean / k);
  let sum = 0;
  let p = Math.exp(term);
  for (let k = count + 1; p > 0 && p > sum * 1e-16; k++) {
    sum += p;
    p *= mean / k;
  }
  return Math.min(1, sum);
}

interface Cell {
  readonly item: number;
  readonly day: number;
  attention: number;
  readonly praise: number[];
  readonly blame: number[];
}

/** Campaigns in order of (day, item, direction). Linear in the acts. */
export function findCampaigns({
  acts,
  rules,
}: {
  readonly acts: AccountActs;
  readonly rules: StatementRules;
}): Campaign[] {
  const cells = new Map<string, Cell>();
  const usual = { attention: 0, praise: 0, blame: 0 };
  for (let account = 0; account < acts.accounts; account++)
    for (let n = acts.starts[account]!; n < acts.starts[account + 1]!; n++) {
      const item = acts.item[n]!;
      if (item < 0) continue;
      const day = Math.floor(acts.at[n]! / DAY_MS);
      const name = `${day}.${item}`;
      let cell = cells.get(name);
      if (cell === undefined) cells.set(name, (cell = { item, day, attention: 0, praise: [], blame: [] }));
      const direction = directionOf(rules, acts.type[n]!, acts.value[n]!);
      const side = direction === 0 ? 'attention' : direction === 1 ? 'praise' : 'blame';
      usual[side]++;
      if (side === 'attention') cell.attention++;
      // One account states one thing about an item a day.
      else if (cell[side].at(-1) !== account) cell[side].push(account);
    }
  const campaigns: Campaign[] = [];
  // Where people mostly state (a platform of ratings), attention does not explain statements.
  if (usual.attention < usual.praise + usual.blame) return campaigns;
  for (const { item, day, attention, praise, blame } of cells.values())
    for (const [accounts, rate, direction] of [
      [praise, usual.praise / usual.attention, 1],
      [blame, usual.blame / usual.attention, -1],
    ] as const) {
      const expected = (attention + ATTENTION_PRIOR) * rate;
      if (accounts.length < STATEMENTS_MIN || poissonTail(accounts.length, expected) > CHANCE_MAX) continue;
      campaigns.push({ item, day, direction, statements: accounts.length, expected, accounts });
    }
  return campaigns.sort((a, b) => a.day - b.day || a.item - b.item || a.direction - b.direction);
}
