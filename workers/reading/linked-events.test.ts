/** Linked names are read as one person: beside a slow reference over rows as objects. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { EventColumns } from '../../shared/store/ports.ts';
import { linkEvents, type LinkedRequest } from './linked-events.task.ts';

const MINUTE = 60_000;

interface Row {
  readonly subject: number;
  readonly item: number;
  readonly at: number;
  readonly source: number;
  /** 0: none. */
  readonly session: number;
  readonly id: number;
}

const row = fc.record({
  subject: fc.integer({ min: 1, max: 6 }),
  item: fc.nat(4),
  at: fc.integer({ min: 0, max: 400 }).map((minutes) => minutes * MINUTE),
  source: fc.nat(1),
  session: fc.nat(4),
});
/** Devices 4, 5 and 6 belong to persons 1, 2 and 3, as far as the word of each source goes. */
const DEVICES = [4, 5, 6] as const;
const personOf = { 4: 1, 5: 2, 6: 3 } as const;
const applies = fc.array(fc.boolean(), { minLength: 6, maxLength: 6 });

const compare = (a: Row, b: Row): number => a.subject - b.subject || a.item - b.item || a.at - b.at || a.id - b.id;
const keyed = (numbers: readonly number[], width = 16): Uint8Array =>
  Uint8Array.from(numbers.flatMap((n) => [n, ...Array.from({ length: width - 1 }, () => 0)]));

/** A session belongs to one name. */
const sessionKey = ({ subject, session }: Row): number => (session === 0 ? 0 : subject * 10 + session);

function columnsOf(rows: readonly Row[]): EventColumns {
  const zeros = rows.map(() => 0);
  return {
    rows: rows.length,
    eventId: keyed(rows.map(({ id }) => id)),
    subject: keyed(rows.map(({ subject }) => subject)),
    item: keyed(rows.map(({ item }) => item)),
    type: Uint8Array.from(rows, ({ id }) => id % 5),
    value: Float32Array.from(rows, ({ id }) => id / 4),
    occurredAt: Float64Array.from(rows, ({ at }) => at),
    recordedAt: Float64Array.from(rows, ({ at, id }) => at + id),
    source: Uint16Array.from(rows, ({ source }) => source),
    sources: ['a', 'b'],
    position: Uint16Array.from(zeros),
    device: Uint8Array.from(rows, ({ id }) => id % 3),
    session: keyed(rows.map(sessionKey), 8),
  };
}

const requestOf = (rows: readonly Row[], applied: readonly boolean[]): LinkedRequest => ({
  columns: columnsOf(rows),
  aliases: keyed(DEVICES),
  mains: keyed(DEVICES.map((device) => personOf[device])),
  applies: Uint8Array.from(applied, Number),
});

/** `person item id session` of each row, in order. */
function read({ rows, subject, item, eventId, session, value }: EventColumns): string[] {
  return Array.from({ length: rows }, (_, n) => {
    expect(value[n]).toBe(eventId[n * 16]! / 4); // the other columns came along
    return `${subject[n * 16]} ${item[n * 16]} ${eventId[n * 16]} ${session[n * 8]}`;
  });
}

function reference(rows: readonly Row[], applied: readonly boolean[]): string[] {
  const named = rows.map((one) => {
    const device = DEVICES.indexOf(one.subject as 4);
    const isLinked = device >= 0 && applied[device * 2 + one.source]!;
    return { ...one, key: sessionKey(one), subject: isLinked ? personOf[one.subject as 4] : one.subject, isLinked };
  });
  const linked = new Set(named.filter(({ isLinked }) => isLinked).map(({ subject }) => subject));
  return named
    .toSorted(compare)
    .map(({ subject, item, id, key }) => `${subject} ${item} ${id} ${linked.has(subject) ? 0 : key}`);
}

test('rows of linked names are the person’s, in canonical order, without the names of sessions, which hold for one device; the others stay', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 60 }), applies, (given, applied) => {
      const rows = given.map((one, id) => ({ ...one, id: id + 1 })).toSorted(compare);
      expect(read(linkEvents(requestOf(rows, applied)))).toEqual(reference(rows, applied));
    }),
    { numRuns: 1_000 },
  );
});

test('where no link applies the columns are the very same', () => {
  const rows = [{ subject: 4, item: 1, at: 1, source: 0, session: 1, id: 1 }];
  const request = requestOf(rows, [false, true, false, true, false, true]);
  expect(linkEvents(request)).toBe(request.columns);
});
