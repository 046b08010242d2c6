/** Where every event came from, from the first byte. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PURPOSES } from '../../shared/contract-kit/purposes.ts';
import { AppError } from '../../shared/errors.ts';
import { NOW, openWorld, runOnce, TENANT, type World } from '../conformance/world.ts';
import ingestion from './processor.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

interface Found {
  readonly eventId: Uint8Array;
  readonly source: string;
  readonly recordedAt: number;
}

async function eventsOf(source: string): Promise<Found[]> {
  const found: Found[] = [];
  for await (const { rows, eventId, recordedAt, sources, source: codes } of world.store.events.all(TENANT))
    for (let row = 0; row < rows; row++)
      if (sources[codes[row]!] === source)
        found.push({ eventId: eventId.slice(row * 16, row * 16 + 16), source, recordedAt: recordedAt[row]! });
  return found;
}

const event = (n: number, user = 'ora') => ({
  type: 'click' as const,
  user,
  item: `v${n}`,
  occurredAt: NOW - 10_000 + n,
});

test('every event of every batch leads to its run, licence, consent epoch and receipt', async () => {
  const source = 'lineage-app';
  const consent = { user: 'ora', purposes: [...PURPOSES], at: NOW - 20_000, receipt: 'receipt-1' };
  await runOnce(world.ports, ingestion, { source, consents: [consent] });
  const epoch = await world.store.consents.epoch(TENANT);
  const runs = new Map<string, number>();
  for (const batch of [[1, 2, 3], [4], [5, 6]]) {
    // Times of recording that the source gives lie apart; the others are ours.
    const events = batch.map((n) => (n === 1 ? { ...event(n), recordedAt: NOW - 9_000 } : event(n)));
    const { run } = await runOnce(world.ports, ingestion, { source, events, allowUnknownItems: true });
    runs.set(run.runKey, batch.length);
  }
  const stored = await eventsOf(source);
  expect(stored).toHaveLength(6);
  const counts = new Map<string, number>();
  for (const one of stored) {
    const batches = await world.store.lineage.find(TENANT, one);
    expect(batches).toMatchObject([{ source, licence: 'as the operator states', consentEpoch: epoch }]);
    counts.set(batches[0]!.run, (counts.get(batches[0]!.run) ?? 0) + 1);
  }
  expect(counts).toEqual(runs);
  const [subject] = world.store.people.keys(TENANT, ['ora']);
  expect(await world.store.consents.history(TENANT, subject!)).toEqual([
    { purposes: [...PURPOSES], source: '*', state: 'given', basis: 'consent', at: consent.at, receipt: 'receipt-1' },
  ]);
});

test('an attempt that is repeated notes its batch once, and an unknown event leads nowhere', async () => {
  const source = 'lineage-retry';
  await runOnce(world.ports, ingestion, { source, consents: [{ user: 'pia', purposes: [...PURPOSES], at: NOW }] });
  const batch = { source, events: [event(1, 'pia'), event(2, 'pia')], allowUnknownItems: true };
  let stopped = false;
  const before = (verb: string, control: AbortController): void => {
    if (verb !== 'commit' || stopped) return;
    stopped = true;
    control.abort(new AppError('WORKER_STOPPING'));
  };
  const key = 'lineage retry';
  await expect(runOnce(world.ports, ingestion, batch, { key, before })).rejects.toMatchObject({
    code: 'WORKER_STOPPING',
  });
  const { run } = await runOnce(world.ports, ingestion, batch, { key });
  const [one] = await eventsOf(source);
  expect(await world.store.lineage.find(TENANT, one!)).toMatchObject([{ run: run.runKey, events: 2 }]);
  const unknown = { ...one!, eventId: new Uint8Array(16).fill(7) };
  expect(await world.store.lineage.find(TENANT, unknown)).toEqual([]);
});
