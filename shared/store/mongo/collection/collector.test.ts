import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventRow, testStore } from '../../testing.ts';
import { COLLECTIONS } from '../names.ts';
import { Partitions, VIEW_TRUSTED_MS } from '../partitions.ts';
import { RULES, TENANT, World } from './world-fixture.ts';

async function world(): Promise<{ readonly world: World } & AsyncDisposable> {
  let ahead = 0;
  const clock = (): number => Date.now() + ahead;
  const test = await testStore({ clock });
  const made = new World(test, [test.store, await test.another()], (ms) => {
    ahead += ms;
  });
  made.now = clock;
  return { world: made, [Symbol.asyncDispose]: () => test[Symbol.asyncDispose]() };
}

const ACTS = ['ingest', 'compact', 'train', 'publish', 'step', 'die', 'enqueue', 'take', 'rollBack', 'tick'] as const;
/** Runs go on more often than they begin. */
const weights = {
  ingest: 3,
  compact: 2,
  train: 2,
  publish: 3,
  step: 14,
  die: 1,
  enqueue: 1,
  take: 1,
  rollBack: 2,
  tick: 3,
};
const act = fc.record({
  what: fc.oneof(...ACTS.map((what) => ({ weight: weights[what], arbitrary: fc.constant(what) }))),
  seed: fc.nat(1000),
  /** A pass of collection begins here; the acts that follow come between its reads and writes. */
  collect: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
});

async function perform(on: World, { what, seed }: { what: (typeof ACTS)[number]; seed: number }): Promise<void> {
  if (what === 'tick') return on.tick((seed % 3) * RULES.windowMs);
  if (what === 'step') return on.step(seed);
  if (what === 'die') return on.die(seed);
  if (what === 'enqueue') return on.enqueue(seed);
  if (what === 'take') return on.take(seed);
  if (what === 'rollBack') return on.rollBack(seed);
  return on.begin(what, seed);
}

/** All that is at work ends, the queue is emptied, and passes go on until they find nothing. */
async function settle(on: World): Promise<void> {
  while (on.open.length > 0) await on.step(0);
  on.jobs.clear();
  for (let pass = 0; pass < 6; pass++) {
    on.tick(3 * VIEW_TRUSTED_MS + RULES.keepRunsMs);
    await on.collect(pass);
  }
}

async function checkNothingLeft(on: World): Promise<void> {
  expect(await on.ids(COLLECTIONS.runs)).toEqual([]);
  expect(await on.ids(COLLECTIONS.blocks)).toEqual([...(await on.namedBlocks())].sort());
  expect(await on.ids(COLLECTIONS.unnamed)).toEqual([]);
  const releases = await on.raw(COLLECTIONS.releases).find().toArray();
  // The live one, the one before it, and the two newest.
  expect(releases.length).toBeLessThanOrEqual(2 * RULES.keepReleases);
  const versions = await on.raw(COLLECTIONS.versions).find().toArray();
  const named = JSON.stringify([releases, versions.map(({ inputs }) => inputs)]);
  expect(versions.map(({ _id }) => _id.slice(TENANT.length + 1)).filter((id) => !named.includes(id))).toEqual([]);
  const served = (await on.ids(COLLECTIONS.segments)).map((id) => id.slice(0, id.lastIndexOf('.')));
  const there = new Set(versions.map(({ _id }) => _id));
  expect(served.filter((version) => !there.has(version))).toEqual([]);
  const bases = await on.raw(COLLECTIONS.partitions).find().toArray();
  for (const { _id, base } of bases)
    for (const { seq } of await on
      .raw(COLLECTIONS.manifests)
      .find({ _id: { $gte: `${_id}.`, $lt: `${_id}/` } })
      .toArray())
      expect(seq).toBeGreaterThanOrEqual(base as number);
}

