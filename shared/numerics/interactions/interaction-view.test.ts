/** What an event says about liking, who may be read, and what is held out. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inlinePool } from '../../compute/pool.ts';
import { EVENT_TYPES, type EventType } from '../../contract-kit/event.ts';
import {
  type AdmittedEvents,
  admitEvents,
  holdOut,
  type InteractionView,
  interactionView,
  isAdmitted,
  itemPopularity,
  seenItems,
} from './interaction-view.ts';
import {
  columnsOf,
  nameAt,
  type PlainEvent,
  type PlainPair,
  referenceInteractions,
  referenceSeen,
} from './interactions.reference.ts';
import { compareKeys, KeyIndex } from './key-index.ts';

const pool = inlinePool(2);
const everybody = (): boolean => true;

async function admit(events: readonly PlainEvent[], allows: (user: string, source: string) => boolean = everybody) {
  return admitEvents(columnsOf(events), (key, source) => allows(nameAt(key, 0), source), { pool });
}

function pairsOf({ userKeys, itemKeys, interactions, origins, times }: InteractionView) {
  const pairs = new Map<string, PlainPair>();
  for (let row = 0; row < interactions.rows; row++)
    for (let n = interactions.indptr[row]!; n < interactions.indptr[row + 1]!; n++) {
      const [user, item] = [nameAt(userKeys, row), nameAt(itemKeys, interactions.indices[n]!)];
      const source = origins.names[origins.of[n]!]!;
      pairs.set(`${user} ${item}`, { user, item, weight: interactions.values[n]!, time: times[n]!, source });
    }
  return pairs;
}

const event = (user: string, item: string | undefined, type: EventType, value?: number, at = 1000): PlainEvent => ({
  user,
  item,
  type,
  value,
  at,
  recordedAt: at,
  source: 'web',
});

const liked = async (...events: PlainEvent[]): Promise<string[]> => [
  ...pairsOf(await interactionView(await admit(events), { pool })).keys(),
];

const events = fc.array(
  fc.record({
    user: fc.constantFrom('ann', 'bob', 'cleo', 'dan'),
    item: fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { nil: undefined, freq: 8 }),
    type: fc.constantFrom(...EVENT_TYPES),
    value: fc.option(fc.constantFrom(-1, 1, 2, 3, 4, 5, 6, 10, 49.5, 50, 100), { nil: undefined }),
    at: fc.integer({ min: 1, max: 1000 }),
    delay: fc.integer({ min: 0, max: 500 }),
    source: fc.constantFrom('app', 'web'),
  }),
  { maxLength: 60 },
);
/** Distinct moments, so that the order of equal times is not in question. */
const plain = events.map((drawn) =>
  drawn
    .map(
      ({ delay, ...one }, n): PlainEvent => ({
        ...one,
        at: one.at * 100 + n,
        recordedAt: one.at * 100 + n + delay * 100,
      }),
    )
    .map((one) =>
      one.type === 'rating' ? Object.assign(one, { value: Math.min(10, Math.max(0, one.value ?? 3)) }) : one,
    )
    .sort((a, b) => a.at - b.at),
);

