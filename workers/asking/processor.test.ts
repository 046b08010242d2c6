/** Whom to ask, against a real store: limits, the wish not to be asked, and consent when the job runs. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PURPOSES } from '../../shared/contract-kit/purposes.ts';
import type { Prompt } from '../../shared/store/ports.ts';
import { withdraw } from '../conformance/consents.ts';
import { SOURCE } from '../conformance/platform.ts';
import { NOW, openWorld, runOnce, TENANT, type World } from '../conformance/world.ts';
import ingestion from '../ingestion/processor.ts';
import asking from './processor.ts';

const HOUR = 3600_000;
const USERS = ['ann', 'bob', 'cleo', 'dan', 'eve'] as const;
let world: World;
let dataset: string;
/** Of two versions that speak of one moment the order of their names decides: each run speaks of a later one. */
let asOf = NOW;
const ask = (input: object = {}, options = {}) =>
  runOnce(world.ports, asking, { dataset, asOf: asOf++, ...input }, options);
beforeAll(async () => {
  world = await openWorld();
  const consents = USERS.map((user) => ({ user, purposes: [...PURPOSES], source: SOURCE, at: NOW - 500 * HOUR }));
  await runOnce(world.ports, ingestion, { source: SOURCE, consents });
  const acts = USERS.flatMap((user) =>
    Array.from({ length: 6 }, (_, n) => ({
      type: 'view' as const,
      user,
      item: `v${n}`,
      value: n === 5 ? 100 : 30,
      occurredAt: NOW - 5 * HOUR + n * 60_000,
      recordedAt: NOW - 5 * HOUR + n * 60_000,
    })),
  );
  // Said already by one: nothing is left to ask about.
  const said = {
    type: 'like' as const,
    user: 'eve',
    item: 'v5',
    occurredAt: NOW - 9 * HOUR,
    recordedAt: NOW - 9 * HOUR,
  };
  await runOnce(world.ports, ingestion, { source: SOURCE, events: [...acts, said], allowUnknownItems: true });
  const { output } = await runOnce(world.ports, ingestion, { compact: { asOf: NOW } });
  dataset = output.dataset!.version;
});
afterAll(() => world[Symbol.asyncDispose]());

const key = (user: string) => world.store.people.keys(TENANT, [user])[0]!;
async function promptOf(user: string): Promise<Prompt | undefined> {
  const current = await world.store.prompts.current(TENANT);
  return world.store.prompts.read(TENANT, current!.version, key(user));
}

test('asks after the finished view, for stars, of whoever has said nothing about it and is not to be left alone', async () => {
  const { output } = await ask();
  expect(output).toMatchObject({ users: 5, prompts: 4, leftAlone: { noMoment: 1, optedOut: 0, askedLately: 0 } });
  const [item] = world.store.items.keys(TENANT, ['v5']);
  const found = await promptOf('ann');
  expect(found).toMatchObject({ ask: 'stars', after: 'view', at: NOW - 5 * HOUR + 300_000 });
  expect(Buffer.from(found!.item)).toEqual(Buffer.from(item!));
  expect(await promptOf('eve')).toBeUndefined();
  await leavesAlone();
});

/** Whom it left alone: who opted out, was asked lately, or as often as may be; and who withdraws, before the load or before the commit. */
async function leavesAlone(): Promise<void> {
  const { prompts } = world.store;
  await prompts.optOut(TENANT, key('ann'), NOW);
  await prompts.noteShown(TENANT, key('bob'), NOW - 71 * HOUR);
  for (const days of [10, 20]) await prompts.noteShown(TENANT, key('cleo'), NOW - days * 24 * HOUR);
  const { output } = await ask();
  expect(output).toMatchObject({ users: 5, prompts: 1, leftAlone: { optedOut: 1, askedLately: 2, noMoment: 1 } });
  const before = async (verb: string): Promise<void> => {
    if (verb === 'commit') await withdraw(world.ports, 'dan', 'recommendation');
  };
  await ask({ pauseHours: 24, perPersonMax: 9 }, { before });
  expect(await promptOf('dan')).toBeUndefined();
  expect(await promptOf('bob')).toMatchObject({ ask: 'stars' });
  await withdraw(world.ports, 'bob', 'recommendation');
  const last = await ask({ pauseHours: 24, perPersonMax: 9 });
  expect(last.output).toMatchObject({ users: 3, prompts: 1 });
  await prompts.optOut(TENANT, key('ann'), undefined);
  expect((await ask()).output.prompts).toBe(1);
}

test('a late follow of an earlier moment takes nothing back, and what is over is gone', async () => {
  const { prompts } = world.store;
  const one = { item: new Uint8Array(16).fill(1), ask: 'stars', after: 'view', at: 1, until: 2 };
  const limits = { perPersonMax: 1, withinDays: 1, pauseHours: 1 };
  const versions = ['prompts-a', 'prompts-b'] as const;
  for (const version of versions) await prompts.write('other', version, [{ subject: key('ann'), ...one }]);
  await prompts.publish('other', { version: 'prompts-b', asOf: 2, madeAt: 1, limits });
  for (let n = 0; n < 2; n++) await prompts.publish('other', { version: 'prompts-a', asOf: 1, madeAt: 2, limits });
  expect(await prompts.current('other')).toEqual({ version: 'prompts-b', asOf: 2, madeAt: 1, limits });
  const left = await Promise.all(versions.map((version) => prompts.read('other', version, key('ann'))));
  expect(left.map((found) => found?.ask)).toEqual([undefined, 'stars']);
  for (let n = 0; n < 2; n++) await prompts.publish('other', { version: 'prompts-b', asOf: 2, madeAt: 1, limits });
  expect(await prompts.read('other', 'prompts-b', key('ann'))).toMatchObject({ ask: 'stars' });
});

test('remembers the last fifty questions, each once', async () => {
  const { prompts } = world.store;
  for (let n = 0; n < 52; n++) await prompts.noteShown('other', key('zoe'), 1_000 + n);
  await prompts.noteShown('other', key('zoe'), 1_051);
  const { shown } = await prompts.marksOf('other', key('zoe'));
  expect(shown).toEqual(Array.from({ length: 50 }, (_, n) => 1_002 + n));
});
