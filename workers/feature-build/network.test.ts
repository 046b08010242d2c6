/** Network position in features: a tie counts where both ends allow it and it was known by then; what is figured of it is what its ties say. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { inlinePool } from '../../shared/compute/pool.ts';
import { EVENT_TYPES } from '../../shared/contract-kit/event.ts';
import { featuresOfView } from '../../shared/numerics/features/registry.ts';
import { admitEvents } from '../../shared/numerics/interactions/interaction-view.ts';
import { columnsOf, nameAt, type PlainEvent } from '../../shared/numerics/interactions/interactions.reference.ts';
import type { RunContext } from '../runtime/processor.ts';
import { buildNetworkView } from './network-view.ts';

const NAMES = featuresOfView('network');
const PEOPLE = ['ann', 'bob', 'cleo', 'dan', 'eve'];
const CONTEXT = { pool: inlinePool(1), signal: new AbortController().signal } as unknown as RunContext;

interface Follow extends PlainEvent {
  readonly target: string;
}
interface Given {
  readonly asOf: number;
  readonly allows: (user: string, source: string) => boolean;
}

const follows = fc
  .array(
    fc.record({
      user: fc.constantFrom(...PEOPLE),
      target: fc.constantFrom(...PEOPLE),
      source: fc.constantFrom('activitystreams', 'web'),
      day: fc.integer({ min: 0, max: 20 }),
      late: fc.integer({ min: 0, max: 10 }),
    }),
    { maxLength: 25 },
  )
  .map((drawn) =>
    drawn.map(({ day, late, ...more }, n): Follow => {
      const at = day * 1_000 + n;
      return { ...more, item: undefined, type: 'follow', value: undefined, at, recordedAt: at + late * 1_000 };
    }),
  );
const given = fc.record({
  asOf: fc.integer({ min: 0, max: 25_000 }),
  allows: fc.func(fc.integer({ min: 0, max: 4 }).map((n) => n > 0)) as fc.Arbitrary<Given['allows']>,
});

async function build(events: readonly Follow[], { asOf, allows }: Given) {
  const columns = columnsOf(events);
  const targets = new Map(events.map(({ at, target }) => [at, target]));
  const target = columnsOf([...columns.occurredAt].map((at, n) => ({ ...events[0]!, at: n, user: targets.get(at)! })));
  const byRow = new Uint8Array(columns.rows * 16);
  for (let row = 0; row < target.rows; row++)
    byRow.set(target.subject.subarray(row * 16, row * 16 + 16), target.occurredAt[row]! * 16);
  const allowsKey = (key: Uint8Array, source: string): boolean => allows(nameAt(key, 0), source);
  const none = {
    eventId: new Uint8Array(columns.rows * 16),
    device: new Uint8Array(columns.rows),
    session: new Uint8Array(columns.rows * 8),
  };
  const admitted = await admitEvents(columns, allowsKey, CONTEXT);
  return buildNetworkView(
    { events: { ...admitted, columns: { ...columns, ...none, target: byRow } }, asOf, seed: 1, allows: allowsKey },
    CONTEXT,
  );
}

/** Who follows whom, by definition. */
function counted(events: readonly Follow[], { asOf, allows }: Given): Set<string> {
  const ties = events.filter(
    ({ user, target, source, at, recordedAt }) =>
      user !== target && at <= asOf && recordedAt <= asOf && allows(user, source) && allows(target, source),
  );
  return new Set(ties.map(({ user, target }) => `${user} ${target}`));
}

test('counts the ties that both ends allow, each once', async () => {
  expect(EVENT_TYPES).toContain('follow');
  await fc.assert(
    fc.asyncProperty(follows, given, async (events, settings) => {
      const { rows, subjects, matrix } = await build(events, settings);
      const said = counted(events, settings);
      const people = [...new Set([...said].flatMap((tie) => tie.split(' ')))].sort();
      expect(Array.from({ length: rows }, (_, row) => nameAt(subjects, row))).toEqual(people);
      const got = people.map((_, row) =>
        Object.fromEntries(NAMES.map((name, column) => [name, matrix[row * NAMES.length + column]!])),
      );
      const expected = people.map((own) => {
        const following = people.filter((other) => said.has(`${own} ${other}`));
        const followers = people.filter((other) => said.has(`${other} ${own}`));
        const ties = new Set([...following, ...followers]).size;
        return {
          following: Math.fround(Math.log1p(following.length)),
          followers: Math.fround(Math.log1p(followers.length)),
          ties: Math.fround(Math.log1p(ties)),
          mutualShare: Math.fround(following.filter((other) => followers.includes(other)).length / ties),
        };
      });
      expect(got).toMatchObject(expected);
    }),
    { numRuns: 150 },
  );
});

test('does not change with a tie that is said, or recorded, later', async () => {
  await fc.assert(
    fc.asyncProperty(follows, given, async (events, settings) => {
      const then = events.filter(({ at, recordedAt }) => at <= settings.asOf && recordedAt <= settings.asOf);
      expect(await build(events, settings)).toEqual(await build(then, settings));
    }),
    { numRuns: 80 },
  );
});
