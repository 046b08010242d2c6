/**
 * Owns candidate-generation: the top items for every person of the data set who allows recommendations, without what they have met and what
 * has expired. People without an embedding of their own, or whose embedding learned from what they have withdrawn since, get what is popular.
 */
import { candidateGeneration } from '../../jobs/candidate-generation/contract.ts';
import type { ContractParsed } from '../../shared/contract-kit/define-job.ts';
import { AppError } from '../../shared/errors.ts';
import { loadEngine } from '../../shared/numerics/engine/load.ts';
import {
  type AdmittedEvents,
  type InteractionView,
  interactionView,
  isAdmitted,
  itemPopularity,
  seenItems,
} from '../../shared/numerics/interactions/interaction-view.ts';
import { rankByFactors } from '../../shared/numerics/ranking/rank-factors.ts';
import { sharedFloat32, sharedInt32 } from '../../shared/numerics/sparse.ts';
import { type DenseRows, KEY_BYTES, type RankedLists } from '../../shared/numerics/types.ts';
import type { DatasetVersion, NamedArray } from '../../shared/store/ports.ts';
import { admitFor, arrayOf, type LoadedEvents, loadEvents, readVersion } from '../reading/dataset.ts';
import { defineProcessor, type RunContext, type Written } from '../runtime/processor.ts';
import { readExpiry } from './expiry.ts';
import type { JoinedLists, PopularityOrder, Roster, RosterRequest } from './lists.task.ts';
import type { Histories } from './reasons.task.ts';
import type { Servable } from './servable.task.ts';

const TASKS = new URL('./lists.task.ts', import.meta.url).href;
const SERVABLE = new URL('./servable.task.ts', import.meta.url).href;
const REASONS = new URL('./reasons.task.ts', import.meta.url).href;
/** People of one task of reasons: small enough that the threads end together. */
const PEOPLE_PER_TASK = 1_000;
/** Half-life of popularity: what is popular now, not what ever was. */
const POPULARITY_HALF_LIFE_DAYS = 30;
const STEPS = 6;

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
  /** Items of the embeddings, then those that only occur in the data set; and when each expires. */
  readonly catalogue: { readonly keys: Uint8Array; readonly expiresAt: Float64Array };
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
  const { consentEpoch = 0, createdAt } = embeddings.version;
  const { subjects } = await store.consents.withdrawnSince(tenant, consentEpoch, ['recommendation'], createdAt);
  const { name: engine } = await loadEngine({});
  const events = await loadEvents(input.dataset, 'recommendation', context);
  const payload = { embeddingItems: embeddings.itemKeys, columns: events.columns };
  const keys = await inThread<Uint8Array>(SERVABLE, 'itemsToServe', payload, context);
  const catalogue = { keys, expiresAt: await readExpiry(keys, context) };
  return { input, embeddings, engine, catalogue, withdrawn: Buffer.concat(subjects), ...events };
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

async function inThread<T>(module: string, name: string, payload: unknown, { pool, signal }: RunContext): Promise<T> {
  const [answer] = await pool.runPhase<T>([{ module, name, payload }], signal);
  return answer!;
}

async function compute(loaded: Loaded, context: RunContext): Promise<Computed> {
  const { input, embeddings, catalogue, dataset } = loaded;
  let done = 0;
  const advance = (): void => context.progress({ done: ++done, total: STEPS, label: 'steps' });
  const events = await admitFor('recommendation', loaded, context);
  const moment = await inThread<number>(SERVABLE, 'momentOf', { events, asOf: dataset.asOf }, context);
  advance();
  const view = await interactionView(events, context);
  const popular = await orderPopular(view, loaded, moment, context);
  if (popular.servable === 0)
    throw new AppError('DATASET_EMPTY', {
      message: 'Every item has expired: nothing can be recommended.',
      details: { dataset: dataset.version, moment: new Date(moment).toISOString() },
    });
  advance();
  const { width, items } = embeddings;
  const factors = { rows: embeddings.itemKeys.length / KEY_BYTES, width, data: items };
  const servable = await inThread<Servable>(SERVABLE, 'keepServable', { ...catalogue, factors, moment }, context);
  const roster = await inThread<Roster>(TASKS, 'callRoster', rosterRequest(events, loaded), context);
  const k = Math.min(input.k, popular.servable);
  const model = await rankModel(events, roster, servable, k, context);
  advance();
  const reasons = await findReasons(view, roster, { model, factors, itemKeys: embeddings.itemKeys, servable }, context);
  advance();
  const popularLists = await rankPopular(events, roster, popular, k, context);
  advance();
  const { modelRow, popularRow } = roster;
  const ranked = { model, places: servable.places, reasons, popular: popularLists };
  const payload = { runKeys: events.runs.keys, k, roster: { modelRow, popularRow }, ...ranked };
  const lists = await inThread<JoinedLists>(TASKS, 'joinLists', payload, context);
  advance();
  return { loaded, k, lists, popular };
}

