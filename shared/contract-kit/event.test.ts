import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { DEVICES, EVENT_TYPES } from './event-fields.ts';
import { type CanonicalEvent, checkEvent, checkEventBySchema, eventSchema } from './event.ts';
import { plainEvent } from './plain-event.ts';

const NOW = Date.UTC(2026, 5, 1);

const text = fc.oneof(
  fc.string({ minLength: 1, maxLength: 12 }),
  fc.constantFrom('', 'x'.repeat(200), 'x'.repeat(201), 'x'.repeat(2000), 'x'.repeat(2001), '\ud800', '__proto__'),
);
const number = fc.oneof(
  fc.integer({ min: -2, max: 101 }),
  fc.constantFrom(-0, 0.5, Number.NaN, Infinity, -Infinity, 1e9, 1e9 + 1, -1e9, -1e9 - 1, 65_535, 65_536, 2 ** 53),
);
const moment = fc.oneof(
  fc.integer({ min: 0, max: NOW }),
  fc.constantFrom(-1, -0, 1.5, NOW, NOW + 300_000, NOW + 300_001, Date.UTC(2200, 0, 1), Date.UTC(2200, 0, 1) + 1),
  fc.constantFrom('2026-01-02T03:04:05Z', '2026-01-02T03:04:05+02:00', '2026-01-02', '2026-01-02T03:04:05'),
);
const type = fc.oneof(fc.constantFrom(...EVENT_TYPES), fc.constantFrom('Click', 'toString', ''));
const device = fc.oneof(fc.constantFrom(...DEVICES), fc.constantFrom('Phone', 'constructor'));
const odd = fc.constantFrom<unknown>(undefined, null, true, {}, [], 'x', 7, 7n, new String('x'), new Date(0));
const usually = (field: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 12, arbitrary: field }, { weight: 1, arbitrary: odd });

/** Events of every type, mostly nearly right, with their fields in any order. */
const candidate = fc
  .record(
    {
      id: usually(text),
      type: usually(type),
      user: usually(text),
      item: usually(text),
      target: usually(text),
      value: usually(number),
      occurredAt: usually(moment),
      recordedAt: usually(moment),
      position: usually(number),
      session: usually(text),
      device: usually(device),
      requestId: usually(text),
      text: usually(text),
      extra: fc.constant(1),
    },
    { requiredKeys: ['type', 'user', 'occurredAt'], noNullPrototype: false },
  )
  .chain((event) => fc.shuffledSubarray(Object.entries(event), { minLength: 3 }).map((all) => Object.fromEntries(all)));

/** Right by the schema, in any order of fields. */
const ordinary = fc
  .record(
    {
      id: fc.string({ minLength: 1, maxLength: 20 }),
      type: fc.constantFrom(...EVENT_TYPES),
      user: fc.string({ minLength: 1, maxLength: 20 }),
      item: fc.string({ minLength: 1, maxLength: 20 }),
      target: fc.string({ minLength: 1, maxLength: 20 }),
      value: fc.double({ min: -1e9, max: 1e9, noNaN: true }),
      occurredAt: fc.integer({ min: 0, max: NOW + 600_000 }),
      recordedAt: fc.integer({ min: 0, max: NOW }),
      position: fc.integer({ min: 1, max: 65_535 }),
      session: fc.string({ minLength: 1, maxLength: 20 }),
      device: fc.constantFrom(...DEVICES),
      requestId: fc.string({ minLength: 1, maxLength: 20 }),
      text: fc.string({ minLength: 1, maxLength: 30 }),
    },
    { requiredKeys: ['type', 'user', 'occurredAt'], noNullPrototype: true },
  )
  .chain((event) => {
    const entries = Object.entries(event);
    return fc.shuffledSubarray(entries, { minLength: entries.length }).map((all) => Object.fromEntries(all) as object);
  });

/** The answer with the order of its fields, as it is serialised and hashed. */
const told = (answer: unknown) => ({ answer, text: JSON.stringify(answer) });

describe('the check of an event', () => {
  test('says what the schema says, for events right and wrong', () => {
    fc.assert(
      fc.property(candidate, fc.nat(10), (event, index) => {
        expect(told(checkEvent(event, index, NOW))).toStrictEqual(told(checkEventBySchema(event, index, NOW)));
      }),
      { numRuns: 5_000 },
    );
  });

  test('takes the quick way for every ordinary event, with the result of the schema to the byte', () => {
    fc.assert(
      fc.property(ordinary, (event) => {
        expect(told(plainEvent(event))).toStrictEqual(told(eventSchema.parse(event)));
      }),
      { numRuns: 2_000 },
    );
  });

  test('says what the schema says of what is no plain object', () => {
    class Event {
      type = 'click';
      user = 'u';
      item = 'i';
      occurredAt = 1;
    }
    const plain = { type: 'click', user: 'u', item: 'i', occurredAt: 1 };
    const hidden = Object.defineProperty({ ...plain, junk: 1 }, 'user', { value: 'u', enumerable: false });
    const inherited = Object.create({ user: 'u' }) as object;
    const bare = Object.assign(Object.create(null) as object, plain);
    const own = JSON.parse('{"type":"click","user":"u","item":"i","occurredAt":1,"__proto__":{"text":"x"}}') as unknown;
    const odd = [null, undefined, 7, 'x', [], [plain], new Event(), new Map(), hidden, bare, own];
    for (const event of [...odd, Object.assign(inherited, { type: 'click', item: 'i', occurredAt: 1 })])
      expect(told(checkEvent(event, 3, NOW))).toStrictEqual(told(checkEventBySchema(event, 3, NOW)));
  });

  test('does not hand out the object it was given', () => {
    const event = { type: 'click', user: 'u', item: 'i', occurredAt: 1 };
    expect(plainEvent(event)).not.toBe(event);
    expectTypeOf(plainEvent).returns.toEqualTypeOf<CanonicalEvent | undefined>();
  });
});
