import { describe, expect, it } from 'vitest';
import type { Person } from '../../contract-kit/event.ts';
import { hexOf } from '../../governance/keys.ts';
import type { Store } from '../ports.ts';
import { testStore } from '../testing.ts';
import { COLLECTIONS } from './names.ts';

const asha: Person = {
  id: 'asha',
  name: 'Asha Rao',
  gender: 'F',
  ageGroup: '25-34',
  attributes: { town: 'Pune', visits: 3 },
};
const everybody = async (store: Store, tenant = 'main'): Promise<Person[]> =>
  (await Array.fromAsync(store.people.all(tenant))).sort((a, b) => (a.id < b.id ? -1 : 1));

describe('people', () => {
  it('come back from their envelopes, and an update takes the place of what was there', async () => {
    await using test = await testStore();
    const { people } = test.store;
    await people.upsert('main', [{ id: 'asha' }, { id: 'ben', name: 'Ben' }], '1');
    await people.upsert('main', [{ id: 'asha', name: 'A' }, asha], '2');
    const [key] = people.keys('main', ['asha']);
    expect((await people.open('main', [key!])).get(hexOf(key!))).toEqual(asha);
    expect(await everybody(await test.another())).toEqual([asha, { id: 'ben', name: 'Ben' }]);
    expect(await people.count('main')).toBe(2);
  });

  it('are made sure of once, by many at a time, without overwriting anybody', async () => {
    await using test = await testStore();
    await test.store.people.upsert('main', [asha], '3');
    const names = Array.from({ length: 300 }, (_, n) => `user-${n}`);
    const stores = [test.store, await test.another(), await test.another()];
    await Promise.all(stores.map((store) => store.people.ensure('main', ['asha', ...names, ...names])));
    expect(await test.store.people.count('main')).toBe(301);
    expect((await everybody(test.store)).find(({ id }) => id === 'asha')).toEqual(asha);
  });

  it('of one tenant are no business of another, nor of one whose name begins the same', async () => {
    await using test = await testStore();
    await test.store.people.upsert('main', [asha], '4');
    await test.store.people.upsert('main-2', [{ id: 'asha', name: 'Another' }], '5');
    expect(await everybody(test.store, 'main')).toEqual([asha]);
    expect(await test.store.people.count('mai')).toBe(0);
    const [here, there] = [test.store.people.keys('main', ['asha']), test.store.people.keys('main-2', ['asha'])];
    expect(hexOf(here[0]!)).not.toBe(hexOf(there[0]!));
  });

  it('keep their free texts under their own key, once by event id', async () => {
    await using test = await testStore();
    const { people } = test.store;
    await people.ensure('main', ['asha']);
    const [subject, stranger] = people.keys('main', ['asha', 'nobody']);
    const text = { subject: subject!, eventId: new Uint8Array(16).fill(7), text: 'yorker tips' };
    await people.keepTexts('main', [text, { ...text, subject: stranger! }]);
    await people.keepTexts('main', [text]);
    expect((await people.texts('main', subject!)).map((kept) => [hexOf(kept.eventId), kept.text])).toEqual([
      ['07'.repeat(16), 'yorker tips'],
    ]);
    expect(await people.texts('main', stranger!)).toEqual([]);
  });

  it('are gone with their texts once their key is', async () => {
    await using test = await testStore();
    const { people } = test.store;
    await people.upsert('main', [asha, { id: 'ben' }], '6');
    const [subject] = people.keys('main', ['asha']);
    await people.keepTexts('main', [{ subject: subject!, eventId: new Uint8Array(16).fill(1), text: 'x' }]);
    await test.db
      .collection<{ _id: string }>(COLLECTIONS.people)
      .updateOne({ _id: `main.${hexOf(subject!)}` }, { $unset: { key: 1 } });
    expect((await people.open('main', [subject!])).size).toBe(0);
    expect(await people.texts('main', subject!)).toEqual([]);
    expect(await everybody(test.store)).toEqual([{ id: 'ben' }]);
    await people.upsert('main', [asha], '7');
    expect((await people.open('main', [subject!])).size).toBe(0);
  });

  it('do not open when their envelope was swapped', async () => {
    await using test = await testStore();
    const { people } = test.store;
    await people.upsert('main', [asha, { id: 'ben' }], '8');
    const [a, b] = people.keys('main', ['asha', 'ben']).map((key) => `main.${hexOf(key)}`);
    const envelopes = test.db.collection<{ _id: string; kid: string; key: Buffer; box: Buffer }>(COLLECTIONS.people);
    const bens = await envelopes.findOne({ _id: b! });
    await envelopes.updateOne({ _id: a! }, { $set: { box: bens!.box } });
    await expect(people.open('main', people.keys('main', ['asha']))).rejects.toMatchObject({ code: 'BLOCK_CORRUPT' });
  });

  it('keep the newest record whatever order the records come in, and nothing is newer than one of unknown order', async () => {
    await using test = await testStore();
    const { people } = test.store;
    const name = async () => (await everybody(test.store)).map((person) => person.name);
    await people.ensure('main', ['asha']);
    await people.upsert('main', [{ id: 'asha', name: 'second' }], '2');
    await people.upsert('main', [{ id: 'asha', name: 'first, followed late' }], '1');
    expect(await name()).toEqual(['second']);
    await people.upsert('main', [{ id: 'asha', name: 'second' }], '2');
    await people.upsert('main', [{ id: 'asha', name: 'third' }], '3');
    expect(await name()).toEqual(['third']);
    await test.db.collection(COLLECTIONS.people).updateMany({}, { $unset: { order: 1 } });
    await people.upsert('main', [{ id: 'asha', name: 'any' }], '1');
    expect(await name()).toEqual(['any']);
  });

  it('are opened with the clock and the place that were known at a moment', async () => {
    await using test = await testStore();
    const { people } = test.store;
    const order = (moment: number): string => `${String(moment).padStart(15, '0')}.x`;
    const [key] = people.keys('main', ['asha']);
    const at = async (asOf?: number) => (await people.open('main', [key!], asOf)).get(hexOf(key!))?.attributes;
    await people.ensure('main', ['asha']);
    await people.upsert('main', [{ id: 'asha', attributes: { timeZone: 'Asia/Kolkata', town: 'Pune' } }], order(10));
    await people.upsert('main', [{ id: 'asha', attributes: { timeZone: 'Europe/Rome', town: 'Rome' } }], order(20));
    // What features are not made of is of today.
    expect(await at(9)).toEqual({ town: 'Rome' });
    expect(await at(19)).toEqual({ timeZone: 'Asia/Kolkata', town: 'Rome' });
    expect(await at(20)).toEqual({ timeZone: 'Europe/Rome', town: 'Rome' });
    const [kept] = await test.db.collection(COLLECTIONS.people).find().toArray();
    expect(JSON.stringify(kept)).not.toContain('Kolkata');
  });
});