describe('what an event says', () => {
  test('half a view likes, less does not', async () => {
    expect(await liked(event('ann', 'a', 'view', 50), event('ann', 'b', 'view', 49))).toEqual(['ann a']);
  });

  test('a rating counts from three of five, and from six of ten where the source rates up to ten', async () => {
    expect(await liked(event('ann', 'a', 'rating', 3), event('ann', 'b', 'rating', 2))).toEqual(['ann a']);
    const upToTen = [event('ann', 'a', 'rating', 5), event('ann', 'b', 'rating', 6), event('bob', 'c', 'rating', 10)];
    expect(await liked(...upToTen)).toEqual(['ann b', 'bob c']);
  });

  test('the last explicit statement decides', async () => {
    expect(await liked(event('ann', 'a', 'view', 90, 1), event('ann', 'a', 'thumb', -1, 2))).toEqual([]);
    expect(await liked(event('ann', 'a', 'thumb', -1, 1), event('ann', 'a', 'thumb', 1, 2))).toEqual(['ann a']);
    expect(
      await liked(event('ann', 'a', 'like', undefined, 1), event('ann', 'a', 'not-interested', undefined, 2)),
    ).toEqual([]);
  });

  test('an impression is neither liking nor meeting', async () => {
    const admitted = await admit([event('ann', 'a', 'impression'), event('ann', 'b', 'skip')]);
    const itemKeys = columnsOf([event('x', 'a', 'like'), event('x', 'b', 'like')]).item;
    const seen = await seenItems(admitted, { rowOf: Int32Array.of(0), rows: 1, itemKeys }, { pool });
    expect([...seen.indices]).toEqual([1]);
    expect(await liked(event('ann', 'a', 'impression'))).toEqual([]);
  });
});

describe('the view', () => {
  test('equals the slow reference for any events, consents and moments', async () => {
    await fc.assert(
      fc.asyncProperty(
        plain,
        fc.func(fc.boolean()),
        fc.option(fc.integer({ min: 0, max: 200_000 })),
        async (all, allows, metAfter) => {
          const may = (user: string, source: string): boolean => allows(user, source);
          const view = await interactionView(await admit(all, may), { pool }, metAfter ?? undefined);
          expect(pairsOf(view)).toEqual(referenceInteractions(all, may, metAfter ?? undefined));
        },
      ),
      { numRuns: 200 },
    );
  });

  test('reads the scale of a source from a rating about no item too, as the reference does', async () => {
    const all = [event('ann', undefined, 'rating', 6), event('ann', 'a', 'rating', 3, 1001)];
    expect(pairsOf(await interactionView(await admit(all), { pool }))).toEqual(referenceInteractions(all, everybody));
    expect(await liked(...all)).toEqual([]);
  });

  test('holds users and items in the order of their keys, each with at least one pair, rows ascending', async () => {
    await fc.assert(
      fc.asyncProperty(plain, async (all) => {
        const { userKeys, itemKeys, interactions } = await interactionView(await admit(all), { pool });
        for (let n = 1; n < interactions.rows; n++) expect(compareKeys(userKeys, n - 1, userKeys, n)).toBeLessThan(0);
        for (let n = 1; n < interactions.columns; n++)
          expect(compareKeys(itemKeys, n - 1, itemKeys, n)).toBeLessThan(0);
        expect(new Set(interactions.indices).size).toBe(interactions.columns);
        for (let row = 0; row < interactions.rows; row++) {
          const own = [...interactions.indices.subarray(interactions.indptr[row], interactions.indptr[row + 1])];
          expect(own).toEqual([...new Set(own)].sort((a, b) => a - b));
          expect(own.length).toBeGreaterThan(0);
        }
      }),
    );
  });

  test('is the same without a person as if the person had never been there', async () => {
    await fc.assert(
      fc.asyncProperty(plain, async (all) => {
        const without = await interactionView(await admit(all.filter(({ user }) => user !== 'bob')), { pool });
        const refused = await interactionView(await admit(all, (user) => user !== 'bob'), { pool });
        expect(refused).toEqual(without);
      }),
    );
  });

  test('leaves out exactly the refused source of a person', async () => {
    const all = [event('ann', 'a', 'like'), { ...event('ann', 'b', 'like'), source: 'app' }];
    const admitted = await admit(all, (_, source) => source === 'app');
    expect([...pairsOf(await interactionView(admitted, { pool })).keys()]).toEqual(['ann b']);
    expect(isAdmitted(admitted, 0)).toBe(true);
  });

  test('of no events is empty', async () => {
    const { interactions } = await interactionView(await admit([]), { pool });
    expect(interactions).toMatchObject({ rows: 0, columns: 0 });
  });

  test('stops asking about consent once aborted', async () => {
    const control = new AbortController();
    control.abort();
    await expect(
      admitEvents(columnsOf([event('ann', 'a', 'like')]), everybody, { pool, signal: control.signal }),
    ).rejects.toThrow('CANCELLED');
  });
});

