/**
 * Owns the passes over event columns that run in threads: runs of subjects, likings, what was met, decayed popularity.
 * One linear pass each over sorted rows; memory is a few arrays as long as the rows. Slow reference: interactions.reference.ts.
 */
import { fromTriples, sharedFloat32, sharedInt32 } from '../sparse.ts';
import { KEY_BYTES, type SparseRows } from '../types.ts';
import type {
  EventArrays,
  InteractionRequest,
  InteractionView,
  PopularityRequest,
  SeenRequest,
  SubjectRuns,
} from './columns.ts';
import { compareKeys, isAbsent, KeyIndex, sharedBytes } from './key-index.ts';
import { RatingScales } from '../signals/rating-scales.ts';
import { capWeights, ClaimList } from './weight-caps.ts';
import type { InteractionArrays } from './weights.ts';

const DAY_MS = 86_400_000;

/** Runs of equal subjects. Rows must be sorted by subject. */
export function findSubjects({ columns }: { readonly columns: Pick<EventArrays, 'rows' | 'subject'> }): SubjectRuns {
  const { rows, subject } = columns;
  const starts: number[] = [];
  for (let row = 0; row < rows; row++)
    if (row === 0 || compareKeys(subject, row - 1, subject, row) !== 0) starts.push(row);
  const keys = sharedBytes(starts.length * KEY_BYTES);
  for (let s = 0; s < starts.length; s++) keys.set(keyAt(subject, starts[s]!), s * KEY_BYTES);
  return { subjects: starts.length, keys, starts: sharedInt32(starts.length + 1, [...starts, rows]) };
}

/** Which sources each subject has rows of: 1 at [s * sources + source]. */
export function findSources(payload: {
  readonly columns: Pick<EventArrays, 'source'>;
  readonly runs: SubjectRuns;
  readonly sources: number;
}): Uint8Array {
  const { columns, runs, sources } = payload;
  const present = sharedBytes(runs.subjects * sources);
  for (let s = 0; s < runs.subjects; s++)
    for (let row = runs.starts[s]!; row < runs.starts[s + 1]!; row++) present[s * sources + columns.source[row]!] = 1;
  return present;
}

const keyAt = (keys: Uint8Array, at: number): Uint8Array => keys.subarray(at * KEY_BYTES, (at + 1) * KEY_BYTES);

/** The scales of ratings, from the surviving rows. */
function ratingScales({ columns, runs, sources, allowed, table }: InteractionRequest): RatingScales {
  const scales = new RatingScales(sources);
  for (let s = 0; s < runs.subjects; s++)
    for (let row = runs.starts[s]!; row < runs.starts[s + 1]!; row++) {
      const source = columns.source[row]!;
      if (table.scaled[columns.type[row]!] === 0 || allowed[s * sources + source] === 0) continue;
      scales.add(source, columns.occurredAt[row]!, columns.value[row]!);
    }
  return scales;
}

/** Whether an event of this type and value says "liked". */
function isPositive(table: InteractionArrays, type: number, value: number, scale: number): boolean {
  if (table.weight[type] === 0) return false;
  const from = table.positiveFrom[type]!;
  // The threshold of ratings is a share such as 0.6, which float32 rounds: compare with a little room.
  return from === -Infinity || value >= (table.scaled[type] === 1 ? from * scale - 1e-5 : from);
}

interface Pair {
  /** 0: does not count. */
  weight: number;
  time: number;
  source: number;
  /** Of each source the weight of its strongest positive event. */
  readonly strongest: Float32Array;
}

/** Folds the rows [from, to) of one (subject, item), in order of time, into what they say together. */
function foldPair(
  request: InteractionRequest,
  scales: RatingScales,
  s: number,
  from: number,
  to: number,
  pair: Pair,
): void {
  const { columns, sources, allowed, table, metAfter } = request;
  pair.weight = 0;
  pair.time = 0;
  pair.strongest.fill(0);
  let refused = false;
  for (let row = from; row < to; row++) {
    const source = columns.source[row]!;
    if (allowed[s * sources + source] === 0) continue;
    const type = columns.type[row]!;
    if (metAfter !== undefined && table.seen[type] === 1 && columns.recordedAt[row]! <= metAfter) {
      pair.weight = 0;
      return;
    }
    const positive = isPositive(
      table,
      type,
      columns.value[row]!,
      table.scaled[type] === 1 ? scales.at(source, columns.occurredAt[row]!) : 1,
    );
    if (table.explicit[type] === 1) refused = !positive;
    if (!positive) continue;
    if (table.weight[type]! > pair.weight) [pair.weight, pair.source] = [table.weight[type]!, source];
    if (table.weight[type]! > pair.strongest[source]!) pair.strongest[source] = table.weight[type]!;
    pair.time = columns.occurredAt[row]!;
  }
  if (refused) pair.weight = 0;
}

/** End of the rows with the same item as `from`, at most `limit`. */
function endOfItem(columns: EventArrays, from: number, limit: number): number {
  let to = from + 1;
  while (to < limit && compareKeys(columns.item, from, columns.item, to) === 0) to++;
  return to;
}

