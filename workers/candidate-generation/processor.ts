/**
 * Owns candidate-generation: the top items for every person of the data set who allows recommendations, without what they have met. People
 * without an embedding of their own, or whose embedding learned from what they have withdrawn since, get what is popular.
 */
import { candidateGeneration } from '../../jobs/candidate-generation/contract.ts';
import type { ContractParsed } from '../../shared/contract-kit/define-job.ts';
import { loadEngine } from '../../shared/numerics/engine/load.ts';
import {
  type AdmittedEvents,
  interactionView,
  isAdmitted,
  itemPopularity,
  seenItems,
} from '../../shared/numerics/interactions/interaction-view.ts';
import { rankByFactors } from '../../shared/numerics/ranking/rank-factors.ts';
import { KEY_BYTES, type RankedLists } from '../../shared/numerics/types.ts';
import type { DatasetVersion, NamedArray } from '../../shared/store/ports.ts';
import { admitFor, arrayOf, type LoadedEvents, loadEvents, readVersion } from '../reading/dataset.ts';
import { defineProcessor, type RunContext, type Written } from '../runtime/processor.ts';
import type { JoinedLists, PopularityOrder, Roster, RosterRequest } from './lists.task.ts';

const TASKS = new URL('./lists.task.ts', import.meta.url).href;
/** Half-life of popularity: what is popular now, not what ever was. */
const POPULARITY_HALF_LIFE_DAYS = 30;
const STEPS = 5;

type Input = ContractParsed<typeof candidateGeneration>;

interface Embeddings {
  readonly version: DatasetVersion;
  readonly subjects: Uint8Array;
  readonly itemKeys: Uint8Array;
  readonly users: Float32Array;
  readonly items: Float32Array;
  readonly width: number;
}
interface Loaded extends LoadedEvents {
  readonly input: Input;
  readonly embeddings: Embeddings;
  /** 16 bytes a person. */
  readonly withdrawn: Uint8Array;
  /** What ranks. */
  readonly engine: string;
}
interface Computed {
  readonly loaded: Loaded;
  readonly k: number;
  readonly lists: JoinedLists;
  readonly popular: PopularityOrder;
}

async function load(input: Input, context: RunContext): Promise<Loaded> {
  const { store, tenant } = context;
  const embeddings = await readEmbeddings(input.embeddings, context);
  const since = embeddings.version.consentEpoch ?? 0;
  const { subjects } = await store.consents.withdrawnSince(tenant, since, ['recommendation']);
  const { name: engine } = await loadEngine({});
  return {
    input,
    embeddings,
    engine,
    withdrawn: Buffer.concat(subjects),
    ...(await loadEvents(input.dataset, context)),
  };
}

async function readEmbeddings(id: string, context: RunContext): Promise<Embeddings> {
  const version = await readVersion(id, 'embeddings', context);
  const arrays: Map<string, NamedArray['data']> = await context.store.versions.arrays(context.tenant, version);
  const subjects = arrayOf(arrays, 'subjects', Uint8Array);
  const users = arrayOf(arrays, 'userFactors', Float32Array);
  return {
    version,
    subjects,
    users,
    itemKeys: arrayOf(arrays, 'itemKeys', Uint8Array),
    items: arrayOf(arrays, 'itemFactors', Float32Array),
    width: (users.length / subjects.length) * KEY_BYTES,
  };
}

async function inThread<T>(name: string, payload: unknown, { pool, signal }: RunContext): Promise<T> {
  const [answer] = await pool.runPhase<T>([{ module: TASKS, name, payload }], signal);
  return answer!;
}

async function compute(loaded: Loaded, context: RunContext): Promise<Computed> {
  const { input, embeddings, withdrawn, dataset } = loaded;
  let done = 0;
  const advance = (): void => context.progress({ done: ++done, total: STEPS, label: 'steps' });
  const events = await admitFor('recommendation', loaded, context);
  advance();
  const popular = await orderPopular(events, embeddings.itemKeys, dataset.asOf, context);
  advance();
  const admitted = Uint8Array.from({ length: events.runs.subjects }, (_, s) => Number(isAdmitted(events, s)));
  const { width, users, subjects } = embeddings;
  const userFactors = { rows: subjects.length / KEY_BYTES, width, data: users };
  const request: RosterRequest = { runKeys: events.runs.keys, admitted, embedded: subjects, withdrawn, userFactors };
  const roster = await inThread<Roster>('callRoster', request, context);
  const k = Math.min(input.k, popular.itemKeys.length / KEY_BYTES);
  const model = await rankModel(events, roster, embeddings, k, context);
  advance();
  const popularLists = await rankPopular(events, roster, popular, k, context);
  advance();
  const { modelRow, popularRow } = roster;
  const payload = { runKeys: events.runs.keys, k, roster: { modelRow, popularRow }, model, popular: popularLists };
  const lists = await inThread<JoinedLists>('joinLists', payload, context);
  advance();
  return { loaded, k, lists, popular };
}

