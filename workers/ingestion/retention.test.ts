/** Events leave at compaction once their source's declared time is over. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PURPOSES } from '../../shared/contract-kit/purposes.ts';
import { sourceOf } from '../../shared/sources/registry.ts';
import type { EventFields } from '../../shared/telemetry/events.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import { NOW, openWorld, runOnce, TENANT, type World } from '../conformance/world.ts';
import ingestion from './processor.ts';

const DAY = 86_400_000;
const KEPT_DAYS = sourceOf('access-log').retentionDays!;
let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const events = (day: number) =>
  Array.from({ length: 12 }, (_, n) => {
    const occurredAt = NOW - day * DAY + n * 60_000;
    return { type: 'click', user: `u${n}`, item: `v${n}`, occurredAt, recordedAt: occurredAt } as const;
  });

const expired: number[] = [];
const telemetry = new Telemetry();
telemetry.subscribe((name, fields) => {
  if (name === 'events.expired') expired.push((fields as unknown as EventFields<'events.expired'>).events);
});

async function compactAt(now: number) {
  const ports = { ...world.ports, telemetry, clock: { now: () => now } };
  return (await runOnce(ports, ingestion, { compact: {} }, { asOf: now })).output.dataset!;
}

test('what a source may keep for half a year leaves after half a year, and nothing else does', async () => {
  const users = Array.from({ length: 12 }, (_, n) => ({ user: `u${n}`, purposes: [...PURPOSES], at: NOW - 400 * DAY }));
  const bring = async (source: string, day: number): Promise<void> => {
    await runOnce(world.ports, ingestion, { source, consents: users });
    const batch = { source, events: events(day), allowUnknownItems: true };
    expect((await runOnce(world.ports, ingestion, batch)).output.accepted).toBe(12);
  };
  await bring('access-log', 100);
  await bring('access-log', 10);
  await bring('web', 100);

  const due = NOW - 100 * DAY + KEPT_DAYS * DAY;
  const before = await compactAt(due);
  expect(before.rows).toBe(36);
  expect(expired).toEqual([]);
  // Five of the twelve are older than their time by then; the others are due minutes later.
  expect((await compactAt(due + 5 * 60_000)).rows).toBe(31);
  expect((await compactAt(due + DAY)).rows).toBe(24);
  expect((await compactAt(due + DAY)).rows).toBe(24);
  expect(await world.store.events.count(TENANT)).toBe(24);
  expect(expired).toEqual([5, 7]);
  // A version that was frozen before is what it was, until it is collected.
  expect((await world.store.events.read(TENANT, before.version)).rows).toBe(36);

  const { rows, source, sources, occurredAt } = await world.store.events.read(
    TENANT,
    (await compactAt(due + 91 * DAY)).version,
  );
  expect(rows).toBe(12);
  expect([...new Set([...source].map((n) => sources[n]))]).toEqual(['web']);
  expect(Math.max(...occurredAt)).toBeLessThan(NOW - 99 * DAY);
});
