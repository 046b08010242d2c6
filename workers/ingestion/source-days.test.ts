/** What is counted of batches, by source and day, for the reports of sources. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EVENT_TYPES } from '../../shared/contract-kit/event.ts';
import { PURPOSES } from '../../shared/contract-kit/purposes.ts';
import { sourceReports } from '../../shared/numerics/quality/source-report.ts';
import { NOW, openWorld, runOnce, TENANT, type World } from '../conformance/world.ts';
import ingestion from './processor.ts';

const DAY = 86_400_000;
let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const view = (n: number, more: object = {}) => ({
  type: 'view',
  user: 'ira',
  item: `v${n}`,
  value: 10 * n,
  occurredAt: NOW - DAY / 2 + n,
  session: 's',
  ...more,
});
const nine = Array.from({ length: 9 }, (_, n) => view(n));
const bad = [
  view(20, { value: 500 }),
  view(21, { value: 50, occurredAt: NOW + DAY }),
  view(22, { value: 50, user: 'nobody' }),
  view(23, { value: 50, 'Zuleika said': 1 }),
];
const late = view(9, { occurredAt: NOW - 3 * DAY });

test('every event of every batch is counted once: passed, repeated, late, refused by field, and what it carries', async () => {
  const source = 'counted';
  await runOnce(world.ports, ingestion, {
    source,
    consents: [{ user: 'ira', purposes: [...PURPOSES], at: NOW - 9 * DAY }],
  });
  const bring = (events: object[], key: string) =>
    runOnce(world.ports, ingestion, { source, events, allowUnknownItems: true }, { key });
  await bring([...nine, late, nine[0]!, ...bad], 'first');
  await bring([...nine, late, nine[0]!, ...bad], 'first');
  await bring(nine.slice(0, 4), 'again');
  await bring(bad.slice(0, 1), 'refused whole');

  const [day, ...more] = await world.store.lineage.days(TENANT, NOW - DAY);
  expect(more).toEqual([]);
  expect(day).toMatchObject({
    source,
    day: '2025-11-22',
    batches: 3,
    received: 15 + 4 + 1,
    passed: 11 + 4,
    duplicates: 1 + 4,
    late: 1,
    refused: {
      'EVENT_INVALID value': 2,
      'EVENT_IN_FUTURE occurredAt': 1,
      'EVENT_INVALID other': 1,
      'EVENT_NO_CONSENT user': 1,
    },
    filled: { item: 14, value: 14, session: 14, device: 0 },
  });
  expect(day!.types[EVENT_TYPES.indexOf('view')]).toBe(14);
  expect(day!.values).toEqual([2, 2, 2, 2, 1, 1, 1, 1, 1, 1]);
  const [report] = sourceReports([day!], () => 'measured', '2025-11-23');
  expect(report!.days[0]).toMatchObject({ refusedShare: 5 / 20, duplicateShare: 5 / 15, lateShare: 1 / 15 });
  expect(await world.store.lineage.days(TENANT, NOW + DAY)).toEqual([]);
});
