import { describe, expect, it } from 'vitest';
import { type ConsentRecord, consentSchema } from '../../contract-kit/event.ts';
import { hexOf } from '../../governance/keys.ts';
import { decodeConsents, encodeConsents } from '../blocks/consent-block.ts';
import { testStore } from '../testing.ts';
import { COLLECTIONS } from './names.ts';

const says = (
  user: string,
  state: 'given' | 'withdrawn',
  at: number,
  more: Partial<ConsentRecord> = {},
): ConsentRecord => consentSchema.parse({ user, purposes: ['recommendation', 'audit'], state, at, ...more });

describe('consents', () => {
  it('raise the epoch, and are seen by every process at once', async () => {
    await using test = await testStore();
    const other = await test.another();
    const [asha] = test.store.people.keys('main', ['asha']);
    expect((await other.consents.snapshot('main')).allows(asha!, 'audit', 'web')).toBe(false);
    expect(await test.store.consents.epoch('main')).toBe(0);
    expect(await test.store.consents.record('main', 'run-1', [says('asha', 'given', 1)])).toBe(1);
    const snapshot = await other.consents.snapshot('main', [asha!]);
    expect([
      snapshot.epoch,
      snapshot.allows(asha!, 'audit', 'web'),
      snapshot.allows(asha!, 'segmentation', 'web'),
    ]).toEqual([1, true, false]);
    expect((await other.consents.snapshot('other')).allows(asha!, 'audit', 'web')).toBe(false);
  });

  it('of a snapshot stay as they were at its epoch', async () => {
    await using test = await testStore();
    const { consents, people } = test.store;
    const [asha] = people.keys('main', ['asha']);
    await consents.record('main', 'run-1', [says('asha', 'given', 1)]);
    const before = await consents.snapshot('main');
    await consents.record('main', 'run-2', [says('asha', 'withdrawn', 2)]);
    const after = await consents.snapshot('main');
    expect([before.epoch, before.allows(asha!, 'audit', 'web')]).toEqual([1, true]);
    expect([after.epoch, after.allows(asha!, 'audit', 'web')]).toEqual([2, false]);
  });

  it('recorded twice under one run are in the log once', async () => {
    await using test = await testStore();
    const records = [says('asha', 'given', 1), says('ben', 'given', 1)];
    expect(await test.store.consents.record('main', 'run-1', records)).toBe(1);
    expect(await (await test.another()).consents.record('main', 'run-1', records)).toBe(1);
    expect(await test.store.consents.epoch('main')).toBe(1);
  });

  it('withdrawn after an epoch are listed for the purposes asked, unless given again', async () => {
    await using test = await testStore();
    const { consents, people } = test.store;
    const names = ['asha', 'ben', 'cleo', 'dan', 'eva'];
    const epoch = await consents.record(
      'main',
      'run-1',
      names.map((name) => says(name, 'given', 10)),
    );
    await consents.record('main', 'run-2', [
      says('asha', 'withdrawn', 20),
      says('ben', 'withdrawn', 20, { purposes: ['segmentation'] }),
      says('cleo', 'withdrawn', 20, { source: 'web' }),
      says('dan', 'withdrawn', 5), // said before the consent, came late
      says('eva', 'withdrawn', 20),
    ]);
    await consents.record('main', 'run-3', [says('eva', 'given', 30)]);
    const lost = await (await test.another()).consents.withdrawnSince('main', epoch, ['recommendation']);
    const expected = people.keys('main', ['asha', 'cleo']).map(hexOf);
    expect([lost.epoch, lost.subjects.map(hexOf).sort()]).toEqual([3, expected.sort()]);
    expect((await consents.withdrawnSince('main', 3, ['recommendation'])).subjects).toEqual([]);
  });

  it('on the licence of a data set never override what a person said, whether recorded before or after, sooner or later', async () => {
    await using test = await testStore();
    const { consents, people } = test.store;
    const licence = (user: string, at: number) =>
      says(user, 'given', at, { basis: 'dataset-licence', source: 'films' });
    await consents.record('main', 'run-1', [licence('asha', 100), licence('ben', 100), licence('cleo', 100)]);
    await consents.record('main', 'run-2', [
      says('asha', 'withdrawn', 50),
      says('ben', 'withdrawn', 50, { purposes: ['audit'], basis: 'legitimate-interest' }),
    ]);
    await consents.record('main', 'run-3', [licence('asha', 200), licence('ben', 200), licence('cleo', 200)]);
    const snapshot = await (await test.another()).consents.snapshot('main');
    const allowed = (['recommendation', 'audit'] as const).map((purpose) =>
      people.keys('main', ['asha', 'ben', 'cleo']).map((key) => snapshot.allows(key, purpose, 'films')),
    );
    expect(allowed).toEqual([
      [false, true, true],
      [false, false, true],
    ]);
    const lost = await consents.withdrawnSince('main', 1, ['audit']);
    expect(lost.subjects.map(hexOf).sort()).toEqual(people.keys('main', ['asha', 'ben']).map(hexOf).sort());
  });

  it('keep their receipts under the person own key', async () => {
    await using test = await testStore();
    const { consents, people } = test.store;
    await consents.record('main', 'run-1', [says('asha', 'given', 1, { receipt: 'receipt-4711' })]);
    const [asha] = people.keys('main', ['asha']);
    expect((await people.texts('main', asha!)).map(({ text }) => text)).toEqual(['receipt-4711']);
  });

  it('are refused as corrupt once an entry was changed, and never applied by halves', async () => {
    await using test = await testStore();
    await test.store.consents.record('main', 'run-1', [says('asha', 'given', 1)]);
    const entries = test.db.collection<{ _id: string; body: { box: Buffer } }>(COLLECTIONS.consentLog);
    const entry = await entries.findOne({});
    entry!.body.box[40]! ^= 1;
    await entries.updateOne({ _id: entry!._id }, { $set: { 'body.box': entry!.body.box } });
    await expect((await test.another()).consents.snapshot('main')).rejects.toMatchObject({ code: 'BLOCK_CORRUPT' });
  });

  it('of a writer that died between its steps do not hold readers up for long', async () => {
    await using test = await testStore({ staleGapMs: 0 });
    await test.db
      .collection<{ _id: string; n: number }>(COLLECTIONS.counters)
      .insertOne({ _id: `main.${COLLECTIONS.consentLog}`, n: 3 });
    await test.store.consents.record('main', 'run-1', [says('asha', 'given', 1)]);
    const snapshot = await test.store.consents.snapshot('main');
    expect([snapshot.epoch, snapshot.allows(test.store.people.keys('main', ['asha'])[0]!, 'audit', 'web')]).toEqual([
      4,
      true,
    ]);
  });
});

