/** Owns what tests of features of people share: drawn acts, the store that views read, and one view of them as `compute` makes it. */
import * as fc from 'fast-check';
import { inlinePool } from '../../shared/compute/pool.ts';
import { DEVICES, EVENT_TYPES, type Person } from '../../shared/contract-kit/event.ts';
import { AppError } from '../../shared/errors.ts';
import { featuresOfView } from '../../shared/numerics/features/registry.ts';
import { columnsOf, nameAt } from '../../shared/numerics/interactions/interactions.reference.ts';
import type { ConsentSnapshot, DatasetVersion, EventColumns, Store } from '../../shared/store/ports.ts';
import { admitFor } from '../reading/dataset.ts';
import type { RunContext } from '../runtime/processor.ts';
import type { PlainAct, PlainItem } from './features.reference.ts';
import type { PersonView } from './features.task.ts';
import { readCatalogue } from './person-view.ts';
import processor, { type Loaded } from './processor.ts';
import { readProfiles } from './profiles.ts';

export const HOUR = 3_600_000;
export const ITEMS = new Map<string, PlainItem>([
  ['a', { creator: 'kim', topics: ['cricket', 'news'], publishedAt: 0 }],
  ['b', { creator: 'kim', topics: ['cooking'], publishedAt: 100 * HOUR }],
  ['c', { creator: 'lou', topics: ['cricket'] }],
  ['d', { topics: [] }],
]);
export const PEOPLE = new Map<string, Person>([
  ['ann', { id: 'ann', attributes: { timeZone: 'Europe/Berlin', place: '52.52, 13.40' } }],
  ['bob', { id: 'bob', attributes: { utcOffsetMinutes: 330, place: '-33.9,18.4' } }],
  ['cleo', { id: 'cleo' }],
]);

/** Values as their types allow them. */
function valueFor(type: PlainAct['type'], drawn: number): number | undefined {
  if (type === 'view') return drawn;
  if (type === 'rating') return (drawn / 10) % 10;
  if (type === 'thumb') return drawn < 50 ? -1 : 1;
  return undefined;
}

export const acts = fc
  .array(
    fc.record({
      user: fc.constantFrom('ann', 'bob', 'cleo'),
      item: fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { nil: undefined, freq: 8 }),
      type: fc.constantFrom(...EVENT_TYPES),
      drawn: fc.integer({ min: 0, max: 100 }),
      // A third of an hour apart at least, and never the same moment twice.
      slot: fc.integer({ min: 0, max: 900 }),
      lateHours: fc.integer({ min: 0, max: 200 }),
      // Both may make up all of a figure; caps have a test of their own.
      source: fc.constantFrom('feedback', 'web'),
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

export interface Settings {
  readonly asOf: number;
  readonly halfLifeDays: number;
  readonly allows: (user: string, source: string) => boolean;
}

export const settings = fc.record({
  asOf: fc.integer({ min: 0, max: 400 * HOUR }),
  halfLifeDays: fc.constantFrom(1, 30),
  allows: fc.func(fc.boolean()) as fc.Arbitrary<Settings['allows']>,
});

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

function contextFor(threads: number): RunContext {
  const named = <T>(all: ReadonlyMap<string, T>, keys: readonly Uint8Array[]): [string, T][] =>
    keys.flatMap((key): [string, T][] => {
      const found = all.get(nameAt(key, 0));
      return found === undefined ? [] : [[Buffer.from(key).toString('hex'), found]];
    });
  const items = { read: async (_tenant: string, keys: Uint8Array[]) => new Map(named(ITEMS, keys)) };
  const people = { open: async (_tenant: string, keys: Uint8Array[]) => new Map(named(PEOPLE, keys)) };
  const context: Partial<RunContext> = {
    pool: inlinePool(threads),
    signal: new AbortController().signal,
    progress: () => {},
    tenant: 'main',
    store: { items, people } as unknown as Store,
  };
  return context as RunContext;
}

/** What `compute` makes of these events, by person; undefined when nobody may be read or did anything. */
export async function build(
  view: PersonView,
  events: readonly PlainAct[],
  { asOf, halfLifeDays, allows }: Settings,
  threads = 1,
) {
  const context = contextFor(threads);
  const columns = eventColumns(events);
  const consents: ConsentSnapshot = {
    epoch: 1,
    allows: (subject, _, source) => allows(nameAt(subject, 0), source),
    hasEnded: () => false,
    sourcesOf: () => [],
    isErased: () => false,
  };
  const dataset = { version: 'v', asOf } as DatasetVersion;
  try {
    const admitted = await admitFor(
      'segmentation',
      { dataset, columns, consents, held: new Set(), accounts: new Map() },
      context,
    );
    const loaded: Loaded = {
      view,
      dataset: 'v',
      asOf,
      halfLifeDays,
      events: { ...admitted, columns },
      allows: () => true,
      seed: 1,
    };
    const [catalogue, profiles] = [
      await readCatalogue(columns, asOf, context),
      await readProfiles(loaded.events, asOf, context),
    ];
    return await processor.compute({ ...loaded, catalogue, profiles }, context);
  } catch (thrown) {
    if (thrown instanceof AppError && ['DATASET_EMPTY', 'CONSENT_MISSING'].includes(thrown.code)) return undefined;
    throw thrown;
  }
}

export type Built = NonNullable<Awaited<ReturnType<typeof build>>>;

/** float32 rounds sums that may be taken in another order. */
const near = (a: number, b: number): boolean =>
  Number.isNaN(a) ? Number.isNaN(b) : Math.abs(a - b) <= 1e-4 * (1 + Math.abs(b));

/** Where the matrix differs from the definition; a column that was left out must be the same for everybody who has a value. */
export function differences(
  view: PersonView,
  built: Built,
  expected: ReadonlyMap<string, Readonly<Record<string, number>>>,
): string[] {
  const rows = Array.from({ length: built.rows }, (_, row) => nameAt(built.subjects, row));
  return featuresOfView(view).flatMap((feature: string, column) => {
    const wanted = rows.map((user) => expected.get(user)![feature]!);
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
