/** Behaviour features: equal to their slow definition, free of leaks from the future, the same for any number of threads. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inlinePool } from '../../shared/compute/pool.ts';
import { DEVICES, EVENT_TYPES } from '../../shared/contract-kit/event.ts';
import { AppError } from '../../shared/errors.ts';
import { columnsOf, nameAt } from '../../shared/numerics/interactions/interactions.reference.ts';
import type { ConsentSnapshot, DatasetVersion, EventColumns, Store } from '../../shared/store/ports.ts';
import type { RunContext } from '../runtime/processor.ts';
import { FEATURES } from './feature-list.ts';
import { type PlainAct, type PlainItem, referenceFeatures } from './features.reference.ts';
import processor from './processor.ts';

const HOUR = 3_600_000;
const ITEMS = new Map<string, PlainItem>([
  ['a', { creator: 'kim', topics: ['cricket', 'news'], publishedAt: 0 }],
  ['b', { creator: 'kim', topics: ['cooking'], publishedAt: 100 * HOUR }],
  ['c', { creator: 'lou', topics: ['cricket'] }],
  ['d', { topics: [] }],
]);

/** Values as their types allow them. */
function valueFor(type: PlainAct['type'], drawn: number): number | undefined {
  if (type === 'view') return drawn;
  if (type === 'rating') return (drawn / 10) % 10;
  if (type === 'thumb') return drawn < 50 ? -1 : 1;
  return undefined;
}

const acts = fc
  .array(
    fc.record({
      user: fc.constantFrom('ann', 'bob', 'cleo'),
      item: fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { nil: undefined, freq: 8 }),
      type: fc.constantFrom(...EVENT_TYPES),
      drawn: fc.integer({ min: 0, max: 100 }),
      // A third of an hour apart at least, and never the same moment twice.
      slot: fc.integer({ min: 0, max: 900 }),
      lateHours: fc.integer({ min: 0, max: 200 }),
      source: fc.constantFrom('app', 'web'),
      device: fc.constantFrom(...DEVICES),
      session: fc.constantFrom('', '', 's1', 's2'),
    }),
    { maxLength: 60 },
  )
  .map((drawn) =>
    drawn
      .map(({ slot, lateHours, drawn: value, ...act }, n): PlainAct => {
        const at = (slot * HOUR) / 3 + n;
        return Object.assign(act, { at, recordedAt: at + lateHours * HOUR, value: valueFor(act.type, value) });
      })
      .sort((a, b) => a.at - b.at),
  );

/** Columns with devices and sessions, in the same order of rows. */
function eventColumns(events: readonly PlainAct[]): EventColumns {
  const columns = columnsOf(events);
  const byMoment = new Map(events.map((event) => [event.at, event]));
  const rows = [...columns.occurredAt].map((at) => byMoment.get(at)!);
  const session = new Uint8Array(rows.length * 8);
  rows.forEach((row, n) => session.set(new TextEncoder().encode(row.session), n * 8));
  return Object.assign(columns, {
    eventId: new Uint8Array(rows.length * 16),
    position: new Uint16Array(rows.length),
    device: Uint8Array.from(rows, ({ device }) => DEVICES.indexOf(device as (typeof DEVICES)[number])),
    session,
  });
}

function contextFor(threads = 1): RunContext {
  const items = {
    read: async (_tenant: string, keys: Uint8Array[]) =>
      new Map(
        keys.flatMap((key) => {
          const item = ITEMS.get(nameAt(key, 0));
          return item === undefined
            ? []
            : [[Buffer.from(key).toString('hex'), { id: nameAt(key, 0), title: 't', key, ...item }]];
        }),
      ),
  };
  const context: Partial<RunContext> = {
    pool: inlinePool(threads),
    signal: new AbortController().signal,
    progress: () => {},
    tenant: 'main',
    store: { items } as unknown as Store,
  };
  return context as RunContext;
}

interface Settings {
  readonly asOf: number;
  readonly halfLifeDays: number;
  readonly allows: (user: string, source: string) => boolean;
}

