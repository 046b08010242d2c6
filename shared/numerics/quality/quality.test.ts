/** Detection of accounts that are not people: parity with the slow definition, properties, and simulated platforms. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inlinePool } from '../../compute/pool.ts';
import { EVENT_TYPES, type EventType } from '../../contract-kit/event.ts';
import { simulate, type BotFamily } from '../../sources/simulated/index.ts';
import { emptyActs, type AccountActs, type ItemColumns } from './acts.ts';
import { findCampaigns, poissonTail } from './campaigns.ts';
import { cellsOf, linksOf, ringsOf } from './co-actions.ts';
import { detect, detectTraces, statementRules } from './detect.ts';
import { type PlainAct, referenceLink, referenceTraces } from './quality.reference.ts';
import { TRACES } from './traces.ts';
import { judge, limitsFor, TRACE_LIMITS } from './verdict.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const ITEMS = 12;
const RATING_MAX = 5;
const items: ItemColumns = {
  items: ITEMS,
  place: Int32Array.from({ length: ITEMS }, (_, n) => (n * 5) % ITEMS),
  owner: Int32Array.from({ length: ITEMS }, (_, n) => n % 3),
};
const plainItems = [...items.place].map((place, n) => ({ place, owner: items.owner[n]! }));

function actsFrom(all: readonly (readonly PlainAct[])[]): AccountActs {
  const acts = emptyActs(all.length, all.flat().length);
  let n = 0;
  for (const [account, own] of all.entries()) {
    for (const { item, type, value, at } of own) {
      acts.item[n] = item ?? -1;
      acts.type[n] = EVENT_TYPES.indexOf(type as EventType);
      acts.value[n] = value ?? Number.NaN;
      acts.at[n++] = at;
    }
    acts.starts[account + 1] = n;
  }
  return acts;
}

/** Few items and coarse moments, so that repeats, equal pauses and shared runs occur. */
const plainAct = (account: number): fc.Arbitrary<PlainAct> =>
  fc
    .record({
      item: fc.option(fc.nat({ max: ITEMS - 1 }), { nil: undefined, freq: 12 }),
      type: fc.constantFrom('view', 'click', 'rating', 'thumb', 'like', 'not-interested'),
      at: fc.oneof(
        fc.nat({ max: 300 }).map((k) => k * 30_000),
        fc.integer({ min: 0, max: 6 * DAY }),
      ),
      draw: fc.nat({ max: 100 }),
    })
    .map(({ draw, ...act }) => {
      const values: Partial<Record<string, number>> = { view: draw, rating: draw % 6, thumb: draw % 2 === 0 ? 1 : -1 };
      return Object.assign(act, { account, value: values[act.type] });
    });
const accounts = fc
  .integer({ min: 1, max: 6 })
  .chain((n) => fc.tuple(...Array.from({ length: n }, (_, a) => fc.array(plainAct(a), { maxLength: 90 }))))
  .map((all) => all.map((own) => own.toSorted((a, b) => a.at - b.at)));

const kindOf = (type: string): number | undefined => (type === 'like' ? undefined : type === 'rating' ? 1 : 0);
const kindCodes = Uint8Array.from(EVENT_TYPES, (type) => kindOf(type) ?? 255);

describe('traces', () => {
  test('equal their slow definition', async () => {
    await fc.assert(
      fc.asyncProperty(accounts, async (all) => {
        const columns = { acts: actsFrom(all), items, ratingMax: RATING_MAX };
        await using pool = inlinePool();
        const { traces } = await detectTraces(columns, { pool });
        for (const [account, expected] of referenceTraces(all, plainItems, RATING_MAX).entries())
          for (const [t, trace] of TRACES.entries()) {
            // NaN, no evidence, on both sides or on neither.
            const got = traces[account * TRACES.length + t]!;
            const near = Math.abs(got - expected[trace]) < 1e-5 || (Number.isNaN(got) && Number.isNaN(expected[trace]));
            expect(near ? [] : [trace, got, expected[trace]]).toEqual([]);
          }
      }),
      { numRuns: 60 },
    );
  });

  test('say nothing without evidence, and no verdict follows', () => {
    const traces = TRACES.map(() => Number.NaN);
    expect(judge(traces, [])).toEqual([]);
    traces[TRACES.indexOf('order')] = 0.9;
    expect(judge(traces, [])).toEqual([
      { account: 0, reasons: [{ trace: 'order', figure: 0.9, limit: TRACE_LIMITS.order }] },
    ]);
  });
});

