/** Owns a small store with something of everything, and what is read back from it: the same content from every format that ever was. */
import { hash } from 'node:crypto';
import { eventRow, TEST_NOON } from '../../shared/store/testing.ts';
import type { Store } from '../../shared/store/ports.ts';

const TENANT = 'main';
const USERS = Array.from({ length: 12 }, (_, n) => `user-${n}`);
const ITEMS = Array.from({ length: 9 }, (_, n) => `item-${n}`);
const RUN = `${TENANT}.ingestion.${'1'.repeat(64)}`;
const keyed = (n: number): string => `${TENANT}.segmentation.${String(n).repeat(64)}`;

async function fillEvents(store: Store, batches: number, from: number): Promise<void> {
  for (let batch = from; batch < from + batches; batch++) {
    const rows = Array.from({ length: 40 }, (_, n) => {
      const user = USERS[(n * 5 + batch) % USERS.length]!;
      const occurredAt = TEST_NOON + n * 61_000 + batch * 1_000;
      const what = { id: `${batch}.${n}`, user, item: ITEMS[(n * 7) % ITEMS.length]!, occurredAt, position: n % 4 };
      const recordedAt = occurredAt + 1_500 + (n % 3);
      return eventRow(store, TENANT, {
        ...what,
        recordedAt,
        session: `s-${user}`,
        ...(n % 5 === 0 && { value: n / 8 }),
      });
    });
    await store.events.follow(TENANT, await store.events.prepare(TENANT, `run-${batch}`, 1, rows));
  }
}

/** The versions of a sample. */
export interface Made {
  readonly dataset: string;
  readonly embeddings: string;
}

export async function fill(store: Store): Promise<Made> {
  await store.items.upsert(
    TENANT,
    ITEMS.map((id, n) => ({ id, title: `Title ${n}` })),
    '1',
  );
  await store.people.upsert(
    TENANT,
    USERS.map((id) => ({ id, name: `Name of ${id}` })),
    '1',
  );
  const given = { source: 'web', at: 5, basis: 'consent' as const };
  await store.consents.record(TENANT, RUN, [
    ...USERS.map((user) => ({
      ...given,
      user,
      purposes: ['audit' as const, 'recommendation' as const],
      state: 'given' as const,
    })),
    { ...given, user: USERS[3]!, purposes: ['audit' as const], state: 'withdrawn' as const, at: 6 },
  ]);
  const [subject] = store.people.keys(TENANT, [USERS[0]!]);
  await store.people.keepTexts(TENANT, [{ subject: subject!, eventId: Buffer.alloc(16, 7), text: 'so good' }]);
  await fillEvents(store, 6, 0);
  const about = { tenant: TENANT, runKey: RUN, fence: 1, asOf: TEST_NOON * 2, codeVersion: 'sample', meta: { k: 2 } };
  const frozen = await store.events.freeze(TENANT, RUN, 1, about.asOf);
  const dataset = await store.versions.write({ ...frozen, ...about, kind: 'events', inputs: [] });
  await fillEvents(store, 2, 6);
  const embeddings = await fillVersions(store, { ...about, inputs: [dataset.version] });
  await fillServed(store, embeddings, subject!);
  const release = {
    version: 'v1-abcdef',
    tenant: TENANT,
    dataset: dataset.version,
    embeddings,
    asOf: 1,
    createdAt: 1,
    runKey: RUN,
  };
  await store.releases.write(release);
  await store.releases.move(TENANT, 0, { asOf: 1, runKey: RUN, version: release.version });
  await fillLedger(store, dataset.version);
  return { dataset: dataset.version, embeddings };
}

type About = Omit<Parameters<Store['versions']['write']>[0], 'rows' | 'blocks' | 'kind'>;

async function fillVersions(store: Store, about: About): Promise<string> {
  const draft = await store.versions.draft(TENANT, RUN, 1, 3, [
    { name: 'bytes', data: new Uint8Array([1, 2, 255]) },
    { name: 'ints', data: new Int32Array([-1, 0, 2 ** 30]) },
    { name: 'floats', data: new Float32Array(4000).map((_, n) => Math.fround(n / 3)) },
    { name: 'doubles', data: new Float64Array([Math.PI, -0, 1e300]) },
  ]);
  return (await store.versions.write({ ...draft, ...about, kind: 'embeddings' })).version;
}

