import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEVICES, EVENT_TYPES } from '../../contract-kit/event.ts';
import type { EventColumns, EventRow } from '../ports.ts';
import { mergeEvents } from './canonical.ts';
import { COLUMN_NAMES, columnsOfRows, decodeEvents, encodeEvents, type RowKeys } from './event-block.ts';

const keys: RowKeys = {
  target: (id) => new Uint8Array(16).fill(id.length),
  session: (id) => new Uint8Array(8).fill(id.length),
  request: (id) => new Uint8Array(16).fill(100 + id.length),
};
const key = (values: number) => fc.integer({ min: 1, max: values }).map((n) => new Uint8Array(16).fill(n));
const optional = <T>(name: string, arbitrary: fc.Arbitrary<T>) =>
  fc.option(
    arbitrary.map((value) => ({ [name]: value })),
    { nil: {} },
  );

const eventRow: fc.Arbitrary<EventRow> = fc
  .tuple(
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    key(4),
    optional('item', key(4)),
    fc.record({ type: fc.constantFrom(...EVENT_TYPES), user: fc.constant('u'), occurredAt: fc.nat(3) }),
    fc
      .tuple(
        optional('value', fc.float({ noNaN: true, noDefaultInfinity: true })),
        optional('position', fc.integer({ min: 1, max: 65_535 })),
        optional('device', fc.constantFrom(...DEVICES)),
        optional('session', fc.string({ minLength: 1, maxLength: 9 })),
        optional('target', fc.string({ minLength: 1, maxLength: 9 })),
        optional('requestId', fc.string({ minLength: 1, maxLength: 9 })),
      )
      .map((parts) => Object.assign({}, ...parts) as object),
    fc.record({ source: fc.constantFrom('web', 'app', 'tv'), recordedAt: fc.nat(10) }),
  )
  .map(([eventId, subject, item, event, extra, rest]) =>
    Object.assign({ eventId, subject, event: Object.assign({}, event, extra) }, item, rest),
  );
const eventRows = fc.uniqueArray(eventRow, {
  maxLength: 40,
  selector: ({ eventId }) => Buffer.from(eventId).toString('hex'),
});

const plain = (events: EventColumns) => ({
  rows: events.rows,
  sources: events.sources,
  ...Object.fromEntries(COLUMN_NAMES.map((name) => [name, events[name] && Array.from(events[name])])),
});
const pack = (rows: readonly EventRow[]): Uint8Array => encodeEvents(columnsOfRows(rows, keys));

describe('events as columns', () => {
  it('come back from the bytes of a block as they were', () => {
    fc.assert(
      fc.property(eventRows, (rows) => {
        const columns = columnsOfRows(rows, keys);
        expect(plain(decodeEvents(encodeEvents(columns)))).toEqual(plain(columns));
        rows.forEach(({ event, item, source, recordedAt }, at) => {
          expect(EVENT_TYPES[columns.type[at]!]).toBe(event.type);
          expect(columns.value[at]).toEqual((event.value ?? Number.NaN) + 0);
          expect(columns.sources[columns.source[at]!]).toBe(source);
          expect(columns.recordedAt[at]).toBe(recordedAt);
          expect([...columns.item.subarray(at * 16, at * 16 + 16)]).toEqual([...(item ?? new Uint8Array(16))]);
        });
      }),
    );
  });

  const bare: EventRow = {
    eventId: new Uint8Array(16).fill(1),
    subject: new Uint8Array(16).fill(2),
    event: { type: 'follow', user: 'u', occurredAt: 1 },
    source: 'web',
    recordedAt: 1,
  };

  it('hold one zero: -0 is the same value, and the same bytes, beside whatever lies in its block', () => {
    const minus = { ...bare, event: { ...bare.event, value: -0, occurredAt: -0 } };
    const plus = { ...bare, event: { ...bare.event, value: 0, occurredAt: 0 } };
    for (const rows of [[minus], [minus, bare]])
      expect(pack(rows)).toEqual(pack(rows.map((row) => (row === minus ? plus : row))));
  });

  it('take no room for columns that nobody uses', () => {
    const full = { ...bare, event: { ...bare.event, session: 's', target: 't', requestId: 'r', position: 1 } };
    const rows = (row: EventRow) => Array.from({ length: 100 }, () => row);
    expect(pack(rows(full)).length - pack(rows(bare)).length).toBeGreaterThan(100 * (8 + 16 + 16 + 2));
  });

  it('are refused as corrupt when the bytes are not a block of events', () => {
    const corrupt = expect.objectContaining({ code: 'BLOCK_CORRUPT' });
    expect(() => decodeEvents(new Uint8Array(64))).toThrow(corrupt);
    expect(() => decodeEvents(new Uint8Array(0))).toThrow(corrupt);
    expect(() => decodeEvents(pack([]).slice(0, 20))).toThrow(corrupt);
  });
});

describe('the canonical view', () => {
  it('has the same bytes however the events are cut into blocks and in whatever order they came', () => {
    fc.assert(
      fc.property(eventRows, fc.nat(1000), fc.integer({ min: 1, max: 5 }), (rows, turn, cuts) => {
        const whole = mergeEvents([{ plain: pack(rows) }]);
        const at = rows.length === 0 ? 0 : turn % rows.length;
        const turned = [...rows.slice(at), ...rows.slice(0, at)].toReversed();
        const size = Math.max(1, Math.ceil(rows.length / cuts));
        const blocks = Array.from({ length: cuts }, (_, n) => ({
          plain: pack(turned.slice(n * size, (n + 1) * size)),
        }));
        expect(plain(mergeEvents(blocks))).toEqual(plain(whole));
      }),
    );
  });

  it('is ordered by subject, item, time and event id, on shared memory', () => {
    fc.assert(
      fc.property(eventRows, (rows) => {
        const events = mergeEvents([{ plain: pack(rows) }]);
        const hex = (column: Uint8Array, row: number) =>
          Buffer.from(column.subarray(row * 16, row * 16 + 16)).toString('hex');
        const labels = Array.from({ length: events.rows }, (_, row) =>
          [hex(events.subject, row), hex(events.item, row), events.occurredAt[row], hex(events.eventId, row)].join(' '),
        );
        expect(labels).toEqual([...labels].sort());
        const memory = COLUMN_NAMES.flatMap((name) => events[name]?.buffer ?? []);
        expect(memory.every((buffer) => buffer instanceof SharedArrayBuffer)).toBe(true);
      }),
    );
  });

  it('leaves out masked rows and what was recorded too late', () => {
    fc.assert(
      fc.property(eventRows, fc.nat(10), fc.nat(5), (rows, recordedUntil, every) => {
        const masked = Uint32Array.from(rows.keys()).filter((row) => row % (every + 2) === 0);
        const kept = rows.filter((row, at) => !masked.includes(at) && row.recordedAt <= recordedUntil);
        expect(plain(mergeEvents([{ plain: pack(rows), masked, recordedUntil }]))).toEqual(
          plain(mergeEvents([{ plain: pack(kept) }])),
        );
      }),
    );
  });
});
