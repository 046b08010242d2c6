/**
 * Owns coordinated groups: accounts that act on the same items on the same days far more than chance would have it.
 *
 * The co-action graph links two accounts by the cells (item, day, kind of act) that both are in. How strongly: by the share of the smaller
 * one's cells that both are in beyond a multiple of what chance would have, given how many accounts are in each cell and how busy the other
 * one is (people of one taste meet more often than chance). Rings are dense groups of linked accounts.
 * Time O(sum over cells of size^2) with cells above CELL_ACCOUNTS_MAX left out (what everybody does says nothing); memory one account's
 * partners at a time. Slow reference: co-actions.reference.ts.
 */
import { sharedInt32 } from '../sparse.ts';
import type { AccountActs } from './acts.ts';
import { wilsonLow } from './wilson.ts';

export const CELL_ACCOUNTS_MAX = 256;
export const RING_ACCOUNTS_MIN = 3;
/** People of one taste meet this many times as often as chance would have it, at most. */
export const CHANCE_TIMES = 3;
const DAY_MS = 86_400_000;
/** Links of one account that are kept: the strongest. */
const LINKS_MAX = 64;

/** Accounts of each cell with at least two and at most CELL_ACCOUNTS_MAX of them. */
export interface Cells {
  readonly cells: number;
  readonly starts: Int32Array;
  readonly account: Int32Array;
  /** Cells of each account, by number; and where they start. */
  readonly ofAccount: Int32Array;
  readonly accountStarts: Int32Array;
  /** Number of all of an account's cells, those that nobody shares included. */
  readonly total: Int32Array;
  /** Sum over those cells of the share of all other accounts that are in it. */
  readonly crowd: Float64Array;
  /** Mean of `total`. */
  readonly usual: number;
}

/** `kindOf[type]`: which types count as one kind of act; 255 leaves a type out. */
export function cellsOf(acts: AccountActs, kindOf: Uint8Array): Cells {
  const members = new Map<string, number[]>();
  for (let account = 0; account < acts.accounts; account++)
    for (let n = acts.starts[account]!; n < acts.starts[account + 1]!; n++) {
      const kind = kindOf[acts.type[n]!]!;
      if (kind === 255 || acts.item[n]! < 0) continue;
      const cell = `${acts.item[n]!}.${Math.floor(acts.at[n]! / DAY_MS)}.${kind}`;
      const here = members.get(cell);
      if (here === undefined) members.set(cell, [account]);
      else if (here.at(-1) !== account) here.push(account);
    }
  const crowd = new Float64Array(new SharedArrayBuffer(acts.accounts * Float64Array.BYTES_PER_ELEMENT));
  const total = sharedInt32(acts.accounts);
  const kept: number[][] = [];
  for (const accounts of members.values()) {
    for (const account of accounts) {
      crowd[account]! += (accounts.length - 1) / Math.max(1, acts.accounts - 1);
      total[account]!++;
    }
    if (accounts.length >= 2 && accounts.length <= CELL_ACCOUNTS_MAX) kept.push(accounts);
  }
  const starts = sharedInt32(kept.length + 1);
  const counts = new Int32Array(acts.accounts + 1);
  for (const [cell, accounts] of kept.entries()) {
    starts[cell + 1] = starts[cell]! + accounts.length;
    for (const account of accounts) counts[account + 1]!++;
  }
  for (let a = 0; a < acts.accounts; a++) counts[a + 1]! += counts[a]!;
  const accountStarts = sharedInt32(acts.accounts + 1, [...counts]);
  const ofAccount = sharedInt32(starts[kept.length]!);
  for (const [cell, accounts] of kept.entries()) for (const account of accounts) ofAccount[counts[account]!++] = cell;
  const usual = total.reduce((sum, own) => sum + own, 0) / acts.accounts;
  const account = sharedInt32(ofAccount.length, kept.flat());
  return { cells: kept.length, starts, account, ofAccount, accountStarts, total, crowd, usual };
}

export interface Link {
  readonly other: number;
  /** Common cells beyond chance over all cells of the smaller account: the lower end of its Wilson interval, 0..1. */
  readonly share: number;
  /** Shared cells. */
  readonly cells: number;
}

function excessShare({ total, crowd, usual }: Cells, a: number, b: number, common: number): number {
  // The same from both sides.
  const [smaller, larger] = total[a]! < total[b]! || (total[a] === total[b] && a < b) ? [a, b] : [b, a];
  const chance = (crowd[smaller]! * total[larger]!) / usual;
  return wilsonLow(Math.max(0, common - CHANCE_TIMES * chance), total[smaller]!);
}

/** Partners of one account with at least `cellsMin` common cells, strongest first. */
export function linksOf(cells: Cells, account: number, cellsMin: number): Link[] {
  const common = new Map<number, number>();
  for (let n = cells.accountStarts[account]!; n < cells.accountStarts[account + 1]!; n++) {
    const cell = cells.ofAccount[n]!;
    for (let m = cells.starts[cell]!; m < cells.starts[cell + 1]!; m++) {
      const other = cells.account[m]!;
      if (other !== account) common.set(other, (common.get(other) ?? 0) + 1);
    }
  }
  const links: Link[] = [];
  for (const [other, count] of common) {
    if (count < cellsMin) continue;
    const share = excessShare(cells, account, other, count);
    links.push({ other, share, cells: count });
  }
  return links.sort((a, b) => b.share - a.share || a.other - b.other).slice(0, LINKS_MAX);
}

export interface Ring {
  /** Numbers of accounts, ascending. */
  readonly accounts: readonly number[];
  /** Links among them over the most there could be. */
  readonly density: number;
  /** Mean share of the links. */
  readonly share: number;
}

/** Groups of at least RING_ACCOUNTS_MIN accounts that hang together by links of at least `shareMin` and are as dense as `densityMin`. */
export function ringsOf(
  links: readonly (readonly Link[])[],
  { shareMin, densityMin }: { readonly shareMin: number; readonly densityMin: number },
): Ring[] {
  const strong = links.map((own) => own.filter(({ share }) => share >= shareMin));
  const ringOf = new Int32Array(links.length).fill(-1);
  const rings: Ring[] = [];
  for (let first = 0; first < links.length; first++) {
    if (ringOf[first] !== -1 || strong[first]!.length === 0) continue;
    const accounts = [first];
    ringOf[first] = first;
    for (let n = 0; n < accounts.length; n++)
      for (const { other } of strong[accounts[n]!]!) {
        if (ringOf[other] !== -1) continue;
        ringOf[other] = first;
        accounts.push(other);
      }
    if (accounts.length < RING_ACCOUNTS_MIN) continue;
    const shares = accounts.flatMap((account) => strong[account]!.map(({ share }) => share));
    // A link whose other end keeps stronger ones is seen from one side only.
    const density = Math.min(1, shares.length / (accounts.length * (accounts.length - 1)));
    if (density < densityMin) continue;
    const share = shares.reduce((sum, value) => sum + value, 0) / shares.length;
    rings.push({ accounts: accounts.sort((a, b) => a - b), density, share });
  }
  return rings;
}
