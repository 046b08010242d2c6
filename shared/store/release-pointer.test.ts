/** Rolling back, promoting and holding on a real store, beside publishing runs and readers. */
import { expect, test } from 'vitest';
import { testServices } from '../../test/services.ts';
import type { Release, Store } from './ports.ts';
import { hold, promote, rollBack, unhold } from './release-pointer.ts';

const T = 'main';
const BY = { by: 'anna', reason: 'the new one is worse' };

/** A release whose two parts carry its number, published as a run would. */
async function publish(store: Store, n: number, asOf = n): Promise<string> {
  const made = async (kind: 'candidates' | 'segments'): Promise<string> => {
    const runKey = `main.${kind}.${n}`;
    const draft = await store.versions.draft(T, runKey, 1, 1, []);
    const about = {
      tenant: T,
      runKey,
      kind,
      fence: 1,
      asOf,
      codeVersion: 'x',
      inputs: [],
      consentEpoch: 0,
      meta: { n },
    };
    return (await store.versions.write({ ...draft, ...about })).version;
  };
  const pointer = await store.releases.pointer(T);
  const version = `v${n}`;
  const release: Release = {
    version,
    tenant: T,
    candidates: await made('candidates'),
    segments: await made('segments'),
    asOf,
    createdAt: n,
    runKey: `main.pipeline.${n}`,
    ...(pointer === undefined ? {} : { previous: pointer.version }),
  };
  await store.releases.write(release);
  return store.releases.move(T, pointer?.seq ?? 0, { asOf, runKey: release.runKey, version });
}

test('a rollback puts the release before live and holds it; after it is let go, the next goes live', async () => {
  await using services = await testServices();
  const { store } = services;
  expect([await publish(store, 1), await publish(store, 2)]).toEqual(['moved', 'moved']);
  expect(await rollBack(store, T, BY)).toMatchObject({ version: 'v1', hold: true });
  expect(await store.releases.live(T)).toMatchObject({ version: 'v1' });
  // The next scheduled run does not undo it.
  expect(await publish(store, 3)).toBe('held');
  expect(await store.releases.live(T)).toMatchObject({ version: 'v1' });
  expect(await unhold(store, T, { by: 'anna' })).toMatchObject({ version: 'v1', hold: false });
  expect(await publish(store, 4)).toBe('moved');
  const { changes = [] } = (await store.releases.pointer(T)) ?? {};
  expect(changes.map(({ did, version, by }) => [did, version, by])).toEqual([
    ['publish', 'v1', 'main.pipeline.1'],
    ['publish', 'v2', 'main.pipeline.2'],
    ['roll-back', 'v1', 'anna'],
    ['unhold', 'v1', 'anna'],
    ['publish', 'v4', 'main.pipeline.4'],
  ]);
  expect(changes[2]?.reason).toBe(BY.reason);
});

test('the same asked twice, or by two at once, is done once', async () => {
  await using services = await testServices();
  const { store } = services;
  await publish(store, 1);
  await publish(store, 2);
  await publish(store, 3);
  await Promise.all([rollBack(store, T, BY, 'v1'), rollBack(store, T, BY, 'v1'), rollBack(store, T, BY, 'v1')]);
  await hold(store, T, BY);
  const pointer = await store.releases.pointer(T);
  expect(pointer).toMatchObject({ version: 'v1', hold: true });
  expect(pointer?.changes?.filter(({ did }) => did !== 'publish')).toHaveLength(1);
});

test('what was published under a hold can be promoted, and what is older can only be rolled back to', async () => {
  await using services = await testServices();
  const { store } = services;
  await publish(store, 1);
  await hold(store, T, BY);
  expect(await publish(store, 2)).toBe('held');
  expect(await promote(store, T, BY, 'v2')).toMatchObject({ version: 'v2', hold: false });
  await expect(promote(store, T, BY, 'v1')).rejects.toMatchObject({ code: 'INPUT_INVALID' });
});

test('a release that learned from somebody who was erased is not served again, nor one that is not there', async () => {
  await using services = await testServices();
  const { store } = services;
  await expect(hold(store, T, BY)).rejects.toMatchObject({ code: 'NOT_PUBLISHED' });
  await publish(store, 1);
  await expect(rollBack(store, T, BY)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await publish(store, 2);
  const { candidates = '' } = (await store.releases.read(T, 'v1')) ?? {};
  const erased: Store = {
    ...store,
    versions: Object.assign(Object.create(store.versions) as Store['versions'], {
      read: async (tenant: string, version: string) =>
        version === candidates
          ? Promise.reject(Object.assign(new Error('erased'), { code: 'DATASET_ERASED' }))
          : store.versions.read(tenant, version),
    }),
  };
  await expect(rollBack(erased, T, BY)).rejects.toMatchObject({ code: 'DATASET_ERASED' });
  await expect(rollBack(store, T, BY, 'v9')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(await store.releases.live(T)).toMatchObject({ version: 'v2' });
});

test('readers see one release or another, never a mix, while it is changed under them', async () => {
  await using services = await testServices();
  const { store } = services;
  await publish(store, 1);
  await publish(store, 2);
  const seen = new Set<string>();
  const changing = new AbortController();
  const reader = async (): Promise<void> => {
    while (!changing.signal.aborted) {
      const live = await store.releases.live(T);
      if (live === undefined) throw new Error('nothing is live');
      const parts = await Promise.all(
        [live.candidates, live.segments].map((part) => store.versions.read(T, part ?? '')),
      );
      seen.add([live.version, ...parts.map(({ meta }) => `v${String(meta.n)}`)].join(' '));
    }
  };
  const readers = [reader(), reader()];
  for (let round = 0; round < 10; round++) {
    await rollBack(store, T, BY, 'v1');
    await promote(store, T, BY, 'v2');
  }
  changing.abort();
  await Promise.all(readers);
  expect([...seen].filter((one) => !['v1 v1 v1', 'v2 v2 v2'].includes(one))).toEqual([]);
});
