/** How far one source moves what is learned. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inlinePool } from '../../compute/pool.ts';
import type { EventType } from '../../contract-kit/event.ts';
import { admitEvents, type InteractionView, interactionView, itemPopularity } from './interaction-view.ts';
import { columnsOf, nameAt, type PlainEvent } from './interactions.reference.ts';
import { GROUND_ITEMS_MIN } from './weight-caps.ts';

const pool = inlinePool(2);
const SHARES: Readonly<Record<string, number>> = { web: 1, shop: 1, app: 0.5, log: 0.5, pixel: 0.3, rumour: 0.25 };
const NAMES = Object.keys(SHARES);
/** Weights are kept in float32. */
const ROOM = 1e-4;

const act = (user: string, item: string, type: EventType, source: string, at = 1_000): PlainEvent => ({
  user,
  item,
  type,
  value: undefined,
  at,
  recordedAt: at,
  source,
});

async function viewOf(events: readonly PlainEvent[]): Promise<InteractionView> {
  const columns = columnsOf(events);
  const admitted = await admitEvents(columns, () => true, { pool });
  const shares = Float64Array.from(columns.sources, (name) => SHARES[name]!);
  return interactionView({ ...admitted, shares }, { pool });
}

/** What counts of each item, and of all. */
function weightsOf({ influence, interactions, itemKeys }: InteractionView): {
  items: Map<string, number>;
  all: number;
} {
  const items = new Map<string, number>();
  let all = 0;
  for (const [at, item] of interactions.indices.entries()) {
    const own = interactions.values[at]! * (influence?.[at] ?? 1);
    const name = nameAt(itemKeys, item);
    items.set(name, (items.get(name) ?? 0) + own);
    all += own;
  }
  return { items, all };
}

/** What the most trusted speak of: enough items to hold others against, a few people each. */
const ground = Array.from({ length: GROUND_ITEMS_MIN }, (_, item) =>
  Array.from({ length: 1 + (item % 4) }, (_, n) =>
    act(`p${n}`, `i${item}`, item % 3 === 0 ? 'purchase' : 'like', 'web'),
  ),
).flat();

const claims = fc.array(
  fc.record({
    user: fc.integer({ min: 0, max: 40 }).map((n) => `u${n}`),
    // Most about a few items: an attack has a target. Some that nobody else speaks of.
    item: fc.oneof(
      fc.constantFrom('i0', 'i1', 'target'),
      fc.integer({ min: 0, max: 30 }).map((n) => `i${n}`),
    ),
    type: fc.constantFrom<EventType>('click', 'like', 'share', 'purchase'),
    source: fc.constantFrom(...NAMES),
  }),
  { maxLength: 300 },
);

describe('no source moves a weight by more than its share', () => {
  test('of all that is learned, and of each item, however much it claims and wherever', async () => {
    await fc.assert(
      fc.asyncProperty(claims, fc.constantFrom('app', 'log', 'pixel', 'rumour'), async (drawn, left) => {
        const events = [...ground, ...drawn.map(({ user, item, type, source }) => act(user, item, type, source))];
        const trusted = weightsOf(await viewOf(events.filter(({ source }) => SHARES[source] === 1)));
        const usual = [...trusted.items.values()].sort((a, b) => a - b)[trusted.items.size >> 1]!;
        const given = weightsOf(await viewOf(events));
        const without = weightsOf(await viewOf(events.filter(({ source }) => source !== left)));
        const share = SHARES[left]!;
        expect(given.all - without.all).toBeLessThanOrEqual(share * given.all * (1 + ROOM));
        for (const [item, amount] of given.items) {
          // Where the most trusted say less than of a usual item, the share is taken of as much as of one.
          const lacking = Math.max(0, usual - (trusted.items.get(item) ?? 0));
          const moved = amount - (without.items.get(item) ?? 0);
          expect(moved).toBeLessThanOrEqual(share * (amount + lacking) * (1 + ROOM));
        }
      }),
      { numRuns: 200 },
    );
  });

  test('and none takes anything away from what more trusted ones say', async () => {
    await fc.assert(
      fc.asyncProperty(claims, async (drawn) => {
        const events = [...ground, ...drawn.map(({ user, item, type, source }) => act(user, item, type, source))];
        const trusted = weightsOf(await viewOf(events.filter(({ source }) => SHARES[source] === 1)));
        const given = weightsOf(await viewOf(events));
        for (const [item, amount] of trusted.items)
          expect(given.items.get(item)!).toBeGreaterThanOrEqual(amount - ROOM);
      }),
      { numRuns: 100 },
    );
  });
});

describe('known answers', () => {
  const farm = Array.from({ length: 500 }, (_, n) => act(`bot${n}`, 'target', 'like', 'rumour'));

  test('five hundred made-up people move an item that nobody else knows by a third of a usual one, and popularity with it', async () => {
    const view = await viewOf([...ground, ...farm]);
    const trusted = [...weightsOf(await viewOf(ground)).items.values()].sort((a, b) => a - b);
    const usual = trusted[trusted.length >> 1]!;
    expect(weightsOf(view).items.get('target')!).toBeCloseTo(usual / 3, 3);
    expect(view.capped).toEqual([{ source: 'rumour', claimed: 750, counted: expect.closeTo(usual / 3, 6) as number }]);
    const decay = { asOf: 1_000, halfLifeDays: 30 };
    const popularity = await itemPopularity(view, decay, { pool });
    const target = [...popularity.keys()].find((item) => nameAt(view.itemKeys, item) === 'target')!;
    expect(popularity[target]!).toBeCloseTo(usual / 3 / 1.5, 3);
  });

  test('a stronger word of a less trusted source about the same pair adds to what the trusted one says, and never replaces it', async () => {
    const bought = ['p0', 'p1'].map((user) => act(user, 'i1', 'purchase', 'rumour'));
    const [before, after] = [weightsOf(await viewOf(ground)), weightsOf(await viewOf([...ground, ...bought]))];
    const usual = [...before.items.values()].sort((a, b) => a - b)[before.items.size >> 1]!;
    // Two likes are 3, and two purchases say 3 beyond them: more than a third of what a usual item has.
    expect(before.items.get('i1')).toBe(3);
    expect(usual / 3).toBeLessThan(3);
    expect(after.items.get('i1')!).toBeCloseTo(3 + Math.max(3, usual) / 3, 4);
  });

  test('one source alone, equally trusted ones, and hardly anything to hold them against: everything counts', async () => {
    for (const events of [
      farm,
      [...ground, ...farm.map((one) => Object.assign({ ...one }, { source: 'shop' }))],
      [act('ann', 'a', 'like', 'web'), ...farm],
    ]) {
      const view = await viewOf(events);
      expect(view.influence).toBeUndefined();
      expect(view.capped).toEqual([]);
    }
  });
});
