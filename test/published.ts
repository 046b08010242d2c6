/**
 * Owns a store with something published in it, written through the ports: a small catalogue and people, the runs of one
 * `refresh`, the versions they made, what is served, and a failed run beside them. For tests of gateway and dashboard.
 */
import { createHash } from 'node:crypto';
import { runKeyOf } from '../shared/contract-kit/names.ts';
import { AppError } from '../shared/errors.ts';
import type {
  DatasetVersion,
  EventRow,
  PipelineStepState,
  RunDocument,
  Store,
  VersionKind,
} from '../shared/store/ports.ts';
import {
  ITEM_COUNT,
  ITEMS,
  PERSON_COUNT,
  EVENT_COUNT,
  PEOPLE,
  EVERYBODY,
  LISTS,
  FALLBACK,
  K,
  SEGMENTS,
  FINDINGS,
  REPORT,
} from './published-content.ts';

export const TENANT = 'main';
export const PIPELINE_RUN = 'refresh-2026-11-22';

export interface Published {
  readonly release: string;
  readonly versions: Readonly<Record<'dataset' | 'embeddings' | 'segments' | 'candidates' | 'audit', string>>;
  readonly runs: Readonly<Record<string, string>>;
  readonly failedRun: string;
}

interface RunSpec {
  readonly step: string;
  readonly kind: string;
  readonly makes?: VersionKind;
  readonly rows?: number;
  readonly inputs: readonly string[];
  readonly engine?: string;
  readonly seconds: number;
  readonly meta?: Readonly<Record<string, unknown>>;
  output(version: string): unknown;
}

/** One committed run with its version, as the executor would leave it. */
async function commitRun(
  store: Store,
  spec: RunSpec,
  asOf: number,
): Promise<{ run: RunDocument; version: DatasetVersion | undefined }> {
  const runKey = runKeyOf(TENANT, spec.kind, `${PIPELINE_RUN}.${spec.step}`);
  const common = { runKey, tenant: TENANT, kind: spec.kind, asOf, codeVersion: 'c0ffee0123456789' };
  const claim = await store.ledger.claim({
    ...common,
    contractVersion: 1,
    inputHash: 'ab'.repeat(32),
    step: { run: PIPELINE_RUN, step: spec.step },
  });
  const { fence } = claim.run;
  const version =
    spec.makes === undefined
      ? undefined
      : await store.versions.write({
          ...(await store.versions.draft(TENANT, runKey, fence, spec.rows ?? 0, [])),
          ...common,
          kind: spec.makes,
          fence,
          inputs: spec.inputs,
          consentEpoch: await store.consents.epoch(TENANT),
          meta: spec.meta ?? {},
        });
  const lineage = { inputs: spec.inputs, consentEpoch: 1, seed: 1, computeSeconds: spec.seconds };
  await store.ledger.commit({
    runKey,
    fence,
    output: spec.output(version?.version ?? ''),
    ...(version === undefined ? {} : { version: version.version }),
    next: [],
    lineage: spec.engine === undefined ? lineage : { ...lineage, engine: spec.engine, threads: 2 },
  });
  await store.ledger.markFollowed(runKey);
  const run = await store.ledger.read(runKey);
  if (run === undefined) throw new Error(`${runKey} was not committed`);
  return { run, version };
}