test('what people have met equals the slow reference', async () => {
  await fc.assert(
    fc.asyncProperty(plain, fc.func(fc.boolean()), async (all, allows) => {
      const may = (user: string, source: string): boolean => allows(user, source);
      const admitted: AdmittedEvents = await admit(all, may);
      const { subjects, keys } = admitted.runs;
      const itemKeys = columnsOf([event('x', 'e', 'like'), event('x', 'a', 'like'), event('x', 'c', 'like')]).item;
      const rowOf = Int32Array.from({ length: subjects }, (_, s) => s);
      const seen = await seenItems(admitted, { rowOf, rows: subjects, itemKeys }, { pool });
      const names = new Set<string>();
      for (let s = 0; s < subjects; s++)
        for (let n = seen.indptr[s]!; n < seen.indptr[s + 1]!; n++)
          names.add(`${nameAt(keys, s)} ${nameAt(itemKeys, seen.indices[n]!)}`);
      const expected = [...referenceSeen(all, may)].filter((name) => /[ace]$/.test(name));
      expect(names).toEqual(new Set(expected));
    }),
  );
});

test('popularity halves with every half-life', async () => {
  const day = 86_400_000;
  const all = [
    event('ann', 'a', 'like', undefined, 70 * day),
    event('bob', 'a', 'like', undefined, 100 * day),
    event('bob', 'b', 'like', undefined, 40 * day),
  ];
  const view = await interactionView(await admit(all), { pool });
  const popularity = await itemPopularity(view, { asOf: 100 * day, halfLifeDays: 30 }, { pool });
  expect([...popularity]).toEqual([1.5, 0.25]);
});

describe('the holdout', () => {
  const many = Array.from({ length: 4000 }, (_, n) =>
    event(`user${n % 80}`, `item${Math.floor(n / 80)}`, 'like', undefined, n),
  );

  test('is taken in a thread, moves nobody else when a person is left out, and changes with the seed', async () => {
    const heldOut = async (all: PlainEvent[], seed: number): Promise<Set<string>> => {
      const view = await interactionView(await admit(all), { pool });
      const { test: held, train } = await holdOut({ view, holdout: 0.2, seed }, { pool });
      expect(train.indices.length + held.items.length).toBe(view.interactions.indices.length);
      const names = [...held.users].flatMap((user, n) =>
        [...held.items.subarray(held.indptr[n], held.indptr[n + 1])].map(
          (item) => `${nameAt(view.userKeys, user)} ${nameAt(view.itemKeys, item)}`,
        ),
      );
      return new Set(names);
    };
    const all = await heldOut(many, 3);
    // Binomial(4000, 0.2): six standard deviations are 152.
    expect(Math.abs(all.size - 800)).toBeLessThan(152);
    const without = await heldOut(
      many.filter(({ user }) => user !== 'user7'),
      3,
    );
    expect(without).toEqual(new Set([...all].filter((name) => !name.startsWith('user7 '))));
    expect(await heldOut(many, 4)).not.toEqual(all);
  });
});

test('a key index numbers distinct keys by arrival and finds none that it was not given', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 16, maxLength: 16 }), { maxLength: 200 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      (keys, other) => {
        const index = new KeyIndex(1);
        const names = new Map<string, number>();
        for (const key of keys) {
          const name = Buffer.from(key).toString('hex');
          if (!names.has(name)) names.set(name, names.size);
          expect(index.add(key, 0)).toBe(names.get(name));
        }
        expect(index.size).toBe(names.size);
        expect(index.find(other, 0)).toBe(names.get(Buffer.from(other).toString('hex')) ?? -1);
        const sorted = [...index.sorted()].map((n) =>
          Buffer.from(index.keys().subarray(n * 16, n * 16 + 16)).toString('hex'),
        );
        expect(sorted).toEqual([...names.keys()].sort());
      },
    ),
  );
});
