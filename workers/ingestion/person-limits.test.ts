/** How many events of one person a source may bring: what is more waits, and nothing is lost. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PURPOSES } from '../../shared/contract-kit/purposes.ts';
import { PERSON_LIMIT, windowOf } from '../../shared/sources/person-limit.ts';
import { NOW, openWorld, runOnce, TENANT, type World } from '../conformance/world.ts';
import ingestion from './processor.ts';

const LIMIT = PERSON_LIMIT.events;
/** The beginning of a window, well in the past. */
const WINDOW = windowOf(PERSON_LIMIT, NOW) - 100;
const WINDOW_MS = PERSON_LIMIT.minutes * 60_000;
const START = WINDOW * WINDOW_MS;

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const acts = (user: string, from: number, to: number, start = START) =>
  Array.from({ length: to - from }, (_, n) => ({
    id: `${user}-${start}-${from + n}`,
    type: 'click' as const,
    user,
    item: `v${n % 9}`,
    occurredAt: start + from + n,
  }));

/** A source of its own, with people who allow it. */
async function flood(source: string) {
  const consents = ['ann', 'bob'].map((user) => ({ user, purposes: [...PURPOSES], at: NOW - 10_000 }));
  await runOnce(world.ports, ingestion, { source, consents });
  return {
    send: async (events: ReturnType<typeof acts>, key?: string) => {
      const batch = { source, events, allowUnknownItems: true };
      return (await runOnce(world.ports, ingestion, batch, key === undefined ? {} : { key })).output;
    },
    held: async () => {
      const batches = [];
      for await (const batch of world.store.quarantine.list(TENANT, { source })) batches.push(batch);
      return batches;
    },
  };
}

const waitingIn = async (id: string): Promise<ReturnType<typeof acts>> => {
  const { body } = (await world.store.quarantine.open(TENANT, id))!;
  return (JSON.parse(Buffer.from(body).toString()) as { events: ReturnType<typeof acts> }).events;
};

test('beyond the limit events wait with their reason, whoever else the batch is about goes in, and a run that is tried again changes nothing', async () => {
  const { send, held } = await flood('beyond');
  const events = [...acts('ann', 0, LIMIT + 300), ...acts('bob', 0, 20)];
  const expected = { accepted: LIMIT + 20, duplicates: 0, rejected: [], quarantined: 300 };
  for (const _ of [1, 2]) expect(await send(events, 'flood of ann')).toEqual(expected);
  const [batch, ...more] = await held();
  expect(more).toEqual([]);
  expect(batch).toMatchObject({ source: 'beyond', reason: 'EVENT_OVER_LIMIT', records: 300 });
  expect(batch).not.toHaveProperty('schema');
  const ids = (await waitingIn(batch!.id)).map(({ id }) => id);
  expect(ids).toEqual(events.slice(LIMIT, LIMIT + 300).map(({ id }) => id));
  const days = await world.store.lineage.days(TENANT, 0);
  const counted = days.filter(({ source }) => source === 'beyond').map(({ refused }) => refused);
  expect(counted).toEqual([{ 'EVENT_OVER_LIMIT user': 300 }]);
});

test('the next batch of the window waits whole, another window does not, and once let go everything goes in and nothing is lost', async () => {
  const { send, held } = await flood('released');
  const before = await world.store.events.count(TENANT);
  await send(acts('ann', 0, LIMIT + 300));
  expect(await send(acts('ann', LIMIT + 300, LIMIT + 400))).toMatchObject({ accepted: 0, quarantined: 100 });
  const elsewhen = acts('ann', 0, 400, START + WINDOW_MS);
  expect(await send(elsewhen)).toEqual({ accepted: 400, duplicates: 0, rejected: [] });
  const [subject] = world.store.people.keys(TENANT, ['ann']);
  await world.store.personWindows.release(TENANT, [{ source: 'released', subject: subject!, window: WINDOW }]);
  for (const { id } of await held()) {
    const events = await waitingIn(id);
    expect(await send(events)).toEqual({ accepted: events.length, duplicates: 0, rejected: [] });
    await world.store.quarantine.release(TENANT, id);
  }
  expect(await world.store.events.count(TENANT)).toBe(before + LIMIT + 800);
  expect(await held()).toEqual([]);
});

test('batches side by side are counted in common: a person within the limit goes in whole, and an event sent twice in a batch counts once', async () => {
  const { send } = await flood('side-by-side');
  const parts = Array.from({ length: 5 }, (_, n) => acts('bob', (n * LIMIT) / 5, ((n + 1) * LIMIT) / 5));
  const outputs = await Promise.all(parts.map((part) => send([...part, part[0]!])));
  for (const output of outputs) expect(output).toEqual({ accepted: LIMIT / 5, duplicates: 1, rejected: [] });
  const beyond = await send(acts('bob', LIMIT, LIMIT + 500));
  expect(beyond.accepted).toBeLessThanOrEqual(LIMIT / 8);
  expect(beyond.accepted + beyond.quarantined!).toBe(500);
});