async function commitAll(store: Store, asOf: number) {
  const seen: Record<string, { run: RunDocument; version: string }> = {};
  const made = (step: string): string => seen[step]?.version ?? '';
  const commit = async (spec: RunSpec): Promise<void> => {
    const { run, version } = await commitRun(store, spec, asOf);
    seen[spec.step] = { run, version: version?.version ?? '' };
  };
  const consentEpoch = 1;
  await commit({
    step: 'compact',
    kind: 'ingestion',
    makes: 'events',
    rows: EVENT_COUNT,
    inputs: [],
    seconds: 3.2,
    output: (version) => ({
      accepted: 0,
      duplicates: 0,
      rejected: [],
      dataset: { version, rows: EVENT_COUNT, blocks: 4 },
    }),
  });
  await commit({
    step: 'features',
    kind: 'feature-build',
    makes: 'features',
    rows: PERSON_COUNT,
    inputs: [made('compact')],
    engine: 'typescript',
    seconds: 2.8,
    output: (version) => ({ version, rows: PERSON_COUNT, features: ['views', 'topics'], consentEpoch }),
  });
  await commit({
    step: 'segments',
    kind: 'segmentation',
    makes: 'segments',
    rows: PERSON_COUNT,
    inputs: [made('features')],
    engine: 'wasm',
    seconds: 1.9,
    output: (version) => ({
      version,
      k: 4,
      people: PERSON_COUNT,
      inertia: 8_123.4,
      silhouette: 0.312,
      segments: SEGMENTS,
      consentEpoch,
    }),
  });
  await commit({
    step: 'embeddings',
    kind: 'embedding-training',
    makes: 'embeddings',
    rows: PERSON_COUNT + ITEM_COUNT,
    inputs: [made('compact')],
    engine: 'wasm',
    seconds: 6.4,
    output: (version) => ({
      version,
      model: 'ials',
      engine: 'wasm',
      threads: 2,
      params: { factors: 64 },
      users: PERSON_COUNT,
      items: ITEM_COUNT,
      factors: 64,
      metrics: { k: 10, users: 232, recall: 0.1873, ndcg: 0.2467 },
      consentEpoch,
      trainSeconds: 6.4,
    }),
  });
  await commit({
    step: 'candidates',
    kind: 'candidate-generation',
    makes: 'candidates',
    rows: PERSON_COUNT,
    inputs: [made('compact'), made('embeddings')],
    engine: 'wasm',
    seconds: 1.7,
    output: (version) => ({
      version,
      users: PERSON_COUNT,
      k: 50,
      fallbackItems: 50,
      coverage: 0.638,
      engine: 'wasm',
      consentEpoch,
    }),
  });
  await commit({
    step: 'audit',
    kind: 'bias-audit',
    makes: 'audit',
    rows: 12,
    inputs: [made('compact'), made('candidates')],
    engine: 'typescript',
    seconds: 0.9,
    meta: { report: { metrics: REPORT } },
    output: (version) => ({ version, users: PERSON_COUNT, findings: FINDINGS, consentEpoch }),
  });
  await commit({
    step: 'publish',
    kind: 'pipeline',
    inputs: [],
    seconds: 0.1,
    output: () => ({ release: { version: 'r-0001', live: true } }),
  });
  return seen;
}

/** What is served under the candidates and segments versions: the lists of PEOPLE, and the list of newcomers. */
async function serve(store: Store, candidates: string, segments: string): Promise<void> {
  const subjects = Buffer.concat(store.people.keys(TENANT, PEOPLE));
  await store.served.writeCandidates(TENANT, candidates, {
    subjects,
    itemKeys: Buffer.concat(
      store.items.keys(
        TENANT,
        ITEMS.map(({ id }) => id),
      ),
    ),
    k: K,
    items: Int32Array.from(LISTS.flat()),
    scores: Float32Array.from(LISTS.flat(), (_, index) => 1 - (index % K) / 4),
    // The first of each list resembles the item after it; nothing else has a reason.
    reasons: Int32Array.from(
      LISTS.flatMap((list) => list.map((item, place) => (place === 0 ? (item + 1) % ITEMS.length : -1))),
    ),
    fallback: FALLBACK,
    fallbackScores: Float32Array.from(FALLBACK, (_, place) => FALLBACK.length - place),
  });
  await store.served.writeSegments(TENANT, segments, {
    subjects,
    segment: Int32Array.from(PEOPLE, (_, index) => index),
  });
}

/** Views of everybody, one a minute, ending at `asOf`. */
async function recordEvents(store: Store, asOf: number): Promise<void> {
  const subjects = store.people.keys(TENANT, EVERYBODY);
  const items = store.items.keys(
    TENANT,
    ITEMS.map(({ id }) => id),
  );
  const rows = Array.from({ length: EVENT_COUNT }, (_, index): EventRow => {
    const person = index % PERSON_COUNT;
    const place = (index * 7 + person) % ITEM_COUNT;
    const occurredAt = asOf - (EVENT_COUNT - index) * 60_000;
    const event = {
      type: 'view',
      user: EVERYBODY[person]!,
      item: ITEMS[place]!.id,
      value: index % 101,
      occurredAt,
    } as const;
    const eventId = createHash('sha256').update(String(index)).digest().subarray(0, 16);
    return {
      eventId,
      subject: subjects[person]!,
      item: items[place]!,
      event,
      source: 'simulated',
      recordedAt: occurredAt,
    };
  });
  const runKey = runKeyOf(TENANT, 'ingestion', 'seed');
  await store.events.follow(TENANT, await store.events.prepare(TENANT, runKey, 1, rows));
}

