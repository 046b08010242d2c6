/**
 * Owns what was known earlier of an item or a person, of the few facts that features are made of: beside the record of today lie those facts it
 * took the place of, each with the moment since which it was known. Written by compare-and-set on the record's order, so that none is lost
 * between two writers.
 */
import type { RecordOrder } from '../ports.ts';

/** Earlier facts that are kept, the newest; what was known before the oldest of them is not known any more. */
const PAST_MAX = 20;
const MOMENT_DIGITS = 15;

export interface Since<Facts> {
  /** The moment of the record that brought them, ms since 1970; 0: from before there was an order. */
  readonly since: number;
  readonly facts: Facts;
}

/** The moment that a record speaks of, which its order begins with. */
export const momentOf = (order: RecordOrder | undefined): number =>
  Number.parseInt((order ?? '').slice(0, MOMENT_DIGITS), 10) || 0;

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** What lies beside a record once `next` has taken the place of `now`. */
export function replaced<Facts>(
  now: Since<Facts>,
  past: readonly Since<Facts>[],
  next: Since<Facts>,
): { readonly since: number; readonly past: readonly Since<Facts>[] } {
  if (same(now.facts, next.facts)) return { since: now.since, past };
  return { since: next.since, past: [now, ...past].slice(0, PAST_MAX) };
}

/** What was known at a moment: of today or of before; undefined: nothing. */
export function knownAt<Facts>(now: Since<Facts>, past: readonly Since<Facts>[], asOf: number): Facts | undefined {
  return [now, ...past].find(({ since }) => since <= asOf)?.facts;
}