describe('a clock of whole seconds', () => {
  const CATALOGUE = 200;
  const shelf: ItemColumns = {
    items: CATALOGUE,
    place: Int32Array.from({ length: CATALOGUE }, (_, n) => n),
    owner: new Int32Array(CATALOGUE).fill(-1),
  };
  /** Pages of four films, rated in pairs at a moment, from a place of one's own on; the store orders a moment by film. */
  const rater = (account: number): PlainAct[] =>
    Array.from({ length: 40 }, (_, n) => {
      const page = (account * 7 + Math.floor(n / 4) * 11) % (CATALOGUE / 4);
      return {
        account,
        item: page * 4 + (n % 4),
        type: 'rating',
        value: 4,
        at: Math.floor(n / 2) * (1 + (account % 5)) * 61_000,
      };
    });
  const flagged = async (all: readonly (readonly PlainAct[])[]): Promise<(number | string)[][]> => {
    await using pool = inlinePool();
    const { verdicts } = await detect({ acts: actsFrom(all), items: shelf, ratingMax: RATING_MAX }, { pool });
    return verdicts.map(({ account, reasons }) => [account, ...reasons.map(({ trace }) => trace)]);
  };

  test('makes nobody a copy of another, or a sweeper, by the order that the store gives to acts of one moment', async () => {
    const people = Array.from({ length: 60 }, (_, account) => rater(account));
    const told = (await flagged(people)).flat();
    expect(told).not.toContain('copied');
    expect(told).not.toContain('sweep');
  });

  test('hides no script that puts its own acts on one moment among people who do not', async () => {
    const people = Array.from({ length: 60 }, (_, account) =>
      rater(account).map((act, n) =>
        Object.assign(act, { item: (n * (account + 3) + account) % CATALOGUE, at: act.at + n * 100 }),
      ),
    );
    const scripted = [60, 61].map((account) => rater(0).map((act) => Object.assign(act, { account })));
    const told = await flagged([...people, ...scripted]);
    for (const account of [60, 61]) expect(told.find(([who]) => who === account)).toContain('copied');
  });
});

describe('limits', () => {
  test('move up with what is usual on a platform, and never down', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 2_000 }), (figures) => {
        for (const [trace, limit] of Object.entries(limitsFor(figures)))
          expect(limit).toBeGreaterThanOrEqual(TRACE_LIMITS[trace as keyof typeof TRACE_LIMITS]);
      }),
    );
    const replaying = Array.from({ length: 100 * TRACES.length }, (_, n) =>
      TRACES[n % TRACES.length] === 'repetition' ? 0.5 + (n % 97) / 300 : 0,
    );
    expect(judge(replaying, [])).toEqual([]);
  });
});

describe('co-actions', () => {
  test('link two accounts as their slow definition says, from both sides alike', () => {
    fc.assert(
      fc.property(accounts, (all) => {
        const cells = cellsOf(actsFrom(all), kindCodes);
        for (let a = 0; a < all.length; a++)
          for (const { other, share, cells: common } of linksOf(cells, a, 1)) {
            const expected = referenceLink(all, kindOf, a, other);
            expect(common).toBe(expected.cells);
            expect(share).toBeCloseTo(expected.share, 5);
            expect(linksOf(cells, other, 1).find((link) => link.other === a)?.share).toBeCloseTo(share, 5);
          }
      }),
      { numRuns: 60 },
    );
  });

  test('a pair is no ring, three who hang together are, and a chain is not dense enough', () => {
    const linked = (pairs: readonly (readonly [number, number])[], count: number) =>
      Array.from({ length: count }, (_, a) =>
        pairs
          .filter((pair) => pair.includes(a as never))
          .map(([x, y]) => ({ other: x === a ? y : x, share: 0.5, cells: 9 })),
      );
    const limits = { shareMin: 0.4, densityMin: 0.6 };
    expect(ringsOf(linked([[0, 1]], 3), limits)).toEqual([]);
    expect(
      ringsOf(
        linked(
          [
            [0, 1],
            [1, 2],
            [0, 2],
          ],
          4,
        ),
        limits,
      ),
    ).toEqual([{ accounts: [0, 1, 2], density: 1, share: 0.5 }]);
    expect(
      ringsOf(
        linked(
          [
            [0, 1],
            [1, 2],
            [2, 3],
            [3, 4],
          ],
          5,
        ),
        limits,
      ),
    ).toEqual([]);
  });
});

