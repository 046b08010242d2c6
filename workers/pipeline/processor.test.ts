/** Publishing on a real store: every run moves the pointer at most once, however often and by whomever it is followed. */
import { expect, test, vi } from 'vitest';
import { systemClock } from '../../shared/clock.ts';
import { inlinePool } from '../../shared/compute/pool.ts';
import type { RunDocument } from '../../shared/store/ports.ts';
import { rollBack, unhold } from '../../shared/store/release-pointer.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import { silentLog, testServices } from '../../test/services.ts';
import processor from './processor.ts';

const publishing = (name: string, asOf: number): RunDocument => ({
  runKey: `main.pipeline.${name}`,
  tenant: 'main',
  kind: 'pipeline',
  contractVersion: 1,
  inputHash: name,
  state: 'committed',
  fence: 1,
  asOf,
  codeVersion: 'test',
  createdAt: 1,
  claimedAt: 1,
  plan: { publish: { parts: { dataset: name }, asOf } },
  next: [],
  unsettled: 0,
  followed: false,
});

async function open() {
  await using stack = new AsyncDisposableStack();
  const { store } = stack.use(await testServices());
  const pool = stack.use(inlinePool());
  const ports = { store, pool, clock: systemClock, log: silentLog, telemetry: new Telemetry(), codeVersion: 'test' };
  const owned = stack.move();
  return { store, ports, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test.each([
  { words: 'of the same moment', laterAsOf: 10 },
  { words: 'of a later moment', laterAsOf: 11 },
])('a run that is followed again after a release $words went live has published once', async ({ laterAsOf }) => {
  await using world = await open();
  const { store, ports } = world;
  const follow = async (run: RunDocument) => processor.follow?.(run, ports);
  const first = await follow(publishing('first', 10));
  expect(first?.release?.live).toBe(true);
  const second = await follow(publishing('second', laterAsOf));
  expect(second?.release?.live).toBe(true);
  expect(await follow(publishing('first', 10))).toEqual(first);
  expect(await store.releases.pointer('main')).toMatchObject({ seq: 2, runKey: 'main.pipeline.second' });
  expect(await store.releases.live('main')).toMatchObject({ dataset: 'second' });
});

test('a run that is followed again after it was rolled back does not undo that, nor does what is published under the hold', async () => {
  await using world = await open();
  const { store, ports } = world;
  const follow = async (run: RunDocument) => (await processor.follow?.(run, ports))?.release;
  const empty = (run: RunDocument): RunDocument => ({ ...run, plan: { publish: { parts: {}, asOf: run.asOf } } });
  const first = await follow(empty(publishing('first', 10)));
  await follow(empty(publishing('second', 11)));
  await rollBack(store, 'main', { by: 'anna' });
  await follow(empty(publishing('second', 11)));
  expect(await follow(empty(publishing('third', 12)))).toMatchObject({ live: false, reason: 'the release is on hold' });
  expect(await store.releases.pointer('main')).toMatchObject({ version: first?.version, hold: true });
  await unhold(store, 'main', { by: 'anna' });
  await follow(empty(publishing('second', 11)));
  expect(await store.releases.live('main')).toMatchObject({ version: first?.version });
  expect(await follow(empty(publishing('fourth', 13)))).toMatchObject({ live: true });
});

test('two that follow the same run at once say the same, also when another release went live between them', async () => {
  await using world = await open();
  const { store, ports } = world;
  await processor.follow?.(publishing('first', 10), ports);
  const early = await store.releases.pointer('main');
  const told = await processor.follow?.(publishing('second', 11), ports);
  expect(told?.release?.live).toBe(true);
  await processor.follow?.(publishing('third', 12), ports);
  // The other one read the pointer before any of that, and moves it now.
  vi.spyOn(store.releases, 'pointer').mockResolvedValueOnce(early);
  const late = await processor.follow?.(publishing('second', 11), ports);
  expect(late).toEqual(told);
  expect(await store.releases.pointer('main')).toMatchObject({ seq: 3, runKey: 'main.pipeline.third' });
});

test('a run finds what it published among many later releases, whatever the clocks of those who published them', async () => {
  await using world = await open();
  const { store, ports } = world;
  const run = { ...publishing('own', 10), createdAt: Date.now() };
  const told = await processor.follow?.(run, ports);
  const behind = { now: () => run.createdAt - 60_000 };
  for (let later = 0; later < 55; later++)
    await processor.follow?.(publishing(`later-${later}`, 10), { ...ports, clock: behind });
  expect(await processor.follow?.(run, ports)).toEqual(told);
  expect(await store.releases.pointer('main')).toMatchObject({ seq: 56 });
});