async function fillServed(store: Store, version: string, subject: Uint8Array): Promise<void> {
  const itemKeys = Buffer.concat(store.items.keys(TENANT, ITEMS));
  const list = {
    subjects: subject,
    itemKeys,
    k: 2,
    items: new Int32Array([4, 1]),
    scores: new Float32Array([0.5, 0.25]),
  };
  await store.served.writeCandidates(TENANT, version, { ...list, reasons: new Int32Array([2, -1]), fallback: [3, 0] });
  await store.served.writeSegments(TENANT, version, { subjects: subject, segment: new Int32Array([6]) });
  const items = [
    { item: itemKeys.subarray(0, 16), propensity: 0.5 },
    { item: itemKeys.subarray(16, 32), propensity: null },
  ];
  const shown = {
    requestId: 'request',
    tenant: TENANT,
    subject,
    at: 9,
    release: 'v1-abcdef',
    model: 'ials',
    policy: 'top',
    source: 'web',
    items,
  };
  await store.exposures.write(shown);
}

async function fillLedger(store: Store, dataset: string): Promise<void> {
  for (const n of [2, 3, 4]) {
    const about = {
      tenant: TENANT,
      kind: 'segmentation',
      contractVersion: 1,
      inputHash: `${n}`,
      asOf: 1,
      codeVersion: 'sample',
    };
    const { run } = await store.ledger.claim({ runKey: keyed(n), ...about });
    const end = { runKey: keyed(n), fence: run.fence };
    if (n === 2)
      await store.ledger.commit({
        ...end,
        output: { k: 1 },
        version: dataset,
        next: [],
        lineage: { inputs: [dataset] },
      });
    if (n === 3)
      await store.ledger.end(end.runKey, end.fence, 'dead-lettered', {
        code: 'INTERNAL',
        message: 'as asked',
        details: { n },
      });
  }
  const about = {
    tenant: TENANT,
    pipeline: 'refresh',
    params: { seed: 1 },
    asOf: 1,
    live: { dataset },
    seq: 1,
    createdAt: 1,
    changedAt: 1,
  };
  await store.pipelineRuns.create({
    ...about,
    id: `${TENANT}.refresh.1`,
    state: 'committed',
    endedAt: 2,
    steps: { compact: { state: 'committed' } },
  });
}

const byText = (a: string, b: string): number => (a < b ? -1 : 1);
const digest = (bytes: ArrayBufferView): string =>
  hash('sha256', Buffer.from(Uint8Array.from(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength))), 'hex');

/** What today's code reads of it, as JSON has it. */
export async function contentOf(store: Store, { dataset, embeddings }: Made): Promise<unknown> {
  const [subject, , , withdrawn] = store.people.keys(TENANT, USERS);
  const columns = await store.events.read(TENANT, dataset);
  const arrays = await store.versions.arrays(TENANT, await store.versions.read(TENANT, embeddings));
  const consents = await store.consents.snapshot(TENANT);
  const runs = await Promise.all([2, 3, 4].map((n) => store.ledger.read(keyed(n))));
  const candidates = await store.served.candidates(TENANT, embeddings, subject!);
  const hex = (keys: readonly (Uint8Array | undefined)[] | undefined) =>
    keys?.map((key) => key && Buffer.from(key).toString('hex'));
  const content = {
    events: [await store.events.count(TENANT), columns.rows, columns.sources],
    columns: Object.entries(columns).flatMap(([name, column]) =>
      ArrayBuffer.isView(column) ? [[name, digest(column)]] : [],
    ),
    arrays: [...arrays].map(([name, array]) => [name, array.constructor.name, digest(array)]),
    people: (await Array.fromAsync(store.people.all(TENANT))).toSorted((a, b) => byText(a.id, b.id)),
    items: (await Array.fromAsync(store.items.all(TENANT))).map(({ id, title }) => `${id} ${title}`).toSorted(byText),
    texts: (await store.people.texts(TENANT, subject!)).map(({ text }) => text),
    consents: [consents.epoch, consents.allows(subject!, 'audit', 'web'), consents.allows(withdrawn!, 'audit', 'web')],
    candidates: [hex(candidates?.items), candidates?.scores, hex(candidates?.reasons), candidates?.origin],
    segment: await store.served.segment(TENANT, embeddings, subject!),
    exposure: (await store.exposures.read(TENANT, 'request'))?.items.map(({ propensity }) => propensity),
    live: await store.releases.live(TENANT),
    pointer: await store.releases.pointer(TENANT),
    runs: runs.map((run) => [run?.state, run?.output, run?.error, run?.version]),
    pipelineRun: await store.pipelineRuns.read(`${TENANT}.refresh.1`),
  };
  return JSON.parse(JSON.stringify(content));
}
