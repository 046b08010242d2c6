/** Owns what the conformance suite must know of each kind: an input that works, and what a payload must not be. A kind of the registry without an entry fails it. */
import { peopleByConsent } from './consents.ts';
import { NOW, runOnce, TENANT, type World } from './world.ts';
import { loadPlatform, SOURCE } from './platform.ts';
import candidateGeneration from '../candidate-generation/processor.ts';
import embeddingTraining from '../embedding-training/processor.ts';
import featureBuild from '../feature-build/processor.ts';
import shardedTraining from '../sharded-training/processor.ts';

export interface Made {
  readonly dataset: string;
  readonly features: string;
  readonly embeddings: string;
  readonly candidates: string;
  /** Cut for a training in blocks of rows, and in strata. */
  readonly blocks: string;
  readonly strata: string;
}

/** A small platform and one version of everything that a kind may read. */
export async function madeIn(world: World): Promise<Made> {
  const { ports } = world;
  const { dataset } = await loadPlatform(ports);
  await ports.store.formats.enable();
  await askInPrivate(world);
  const params = { factors: 16, epochs: 3 };
  const features = (await runOnce(ports, featureBuild, { dataset })).output.version;
  const embeddings = (await runOnce(ports, embeddingTraining, { dataset, params, holdout: 0.2 })).output.version;
  const candidates = (await runOnce(ports, candidateGeneration, { dataset, embeddings, k: 5 })).output.version;
  const cut = async (model: 'ials' | 'item2vec') =>
    (await runOnce(ports, shardedTraining, { cut: { dataset, model, params } })).output.version;
  return { dataset, features, embeddings, candidates, blocks: await cut('ials'), strata: await cut('item2vec') };
}

/** What private statistics are told of: a budget to spend, and a question with answers of people who allow it to be measured. */
async function askInPrivate({ store }: World): Promise<void> {
  await store.budgets.setTerms(TENANT, { totalPico: 10 ** 12, periodMs: 30 * 24 * 3600_000 }, NOW);
  const question = { question: 'commutes', choices: ['yes', 'no'], epsilon: 2, declaredAt: NOW };
  await store.answers.declare(TENANT, question);
  const { allowed } = await peopleByConsent(store, 'measurement');
  const subjects = [...allowed.keys()].map((hex) => Uint8Array.from(Buffer.from(hex, 'hex')));
  const said = subjects.map((subject, n) => ({
    question: 'commutes',
    subject,
    choice: n % 2,
    source: SOURCE,
    at: NOW,
  }));
  await store.answers.keep(TENANT, said);
}

export interface Entry {
  readonly input: (made: Made) => unknown;
  /** What else the kind does, by name. */
  readonly more?: Readonly<Record<string, (made: Made) => unknown>>;
  /** Payloads that the contract refuses. */
  readonly bad: readonly unknown[];
}

const bad = [{}, null, 'text', { dataset: 1, features: [], embeddings: {} }];

export const ENTRIES: Readonly<Record<string, Entry>> = {
  ingestion: {
    input: () => ({
      source: SOURCE,
      events: [{ id: 'conformance', type: 'click', user: 'nobody-yet', item: 'v1', occurredAt: NOW - 1000 }],
      allowUnknownItems: true,
    }),
    bad: [...bad, { source: SOURCE, events: 'all' }],
  },
  'feature-build': { input: ({ dataset }) => ({ dataset }), bad },
  segmentation: { input: ({ features }) => ({ features }), bad },
  'embedding-training': { input: ({ dataset }) => ({ dataset, params: { factors: 16, epochs: 3 } }), bad },
  'model-search': {
    input: ({ dataset }) => ({ try: { dataset, model: 'ials', params: { factors: 16, epochs: 3 } } }),
    bad: [
      ...bad,
      { try: { dataset: 'd', model: 'none', params: {} } },
      { choose: { dataset: 'd', model: 'ials', trials: [], tried: 1 } },
    ],
  },
  'sharded-training': {
    input: ({ dataset }) => ({ cut: { dataset, params: { factors: 16, epochs: 3 } } }),
    more: {
      'a cut in strata': ({ dataset }) => ({ cut: { dataset, model: 'item2vec', params: { factors: 16, epochs: 3 } } }),
      'a block': ({ blocks: cut }) => ({ solve: { cut, side: 'users', block: 0, others: [], warm: null } }),
      'a stratum': ({ strata: cut }) => ({ learn: { cut, round: 0, sweep: 0, block: 0, before: [] } }),
    },
    bad: [
      ...bad,
      { cut: { dataset: 'd', blocks: 0 } },
      { cut: { dataset: 'd', model: 'ease' } },
      { solve: { cut: 'c', side: 'people', block: 0, others: [], warm: null } },
      { learn: { cut: 'c', round: -1, sweep: 0, block: 0, before: [] } },
      { join: { cut: 'c', strata: [] } },
    ],
  },
  asking: { input: ({ dataset }) => ({ dataset, actsMin: 1 }), bad: [...bad, { dataset: 'd', perPersonMax: 0 }] },
  'private-statistics': {
    input: ({ dataset }) => ({
      statistic: 'events',
      release: 'conformance',
      dataset,
      by: 'type',
      protection: { mechanism: 'gaussian', rho: 0.01 },
    }),
    more: {
      'of a cohort': ({ dataset }) => ({
        statistic: 'people',
        release: 'conformance-cohort',
        dataset,
        cohortMin: 2,
        protection: { mechanism: 'cohort' },
      }),
      'of answers': () => ({
        statistic: 'answers',
        release: 'conformance-answers',
        question: 'commutes',
        cohortMin: 2,
      }),
    },
    bad: [
      ...bad,
      { statistic: 'median', release: 'r', dataset: 'd', protection: { mechanism: 'cohort' } },
      { statistic: 'events', release: 'r', dataset: 'd', protection: { mechanism: 'laplace', epsilon: 0 } },
      { statistic: 'events', release: 'r', dataset: 'd', by: 'day', protection: { mechanism: 'cohort' } },
      { statistic: 'people', release: 'r', dataset: 'd', cohortMin: 1, protection: { mechanism: 'cohort' } },
    ],
  },
  'candidate-generation': {
    input: ({ dataset, embeddings }) => ({ dataset, embeddings, k: 5 }),
    bad: [...bad, { dataset: 'd', embeddings: 'e', k: -1 }],
  },
  'bias-audit': { input: ({ dataset, candidates }) => ({ dataset, candidates, bootstrap: 100 }), bad },
  pipeline: {
    input: ({ dataset, candidates }) => ({ publish: { parts: { dataset, candidates }, asOf: NOW } }),
    bad: [...bad, { publish: { parts: { other: 'x' }, asOf: 1 } }],
  },
  governance: {
    input: () => ({ act: 'withdraw', user: 'p00001', purposes: ['audit'] }),
    bad: [
      ...bad,
      { act: 'erase' },
      { act: 'forgive', user: 'u' },
      { act: 'withdraw', user: 'u', purposes: ['profit'] },
    ],
  },
  migration: { input: () => ({ format: 2 }), bad: [...bad, { format: 1 }, { format: 'newest' }] },
  'webhook-delivery': {
    // Of a registration that is gone: nobody is told, and that is an end.
    input: () => ({
      webhook: 'gone',
      runKey: 'main.segmentation.x',
      kind: 'segmentation',
      state: 'committed',
      endedAt: NOW,
      asOf: NOW,
    }),
    bad: [...bad, { webhook: 'gone', runKey: 'x', kind: 'x', state: 'running', endedAt: 1, asOf: 1 }],
  },
};
