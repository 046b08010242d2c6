/**
 * Owns the proof of erasure on a data set: four people leave a store one after the other, and after each nothing that anybody can open tells of them, and
 * what is trained is what a store gives in which they have never been.
 *
 * That other store is filled from the end: first without all four, then the last of them comes in, then the one before. So at each point it holds whom the
 * first store holds and has never had whom the first store has erased, in batches of another size and order.
 */
import { hash } from 'node:crypto';
import { MongoClient } from 'mongodb';
import { expect } from 'vitest';
import { connect, type Millrace } from '../../jobs/client/index.ts';
import { buildGateway } from '../../jobs/gateway/build.ts';
import type { FeatureView } from '../../shared/contract-kit/feature-views.ts';
import type { SubjectKey } from '../../shared/store/ports.ts';
import { rollBack } from '../../shared/store/release-pointer.ts';
import { decodedRedis, decodedStore } from '../decoding.ts';
import { asUser, type Running, type User } from '../end-to-end/as-a-user.ts';
import { mongodbUrl, TEST_KEYS } from '../services.ts';
import { batchesOf, canariesOf, type DataSet, type Filled } from './data-set.ts';

const TENANT = 'main';
const BATCHES_AT_ONCE = 4;
/** As docs/privacy.md promises. */
const ERASURE_MS_MAX = 60_000;
/** Of more people one release is enough: each takes as long as all the rest. */
const SMALL = 100;
const VIEWS = ['behaviour', 'network'] as const satisfies readonly FeatureView[];

interface Deployment extends AsyncDisposable {
  readonly user: User;
  readonly client: Millrace;
  readonly worker: Running;
}

