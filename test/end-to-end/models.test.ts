/** Models as an operator meets them: a candidate that is published beside what is live, its card, its files, promotion and roll back. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadPlatformInto } from '../../workers/conformance/platform.ts';
import { asUser, TIMEOUT_MS } from './as-a-user.ts';

interface Listed {
  readonly models: readonly { readonly version: string; readonly channels: readonly string[] }[];
}

test(
  'models are listed, carded, exported, promoted and rolled back',
  async () => {
    await using user = await asUser();
    const { store } = user.services;
    await loadPlatformInto(store);
    await user.worker();
    const refresh = (params: object) =>
      user.json('run', 'refresh', '--wait', '--params', JSON.stringify({ modelParams: { factors: 16 }, ...params }));
    await refresh({});
    await refresh({ channel: 'candidate', seed: 2 });
    const listed = async () => (await user.json<Listed>('models', 'list')).models.map(({ channels }) => channels);
    expect(await listed()).toEqual([['candidate'], ['live']]);
    const [candidate, live] = (await user.json<Listed>('models', 'list')).models.map(({ version }) => version);

    const card = join(user.folder, 'card.md');
    await user.json('models', 'card', 'live', '--out', card);
    const text = await readFile(card, 'utf8');
    expect(text).toContain(`# Model card: ials ${live}`);
    expect(text).toMatch(/\| NDCG@10 \| 0\.\d+ \(95 % interval/);
    expect(text).toMatch(/\| gender: \S+ \| \d+ people; .*\d/);
    const out = join(user.folder, 'model');
    for (const format of ['npy', 'float32', 'bson'])
      await user.json('models', 'export', 'candidate', '--out', out, '--format', format);
    const [npy, raw, bson] = await Promise.all(
      ['users.npy', 'users.f32', 'users.bson'].map((name) => readFile(`${out}.${name}`)),
    );
    expect(npy!.subarray(128)).toEqual(raw);
    expect(raw!.length % (16 * 4)).toBe(0);
    expect(bson!.length).toBeGreaterThan(raw!.length);

    await user.json('models', 'promote', '--reason', 'better');
    expect(await listed()).toEqual([['live'], ['previous']]);
    expect((await store.releases.live('main'))!.embeddings).toBe(candidate);
    const { pointer } = await user.json<{ pointer: { hold: boolean } }>('models', 'rollback');
    expect(pointer.hold).toBe(true);
    expect((await store.releases.live('main'))!.embeddings).toBe(live);
    expect((await user.millrace('models', 'show', 'nothing')).stderr).toContain('DATASET_NOT_FOUND');
  },
  TIMEOUT_MS,
);
