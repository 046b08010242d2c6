/** The moment that is picked, beside a slow reference that reads like the rules. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ASKED_AFTER } from '../../jobs/asking/contract.ts';
import { EVENT_TYPES, type EventType } from '../../shared/contract-kit/event.ts';
import { GIVEN_ON_PURPOSE } from '../../shared/sources/define-source.ts';
import { ASKED, LEFT_ALONE, type MomentsRequest, NOBODY, pickMoments } from './moments.task.ts';
import { PROMPT_RULES } from './rules.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ACTS_MIN = 3;
const FRESH = 24 * HOUR;

interface Act {
  readonly user: number;
  readonly item: number;
  readonly type: EventType;
  readonly value: number;
  readonly at: number;
  readonly late: boolean;
  readonly allowed: boolean;
}

const act = fc.record({
  user: fc.nat(3),
  item: fc.nat(4),
  type: fc.constantFrom<EventType>('view', 'view', 'save', 'skip', 'purchase', 'impression', 'like', 'rating', 'click'),
  value: fc.constantFrom(20, 90, 100),
  at: fc.integer({ min: 0, max: 3 * 24 * 60 }).map((minutes) => minutes * MINUTE),
  late: fc.boolean(),
  allowed: fc.constantFrom(true, true, true, false),
});

/** In the order of the store: person, item, time. */
const sorted = (acts: readonly Act[]): Act[] =>
  acts.toSorted((a, b) => a.user - b.user || a.item - b.item || a.at - b.at);

function requestOf(acts: readonly Act[], asOf: number, barred: readonly number[]): MomentsRequest {
  const rows = acts.length;
  const users = [...new Set(acts.map(({ user }) => user))];
  const keyed = (numbers: readonly number[]): Uint8Array =>
    Uint8Array.from(numbers.flatMap((n) => [n, ...Array.from({ length: 15 }, () => 0)]));
  const starts = users.map((user) => acts.findIndex((one) => one.user === user));
  const weight = new Float32Array(EVENT_TYPES.length);
  const from = new Float32Array(EVENT_TYPES.length).fill(Number.NEGATIVE_INFINITY);
  for (const type of ASKED_AFTER) {
    weight[EVENT_TYPES.indexOf(type)] = PROMPT_RULES[type].weight;
    from[EVENT_TYPES.indexOf(type)] = PROMPT_RULES[type].from ?? Number.NEGATIVE_INFINITY;
  }
  const columns = {
    rows,
    subject: keyed(acts.map(({ user }) => user)),
    // Item 0 is none.
    item: keyed(acts.map(({ item }) => item)),
    type: Uint8Array.from(acts, ({ type }) => EVENT_TYPES.indexOf(type)),
    value: Float32Array.from(acts, ({ value }) => value),
    occurredAt: Float64Array.from(acts, ({ at }) => at),
    recordedAt: Float64Array.from(acts, ({ at, late }) => (late ? at + 6 * HOUR : at)),
    source: Uint16Array.from(acts, ({ allowed }) => (allowed ? 0 : 1)),
  };
  const runs = { subjects: users.length, keys: keyed(users), starts: Int32Array.from([...starts, rows]) };
  const events = {
    columns,
    runs,
    sources: 2,
    sourceNames: ['yes', 'no'],
    allowed: Uint8Array.from(users.flatMap(() => [1, 0])),
  };
  return { events, asOf, freshMs: FRESH, actsMin: ACTS_MIN, weight, from, barred: Uint8Array.from(barred) };
}

/** What the rules say, person by person; undefined: not considered. */
function reference(acts: readonly Act[], user: number, asOf: number, barred: number): number | string | undefined {
  const counted = acts.filter(
    (one) =>
      one.user === user && one.allowed && one.type !== 'impression' && one.at + (one.late ? 6 * HOUR : 0) <= asOf,
  );
  if (counted.length === 0) return undefined;
  if (barred !== ASKED) return LEFT_ALONE[barred]!;
  if (counted.length < ACTS_MIN) return 'hardlyBegun';
  const last = Math.max(...counted.map(({ at }) => at));
  if (last > asOf - 30 * MINUTE) return 'noMoment';
  const said = new Set(
    counted.filter(({ type }) => (GIVEN_ON_PURPOSE as readonly string[]).includes(type)).map(({ item }) => item),
  );
  const suited = counted.filter(({ type, value, at, item }) => {
    if (!(type in PROMPT_RULES) || item === 0 || said.has(item)) return false;
    const { from = 0 } = PROMPT_RULES[type as 'view'];
    return at >= last - 30 * MINUTE && at >= asOf - FRESH && value >= from;
  });
  const worth = ({ type, at }: Act): number =>
    Math.fround(PROMPT_RULES[type as 'view'].weight) * 2 ** ((at - asOf) / (12 * HOUR));
  const best = suited.reduce<Act | undefined>(
    (found, one) => (found === undefined || worth(one) > worth(found) ? one : found),
    undefined,
  );
  return best === undefined ? 'noMoment' : acts.indexOf(best);
}

test('is what the rules say, whoever else is there', () => {
  fc.assert(
    fc.property(
      fc.array(act, { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 24, max: 80 }),
      fc.array(fc.constantFrom(ASKED, ASKED, 0, 1), { minLength: 4, maxLength: 4 }),
      (given, hours, barred) => {
        const acts = sorted(given);
        const asOf = hours * HOUR;
        const { fate, row } = pickMoments(requestOf(acts, asOf, barred));
        const users = [...new Set(acts.map(({ user }) => user))];
        const said = users.map((_, s) =>
          fate[s] === ASKED ? row[s] : fate[s] === NOBODY ? undefined : LEFT_ALONE[fate[s]!],
        );
        expect(said).toEqual(users.map((user, s) => reference(acts, user, asOf, barred[s]!)));
      },
    ),
    { numRuns: 1_000 },
  );
});
