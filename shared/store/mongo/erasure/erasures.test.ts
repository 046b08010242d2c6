/** Erasure beside others who compact the same partitions at the same moment. */
import { expect, test } from 'vitest';
import { masterRing } from '../../../governance/crypto.ts';
import { personalKeys } from '../../../governance/keys.ts';
import { EVENT_ROWS, type Store } from '../../ports.ts';
import { eventRow, TEST_MASTER_KEY, TEST_TENANT_KEY, type TestStore, testStore } from '../../testing.ts';
import { mongoBlocks } from '../block-store.ts';
import { Partitions } from '../partitions.ts';
import { signingKeyOf } from '../../../governance/signing.ts';
import { mongoErasures } from './erasures.ts';

const TENANT = 'main';
const USERS = ['asha', 'ben', 'cleo'];

/** Two batches, and so two blocks a partition, which a compaction merges. */
async function filled({ store }: TestStore): Promise<void> {
  for (const n of [1, 2]) {
    const rows = USERS.map((user) => eventRow(store, TENANT, { id: `${user}-${n}`, user, item: 'v1' }));
    await store.events.follow(TENANT, await store.events.prepare(TENANT, `run-${n}`, 1, rows));
  }
}

/** The erasure of another process; `meanwhile` happens when it has looked into the blocks and is about to replace them, once. */
function erasing({ db, store }: TestStore, meanwhile: (when: 'before' | 'between') => Promise<void>) {
  class Raced extends Partitions {
    #isFirst = true;
    override async names(tenant: string): Promise<string[]> {
      if (this.#isFirst) await meanwhile('before');
      return super.names(tenant);
    }
    override async insert(...given: Parameters<Partitions['insert']>): Promise<number[]> {
      if (this.#isFirst) await meanwhile('between');
      this.#isFirst = false;
      return super.insert(...given);
    }
  }
  const ring = masterRing([TEST_MASTER_KEY]);
  return mongoErasures({
    db,
    ring,
    personal: personalKeys(TEST_TENANT_KEY),
    blocks: mongoBlocks(db, ring, undefined),
    partitions: new Raced(db, Date.now),
    writes: { current: async () => 1 },
    consents: store.consents,
    signingKey: signingKeyOf(Buffer.alloc(32, 4)),
  });
}

const usersOf = async (store: Store): Promise<number[]> => {
  const counts: number[] = [];
  for (const subject of store.people.keys(TENANT, USERS)) {
    let events = 0;
    for await (const _ of store.events.of(TENANT, subject)) events += 1;
    counts.push(events);
  }
  return counts;
};

test.each(['before', 'between'] as const)(
  'a compaction %s the look and the replacement loses nobody else, and what it merged is told of and goes with the next pass',
  async (moment) => {
    await using of = await testStore();
    await filled(of);
    const other = await of.another();
    let runs = 0;
    const erasures = erasing(of, async (when) => {
      if (when !== moment || runs++ > 0) return;
      await other.events.freeze(TENANT, 'run-f', 1, Date.now());
    });
    const [subject] = of.store.people.keys(TENANT, USERS);
    const options = { externalId: 'asha', quiet: async () => ({ isQuiet: true, keep: new Set<string>() }) };
    const leftOf = async (): Promise<number> => {
      const { artefacts } = await erasures.sweep(TENANT, subject!, options);
      return artefacts.find(({ artefact }) => artefact === EVENT_ROWS)!.left;
    };
    expect(await leftOf()).toBeGreaterThan(0);
    expect(runs).toBeGreaterThan(0);
    // Another process, which knows no views from before.
    expect((await usersOf(await of.another())).slice(1)).toEqual([2, 2]);
    expect(await leftOf()).toBe(0);
    expect(await usersOf(await of.another())).toEqual([0, 2, 2]);
  },
);

test('each place is told of once', async () => {
  await using of = await testStore();
  await filled(of);
  const [subject] = of.store.people.keys(TENANT, USERS);
  const { artefacts } = await of.store.erasures.sweep(TENANT, subject!, {
    externalId: 'asha',
    quiet: async () => ({ isQuiet: true, keep: new Set<string>() }),
  });
  const names = artefacts.map(({ artefact }) => artefact);
  expect(names).toEqual([...new Set(names)]);
});