function rosterRequest(events: AdmittedEvents, { embeddings, withdrawn }: Loaded): RosterRequest {
  const { width, users, subjects } = embeddings;
  const admitted = new Uint8Array(events.runs.subjects);
  for (let s = 0; s < admitted.length; s++) admitted[s] = Number(isAdmitted(events, s));
  const userFactors = { rows: subjects.length / KEY_BYTES, width, data: users };
  return { runKeys: events.runs.keys, admitted, embedded: subjects, withdrawn, userFactors };
}

async function orderPopular(
  view: InteractionView,
  { embeddings, catalogue }: Loaded,
  moment: number,
  context: RunContext,
): Promise<PopularityOrder> {
  const decay = { asOf: moment, halfLifeDays: POPULARITY_HALF_LIFE_DAYS };
  const popularity = await itemPopularity(view, decay, context);
  const known = { embeddingItems: embeddings.itemKeys, viewItems: view.itemKeys };
  return inThread(TASKS, 'orderByPopularity', { ...known, popularity, ...catalogue, moment }, context);
}

/** Full ranking by the embeddings of what may be recommended, without what people have met. */
async function rankModel(
  events: AdmittedEvents,
  { modelKeys, modelFactors, modelRow }: Roster,
  { itemKeys, factors: items }: Servable,
  k: number,
  context: RunContext,
): Promise<RankedLists> {
  const rows = modelFactors.rows;
  const none = {
    users: rows,
    k,
    items: sharedInt32(rows * k).fill(-1),
    scores: sharedFloat32(rows * k).fill(-Infinity),
  };
  if (rows === 0 || items.rows === 0) return none;
  const exclude = await seenItems(events, { rowOf: modelRow, rows, itemKeys }, context);
  const factors = { users: modelFactors, items, userKeys: modelKeys, itemKeys };
  return rankByFactors(factors, { k, exclude, signal: context.signal }, context);
}

/** For each place of the model's lists the liking that it resembles most; see reasons.task.ts. */
async function findReasons(
  view: InteractionView,
  { modelKeys }: Roster,
  ranked: {
    readonly model: RankedLists;
    readonly factors: DenseRows;
    readonly itemKeys: Uint8Array;
    readonly servable: Servable;
  },
  context: RunContext,
): Promise<Int32Array> {
  const { model, factors, itemKeys, servable } = ranked;
  const reasons = sharedInt32(model.items.length).fill(-1);
  const histories = await inThread<Histories>(REASONS, 'latestLikings', { view, people: modelKeys, itemKeys }, context);
  const unit = await inThread<DenseRows>(REASONS, 'unitRows', { factors }, context);
  const shared = { k: model.k, items: model.items, places: servable.places, histories, unit, reasons };
  const { pool, signal } = context;
  const perPhase = PEOPLE_PER_TASK * pool.threads;
  for (let begin = 0; begin < model.users; begin += perPhase) {
    const tasks = Array.from({ length: pool.threads }, (_, n) => begin + n * PEOPLE_PER_TASK)
      .filter((from) => from < model.users)
      .map((from) => ({ from, to: Math.min(model.users, from + PEOPLE_PER_TASK) }))
      .map((range) => ({ module: REASONS, name: 'findReasons', payload: Object.assign(range, shared) }));
    await pool.runPhase(tasks, signal);
  }
  return reasons;
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
  return inThread(TASKS, 'rankByPopularity', { order, scores, seen, k }, context);
}

async function write(
  { loaded, k, lists, popular }: Computed,
  context: RunContext,
): Promise<Written<typeof candidateGeneration>> {
  const { store, tenant, runKey, fence, consentEpoch, codeVersion, pool } = context;
  const { input, dataset, embeddings } = loaded;
  const { subjects, items, scores, reasons, fromPopularity, shown } = lists;
  const { itemKeys } = popular;
  const users = subjects.length / KEY_BYTES;
  const fallback = [...popular.order.subarray(0, k)];
  const draft = await store.versions.draft(tenant, runKey, fence, users, [
    { name: 'subjects', data: subjects },
    { name: 'itemKeys', data: itemKeys },
    { name: 'items', data: items },
    { name: 'scores', data: scores },
    { name: 'reasons', data: reasons },
    { name: 'fromPopularity', data: fromPopularity },
  ]);
  const meta = embeddings.version.meta;
  const engine = loaded.engine;
  const lineage = { inputs: [input.dataset, input.embeddings], engine, threads: pool.threads };
  const catalogue = popular.servable;
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
    reasons,
    fallback,
    fallbackScores: popular.scores.subarray(0, k),
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
