/** Counting with bounds: small cases by hand, and the promise that noise rests on: a person more or less changes figures by no more than the bound. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EVENT_TYPES, type EventType } from '../../shared/contract-kit/event-fields.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import { type TallyRequest, tallyGroups } from './tally.task.ts';

const HOUR = 3600_000;

interface Row {
  readonly person: number;
  readonly type?: EventType;
  readonly group: number;
  readonly value?: number;
  readonly at?: number;
  readonly allowed?: boolean;
}

function requestOf(rows: readonly Row[], more: Partial<TallyRequest> = {}): TallyRequest {
  const sorted = rows.toSorted((a, b) => a.person - b.person);
  const people = [...new Set(sorted.map(({ person }) => person))];
  const keys = new Uint8Array(people.length * KEY_BYTES);
  for (const [n, person] of people.entries()) new DataView(keys.buffer).setUint32(n * KEY_BYTES, person * 2654435761);
  const starts = Int32Array.from([
    ...people.map((one) => sorted.findIndex(({ person }) => person === one)),
    rows.length,
  ]);
  const columns = {
    type: Uint8Array.from(sorted, ({ type = 'view' }) => EVENT_TYPES.indexOf(type)),
    value: Float32Array.from(sorted, ({ value = Number.NaN }) => value),
    occurredAt: Float64Array.from(sorted, ({ at = 1 }) => at),
    recordedAt: Float64Array.from(sorted, ({ at = 1 }) => at),
    source: Uint16Array.from(sorted, ({ allowed = true }) => (allowed ? 0 : 1)),
  };
  const allowed = Uint8Array.from(people.flatMap(() => [1, 0]));
  return {
    events: { columns, runs: { subjects: people.length, keys, starts }, sources: 2, allowed } as never,
    asOf: 1_000 * HOUR,
    by: 'item',
    itemOf: Int32Array.from(sorted, ({ group }) => group),
    table: Int32Array.of(0, 1, 2, 3),
    groups: 4,
    types: new Uint8Array(EVENT_TYPES.length).fill(1),
    from: Number.NEGATIVE_INFINITY,
    until: Number.POSITIVE_INFINITY,
    bound: { events: 1_000, groups: 1_000 },
    wantsMembers: false,
    ...more,
  };
}

test('counts events and people by group, of rows that may be read, of the types and the time asked for', () => {
  const rows: Row[] = [
    { person: 1, group: 0 },
    { person: 1, group: 0, type: 'like' },
    { person: 1, group: 1, at: 50 },
    { person: 2, group: 1 },
    { person: 2, group: 1, allowed: false },
    { person: 3, group: 9 },
  ];
  const all = tallyGroups(requestOf(rows));
  expect([...all.events]).toEqual([2, 2, 0, 0]);
  expect([...all.people]).toEqual([1, 2, 0, 0]);
  const likes = new Uint8Array(EVENT_TYPES.length);
  likes[EVENT_TYPES.indexOf('like')] = 1;
  expect([...tallyGroups(requestOf(rows, { types: likes })).events]).toEqual([1, 0, 0, 0]);
  expect([...tallyGroups(requestOf(rows, { from: 1, until: 50 })).events]).toEqual([2, 1, 0, 0]);
  expect([...tallyGroups(requestOf(rows, { asOf: 20 })).events]).toEqual([2, 1, 0, 0]);
});

test('groups by hour of the day, by day from the start, and by rating', () => {
  const rows: Row[] = [
    { person: 1, group: 0, at: 25 * HOUR },
    { person: 2, group: 0, at: 3 * HOUR, type: 'rating', value: 2.6 },
  ];
  const hours = requestOf(rows, { by: 'hour', groups: 24, table: Int32Array.from({ length: 24 }, (_, n) => n) });
  expect([...tallyGroups(hours).events].slice(0, 4)).toEqual([0, 1, 0, 1]);
  const days = requestOf(rows, { by: 'day', from: HOUR, until: 30 * HOUR, groups: 2, table: Int32Array.of(0, 1) });
  expect([...tallyGroups(days).events]).toEqual([1, 1]);
  const ratings = requestOf(rows, { by: 'rating', table: Int32Array.of(0, 1, 2, 3) });
  expect([...tallyGroups(ratings).events]).toEqual([0, 0, 0, 1]);
});

test('sums values in whole steps within their bounds, of rows that have one', () => {
  const rows: Row[] = [
    { person: 1, group: 0, value: 1.26 },
    { person: 2, group: 0, value: 99 },
    { person: 3, group: 0, value: -99 },
    { person: 4, group: 0 },
  ];
  const { steps, events } = tallyGroups(requestOf(rows, { steps: { least: -1, most: 10, grid: 0.5 } }));
  expect([steps[0], events[0]]).toEqual([3 + 20 - 2, 3]);
});

test('who is in a group is told in order of their keys', () => {
  const rows: Row[] = [4, 1, 3].map((person) => ({ person, group: person === 3 ? 2 : 0 }));
  const { members, memberStart, people } = tallyGroups(requestOf(rows, { wantsMembers: true }));
  expect([...memberStart]).toEqual([0, 2, 2, 3, 3]);
  expect(members.length).toBe(3 * KEY_BYTES);
  expect([...people]).toEqual([2, 0, 1, 0]);
});

const row = fc.record({
  person: fc.nat(5),
  group: fc.nat(3),
  value: fc.integer({ min: -3, max: 12 }),
  allowed: fc.constantFrom(true, true, true, false),
});
const bound = fc.record({ events: fc.integer({ min: 1, max: 4 }), groups: fc.integer({ min: 1, max: 3 }) });
const steps = { least: -2, most: 8, grid: 1 };

test('a person more or less changes counts, sums and people by no more than they may, and nobody else’s part', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 60 }), fc.nat(5), bound, (rows, person, most) => {
      const more = { bound: most, steps };
      const world = tallyGroups(requestOf(rows, more));
      const without = tallyGroups(
        requestOf(
          rows.filter((one) => one.person !== person),
          more,
        ),
      );
      const changed = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
        Array.from(a).reduce((sum, value, n) => sum + Math.abs(value - b[n]!), 0);
      expect(changed(world.events, without.events)).toBeLessThanOrEqual(most.events);
      expect(changed(world.steps, without.steps)).toBeLessThanOrEqual(most.events * 8);
      expect(changed(world.people, without.people)).toBeLessThanOrEqual(most.groups);
    }),
    { numRuns: 300 },
  );
});

test('of somebody with more than counts exactly the bound counts', () => {
  const rows: Row[] = Array.from({ length: 40 }, (_, n) => ({ person: 7, group: n % 4 }));
  const { events, people } = tallyGroups(requestOf(rows, { bound: { events: 9, groups: 2 } }));
  expect(events.reduce((sum, count) => sum + count)).toBe(9);
  expect(people.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(2);
});
