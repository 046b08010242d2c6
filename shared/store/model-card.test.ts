/** Models in their channels, and their cards, against the real store. */
import { describe, expect, test } from 'vitest';
import { cardMarkdown, channelsOf, modelCard, readCardSources, readChannels, releaseOf } from './model-card.ts';
import { modelAge, oldModelLine } from './model-age.ts';
import type { Store } from './ports.ts';
import { promote, rollBack } from './release-pointer.ts';
import { TEST_NOON, testStore } from './testing.ts';

const TENANT = 'main';

async function model(store: Store, runKey: string, meta: object = {}): Promise<string> {
  const draft = await store.versions.draft(TENANT, runKey, 1, 2, []);
  const { version } = await store.versions.write({
    ...draft,
    tenant: TENANT,
    kind: 'embeddings',
    runKey,
    fence: 1,
    asOf: TEST_NOON,
    consentEpoch: 12,
    inputs: ['events-1'],
    codeVersion: 'c0de',
    meta: {
      model: 'ials',
      params: { factors: 64 },
      seed: 1,
      engine: 'wasm-simd',
      threads: 2,
      users: 1_234,
      items: 77,
      factors: 64,
      interactions: 9_876,
      holdout: 0.1,
      metrics: { k: 10, users: 900, recall: 0.2, ndcg: 0.25 },
      intervals: { ndcg: [0.24, 0.26], recall: [0.19, 0.21] },
      data: { sources: ['web', 'shop'], events: 20_000, from: TEST_NOON - 86_400_000, to: TEST_NOON },
      ...meta,
    },
  });
  return version;
}

async function release(store: Store, embeddings: string, version: string, previous?: string): Promise<void> {
  const of = { tenant: TENANT, asOf: TEST_NOON, createdAt: Date.now(), runKey: `run.${version}` };
  await store.releases.write({ ...of, version, embeddings, ...(previous !== undefined && { previous }) });
}

describe('channels', () => {
  test('a candidate waits beside what is live, goes live in one step, and back in one', async () => {
    await using test = await testStore();
    const { store } = test;
    const { releases } = store;
    const [first, second] = [await model(store, 'a'), await model(store, 'b')];
    await release(store, first, 'v1');
    await release(store, second, 'v2', 'v1');
    const next = (version: string, asOf = TEST_NOON) => ({ version, asOf, runKey: `run.${version}` });
    await releases.move(TENANT, 0, next('v1'));
    expect(await releases.propose(TENANT, next('v2'))).toBe(true);
    expect(await releases.propose(TENANT, next('v2'))).toBe(true);
    expect(await releases.propose(TENANT, next('v0', TEST_NOON - 1))).toBe(false);
    expect((await releases.live(TENANT))?.version).toBe('v1');
    const now = async () => {
      const channels = await readChannels(store, TENANT);
      return [channelsOf(first, channels), channelsOf(second, channels)];
    };
    expect(await now()).toEqual([['live'], ['candidate']]);
    await promote(store, TENANT, { by: 'Ada' }, releaseOf(second, await readChannels(store, TENANT)));
    expect(await now()).toEqual([['previous'], ['live']]);
    const pointer = await rollBack(store, TENANT, { by: 'Ada' });
    expect(pointer).toMatchObject({ version: 'v1', hold: true });
    expect((await now())[0]).toEqual(['live']);
  });
});

describe('model cards', () => {
  test('say what is recorded: data, training, accuracy with intervals, limits', async () => {
    await using test = await testStore();
    const version = await model(test.store, 'a', { tuning: 'main.model-search.x', bestEpoch: 7 });
    const card = modelCard(await readCardSources(test.store, TENANT, version));
    const text = cardMarkdown(card);
    for (const said of [
      `# Model card: ials ${version}`,
      '| Sources | web, shop |',
      '| Events | 20,000 |',
      '| From | 2026-03-13 to 2026-03-14 |',
      '| People | 1,234 |',
      'as of entry 12 of the consent log',
      '| NDCG@10 | 0.2500 (95 % interval 0.2400 to 0.2600) |',
      '| Parameters | {"factors":64} |',
      '| Stopped after | 7 epochs, by a validation part |',
      '| Engine | wasm-simd, 2 threads |',
      '| Code | c0de |',
      'Not audited',
      'State ready, in no channel.',
    ])
      expect(text).toContain(said);
    expect(card.sections.map(({ title }) => title)).toEqual([
      'Intended use',
      'Data',
      'Training',
      'Accuracy',
      'Groups',
      'Limits',
    ]);
  });

  test('say what is missing, and what follows from how it was trained', async () => {
    await using test = await testStore();
    const warm = { version: 'embeddings-0', refused: null };
    const version = await model(test.store, 'a', {
      metrics: null,
      engine: 'tfjs-node',
      warmStart: warm,
      data: undefined,
    });
    await test.store.versions.markStale(TENANT, version);
    const text = cardMarkdown(modelCard(await readCardSources(test.store, TENANT, version)));
    for (const said of [
      'Not measured',
      '| Sources | not recorded |',
      '| Begun from | embeddings-0 |',
      'withdrawn since',
      'alike, not equal',
    ])
      expect(text).toContain(said);
    await expect(readCardSources(test.store, TENANT, 'embeddings-none')).rejects.toMatchObject({
      code: 'DATASET_NOT_FOUND',
    });
  });
});

test('a live model that is too old is told of', async () => {
  await using test = await testStore();
  const { store } = test;
  expect(await modelAge(store, TENANT, 1000, Date.now())).toBeUndefined();
  const version = await model(store, 'a');
  await release(store, version, 'v1');
  await store.releases.move(TENANT, 0, { version: 'v1', asOf: TEST_NOON, runKey: 'run.v1' });
  const { createdAt } = await store.versions.read(TENANT, version);
  const age = (hours: number) => modelAge(store, TENANT, 72 * 3600_000, createdAt + hours * 3600_000);
  expect(oldModelLine(await age(71))).toBeUndefined();
  expect(oldModelLine(await age(80))).toContain('80 h old, more than 72 h');
});
