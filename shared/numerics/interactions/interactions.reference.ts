/** Owns the slow, readable reading of events that the passes in interactions.task.ts are tested against: plain objects and maps. */
import { EVENT_TYPES, type EventType } from '../../contract-kit/event.ts';
import { INTERACTION_TABLE, RATING_SCALES } from './weights.ts';

export interface PlainEvent {
  readonly user: string;
  readonly item: string | undefined;
  readonly type: EventType;
  readonly value: number | undefined;
  readonly at: number;
  readonly recordedAt: number;
  readonly source: string;
}

export interface PlainPair {
  readonly user: string;
  readonly item: string;
  readonly weight: number;
  readonly time: number;
  readonly source: string;
}

/** Liked pairs by `user item`. Events in order of time. */
export function referenceInteractions(
  events: readonly PlainEvent[],
  allows: (user: string, source: string) => boolean,
  metAfter = -Infinity,
): Map<string, PlainPair> {
  const surviving = events.filter((event) => allows(event.user, event.source));
  const admitted = surviving.filter((event) => event.item !== undefined);
  const scaleOf = (source: string): number => {
    // The contract refuses a rating without an item; one read all the same still shows the scale.
    const ratings = surviving.filter((event) => event.type === 'rating' && event.source === source);
    const highest = Math.max(0, ...ratings.map((event) => event.value!));
    return RATING_SCALES.find((scale) => highest <= scale)!;
  };
  const likes = (event: PlainEvent): boolean => {
    const { weight, positiveFrom } = INTERACTION_TABLE[event.type];
    if (weight === 0) return false;
    if (positiveFrom === undefined) return true;
    const from = 'value' in positiveFrom ? positiveFrom.value : positiveFrom.scale * scaleOf(event.source);
    return event.value !== undefined && event.value >= from - 1e-5;
  };
  const pairs = Map.groupBy(admitted, (event) => `${event.user} ${event.item}`);
  const liked = new Map<string, PlainPair>();
  for (const [name, all] of pairs) {
    const met = all.filter((event) => INTERACTION_TABLE[event.type].seen);
    if (met.some((event) => event.recordedAt <= metAfter)) continue;
    const verdict = all.findLast((event) => INTERACTION_TABLE[event.type].explicit);
    const positives = all.filter(likes);
    if (positives.length === 0 || (verdict !== undefined && !likes(verdict))) continue;
    const weight = Math.max(...positives.map((event) => INTERACTION_TABLE[event.type].weight));
    const { source } = positives.find((event) => INTERACTION_TABLE[event.type].weight === weight)!;
    liked.set(name, { user: all[0]!.user, item: all[0]!.item!, weight, time: positives.at(-1)!.at, source });
  }
  return liked;
}

/** Met pairs as `user item`. */
export function referenceSeen(
  events: readonly PlainEvent[],
  allows: (user: string, source: string) => boolean,
): Set<string> {
  const met = events.filter(
    (event) => event.item !== undefined && INTERACTION_TABLE[event.type].seen && allows(event.user, event.source),
  );
  return new Set(met.map((event) => `${event.user} ${event.item}`));
}

/** Columns of plain events, sorted as a store hands them over. A key is the name's bytes, padded. */
export function columnsOf(events: readonly PlainEvent[]): {
  rows: number;
  subject: Uint8Array;
  item: Uint8Array;
  type: Uint8Array;
  value: Float32Array;
  occurredAt: Float64Array;
  recordedAt: Float64Array;
  source: Uint16Array;
  sources: string[];
} {
  const sorted = events.toSorted((a, b) => order(a.user, b.user) || order(a.item ?? '', b.item ?? '') || a.at - b.at);
  const sources = [...new Set(events.map((event) => event.source))].sort();
  const keys = (names: readonly (string | undefined)[]): Uint8Array => {
    const bytes = new Uint8Array(new SharedArrayBuffer(names.length * 16));
    names.forEach((name, n) => bytes.set(new TextEncoder().encode(name ?? '').subarray(0, 16), n * 16));
    return bytes;
  };
  return {
    rows: sorted.length,
    subject: keys(sorted.map((event) => event.user)),
    item: keys(sorted.map((event) => event.item)),
    type: Uint8Array.from(sorted, (event) => EVENT_TYPES.indexOf(event.type)),
    value: Float32Array.from(sorted, (event) => event.value ?? Number.NaN),
    occurredAt: Float64Array.from(sorted, (event) => event.at),
    recordedAt: Float64Array.from(sorted, (event) => event.recordedAt),
    source: Uint16Array.from(sorted, (event) => sources.indexOf(event.source)),
    sources,
  };
}

const order = (a: string, b: string): number => Number(a > b) - Number(a < b);

/** The name that `columnsOf` made a key of. */
export function nameAt(keys: Uint8Array, at: number): string {
  return new TextDecoder().decode(keys.slice(at * 16, (at + 1) * 16)).replaceAll('\0', '');
}
