/** Withdrawals that come in as plain records act as if they had been asked for: what nothing justifies any more goes, and a refresh follows. */
import { expect, test } from 'vitest';
import { PURPOSES } from '../../shared/contract-kit/purposes.ts';
import type { ContractInput } from '../../shared/contract-kit/define-job.ts';
import type { Intent } from '../../shared/store/ports.ts';
import { NOW, openWorld, runOnce, TENANT, type World } from '../conformance/world.ts';
import ingestion from '../ingestion/processor.ts';
import governance from './processor.ts';

const SOURCE = 'films';
type Batch = ContractInput<typeof ingestion.contract>;

const ingest = (world: World, batch: Batch) => runOnce(world.ports, ingestion, batch);
const words = (state: 'given' | 'withdrawn', users: readonly string[], at: number, more = {}): Batch => ({
  source: SOURCE,
  consents: users.map((user) => ({ user, purposes: [...PURPOSES], source: SOURCE, state, at, ...more })),
});
async function filled(world: World): Promise<void> {
  await ingest(world, words('given', ['asha', 'ben', 'cleo'], NOW - 1000));
  const events = ['asha', 'ben', 'cleo'].flatMap((user) =>
    [1, 2].map((n) => ({ type: 'click', user, item: `film-${n}`, occurredAt: NOW - 10_000 * n })),
  );
  await ingest(world, { source: SOURCE, events, allowUnknownItems: true });
}
const heldOf = async ({ store }: World, user: string): Promise<number> => {
  let held = 0;
  for await (const _ of store.events.of(TENANT, store.people.keys(TENANT, [user])[0]!)) held += 1;
  return held;
};
/** As the relay enqueues it. */
async function carryOut(world: World, intent: Intent | undefined) {
  if (intent?.type !== 'enqueue' || intent.kind !== 'governance') throw new Error('no governance job follows');
  return (await runOnce(world.ports, governance, intent.input as never, { key: intent.key })).output;
}

test('one job carries out all withdrawals of a batch, names nobody, and leaves alone who said nothing', async () => {
  await using world = await openWorld(1);
  await filled(world);
  const { run } = await ingest(world, words('withdrawn', ['asha', 'ben'], NOW - 500));
  expect(run.next).toHaveLength(1);
  expect(JSON.stringify(run.next)).not.toMatch(/asha|ben/);
  expect(await carryOut(world, run.next[0])).toMatchObject({ act: 'settle', events: 4 });
  expect([await heldOf(world, 'asha'), await heldOf(world, 'ben'), await heldOf(world, 'cleo')]).toEqual([0, 0, 2]);
  // The same words again, as a sender that heard no answer sends them.
  expect((await ingest(world, words('withdrawn', ['asha', 'ben'], NOW - 500))).run.next).toEqual([]);
});

test('a purpose that is left justifies what is held; the last one that goes takes it along', async () => {
  await using world = await openWorld(1);
  await filled(world);
  const [first, ...rest] = PURPOSES;
  const some = await ingest(world, words('withdrawn', ['asha'], NOW - 500, { purposes: rest }));
  expect(await carryOut(world, some.run.next[0])).toMatchObject({ events: 0 });
  expect(await heldOf(world, 'asha')).toBe(2);
  const last = await ingest(world, words('withdrawn', ['asha'], NOW - 400, { purposes: [first], source: '*' }));
  expect(await carryOut(world, last.run.next[0])).toMatchObject({ events: 2 });
  expect(await heldOf(world, 'asha')).toBe(0);
});

test('who consents anew before the job comes keeps what is held', async () => {
  await using world = await openWorld(1);
  await filled(world);
  const { run } = await ingest(world, words('withdrawn', ['asha'], NOW - 500));
  await ingest(world, words('given', ['asha'], NOW - 400));
  expect(await carryOut(world, run.next[0])).toMatchObject({ events: 0 });
  expect(await heldOf(world, 'asha')).toBe(2);
});

test('records that take nothing away start nothing: consents, and withdrawals of what was not allowed', async () => {
  await using world = await openWorld(1);
  expect((await ingest(world, words('given', ['asha'], NOW - 1000))).run.next).toEqual([]);
  const other = await ingest(world, words('withdrawn', ['asha'], NOW - 500, { source: 'web' }));
  expect(other.run.next).toEqual([]);
});