async function deployment(): Promise<Deployment> {
  await using stack = new AsyncDisposableStack();
  const user = stack.use(await asUser());
  // As much as it ever says: what is not in its words now is in no log.
  const worker = user.start('workers/main.ts', [], { MILLRACE_LOG: 'debug' });
  await worker.line(/^\{"ready"/);
  const client = stack.use(
    connect({ redis: user.env['REDIS_URL']!, prefix: user.services.prefix, seal: TEST_KEYS.sealKeys }),
  );
  const owned = stack.move();
  return { user, client, worker, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function fill({ client }: Deployment, set: DataSet, people: Filled, seed: number): Promise<void> {
  const order = ['items', 'consents', 'people', 'events'];
  const batches = [...batchesOf(set, people, seed)];
  for (const what of order) {
    const own = batches.filter((batch) => what in batch);
    for (let from = 0; from < own.length; from += BATCHES_AT_ONCE)
      for (const done of own.slice(from, from + BATCHES_AT_ONCE).map(async (batch) => {
        const { rejected } = await (await client.ingestion.enqueue(batch as never)).done();
        expect(rejected).toEqual([]);
      }))
        await done;
  }
}

/** What is trained and counted from what is there now, as hashes of every array. */
async function made({ client, user }: Deployment, asOf: number): Promise<Record<string, string>> {
  const { store } = user.services;
  const compacted = (await (await client.ingestion.enqueue({ compact: {} } as never)).done()) as unknown as {
    dataset: { version: string };
  };
  const dataset = compacted.dataset.version;
  const params = { factors: 8, epochs: 3 };
  const versions = new Map<string, string>();
  const train = await client
    .job('embedding-training')
    .enqueue({ dataset, model: 'ials', params, holdout: 0, plainSimd: true });
  versions.set('ials', (await train.done()).version);
  for (const view of VIEWS)
    versions.set(view, (await (await client.job('feature-build').enqueue({ dataset, view, asOf })).done()).version);
  const hashes: Record<string, string> = {};
  for (const [what, version] of versions)
    for (const [name, data] of await store.versions.arrays(TENANT, await store.versions.read(TENANT, version)))
      hashes[`${what}.${name}`] = hash('sha256', new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hashes;
}

/** Places that hold any of the needles, once everything is opened that any key opens. */
export async function placesOf(user: User, needles: readonly (string | Uint8Array)[]): Promise<string[]> {
  const { redis, prefix, database } = user.services;
  const places: string[] = [];
  const look = ({ place, bytes }: { place: string; bytes: Buffer }): void => {
    if (needles.some((needle) => bytes.includes(typeof needle === 'string' ? needle : Buffer.from(needle))))
      places.push(place);
  };
  const mongo = await MongoClient.connect(mongodbUrl);
  try {
    for await (const decoded of decodedStore(mongo.db(database))) look(decoded);
  } finally {
    await mongo.close();
  }
  for await (const decoded of decodedRedis(redis, prefix)) look(decoded);
  return places;
}

const needlesOf = (name: string, subject: SubjectKey): (string | Uint8Array)[] => [
  ...canariesOf(name),
  subject,
  Buffer.from(subject).toString('hex'),
];

async function refresh({ client, user }: Deployment): Promise<string> {
  const { state } = await (await client.pipelines.refresh.start({})).done();
  expect(state).toBe('committed');
  return (await user.services.store.releases.live(TENANT))!.version;
}

/** What learned from the person is out of reach by every way that leads to it. */
async function expectUnservable(
  { user, client }: Deployment,
  releases: readonly string[],
  left: string,
): Promise<void> {
  const { store, config } = user.services;
  for (const release of releases)
    await expect(rollBack(store, TENANT, { by: 'proof' }, release)).rejects.toMatchObject({ code: 'DATASET_ERASED' });
  const { embeddings, dataset } = (await store.releases.read(TENANT, releases[0]!))!;
  for (const version of [embeddings!, dataset!])
    await expect(store.versions.read(TENANT, version)).rejects.toMatchObject({ code: 'DATASET_ERASED' });
  for (const words of [
    ['export', 'embeddings', '--format', 'npy', '--out', `${user.folder}/x.npy`],
    ['release', 'rollback', releases[0]!],
    ['models', 'card', embeddings!],
  ]) {
    const { code, stderr, stdout } = await user.millrace(...words);
    expect([words.join(' '), code === 0, /DATASET_ERASED|erased/.test(stderr + stdout)]).toEqual([
      words.join(' '),
      false,
      true,
    ]);
  }
  const ranked = client.job('candidate-generation').enqueue({ dataset: dataset!, embeddings: embeddings! });
  await expect((await ranked).done()).rejects.toMatchObject({ code: 'DATASET_ERASED' });
  const gateway = await buildGateway({ store, config });
  const { secret } = await store.apiKeys.create(TENANT, 'proof', ['recommendations:read']);
  const answer = await gateway.inject({
    url: `/v1/recommendations/${left}`,
    headers: { authorization: `Bearer ${secret}` },
  });
  expect(answer.json().origin).toBe('popularity');
  await gateway.close();
}

export interface Proof {
  /** Seconds of each erasure, by who left. */
  readonly seconds: Readonly<Record<string, number>>;
  readonly events: number;
  /** Everything that workers said. */
  readonly said: string;
}

export async function prove(set: DataSet): Promise<Proof> {
  await using mill = await deployment();
  await using fresh = await deployment();
  const { store } = mill.user.services;
  const everybody = new Set(set.users);
  const asOf = Math.max(...set.acts.map(({ at }) => at)) + 1;
  await fill(mill, set, { own: everybody, there: everybody }, 0);
  const releases = [await refresh(mill)];
  if (set.users.length <= SMALL) releases.push(await refresh(mill));
  const leaving = Object.entries(set.leaving);
  const left: Record<string, string>[] = [];
  const seconds: Record<string, number> = {};
  const sight = needlesOf(leaving[0]![1], store.people.keys(TENANT, [leaving[0]![1]])[0]!);
  const before = await placesOf(mill.user, sight);
  for (const place of ['people/', 'person_texts/', 'blocks/', 'consent_log/', 'candidates/'])
    expect([place, before.some((one) => one.startsWith(place))]).toEqual([place, true]);
  const gone: (string | Uint8Array)[] = [];
  for (const [role, name] of leaving) {
    const began = performance.now();
    const { report } = await (await mill.client.governance.enqueue({ act: 'erase', user: name })).done();
    seconds[role] = (performance.now() - began) / 1000;
    gone.push(...needlesOf(name, store.people.keys(TENANT, [name])[0]!));
    const signed = (await store.erasures.read(TENANT, report!))!.report;
    expect(signed.finishedAt - signed.requestedAt).toBeLessThan(ERASURE_MS_MAX);
    expect(signed.artefacts.every((artefact) => artefact.left === 0)).toBe(true);
    expect([role, await placesOf(mill.user, gone)]).toEqual([role, []]);
    if (left.length === 0) await expectUnservable(mill, releases, name);
    left.push(await made(mill, asOf));
  }
  const names = leaving.map(([, name]) => name);
  const others = new Set([...everybody].filter((user) => !names.includes(user)));
  await fill(fresh, set, { own: others, there: others }, 1);
  for (let n = names.length - 1; n >= 0; n--) {
    expect([n, await made(fresh, asOf)]).toEqual([n, left[n]]);
    const back = names[n]!;
    others.add(back);
    if (n > 0) await fill(fresh, set, { own: new Set([back]), there: others }, n + 2);
  }
  const events = await store.events.count(TENANT);
  return { seconds, events, said: mill.worker.said() + fresh.worker.said() };
}
