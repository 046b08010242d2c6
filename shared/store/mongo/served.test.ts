import { describe, expect, it } from 'vitest';
import { hexOf } from '../../governance/keys.ts';
import type { Exposure, ServedCandidates } from '../ports.ts';
import { testStore } from '../testing.ts';

const key = (n: number): Uint8Array => new Uint8Array(16).fill(n);
const joined = (...keys: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(keys));
const read = (list: ServedCandidates | undefined) => list && { ...list, items: list.items.map((item) => item[0]) };

describe('what is served', () => {
  it('is a list a person, without holes, and a fallback, under its version only', async () => {
    await using test = await testStore();
    const { served } = test.store;
    const lists = {
      subjects: joined(key(1), key(2), key(3)),
      itemKeys: joined(key(100), key(101), key(102)),
      k: 2,
      items: Int32Array.of(2, 0, 1, -1, -1, -1),
      scores: Float32Array.of(0.5, 0.25, 4, 0, 0, 0),
      fallback: [1, 2, 0],
    };
    await served.writeCandidates('main', 'v1', lists);
    await served.writeCandidates('main', 'v1', lists);
    expect(read(await served.candidates('main', 'v1', key(1)))).toEqual({
      items: [102, 100],
      scores: [0.5, 0.25],
      origin: 'model',
    });
    expect(read(await served.candidates('main', 'v1', key(2)))).toEqual({ items: [101], scores: [4], origin: 'model' });
    expect(read(await served.candidates('main', 'v1', key(3)))).toEqual({ items: [], scores: [], origin: 'model' });
    expect(read(await served.fallback('main', 'v1'))).toEqual({
      items: [101, 102, 100],
      scores: [0, 0, 0],
      origin: 'popularity',
    });
    for (const [tenant, version, person] of [
      ['main', 'v2', 1],
      ['other', 'v1', 1],
      ['main', 'v1', 9],
    ] as const)
      expect(await served.candidates(tenant, version, key(person))).toBeUndefined();
  });

  it('keeps reasons beside the items that have one, and the scores of the fallback', async () => {
    await using test = await testStore();
    const { served } = test.store;
    await served.writeCandidates('main', 'v1', {
      subjects: joined(key(1), key(2)),
      itemKeys: joined(key(100), key(101), key(102)),
      k: 2,
      items: Int32Array.of(2, 0, 1, -1),
      scores: Float32Array.of(2, 1, 4, 0),
      reasons: Int32Array.of(-1, 1, -1, -1),
      fallback: [1, 2],
      fallbackScores: Float32Array.of(9, 3.5),
    });
    const own = await served.candidates('main', 'v1', key(1));
    expect(own!.reasons!.map((reason) => reason?.[0])).toEqual([undefined, 101]);
    expect(await served.candidates('main', 'v1', key(2))).not.toHaveProperty('reasons');
    expect(read(await served.fallback('main', 'v1'))).toEqual({
      items: [101, 102],
      scores: [9, 3.5],
      origin: 'popularity',
    });
  });

  it('holds thousands of people, and drops those who are asked to be dropped', async () => {
    await using test = await testStore();
    const { served } = test.store;
    const people = 2500;
    const subjects = new Uint8Array(people * 16);
    for (let n = 0; n < people; n++) new DataView(subjects.buffer).setUint32(n * 16, n);
    const at = (n: number) => subjects.subarray(n * 16, n * 16 + 16);
    await served.writeSegments('main', 'v1', {
      subjects,
      segment: Int32Array.from({ length: people }, (_, n) => n % 5),
    });
    await served.writeCandidates('main', 'v1', {
      subjects,
      itemKeys: key(1),
      k: 1,
      items: new Int32Array(people),
      scores: new Float32Array(people),
      fallback: [],
    });
    await served.drop('main', 'v1', [at(7), at(2499)]);
    const segments = await Promise.all([6, 7, 2498, 2499].map((n) => served.segment('main', 'v1', at(n))));
    expect(segments).toEqual([1, undefined, 3, undefined]);
    expect(await served.candidates('main', 'v1', at(7))).toBeUndefined();
    expect(await served.candidates('main', 'v1', at(8))).toBeDefined();
  });

  it('leaves one exposure a response', async () => {
    await using test = await testStore();
    const exposure: Exposure = {
      requestId: 'r1',
      tenant: 'main',
      subject: key(1),
      at: 5,
      release: 'rel-1',
      model: 'ials',
      policy: 'top-k',
      source: 'web',
      items: [
        { item: key(3), propensity: null },
        { item: key(4), propensity: 0.25 },
      ],
    };
    await test.store.exposures.write(exposure);
    await test.store.exposures.write({ ...exposure, at: 6 });
    const found = await test.store.exposures.read('main', 'r1');
    const comparable = (one: Exposure | undefined) =>
      one && {
        ...one,
        subject: hexOf(one.subject),
        items: one.items.map(({ item, propensity }) => [hexOf(item), propensity]),
      };
    expect(comparable(found)).toEqual(comparable(exposure));
    expect(await test.store.exposures.read('other', 'r1')).toBeUndefined();
  });
});
