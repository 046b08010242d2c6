/**
 * Owns counting, in a thread: events, values and people by group, each person bounded in how many groups and events of theirs count. What of a person
 * counts depends on their own rows alone, so one person's coming or going changes the figures by that bound and no more.
 */
import { randomStream, type RandomStream } from '../../shared/random.ts';
import { EVENT_TYPES } from '../../shared/contract-kit/event-fields.ts';
import type { AdmittedEvents } from '../../shared/numerics/interactions/columns.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';

const DAY_MS = 24 * 3600_000;
const HOUR_MS = 3600_000;
const RATING = EVENT_TYPES.indexOf('rating');

/** By what a row finds its group: a table by its type, source, item or person, or its own time or rating. */
export type GroupedBy = 'none' | 'type' | 'source' | 'item' | 'person' | 'day' | 'hour' | 'rating';

export interface TallyRequest {
  readonly events: AdmittedEvents;
  readonly asOf: number;
  readonly by: GroupedBy;
  /** Group of each code of `by`, -1: of none. A day counts from `from`. */
  readonly table: Int32Array;
  /** Number of each row's item; of `item` alone. */
  readonly itemOf?: Int32Array;
  readonly groups: number;
  /** By event type, 1: counts. */
  readonly types: Uint8Array;
  readonly from: number;
  readonly until: number;
  readonly bound: { readonly events: number; readonly groups: number };
  /** Of a sum: values as whole steps within these; absent: values are not asked for, and rows without one count. */
  readonly steps?: { readonly least: number; readonly most: number; readonly grid: number };
  /** Who is in each group is wanted too. */
  readonly wantsMembers: boolean;
}

export interface Tally {
  /** By group. */
  readonly events: Float64Array;
  readonly steps: Float64Array;
  readonly people: Int32Array;
  /** 16 bytes a member, group by group, ascending within one; group g has memberStart[g] .. memberStart[g + 1]. Empty unless wanted. */
  readonly members: Uint8Array;
  readonly memberStart: Int32Array;
}

function codeOf({ by, events, itemOf, from }: TallyRequest, row: number, person: number): number {
  const { columns } = events;
  switch (by) {
    case 'none':
      return 0;
    case 'type':
      return columns.type[row]!;
    case 'source':
      return columns.source[row]!;
    case 'item':
      return itemOf![row]!;
    case 'person':
      return person;
    case 'day':
      return Math.floor((columns.occurredAt[row]! - from) / DAY_MS);
    case 'hour':
      return Math.floor(columns.occurredAt[row]! / HOUR_MS) % 24;
    case 'rating':
      return columns.type[row] === RATING ? Math.round(columns.value[row]!) : -1;
    default:
      return by satisfies never;
  }
}

/** Rows of a person that may count, and their groups. */
function countable(request: TallyRequest, person: number): { rows: number[]; groups: number[] } {
  const { events, asOf, types, from, until, steps, table } = request;
  const { columns, runs, sources, allowed } = events;
  const [rows, groups]: [number[], number[]] = [[], []];
  for (let row = runs.starts[person]!; row < runs.starts[person + 1]!; row++) {
    if (allowed[person * sources + columns.source[row]!] !== 1 || types[columns.type[row]!] !== 1) continue;
    const at = columns.occurredAt[row]!;
    if (at < from || at >= until || at > asOf || columns.recordedAt[row]! > asOf) continue;
    if (steps !== undefined && Number.isNaN(columns.value[row]!)) continue;
    const group = table[codeOf(request, row, person)] ?? -1;
    if (group < 0) continue;
    rows.push(row);
    groups.push(group);
  }
  return { rows, groups };
}

/** So many of 0 .. count - 1, each as likely, ascending: selection by sorting random words. */
function chosen(count: number, most: number, stream: RandomStream): number[] {
  const all = Array.from({ length: count }, (_, n) => ({ n, word: stream.uint32() }));
  if (count <= most) return all.map(({ n }) => n);
  all.sort((a, b) => a.word - b.word || a.n - b.n);
  return all
    .slice(0, most)
    .map(({ n }) => n)
    .sort((a, b) => a - b);
}

/** What of a person counts: some of their groups, then some of their rows there; drawn from nothing but who they are and what they did. */
function bounded(request: TallyRequest, person: number): { rows: number[]; groups: number[] } {
  const { bound, events } = request;
  const found = countable(request, person);
  const distinct = [...new Set(found.groups)].sort((a, b) => a - b);
  if (found.rows.length <= bound.events && distinct.length <= bound.groups) return found;
  const at = person * KEY_BYTES;
  const word = new DataView(events.runs.keys.buffer, events.runs.keys.byteOffset).getUint32(at, true);
  const stream = randomStream(word, 'contribution');
  const kept = new Set(chosen(distinct.length, bound.groups, stream.derive('groups')).map((n) => distinct[n]!));
  const inside = found.rows.map((_, n) => n).filter((n) => kept.has(found.groups[n]!));
  const picked = chosen(inside.length, bound.events, stream.derive('events')).map((n) => inside[n]!);
  return { rows: picked.map((n) => found.rows[n]!), groups: picked.map((n) => found.groups[n]!) };
}

/** A value in whole steps, no less and no more than the bounds. */
function stepsOf(value: number, { least, most, grid }: NonNullable<TallyRequest['steps']>): number {
  return Math.min(Math.floor(most / grid), Math.max(Math.ceil(least / grid), Math.round(value / grid)));
}

export function tallyGroups(request: TallyRequest): Tally {
  const { events, groups, steps, wantsMembers } = request;
  const { columns, runs } = events;
  const counted = new Float64Array(groups);
  const summed = new Float64Array(groups);
  const people = new Int32Array(groups);
  const memberships: { group: number; person: number }[] = [];
  for (let person = 0; person < runs.subjects; person++) {
    const own = bounded(request, person);
    for (const [n, row] of own.rows.entries()) {
      counted[own.groups[n]!]! += 1;
      if (steps !== undefined) summed[own.groups[n]!]! += stepsOf(columns.value[row]!, steps);
    }
    for (const group of new Set(own.groups)) {
      people[group]! += 1;
      if (wantsMembers) memberships.push({ group, person });
    }
  }
  return { events: counted, steps: summed, people, ...membersOf(memberships, people, runs.keys) };
}

function membersOf(
  memberships: readonly { group: number; person: number }[],
  people: Int32Array,
  keys: Uint8Array,
): Pick<Tally, 'members' | 'memberStart'> {
  const memberStart = new Int32Array(people.length + 1);
  if (memberships.length === 0) return { members: new Uint8Array(0), memberStart };
  for (let group = 0; group < people.length; group++) memberStart[group + 1] = memberStart[group]! + people[group]!;
  const next = memberStart.slice();
  const members = new Uint8Array(memberships.length * KEY_BYTES);
  // People come in order of their keys.
  for (const { group, person } of memberships) {
    const at = next[group]!++;
    members.set(keys.subarray(person * KEY_BYTES, (person + 1) * KEY_BYTES), at * KEY_BYTES);
  }
  return { members, memberStart };
}
