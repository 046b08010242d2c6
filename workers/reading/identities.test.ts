/** Identity links against a real store: read as one person only while everybody's consent stands, and apart again afterwards, to the byte. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PURPOSES, type Purpose } from '../../shared/contract-kit/purposes.ts';
import type { IdentityWord, SubjectKey } from '../../shared/store/ports.ts';
import { NOW, openWorld, runOnce, TENANT, type World } from '../conformance/world.ts';
import asking from '../asking/processor.ts';
import ingestion from '../ingestion/processor.ts';

const HOUR = 3600_000;
const SOURCE = 'clips';
let world: World;
let n = 0;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const keyOf = (user: string): SubjectKey => world.store.people.keys(TENANT, [user])[0]!;
const consent = (user: string, state: 'given' | 'withdrawn', purposes: readonly Purpose[] = PURPOSES) =>
  runOnce(world.ports, ingestion, {
    source: SOURCE,
    consents: [{ user, purposes: [...purposes], state, at: NOW - 100 * HOUR + n++ }],
  });

/** Somebody and a device of theirs: five acts each. */
async function pair(): Promise<{ person: string; device: string; dataset: string }> {
  const [person, device] = [`person-${n}`, `device-${n}`];
  for (const user of [person, device]) await consent(user, 'given');
  const events = [person, device].flatMap((user) =>
    Array.from({ length: 5 }, (_, k) => ({
      type: 'view' as const,
      user,
      item: `v${k}`,
      value: 95,
      occurredAt: NOW - 10 * HOUR + k * 1_000,
      recordedAt: NOW - 10 * HOUR + k * 1_000,
    })),
  );
  await runOnce(world.ports, ingestion, { source: SOURCE, events, allowUnknownItems: true });
  const { output } = await runOnce(world.ports, ingestion, { compact: { asOf: NOW } });
  return { person, device, dataset: output.dataset!.version };
}

const say = (alias: string, main: string, more: Partial<IdentityWord> = {}): Promise<boolean> =>
  world.store.identities.say(TENANT, {
    alias: keyOf(alias),
    main: keyOf(main),
    relation: 'same-person',
    purposes: [...PURPOSES],
    state: 'given',
    at: NOW + n++,
    ...more,
  });
/** Who is asked about their ten acts: five are too few. */
const asked = async (dataset: string, users: readonly string[]): Promise<boolean[]> => {
  const { output } = await runOnce(world.ports, asking, { dataset, actsMin: 6, asOf: NOW + n++ });
  const found = users.map((user) => world.store.prompts.read(TENANT, output.version, keyOf(user)));
  return (await Promise.all(found)).map((prompt) => prompt !== undefined);
};

test('a linked device is read as the person while the link and both consents stand, and apart again after', async () => {
  const { person, device, dataset } = await pair();
  const users = [person, device];
  expect(await asked(dataset, users)).toEqual([false, false]);
  await say(device, person);
  expect(await asked(dataset, users)).toEqual([true, false]);
  await say(device, person, { purposes: ['segmentation'] });
  expect(await asked(dataset, users)).toEqual([false, false]);
  await say(device, person);
  await consent(device, 'withdrawn', ['recommendation']);
  expect(await asked(dataset, users)).toEqual([false, false]);
  await consent(device, 'given', ['recommendation']);
  expect(await asked(dataset, users)).toEqual([true, false]);
  await say(device, person, { state: 'withdrawn' });
  expect(await asked(dataset, users)).toEqual([false, false]);
});

test('who withdraws between load and commit takes what was made of both along', async () => {
  const { person, device, dataset } = await pair();
  await say(device, person);
  expect(await world.store.identities.relatives(TENANT, [keyOf(device)])).toEqual([Buffer.from(keyOf(person))]);
  expect(await world.store.identities.relatives(TENANT, [keyOf(person)])).toEqual([Buffer.from(keyOf(device))]);
  expect(await asked(dataset, [person])).toEqual([true]);
  const before = async (verb: string): Promise<void> => {
    if (verb === 'commit') await consent(device, 'withdrawn', ['recommendation']);
  };
  const { output } = await runOnce(world.ports, asking, { dataset, actsMin: 6, asOf: NOW + n++ }, { before });
  expect(await world.store.prompts.read(TENANT, output.version, keyOf(person))).toBeUndefined();
});

test('a profile is read apart, and only where its account allows it too', async () => {
  await pair(); // others, who go on allowing it
  const { person: account, device: profile, dataset } = await pair();
  await say(profile, account, { relation: 'profile' });
  const users = async (): Promise<number> =>
    (await runOnce(world.ports, asking, { dataset, asOf: NOW + n++ })).output.users;
  const both = await users();
  await consent(account, 'withdrawn', ['recommendation']);
  expect(await users()).toBe(both - 2);
  await consent(account, 'given', ['recommendation']);
  expect(await users()).toBe(both);
});

test('the later word holds, of two at one moment the withdrawal; chains and links to oneself are refused', async () => {
  const { identities, people } = world.store;
  await people.ensure(TENANT, ['a', 'b', 'c', 'd']);
  expect(await say('a', 'b', { at: 10, receipt: 'r-9' })).toBe(true);
  expect(await say('a', 'b', { at: 5, state: 'withdrawn' })).toBe(false);
  expect(await identities.of(TENANT, keyOf('a'))).toMatchObject({ state: 'given', receipt: 'r-9' });
  expect(await say('a', 'b', { at: 10, state: 'withdrawn' })).toBe(true);
  expect(await say('a', 'b', { at: 10 })).toBe(false);
  expect(await say('a', 'b', { at: 11 })).toBe(true);
  await expect(say('c', 'a')).rejects.toMatchObject({ code: 'INPUT_INVALID' });
  await expect(say('b', 'c')).rejects.toMatchObject({ code: 'INPUT_INVALID' });
  await expect(say('d', 'd')).rejects.toMatchObject({ code: 'INPUT_INVALID' });
  expect(await identities.of(TENANT, keyOf('d'))).toBeUndefined();
});
