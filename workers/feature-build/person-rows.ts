/** Owns what features of one person are made from: the person's acts in two orders, sums by source, and what an act says. */
import { type InteractionArrays } from '../../shared/numerics/interactions/weights.ts';
import type { SourceSums } from '../../shared/numerics/features/source-sums.ts';
import type { ItemFacts } from '../reading/item-facts.ts';
import { SESSION_GAP_MS } from './feature-list.ts';
import type { Basis, FeatureEvents } from './features.task.ts';
import type { Profiles } from './profiles.ts';

export const DAY_MS = 86_400_000;
export const HOUR_MS = 3_600_000;

export interface PersonRows {
  readonly events: FeatureEvents;
  readonly basis: Basis;
  readonly table: InteractionArrays;
  /** The most that each source may make up of a figure. */
  readonly shares: Float64Array;
  /** Codes of event types that features treat on their own. */
  readonly codes: { readonly impression: number; readonly view: number; readonly rating: number };
  readonly asOf: number;
  readonly halfLifeDays: number;
  /** For views that read the catalogue: each row's item as a number, and what is known of items. */
  readonly catalogue?: { readonly item: Int32Array; readonly facts: ItemFacts };
  /** For views that read profiles. */
  readonly profiles?: Profiles;
}

/** One person's acts: places of rows. Memory that is used again for every person. */
export interface PersonActs {
  /** Number of the person. */
  subject: number;
  /** In order of items, of each item's in order of time. */
  readonly byItem: number[];
  readonly byTime: number[];
  readonly sums: SourceSums;
}

/** Makes the features of one person; what is not set has no value. */
export type Fill<Name extends string> = (
  rows: PersonRows,
  acts: PersonActs,
  set: (name: Name, value: number) => void,
) => void;

/** Gathers the acts of person `s` that count; false: there is none. */
export function gatherActs({ events, basis, codes }: PersonRows, s: number, into: PersonActs): boolean {
  const { byItem, byTime } = into;
  into.subject = s;
  byItem.length = 0;
  byTime.length = 0;
  for (let row = events.runs.starts[s]!; row < events.runs.starts[s + 1]!; row++)
    if (basis.counts[row]! > 0 && events.columns.type[row] !== codes.impression) byItem.push(row);
  if (byItem.length === 0) return false;
  byTime.push(...byItem);
  const { occurredAt } = events.columns;
  byTime.sort((a, b) => occurredAt[a]! - occurredAt[b]! || a - b);
  into.sums.clear();
  return true;
}

/** True when an explicit act speaks for its item. */
export function isPositive({ events, basis, table }: PersonRows, row: number): boolean {
  const { columns } = events;
  const type = columns.type[row]!;
  const from = table.positiveFrom[type]! * (table.scaled[type] === 1 ? basis.scale[row]! : 1);
  return table.weight[type]! > 0 && (from === -Infinity || columns.value[row]! >= from - 1e-5);
}

const SESSION_BYTES = 8;

/**
 * Sessions as their source names them. Between acts of which one has no name, or that come from different sources, whose names say nothing of each
 * other, a long gap ends one: who goes on from the web in the app is in one session.
 */
export function isNewSession({ columns }: FeatureEvents, before: number, row: number): boolean {
  const { occurredAt, session, source } = columns;
  let [earlier, later, same] = [false, false, true];
  for (let n = 0; n < SESSION_BYTES; n++) {
    const [a, b] = [session[before * SESSION_BYTES + n]!, session[row * SESSION_BYTES + n]!];
    if (a !== 0) earlier = true;
    if (b !== 0) later = true;
    if (a !== b) same = false;
  }
  if (earlier && later && (same || source[before] === source[row])) return !same;
  return occurredAt[row]! - occurredAt[before]! > SESSION_GAP_MS;
}
