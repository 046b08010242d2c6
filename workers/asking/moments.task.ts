/**
 * Owns picking the moment for each person, in a thread: the most suited act that ended what they were doing, about an item on which they have
 * not said anything yet. Everything about a person depends on the person's own rows, so the answer is the same whoever else is there.
 */
import { EVENT_TYPES } from '../../shared/contract-kit/event-fields.ts';
import { GIVEN_ON_PURPOSE } from '../../shared/sources/define-source.ts';
import { SESSION_GAP_MS } from '../../shared/sources/sessions.ts';
import { compareKeys, isAbsent, sharedBytes } from '../../shared/numerics/interactions/key-index.ts';
import type { AdmittedEvents } from '../../shared/numerics/interactions/columns.ts';

/** A moment loses half its worth in so long. */
const HALF_LIFE_MS = 12 * 3600_000;

/** Why a person is left alone. */
export const LEFT_ALONE = ['optedOut', 'askedLately', 'hardlyBegun', 'noMoment'] as const;
export const ASKED = 255;
/** Nothing that counts: not considered at all. */
export const NOBODY = 254;

export interface MomentsRequest {
  readonly events: AdmittedEvents;
  readonly asOf: number;
  readonly freshMs: number;
  readonly actsMin: number;
  /** By event type: 0 is never asked after. */
  readonly weight: Float32Array;
  /** By event type: least value, -Infinity where none is needed. */
  readonly from: Float32Array;
  /** By person: place in LEFT_ALONE of why they must not be asked, else 255. */
  readonly barred: Uint8Array;
}

export interface Moments {
  /** By person of the runs: ASKED, NOBODY, or a place in LEFT_ALONE. */
  readonly fate: Uint8Array;
  /** By person, where asked: the row of the act. */
  readonly row: Int32Array;
}

const STATED = new Set<number>(GIVEN_ON_PURPOSE.map((type) => EVENT_TYPES.indexOf(type)));
const IMPRESSION = EVENT_TYPES.indexOf('impression');

/** O(rows of the person). */
function momentOf(request: MomentsRequest, s: number, stated: Uint8Array): { fate: number; row: number } {
  const { events, asOf, freshMs, actsMin, weight, from, barred } = request;
  const { columns, runs, sources, allowed } = events;
  const { type, value, occurredAt, recordedAt, source, item } = columns;
  const [first, end] = [runs.starts[s]!, runs.starts[s + 1]!];
  const counts = (row: number): boolean =>
    allowed[s * sources + source[row]!] === 1 &&
    occurredAt[row]! <= asOf &&
    recordedAt[row]! <= asOf &&
    type[row] !== IMPRESSION;
  let [acts, last] = [0, Number.NEGATIVE_INFINITY];
  for (let row = first; row < end; row++) {
    if (!counts(row)) continue;
    acts += 1;
    last = Math.max(last, occurredAt[row]!);
  }
  if (acts === 0) return { fate: NOBODY, row: -1 };
  if (barred[s] !== ASKED) return { fate: barred[s]!, row: -1 };
  if (acts < actsMin) return { fate: LEFT_ALONE.indexOf('hardlyBegun'), row: -1 };
  markStated(request, first, end, counts, stated);
  let [best, worth] = [-1, 0];
  for (let row = first; row < end; row++) {
    const base = weight[type[row]!]!;
    const at = occurredAt[row]!;
    if (base === 0 || stated[row] === 1 || isAbsent(item, row) || !counts(row)) continue;
    // Not in the middle of something: the act belongs to the last sitting, which is over, and lies not too far back.
    if (at < last - SESSION_GAP_MS || at < asOf - freshMs || last > asOf - SESSION_GAP_MS) continue;
    const least = from[type[row]!]!;
    if (least !== Number.NEGATIVE_INFINITY && !(value[row]! >= least)) continue;
    const now = base * 2 ** ((at - asOf) / HALF_LIFE_MS);
    if (now > worth) [best, worth] = [row, now];
  }
  return best < 0 ? { fate: LEFT_ALONE.indexOf('noMoment'), row: -1 } : { fate: ASKED, row: best };
}

/** Marks the rows of items on which the person has said something. Rows of one item lie together. */
function markStated(
  { events: { columns } }: MomentsRequest,
  first: number,
  end: number,
  counts: (row: number) => boolean,
  stated: Uint8Array,
): void {
  const isSame = (a: number, b: number): boolean => compareKeys(columns.item, a, columns.item, b) === 0;
  for (let from = first; from < end; ) {
    let to = from;
    let isStated = false;
    for (; to < end && isSame(from, to); to++) isStated ||= STATED.has(columns.type[to]!) && counts(to);
    stated.fill(isStated ? 1 : 0, from, to);
    from = to;
  }
}

export function pickMoments(request: MomentsRequest): Moments {
  const { runs, columns } = request.events;
  const fate = sharedBytes(runs.subjects);
  const row = new Int32Array(new SharedArrayBuffer(runs.subjects * 4)).fill(-1);
  const stated = new Uint8Array(columns.rows);
  for (let s = 0; s < runs.subjects; s++) {
    const found = momentOf(request, s, stated);
    fate[s] = found.fate;
    row[s] = found.row;
  }
  return { fate, row };
}