describe('a consent with an end', () => {
  it('is refused from its end on, by the clock at the moment of the check, in every process and in the history', async () => {
    let now = 100;
    await using test = await testStore({ clock: () => now });
    const { consents, people } = test.store;
    const [asha] = people.keys('main', ['asha']);
    const epoch = await consents.record('main', 'run-1', [says('asha', 'given', 1, { until: 200 })]);
    const snapshot = await (await test.another()).consents.snapshot('main');
    const standing = () => [snapshot.allows(asha!, 'audit', 'web'), snapshot.hasEnded(asha!, 'audit', 'web')];
    expect(standing()).toEqual([true, false]);
    now = 200;
    expect(standing()).toEqual([false, true]);
    expect(await consents.history('main', asha!)).toMatchObject([{ state: 'given', until: 200 }]);
    expect((await consents.withdrawnSince('main', epoch, ['audit'])).subjects).toEqual([]);
    const lost = async (since: number) => (await consents.withdrawnSince('main', epoch, ['audit'], since)).subjects;
    expect([(await lost(150)).map(hexOf), await lost(200)]).toEqual([[hexOf(asha!)], []]);
  });

  it('is written in a form of its own, so that no older process misses the end', () => {
    const row = { subject: new Uint8Array(16).fill(3), purposes: ['audit'], source: '*', basis: 'consent' } as const;
    const said = { ...row, withdrawn: false, at: 1 };
    expect(decodeConsents(encodeConsents([{ ...said, until: 9 }, said]))).toEqual([{ ...said, until: 9 }, said]);
    const formatOf = (bytes: Uint8Array): string => /consents\/\d/.exec(Buffer.from(bytes).toString('latin1'))![0];
    expect([encodeConsents([said]), encodeConsents([{ ...said, until: 9 }])].map(formatOf)).toEqual([
      'consents/1',
      'consents/2',
    ]);
  });
});

it('what was recorded under a run is found by it, but for who was forgotten', async () => {
  await using test = await testStore();
  const { consents, people } = test.store;
  const [asha, ben] = people.keys('main', ['asha', 'ben']);
  await consents.record('main', 'run-1', [says('asha', 'withdrawn', 1), says('ben', 'given', 2)]);
  await consents.record('main', 'run-2', [says('ben', 'withdrawn', 3)]);
  const saidBy = async () =>
    (await consents.saidBy('main', 'run-1')).map(({ subject, state }) => [hexOf(subject), state]);
  expect(await saidBy()).toEqual([
    [hexOf(asha!), 'withdrawn'],
    [hexOf(ben!), 'given'],
  ]);
  await consents.forget('main', asha!);
  expect(await saidBy()).toEqual([[hexOf(ben!), 'given']]);
  expect(await consents.saidBy('other', 'run-1')).toEqual([]);
});