describe('campaigns', () => {
  test('the chance of a count is the upper sum of the Poisson law', () => {
    fc.assert(
      fc.property(fc.nat({ max: 30 }), fc.double({ min: 0.01, max: 20, noNaN: true }), (count, mean) => {
        let below = 0;
        for (let k = 0, p = Math.exp(-mean); k < count; k++, p *= mean / k) below += p;
        expect(poissonTail(count, mean)).toBeCloseTo(1 - below, 9);
      }),
    );
  });

  test('a day on which an item is blamed by many whom its views do not explain is one, a lively premiere is not', () => {
    const act = (account: number, item: number, type: string, value: number | undefined, at: number): PlainAct => ({
      account,
      item,
      type,
      value,
      at,
    });
    // Everybody watches; one in ten says something, of either kind. A premiere is watched, and praised, by all.
    const people = Array.from({ length: 200 }, (_, a) => [
      ...Array.from({ length: 10 }, (_, k) => act(a, (a + k) % 6, 'view', 80, k * HOUR)),
      act(a, 6, 'view', 90, 11 * HOUR),
      ...(a % 3 === 0 ? [act(a, a % 7, 'thumb', a % 2 === 0 ? 1 : -1, 12 * HOUR)] : []),
    ]);
    const gang = Array.from({ length: 12 }, (_, k) => [act(200 + k, 9, 'thumb', -1, 13 * HOUR + k * 60_000)]);
    const found = findCampaigns({ acts: actsFrom([...people, ...gang]), rules: statementRules(RATING_MAX) });
    expect(found).toMatchObject([{ item: 9, day: 0, direction: -1, statements: 12 }]);
    expect(found[0]!.accounts).toEqual(gang.map(([first]) => first!.account));
  });
});

/** A small platform as acts, and which accounts are bots. */
function platform(seed: number, botFamilies: BotFamily[], botShare: number) {
  const simulation = simulate({ people: 200, videos: 1500, days: 20, events: 40_000, seed, botShare, botFamilies });
  const truth = [...simulation.truth.people()];
  const catalogue = [...simulation.items()];
  const numberOf = new Map(catalogue.map(({ id }, n) => [id, n]));
  const creators = [...new Set(catalogue.map(({ creator }) => creator))];
  const own = new Map<string, PlainAct[]>(truth.map(({ id }) => [id, []]));
  for (const { type, user, item, value, occurredAt } of simulation.events())
    if (type !== 'impression')
      own
        .get(user)!
        .push({ account: 0, item: item === undefined ? undefined : numberOf.get(item), type, value, at: occurredAt });
  const known: ItemColumns = {
    items: catalogue.length,
    place: Int32Array.from(catalogue.keys()),
    owner: Int32Array.from(catalogue, ({ creator }) => creators.indexOf(creator)),
  };
  return { columns: { acts: actsFrom([...own.values()]), items: known, ratingMax: RATING_MAX }, truth };
}

describe('on a simulated platform', () => {
  const { columns, truth } = platform(5, ['looper', 'rating-farm', 'copycat', 'drip', 'downvote-ring'], 0.1);

  test('bots of families that no limit was set on are found with reasons, and people are left alone', async () => {
    await using pool = inlinePool();
    const { verdicts } = await detect(columns, { pool });
    const flagged = new Set(verdicts.map(({ account }) => account));
    const bots = [...truth.keys()].filter((account) => truth[account]!.bot !== null);
    expect(bots).toHaveLength(20);
    expect(bots.filter((account) => flagged.has(account)).length).toBeGreaterThanOrEqual(18);
    expect([...flagged].filter((account) => truth[account]!.bot === null).length).toBeLessThanOrEqual(1);
    for (const { reasons } of verdicts) {
      expect(reasons.length).toBeGreaterThan(0);
      for (const { figure, limit } of reasons) expect(figure).toBeGreaterThanOrEqual(limit);
    }
  });

  test('verdicts are the same for any number of threads', async () => {
    await using one = inlinePool(1);
    await using three = inlinePool(3);
    expect(await detect(columns, { pool: three })).toEqual(await detect(columns, { pool: one }));
  });
});