async function failOne(store: Store, asOf: number): Promise<string> {
  const runKey = runKeyOf(TENANT, 'embedding-training', 'a trial');
  const claim = await store.ledger.claim({
    runKey,
    tenant: TENANT,
    kind: 'embedding-training',
    contractVersion: 1,
    inputHash: 'cd'.repeat(32),
    asOf,
    codeVersion: 'c0ffee0123456789',
  });
  const error = new AppError('NUMERICS_MEMORY_LIMIT', {
    message: 'The model of 4,096 factors would need 9,216 MB; 8,192 MB are allowed.',
    details: { neededMb: 9_216, allowedMb: 8_192 },
  });
  await store.ledger.end(runKey, claim.run.fence, 'dead-lettered', error.toJSON());
  return runKey;
}

async function writePipeline(store: Store, seen: Awaited<ReturnType<typeof commitAll>>, asOf: number): Promise<void> {
  let at = asOf;
  const steps: Record<string, PipelineStepState> = {};
  for (const [name, { run }] of Object.entries(seen)) {
    const endedAt = at + (run.lineage?.computeSeconds ?? 0) * 1_000 + 150;
    steps[name] = { state: 'committed', runKey: run.runKey, output: run.output, startedAt: at, endedAt };
    at = endedAt;
  }
  const common = {
    tenant: TENANT,
    pipeline: 'refresh',
    params: { model: 'ials', seed: 1 },
    asOf,
    live: {},
    seq: 0,
    createdAt: asOf,
  };
  await store.pipelineRuns.create({
    ...common,
    id: PIPELINE_RUN,
    state: 'committed',
    steps,
    changedAt: at,
    endedAt: at,
  });
  const { compact, candidates } = steps;
  if (compact === undefined || candidates === undefined) throw new Error('the pipeline has no such steps');
  await store.pipelineRuns.create({
    ...common,
    id: 'hourly-2026-11-22T10',
    pipeline: 'refresh-candidates',
    state: 'running',
    createdAt: at + 1_000,
    changedAt: at + 4_000,
    live: { embeddings: seen.embeddings?.version ?? '' },
    steps: {
      compact,
      candidates: {
        state: 'enqueued',
        startedAt: Date.now() - 1_400,
        ...(candidates.runKey === undefined ? {} : { runKey: candidates.runKey }),
      },
      audit: { state: 'waiting' },
      publish: { state: 'waiting' },
    },
  });
}

/** Fills the store of a test; everything happens "now", so that pages read naturally. */
export async function publishSomething(store: Store, nowMs = Date.now()): Promise<Published> {
  const asOf = nowMs - 4 * 60_000;
  await store.items.upsert(TENANT, ITEMS, '1');
  await store.people.upsert(
    TENANT,
    EVERYBODY.map((id) => ({ id })),
    '1',
  );
  await recordEvents(store, asOf);
  await store.consents.record(
    TENANT,
    'consents',
    PEOPLE.map((user) => ({
      user,
      purposes: ['recommendation', 'segmentation'],
      source: '*',
      state: 'given',
      basis: 'consent',
      at: asOf - 1_000,
    })),
  );
  const seen = await commitAll(store, asOf);
  const version = (step: string): string => seen[step]?.version ?? '';
  const versions = {
    dataset: version('compact'),
    embeddings: version('embeddings'),
    segments: version('segments'),
    candidates: version('candidates'),
    audit: version('audit'),
  };
  await serve(store, versions.candidates, versions.segments);
  const publishRun = seen.publish?.run.runKey ?? '';
  await store.releases.write({
    version: 'r-0001',
    tenant: TENANT,
    ...versions,
    asOf,
    createdAt: nowMs - 3 * 60_000,
    runKey: publishRun,
  });
  await store.releases.move(TENANT, 0, { asOf, runKey: publishRun, version: 'r-0001' });
  await writePipeline(store, seen, asOf);
  const failedRun = await failOne(store, asOf);
  const runs = Object.fromEntries(Object.entries(seen).map(([step, { run }]) => [step, run.runKey]));
  return { release: 'r-0001', versions, runs, failedRun };
}
