/** Accounts that are not people: told at compaction, kept out of what is learned, and let go. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CanonicalEventInput } from '../../shared/contract-kit/event.ts';
import { QUALITY_RULES_VERSION } from '../../shared/numerics/quality/verdict.ts';
import { PURPOSES } from '../../shared/contract-kit/purposes.ts';
import { randomStream } from '../../shared/random.ts';
import { NOW, openWorld, runOnce, TENANT, type World } from '../conformance/world.ts';
import features from '../feature-build/processor.ts';
import ingestion from './processor.ts';

const MINUTE = 60_000;
const SOURCE = 'clips';
let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const view = (user: string, n: number, occurredAt: number): CanonicalEventInput => ({
  type: 'view',
  user,
  item: `film-${n}`,
  value: (n * 37) % 100,
  occurredAt,
  recordedAt: occurredAt,
});
/** Forty views, one every thirty seconds. */
const clockwork = Array.from({ length: 40 }, (_, k) => view('tick-tock', k, NOW - 600 * MINUTE + k * 30_000));
/** Enough of them that they say what is usual. */
const PEOPLE = Array.from({ length: 45 }, (_, u) => `person-${u}`);
/** Forty views of each, of whatever they like, at pauses that never come twice. */
const people = PEOPLE.flatMap((user, u) => {
  const draw = randomStream(7, 'views', u);
  return Array.from({ length: 40 }, (_, k) =>
    view(user, draw.below(900), NOW - 4_000 * MINUTE + (k * k * (11 + (u % 9)) + k) * 7_000 + draw.below(5_000)),
  );
});

const compact = async (asOf: number): Promise<string> =>
  (await runOnce(world.ports, ingestion, { compact: { asOf } })).output.dataset!.version;
const builtPeople = async (dataset: string, holdsAccounts = true): Promise<number> =>
  (await runOnce({ ...world.ports, holdsAccounts }, features, { dataset })).output.rows;

test('a clockwork account is held with its reason, its events stay stored and are not learned from until it is released', async () => {
  const users = ['tick-tock', ...PEOPLE];
  const consents = users.map((user) => ({ user, purposes: [...PURPOSES], at: NOW - 5_000 * MINUTE }));
  await runOnce(world.ports, ingestion, { source: SOURCE, consents });
  const events = [...clockwork, ...people];
  await runOnce(world.ports, ingestion, { source: SOURCE, events, allowUnknownItems: true });

  const dataset = await compact(NOW);
  const { verdicts, people: envelopes, events: stored } = world.store;
  const [subject] = envelopes.keys(TENANT, ['tick-tock']);
  const held = await verdicts.list(TENANT, { released: false, limit: 10 });
  expect(held.map((one) => one.subject)).toEqual([Buffer.from(subject!).toString('hex')]);
  expect(held[0]).toMatchObject({ since: NOW, rules: QUALITY_RULES_VERSION });
  expect(held[0]!.reasons.map(({ trace }) => trace)).toContain('regularity');
  expect((await stored.read(TENANT, dataset)).rows).toBe(events.length);
  expect(await builtPeople(dataset)).toBe(PEOPLE.length);
  // Told, and not kept out where operators have not asked for it.
  expect(await builtPeople(dataset, false)).toBe(PEOPLE.length + 1);

  expect(await verdicts.release(TENANT, subject!)).toBe(true);
  expect(await verdicts.release(TENANT, subject!)).toBe(false);
  expect(await builtPeople(dataset)).toBe(PEOPLE.length + 1);
  // Whoever was let go is not held by the next look at the same events.
  expect(await builtPeople(await compact(NOW))).toBe(PEOPLE.length + 1);
  expect(await verdicts.count(TENANT)).toBe(0);
  expect(await verdicts.list(TENANT, { released: true, limit: 10 })).toHaveLength(1);
});

test('a handful of accounts is not looked at: what is usual is not known', async () => {
  await using few = await openWorld();
  const consents = [{ user: 'tick-tock', purposes: [...PURPOSES], at: NOW - 5_000 * MINUTE }];
  await runOnce(few.ports, ingestion, { source: SOURCE, consents });
  await runOnce(few.ports, ingestion, { source: SOURCE, events: clockwork, allowUnknownItems: true });
  await runOnce(few.ports, ingestion, { compact: { asOf: NOW } });
  expect(await few.store.verdicts.count(TENANT)).toBe(0);
});

test('what is learned as of an earlier moment does not know of a verdict that later data gave', async () => {
  const { verdicts } = world.store;
  const accounts = [{ subject: Buffer.alloc(16, 9), reasons: [{ trace: 'burst', figure: 5, limit: 3 }] }];
  const judged = { rules: 1, accounts };
  await verdicts.hold('elsewhere', { ...judged, asOf: 2_000 });
  expect([...(await verdicts.heldAt('elsewhere', 1_999))]).toEqual([]);
  expect([...(await verdicts.heldAt('elsewhere', 2_000))]).toEqual(['09'.repeat(16)]);
  // A later look changes nothing about since when it is known; an earlier one does.
  await verdicts.hold('elsewhere', { ...judged, asOf: 3_000 });
  expect((await verdicts.heldAt('elsewhere', 2_000)).size).toBe(1);
  await verdicts.hold('elsewhere', { ...judged, asOf: 1_000 });
  expect((await verdicts.heldAt('elsewhere', 1_500)).size).toBe(1);
  expect((await verdicts.heldAt(TENANT, 3_000)).size).toBe(0);
});