/** What `compute` makes of these events, by person; undefined when it refuses for want of events or consents. */
async function build(events: readonly PlainAct[], { asOf, halfLifeDays, allows }: Settings, threads = 1) {
  const { numberItems } = await import('../reading/numbered-items.task.ts');
  const { readItemFacts } = await import('../reading/item-facts.ts');
  const context = contextFor(threads);
  const columns = eventColumns(events);
  const numbered = numberItems({ columns });
  const facts = await readItemFacts(numbered.keys, context);
  const consents: ConsentSnapshot = { epoch: 1, allows: (subject, _, source) => allows(nameAt(subject, 0), source) };
  const dataset = { version: 'v', asOf } as DatasetVersion;
  const held = new Set<string>();
  try {
    return await processor.compute({ dataset, columns, consents, held, numbered, facts, asOf, halfLifeDays }, context);
  } catch (thrown) {
    if (thrown instanceof AppError && ['DATASET_EMPTY', 'CONSENT_MISSING'].includes(thrown.code)) return undefined;
    throw thrown;
  }
}

type Built = NonNullable<Awaited<ReturnType<typeof build>>>;

/** float32 rounds sums that may be taken in another order. */
const near = (a: number, b: number): boolean =>
  Number.isNaN(a) ? Number.isNaN(b) : Math.abs(a - b) <= 1e-4 * (1 + Math.abs(b));

/** Where the matrix differs from the definition; a column that was left out must be the same for everybody who has a value. */
function differences(built: Built, rows: readonly string[], expected: ReturnType<typeof referenceFeatures>): string[] {
  return FEATURES.flatMap((feature, column) => {
    const wanted = rows.map((user) => expected.get(user)![feature]);
    const at = built.kept.indexOf(column);
    const there = wanted.find((value) => !Number.isNaN(value));
    const got = wanted.map((value, row) => {
      if (at >= 0) return built.matrix[row * built.kept.length + at]!;
      return Number.isNaN(value) ? value : there!;
    });
    return got.every((value, row) => near(value, wanted[row]!))
      ? []
      : [`${feature}: ${got.join()} is not ${wanted.join()}`];
  });
}

const settings = fc.record({
  asOf: fc.integer({ min: 0, max: 400 * HOUR }),
  halfLifeDays: fc.constantFrom(1, 30),
  allows: fc.func(fc.boolean()) as fc.Arbitrary<(user: string, source: string) => boolean>,
});

describe('features', () => {
  test('equal their slow definition, and leave out what is the same for everybody', async () => {
    await fc.assert(
      fc.asyncProperty(acts, settings, async (events, given) => {
        const built = await build(events, given);
        const expected = referenceFeatures(events, ITEMS, given);
        expect(built?.rows ?? 0).toBe(expected.size);
        if (built === undefined) return;
        const rows = Array.from({ length: built.rows }, (_, row) => nameAt(built.subjects, row));
        expect(rows).toEqual([...expected.keys()].sort());
        expect(differences(built, rows, expected)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  test('do not change with what is recorded, or occurs, later', async () => {
    await fc.assert(
      fc.asyncProperty(acts, settings, async (events, given) => {
        const then = events.filter(({ at, recordedAt }) => at <= given.asOf && recordedAt <= given.asOf);
        expect(await build(events, given)).toEqual(await build(then, given));
      }),
    );
  });

  test('are the same bytes for any number of threads', async () => {
    await fc.assert(
      fc.asyncProperty(acts, settings, async (events, given) => {
        expect(await build(events, given, 3)).toEqual(await build(events, given, 1));
      }),
      { numRuns: 30 },
    );
  });

  test('say no value, not 0, where there is nothing to average', async () => {
    const base = { source: 'web', device: 'phone', session: '', item: 'a' };
    const events: PlainAct[] = [
      { ...base, user: 'ann', type: 'click', value: undefined, at: 1, recordedAt: 1 },
      { ...base, user: 'bob', type: 'view', value: 40, at: 2, recordedAt: 2 },
      { ...base, user: 'cleo', type: 'view', value: 80, at: 3, recordedAt: 3 },
    ];
    const built = await build(events, { asOf: 10, halfLifeDays: 30, allows: () => true });
    const at = built!.kept.indexOf(FEATURES.indexOf('viewPercent'));
    const column = [0, 1, 2].map((row) => built!.matrix[row * built!.kept.length + at]!);
    expect(column).toEqual([Number.NaN, 40, 80]);
  });
});
