import { describe, expect, it } from 'vitest';
import type { DatasetVersion, NamedArray, Versions } from '../ports.ts';
import { testStore } from '../testing.ts';
import { BLOCK_BYTES_MAX } from './block-store.ts';
import { COLLECTIONS } from './names.ts';

type Written = Parameters<Versions['write']>[0];
const about = (runKey: string, fence = 1): Omit<Written, 'rows' | 'blocks'> => ({
  tenant: 'main',
  kind: 'embeddings',
  runKey,
  fence,
  asOf: 5,
  inputs: ['events-1'],
  codeVersion: 'abc',
  meta: { factors: 2, names: ['a'], nested: { ndcg: 0.25 } },
});

describe('a data set version', () => {
  it('gives its arrays back on shared memory, of every type, long, empty and a view into a larger buffer', async () => {
    await using test = await testStore();
    const { versions } = test.store;
    const long = new Float32Array(BLOCK_BYTES_MAX / 4 + 1000).map((_, n) => Math.fround(Math.sin(n)));
    const arrays: NamedArray[] = [
      { name: 'long', data: long },
      { name: 'subjects', data: new Uint8Array(Buffer.from('xxabcdefgh')).subarray(2) },
      { name: 'labels', data: new Int32Array([-1, 0, 7]) },
      { name: 'times', data: new Float64Array(new SharedArrayBuffer(16)).fill(1.5e12) },
      { name: 'none', data: new Float64Array(0) },
    ];
    const draft = await versions.draft('main', 'run', 1, 3, arrays);
    const version = await versions.write({ ...about('run'), ...draft });
    const other = await test.another();
    const read = await other.versions.arrays('main', await other.versions.read('main', version.version));
    expect([...read.keys()]).toEqual(arrays.map(({ name }) => name));
    for (const { name, data } of arrays) {
      const found = read.get(name)!;
      expect(found.buffer).toBeInstanceOf(SharedArrayBuffer);
      expect(found.constructor).toBe(data.constructor);
      expect(
        Buffer.compare(
          Buffer.from(Uint8Array.from(new Uint8Array(found.buffer))),
          Buffer.from(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)),
        ),
      ).toBe(0);
    }
  });

  it('is written once by a run and fence, and another fence writes its own', async () => {
    await using test = await testStore();
    const { versions } = test.store;
    const first = await versions.write({ ...about('run'), rows: 0, blocks: [] });
    const again = await (await test.another()).versions.write({ ...about('run'), rows: 9, blocks: [] });
    const later = await versions.write({ ...about('run', 2), rows: 0, blocks: [] });
    expect([again.version, again.rows]).toEqual([first.version, 0]);
    expect(later.version).not.toBe(first.version);
    const expected: DatasetVersion = {
      ...(({ fence: _fence, ...rest }) => rest)(about('run')),
      version: first.version,
      rows: 0,
      blocks: [],
      createdAt: first.createdAt,
      state: 'ready',
    };
    expect(await versions.read('main', first.version)).toEqual(expected);
    await expect(versions.read('other', first.version)).rejects.toMatchObject({ code: 'DATASET_NOT_FOUND' });
  });

  it('is listed newest first by kind, and may be marked stale', async () => {
    let now = 100;
    await using test = await testStore({ clock: () => now++ });
    const { versions } = test.store;
    const names: string[] = [];
    for (const run of ['a', 'b', 'c'])
      names.unshift((await versions.write({ ...about(run), rows: 0, blocks: [] })).version);
    await versions.write({ ...about('d'), kind: 'audit', rows: 0, blocks: [] });
    expect((await versions.latest('main', 'embeddings', 2)).map(({ version }) => version)).toEqual(names.slice(0, 2));
    await versions.markStale('main', names[0]!);
    expect((await versions.read('main', names[0]!)).state).toBe('stale');
  });

  it('in a format of a newer process waits for one that reads it, and is not called corrupt', async () => {
    await using test = await testStore();
    const { versions } = test.store;
    const draft = await versions.draft('main', 'run', 1, 1, [{ name: 'x', data: new Uint8Array(10) }]);
    const version = await versions.write({ ...about('run'), ...draft });
    const blocks = test.db.collection(COLLECTIONS.blocks);
    await blocks.updateMany({}, { $inc: { v: 100 } });
    await expect(versions.arrays('main', version)).rejects.toMatchObject({
      code: 'BLOCK_FORMAT_UNKNOWN',
      retry: 'later',
    });
    await blocks.updateMany({}, { $inc: { v: -100 } });
    expect((await versions.arrays('main', version)).get('x')).toHaveLength(10);
  });

  it('is unreadable for good once its draft was discarded', async () => {
    await using test = await testStore();
    const { versions } = test.store;
    const draft = await versions.draft('main', 'run', 1, 1, [{ name: 'x', data: new Uint8Array(10) }]);
    const version = await versions.write({ ...about('run'), ...draft });
    await versions.discard('main', draft);
    await versions.discard('main', draft);
    await expect(versions.arrays('main', version)).rejects.toMatchObject({ code: 'BLOCK_KEY_MISSING' });
    expect(await test.db.collection(COLLECTIONS.blocks).countDocuments()).toBe(0);
  });
});
