/** Checkpoints against the real store. */
import { describe, expect, test } from 'vitest';
import { testStore } from '../testing.ts';

const arrays = (value: number) => ({ users: new Float32Array(10).fill(value), empty: new Float32Array(0) });
const of = {
  tenant: 'main',
  runKey: 'main.embedding-training.a',
  fence: 1,
  part: 'published',
  fingerprint: 'f',
  consentEpoch: 3,
  facts: { losses: [1, 0.5] },
};

describe('checkpoints', () => {
  test('come back as they were, the newest of a fingerprint; older ones and their bytes go', async () => {
    await using test = await testStore();
    const { checkpoints } = test.store;
    await checkpoints.write({ ...of, epoch: 1 }, arrays(1));
    const first = await checkpoints.last('main', of.runKey, 'published', 'f');
    await checkpoints.write({ ...of, epoch: 2 }, arrays(2));
    await checkpoints.write({ ...of, epoch: 9, part: 'measured' }, arrays(9));
    const last = await checkpoints.last('main', of.runKey, 'published', 'f');
    expect(last).toMatchObject({ ...of, epoch: 2 });
    expect(await checkpoints.arrays(last!)).toEqual(arrays(2));
    await expect(checkpoints.arrays(first!)).rejects.toMatchObject({ code: 'BLOCK_KEY_MISSING' });
    expect(await test.db.collection('checkpoints').countDocuments()).toBe(2);
    expect(await test.db.collection('blocks').countDocuments()).toBe(4);
    const others: [string, string, string, string][] = [
      ['other', of.runKey, 'published', 'f'],
      ['main', 'main.embedding-training.b', 'published', 'f'],
      ['main', of.runKey, 'other', 'f'],
      ['main', of.runKey, 'published', 'g'],
    ];
    for (const other of others) expect(await checkpoints.last(...other)).toBeUndefined();
  });

  test('of a zombie take nothing from those of the attempt that took over', async () => {
    await using test = await testStore();
    const { checkpoints } = test.store;
    await checkpoints.write({ ...of, epoch: 5, fence: 2 }, arrays(5));
    await checkpoints.write({ ...of, epoch: 4 }, arrays(4));
    expect(await checkpoints.last('main', of.runKey, 'published', 'f')).toMatchObject({ epoch: 5, fence: 2 });
    await checkpoints.write({ ...of, epoch: 6, fence: 2 }, arrays(6));
    expect(await test.db.collection('checkpoints').countDocuments()).toBe(1);
  });

  test('go with their run, and once written twice are one', async () => {
    await using test = await testStore();
    const { checkpoints } = test.store;
    await checkpoints.write({ ...of, epoch: 1 }, arrays(1));
    await checkpoints.write({ ...of, epoch: 1 }, arrays(1));
    await checkpoints.write({ ...of, epoch: 1, runKey: 'main.embedding-training.b' }, arrays(1));
    expect(await checkpoints.runs(10)).toHaveLength(2);
    await checkpoints.remove('main', of.runKey);
    await checkpoints.remove('main', of.runKey);
    expect(await checkpoints.runs(10)).toEqual([{ tenant: 'main', runKey: 'main.embedding-training.b' }]);
    expect(await checkpoints.last('main', of.runKey, 'published', 'f')).toBeUndefined();
  });
});