describe('collection', () => {
  it('removes nothing that is named and all that is not, whatever comes between its steps', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 60, maxLength: 90 }), async (acts) => {
        await using made = await world();
        const on = made.world;
        let pass: Promise<unknown> = Promise.resolve();
        for (const one of acts) {
          if (one.collect) {
            await pass;
            await on.checkNothingMissing();
            pass = on.collect(one.seed);
          }
          await perform(on, one);
        }
        await pass;
        await on.checkNothingMissing();
        await settle(on);
        await on.checkNothingMissing();
        await checkNothingLeft(on);
        for (const store of on.stores) expect(await store.events.count(TENANT)).toBe(on.events);
      }),
      { numRuns: 5, seed: 4711, endOnFailure: true },
    );
  });

  it('leaves a version whose mark a reader takes off at the last moment, and a release that a rollback asks for', async () => {
    await using made = await world();
    const on = made.world;
    for (const what of ['train', 'publish', 'publish', 'publish', 'publish', 'train'] as const) {
      await on.begin(what, 0);
      while (on.open.length > 0) await on.step(0);
    }
    const [store] = on.stores;
    const first = (await store!.releases.history(TENANT, 9)).at(-1)!;
    const versions = await store!.versions.latest(TENANT, 'segments', 9);
    const alone = versions.find(({ version }) => version !== first.segments)!.version;
    // Nothing names them any more, for long.
    await on.raw(COLLECTIONS.runs).deleteMany({});
    await on.raw(COLLECTIONS.releases).updateOne({ version: first.version }, { $set: { unnamedAt: 1, createdAt: 1 } });
    await on.raw(COLLECTIONS.releases).updateMany({ version: { $ne: first.version } }, { $set: { segments: 'none' } });
    await on.raw(COLLECTIONS.versions).updateMany({}, { $set: { unnamedAt: 1 } });
    let asked = 0;
    const mayGoOn = async (): Promise<boolean> => {
      asked++;
      // First the release is asked about, then the version.
      if (asked === 2) await store!.versions.read(TENANT, alone);
      await store!.releases.read(TENANT, first.version);
      return true;
    };
    await on.stores[1]!.collector.collect(RULES, on.live, { mayGoOn });
    expect(asked).toBeGreaterThanOrEqual(2);
    for (const version of [alone, first.segments!])
      expect((await store!.versions.arrays(TENANT, await store!.versions.read(TENANT, version))).size).toBe(1);
    expect(await store!.releases.read(TENANT, first.version)).toEqual({ ...first, createdAt: 1 });
  });

  it('tells in a dry run what goes then, and changes nothing', async () => {
    await using made = await world();
    const on = made.world;
    for (const what of ['ingest', 'ingest', 'compact', 'train', 'publish'] as const) await on.begin(what, 0);
    while (on.open.length > 0) await on.step(0);
    const job = (await on.readable(0, 'events'))!;
    on.jobs.set('job', JSON.stringify({ dataset: job }));
    const [store] = on.stores;
    for (let pass = 0; pass < 2; pass++) {
      await on.collect();
      on.tick(RULES.keepRunsMs + 3 * VIEW_TRUSTED_MS);
    }
    const before = await on.everything();
    const told = await store!.collector.collect(RULES, on.live, { dryRun: true });
    expect(await on.everything()).toEqual(before);
    expect(told.versions.find(({ version }) => version === job)?.why).toBe('jobs');
    expect(told.tallies.runs.gone).toBe(0);
    const done = await on.collect();
    const goneOf = ({ tallies }: typeof done) => Object.entries(tallies).map(([what, { gone }]) => [what, gone]);
    expect(goneOf(done)).toEqual(goneOf(told));
    expect(done.tallies.versions.gone + done.tallies.blocks.gone).toBeGreaterThan(0);
    expect(told).toMatchObject({ dryRun: true, whole: true });
    await on.checkNothingMissing();
  });

  it('keeps what a collection names that it knows nothing of, and removes parts of uploads that were cut off', async () => {
    await using made = await world();
    const on = made.world;
    const [store] = on.stores;
    const draft = await store!.versions.draft(TENANT, 'run', 1, 1, [{ name: 'x', data: new Uint8Array(9) }]);
    const loose = await store!.versions.draft(TENANT, 'run', 1, 1, [{ name: 'x', data: new Uint8Array(9) }]);
    await on.raw('checkpoints').insertOne({ _id: 'main.c1', state: { blocks: draft.blocks } });
    const whole = await store!.claims.put(TENANT, new Uint8Array(100));
    await on.raw(COLLECTIONS.claimParts).insertOne({ _id: 'main.cut.000000000000', data: new Uint8Array(5) });
    for (let pass = 0; pass < 2; pass++) {
      await on.collect();
      on.tick(RULES.windowMs + 1);
    }
    expect(await on.ids(COLLECTIONS.blocks)).toEqual(draft.blocks.map((block) => (block as { block: string }).block));
    expect(await on.ids(COLLECTIONS.claimParts)).toEqual([`main.${whole.id}.000000000000`]);
    expect(loose.blocks).toHaveLength(1);
  });

  it('forgets ended runs after their time, but none whose job has not ended or whose pipeline still runs', async () => {
    await using made = await world();
    const on = made.world;
    const [store] = on.stores;
    for (let n = 0; n < 4; n++) await on.begin('train', 0);
    while (on.open.length > 0) await on.step(0);
    await on.begin('train', 0);
    const [done, queued, stepping, unfollowed, running] = await on.ids(COLLECTIONS.runs);
    on.jobs.set(queued!, '');
    await on.raw(COLLECTIONS.runs).updateOne({ _id: stepping! }, { $set: { step: { run: 'main.p.1', step: 's' } } });
    await on.raw(COLLECTIONS.runs).updateOne({ _id: unfollowed! }, { $set: { followed: false } });
    const about = { tenant: TENANT, pipeline: 'p', params: {}, asOf: 1, live: {}, seq: 1, steps: {}, createdAt: 1 };
    await store!.pipelineRuns.create({ ...about, id: 'main.p.1', state: 'running', changedAt: 1 });
    await store!.pipelineRuns.create({ ...about, id: 'main.p.2', state: 'committed', changedAt: 1, endedAt: 1 });
    await on.collect();
    expect(await on.ids(COLLECTIONS.runs)).toHaveLength(5);
    on.tick(RULES.keepRunsMs + 1000);
    // What ended after a run that is not followed yet stays: following it may create it anew.
    await on.raw(COLLECTIONS.runs).updateOne({ _id: unfollowed! }, { $set: { endedAt: on.now() } });
    await on.collect();
    expect(await on.ids(COLLECTIONS.runs)).toEqual([queued, stepping, unfollowed, running]);
    expect(await on.ids(COLLECTIONS.pipelineRuns)).toEqual(['main.p.1']);
    expect(done).toBeDefined();
  });

  it('removes batches that were prepared for a quarantine by attempts that never committed', async () => {
    await using made = await world();
    const on = made.world;
    const [store] = on.stores;
    const batch = { source: 'web', schema: '9', reason: 'schema' as const, records: 1 };
    await store!.quarantine.prepare(TENANT, { id: 'dead', ...batch }, Buffer.from('x'));
    await store!.quarantine.prepare(TENANT, { id: 'held', ...batch }, Buffer.from('x'));
    await store!.quarantine.hold(TENANT, 'held');
    on.tick(1000);
    // Its run has committed and is not followed yet: what it prepared is going to be held.
    await on.begin('train', 0);
    await store!.quarantine.prepare(TENANT, { id: 'late', ...batch }, Buffer.from('x'));
    for (let step = 0; step < 3; step++) await on.step(0);
    on.tick(2 * RULES.windowMs);
    await on.collect();
    expect(await on.ids(COLLECTIONS.quarantine)).toEqual(['main.held', 'main.late']);
  });

  it('forgets counts of people near a limit after their time', async () => {
    await using made = await world();
    const on = made.world;
    const [store] = on.stores;
    const subject = Buffer.alloc(16, 7);
    const note = (window: number) =>
      store!.personWindows.note(TENANT, 'run', { source: 'web', subject, window, events: 300, enough: 2000 });
    await note(1);
    on.tick(RULES.keepRunsMs);
    await note(2);
    on.tick(1);
    await on.collect();
    expect(await on.ids(COLLECTIONS.personWindows)).toEqual([`main.${subject.toString('hex')}.web.2`]);
  });

  it('forgets what is noted of a batch after its time, and with the run that never committed', async () => {
    await using made = await world();
    const on = made.world;
    const [store] = on.stores;
    const note = (run: string, at: number): Promise<void> => {
      const batch = { run, source: 'web', licence: 'l', receivedAt: at, consentEpoch: 0, events: 1 };
      return store!.lineage.record(TENANT, { ...batch, recordedAt: [at, at] }, Buffer.alloc(16, 1));
    };
    for (let n = 0; n < 2; n++) await on.begin('ingest', 0);
    while (on.open.length > 0) await on.step(0);
    const [kept, dead] = await on.ids(COLLECTIONS.runs);
    await on.raw(COLLECTIONS.runs).updateOne({ _id: dead! }, { $set: { state: 'dead-lettered' } });
    for (const run of [kept!, dead!]) await note(run, on.now());
    await note('main.ingestion.old', on.now() - 10_000);
    const rules = { ...RULES, keepLineageMs: RULES.keepRunsMs + 5_000 };
    const noted = async () => (await on.ids(COLLECTIONS.lineage)).map((id) => id.split('.').at(-1));
    const last = (run: string): string => run.split('.').at(-1)!;
    await store!.collector.collect(rules, on.live);
    expect(await noted()).toHaveLength(3);
    on.tick(RULES.keepRunsMs + 1000);
    const told = await store!.collector.collect(rules, on.live, { dryRun: true });
    expect(told.tallies.lineage).toEqual({ seen: 3, waiting: 0, gone: 2 });
    expect(await noted()).toHaveLength(3);
    await store!.collector.collect(rules, on.live);
    expect(await noted()).toEqual([last(kept!)]);
    on.tick(5_000);
    await store!.collector.collect(rules, on.live);
    expect(await noted()).toEqual([]);
  });

  it('frees no number of a manifest for a process that has slept through it', async () => {
    await using made = await world();
    const on = made.world;
    const [awake, asleep] = on.stores;
    const batch = async (store: typeof awake, run: string): Promise<number> => {
      const rows = [eventRow(store!, TENANT, { id: run, user: 'asha' })];
      return (await store!.events.follow(TENANT, await store!.events.prepare(TENANT, run, 1, rows))).accepted;
    };
    expect(await batch(asleep, 'a')).toBe(1);
    expect(await batch(awake, 'b')).toBe(1);
    await awake!.events.freeze(TENANT, 'f', 1, on.now());
    // Prepared by a view that is still trusted, followed by one that is not.
    const late = await asleep!.events.prepare(TENANT, 'c', 1, [eventRow(asleep!, TENANT, { id: 'c', user: 'asha' })]);
    for (let pass = 0; pass < 3; pass++) {
      on.tick(3 * VIEW_TRUSTED_MS);
      await awake!.collector.collect({ ...RULES, windowMs: 1e9 }, on.live);
      await awake!.collector.collect(
        { ...RULES, windowMs: 1 },
        {
          ...on.live,
          texts: async function* () {
            yield JSON.stringify(late);
          },
        },
      );
    }
    expect(await on.ids(COLLECTIONS.manifests)).toHaveLength(1);
    expect((await asleep!.events.follow(TENANT, late)).accepted).toBe(1);
    expect(await batch(asleep, 'd')).toBe(1);
    expect(await awake!.events.count(TENANT)).toBe(4);
  });

  it('gives back a number that was freed under a view which the store had told nothing for long', async () => {
    await using made = await world();
    const on = made.world;
    const [store] = on.stores;
    for (const id of ['a', 'b']) {
      const rows = [eventRow(store!, TENANT, { id, user: 'asha' })];
      await store!.events.follow(TENANT, await store!.events.prepare(TENANT, id, 1, rows));
    }
    const [name] = await on.ids(COLLECTIONS.partitions);
    const partitions = new Partitions(on.test.db, on.now);
    const [view] = await partitions.views(TENANT, [name!.slice(TENANT.length + 1)]);
    await store!.events.freeze(TENANT, 'f', 1, on.now());
    const block = { block: 'main.x', hash: '', rows: 1, recordedAtMax: 1 };
    await on.raw(COLLECTIONS.manifests).deleteMany({ seq: { $lt: 3 } });
    expect(await partitions.insert([partitions.entry(view!, 2, { append: block })])).toEqual([0]);
    on.tick(VIEW_TRUSTED_MS);
    expect(await partitions.insert([partitions.entry(view!, 1, { append: block })])).toEqual([0]);
    expect(await on.raw(COLLECTIONS.manifests).countDocuments()).toBe(1);
  });
});