async function orderPopular(
  events: AdmittedEvents,
  embeddingItems: Uint8Array,
  asOf: number,
  context: RunContext,
): Promise<PopularityOrder> {
  const view = await interactionView(events, context);
  const popularity = await itemPopularity(view, { asOf, halfLifeDays: POPULARITY_HALF_LIFE_DAYS }, context);
  return inThread('orderByPopularity', { embeddingItems, viewItems: view.itemKeys, popularity }, context);
}

/** Full ranking by the embeddings, without what people have met. */
async function rankModel(
  events: AdmittedEvents,
  { modelKeys, modelFactors, modelRow }: Roster,
  { itemKeys, items, width }: Embeddings,
  k: number,
  context: RunContext,
): Promise<RankedLists> {
  const rows = modelFactors.rows;
  if (rows === 0) return { users: 0, k, items: new Int32Array(0), scores: new Float32Array(0) };
  const exclude = await seenItems(events, { rowOf: modelRow, rows, itemKeys }, context);
  const itemFactors = { rows: itemKeys.length / KEY_BYTES, width, data: items };
  const factors = { users: modelFactors, items: itemFactors, userKeys: modelKeys, itemKeys };
  return rankByFactors(factors, { k, exclude, signal: context.signal }, context);
}

async function rankPopular(
  events: AdmittedEvents,
  { popularKeys, popularRow }: Roster,
  { itemKeys, order, scores }: PopularityOrder,
  k: number,
  context: RunContext,
): Promise<RankedLists> {
  const rows = popularKeys.length / KEY_BYTES;
  const seen = await seenItems(events, { rowOf: popularRow, rows, itemKeys }, context);
  return inThread('rankByPopularity', { order, scores, seen, k }, context);
}

async function write(
  { loaded, k, lists, popular }: Computed,
  context: RunContext,
): Promise<Written<typeof candidateGeneration>> {
  const { store, tenant, runKey, fence, consentEpoch, codeVersion, pool } = context;
  const { input, dataset, embeddings } = loaded;
  const { subjects, items, scores, fromPopularity, shown } = lists;
  const { itemKeys } = popular;
  const users = subjects.length / KEY_BYTES;
  const fallback = [...popular.order.subarray(0, k)];
  const draft = await store.versions.draft(tenant, runKey, fence, users, [
    { name: 'subjects', data: subjects },
    { name: 'itemKeys', data: itemKeys },
    { name: 'items', data: items },
    { name: 'scores', data: scores },
    { name: 'fromPopularity', data: fromPopularity },
  ]);
  const meta = embeddings.version.meta;
  const engine = loaded.engine;
  const lineage = { inputs: [input.dataset, input.embeddings], engine, threads: pool.threads };
  const catalogue = itemKeys.length / KEY_BYTES;
  const { version } = await store.versions.write({
    ...draft,
    tenant,
    kind: 'candidates',
    runKey,
    fence,
    asOf: dataset.asOf,
    consentEpoch,
    inputs: lineage.inputs,
    codeVersion,
    meta: {
      k,
      model: meta['model'],
      embeddings: input.embeddings,
      catalogue,
      fromPopularity: fromPopularity.reduce((a, b) => a + b, 0),
    },
  });
  await store.served.writeCandidates(tenant, version, {
    subjects,
    itemKeys,
    k,
    items,
    scores,
    fallback,
    fromPopularity,
  });
  const output = {
    version,
    users,
    k,
    fallbackItems: fallback.length,
    coverage: shown / catalogue,
    engine,
    consentEpoch,
  };
  return { output, version, lineage };
}

export default defineProcessor({
  contract: candidateGeneration,
  load,
  compute,
  write,
  withdraw: ({ output }, subjects, { store, tenant }) => store.served.drop(tenant, output.version, subjects),
});