/** Who likes what, among admitted rows. */
export function findInteractions(request: InteractionRequest): InteractionView {
  const { columns, runs } = request;
  const scales = ratingScales(request);
  const items = new KeyIndex();
  const found = {
    subject: new Int32Array(columns.rows),
    item: new Int32Array(columns.rows),
    weight: new Float32Array(columns.rows),
    time: new Float64Array(columns.rows),
    source: new Uint16Array(columns.rows),
  };
  let count = 0;
  const pair: Pair = { weight: 0, time: 0, source: 0, strongest: new Float32Array(request.sources) };
  const claims = request.shares === undefined ? undefined : new ClaimList(columns.rows, request.shares);
  for (let s = 0; s < runs.subjects; s++) {
    const end = runs.starts[s + 1]!;
    for (let from = runs.starts[s]!, to = from; from < end; from = to) {
      to = endOfItem(columns, from, end);
      if (isAbsent(columns.item, from)) continue;
      foldPair(request, scales, s, from, to, pair);
      if (pair.weight === 0) continue;
      found.subject[count] = s;
      found.item[count] = items.add(columns.item, from);
      found.weight[count] = pair.weight;
      found.source[count] = pair.source;
      claims?.add(count, pair.strongest);
      found.time[count++] = pair.time;
    }
  }
  return viewOf(request, items, { ...found, count, claims });
}

interface FoundPairs {
  readonly subject: Int32Array;
  readonly item: Int32Array;
  readonly weight: Float32Array;
  readonly time: Float64Array;
  readonly source: Uint16Array;
  readonly count: number;
  readonly claims: ClaimList | undefined;
}

/** Gives dense ids in the order of keys. Pairs come by (subject, item key), so rows stay ascending. */
function viewOf(
  { runs, shares, sourceNames }: InteractionRequest,
  items: KeyIndex,
  found: FoundPairs,
): InteractionView {
  const { claims, count } = found;
  const order = items.sorted();
  const rank = new Int32Array(order.length);
  const itemKeys = sharedBytes(order.length * KEY_BYTES);
  for (let n = 0; n < order.length; n++) {
    rank[order[n]!] = n;
    itemKeys.set(keyAt(items.keys(), order[n]!), n * KEY_BYTES);
  }
  const ends: number[] = [0];
  const users: number[] = [];
  const indices = sharedInt32(count);
  for (let n = 0; n < count; n++) {
    if (users.at(-1) !== found.subject[n]) {
      users.push(found.subject[n]!);
      ends.push(n);
    }
    ends[ends.length - 1] = n + 1;
    indices[n] = rank[found.item[n]!]!;
  }
  const userKeys = sharedBytes(users.length * KEY_BYTES);
  for (let u = 0; u < users.length; u++) userKeys.set(keyAt(runs.keys, users[u]!), u * KEY_BYTES);
  const times = new Float64Array(new SharedArrayBuffer(count * 8));
  times.set(found.time.subarray(0, count));
  const values = sharedFloat32(count, found.weight.subarray(0, count));
  const indptr = sharedInt32(users.length + 1, ends);
  const held =
    claims === undefined || shares === undefined
      ? { capped: [] }
      : capWeights(claims, { values, itemOf: indices, items: order.length }, shares);
  return {
    userKeys,
    itemKeys,
    times,
    origins: originsOf(found.source.subarray(0, count), sourceNames),
    interactions: { rows: users.length, columns: order.length, indptr, indices, values },
    ...held,
    capped: held.capped.map(({ source, ...sums }) => ({ source: sourceNames[source]!, ...sums })),
  };
}

/** Only sources that somebody's liking came from: the view is as if others had never been there. */
function originsOf(sources: Uint16Array, names: readonly string[]): InteractionView['origins'] {
  const used = [...new Set(sources)].sort((a, b) => a - b);
  const placeOf = new Map(used.map((source, place) => [source, place]));
  const of = new Uint16Array(new SharedArrayBuffer(sources.length * 2));
  for (let n = 0; n < sources.length; n++) of[n] = placeOf.get(sources[n]!)!;
  return { names: used.map((source) => names[source]!), of };
}

/** What each person has met by an act of their own, liked or not. Values are 1. */
export function findSeen({ columns, runs, sources, allowed, table, rowOf, rows, itemKeys }: SeenRequest): SparseRows {
  const items = KeyIndex.of(itemKeys);
  const users: number[] = [];
  const met: number[] = [];
  for (let s = 0; s < runs.subjects; s++) {
    if (rowOf[s]! < 0) continue;
    const end = runs.starts[s + 1]!;
    for (let from = runs.starts[s]!, to = from; from < end; from = to) {
      to = endOfItem(columns, from, end);
      const item = items.find(columns.item, from);
      if (item < 0) continue;
      for (let row = from; row < to; row++) {
        if (table.seen[columns.type[row]!] === 0 || allowed[s * sources + columns.source[row]!] === 0) continue;
        users.push(rowOf[s]!);
        met.push(item);
        break;
      }
    }
  }
  return fromTriples(rows, items.size, users, met, new Float32Array(users.length).fill(1));
}

/**
 * Popularity of each item: people who liked it, as far as they count, each decayed by the age of their last positive event. float64, people in order, so
 * the same for any number of threads.
 */
export function decayedPopularity({
  asOf,
  halfLifeDays,
  influence,
  interactions,
  times,
}: PopularityRequest): Float64Array {
  const popularity = new Float64Array(new SharedArrayBuffer(interactions.columns * 8));
  for (let n = 0; n < interactions.indices.length; n++) {
    const ageDays = Math.max(0, asOf - times[n]!) / DAY_MS;
    popularity[interactions.indices[n]!]! += (influence?.[n] ?? 1) * 2 ** (-ageDays / halfLifeDays);
  }
  return popularity;
}
