/** Owns feature-build: behaviour features per person at a moment, from what had occurred and been recorded by then. */
import { featureBuild } from '../../jobs/feature-build/contract.ts';
import type { ContractParsed } from '../../shared/contract-kit/define-job.ts';
import { EVENT_TYPES, type EventType } from '../../shared/contract-kit/event.ts';
import { AppError } from '../../shared/errors.ts';
import { type InteractionArrays, interactionArrays } from '../../shared/numerics/interactions/weights.ts';
import { sharedFloat32 } from '../../shared/numerics/sparse.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import { admitFor, type LoadedEvents, loadEvents } from '../reading/dataset.ts';
import { defineProcessor, type RunContext, type Written } from '../runtime/processor.ts';
import { FEATURES } from './feature-list.ts';
import { type ItemFacts, numberItems, readItemFacts } from '../reading/item-facts.ts';
import type { NumberedItems } from '../reading/numbered-items.task.ts';
import type { Basis, FeatureEvents, RangeRequest, Shaped } from './features.task.ts';

const TASKS = new URL('./features.task.ts', import.meta.url).href;
/** People of one task: small enough that the threads end together. */
const PEOPLE_PER_TASK = 2_000;

interface Loaded extends LoadedEvents {
  readonly asOf: number;
  readonly halfLifeDays: number;
  readonly numbered: NumberedItems;
  readonly facts: ItemFacts;
}
interface Computed extends Shaped {
  readonly dataset: string;
  readonly asOf: number;
  readonly halfLifeDays: number;
}

async function load(input: ContractParsed<typeof featureBuild>, context: RunContext): Promise<Loaded> {
  const events = await loadEvents(input.dataset, context);
  // The catalogue is read by the keys that occur; finding them is a pass over all rows.
  const numbered = await numberItems(events.columns, context);
  const facts = await readItemFacts(numbered.keys, context);
  return { ...events, numbered, facts, asOf: input.asOf ?? events.dataset.asOf, halfLifeDays: input.halfLifeDays };
}

async function once<T>(name: string, payload: unknown, { pool, signal }: RunContext): Promise<T> {
  const [answer] = await pool.runPhase<T>([{ module: TASKS, name, payload }], signal);
  return answer!;
}

async function compute(loaded: Loaded, context: RunContext): Promise<Computed> {
  const { columns, numbered, facts, asOf, halfLifeDays, dataset } = loaded;
  const admitted = await admitFor('segmentation', loaded, context);
  const events: FeatureEvents = { ...admitted, columns };
  const { runs } = admitted;
  const table: InteractionArrays = interactionArrays();
  const items = numbered.keys.length / KEY_BYTES;
  const basis = await once<Basis>('findBasis', { events, table, asOf, items, item: numbered.item }, context);
  const matrix = sharedFloat32(runs.subjects * FEATURES.length);
  const present = new Uint8Array(new SharedArrayBuffer(runs.subjects));
  const code = (type: EventType): number => EVENT_TYPES.indexOf(type);
  const codes = { impression: code('impression'), view: code('view'), rating: code('rating') };
  const request = { events, basis, table, codes, item: numbered.item, facts, asOf, halfLifeDays, matrix, present };
  await buildAll(request, runs.subjects, context);
  const shaped = await once<Shaped>('shapeFeatures', { keys: runs.keys, matrix, present }, context);
  if (shaped.rows === 0)
    throw new AppError('DATASET_EMPTY', { message: 'Nobody had done anything by then.', details: { asOf } });
  return { ...shaped, dataset: dataset.version, asOf, halfLifeDays };
}

async function buildAll(
  request: Omit<RangeRequest, 'from' | 'to'>,
  subjects: number,
  { pool, signal, progress }: RunContext,
): Promise<void> {
  const perPhase = PEOPLE_PER_TASK * pool.threads;
  for (let begin = 0; begin < subjects; begin += perPhase) {
    const tasks = Array.from({ length: pool.threads }, (_, n) => begin + n * PEOPLE_PER_TASK)
      .filter((from) => from < subjects)
      .map((from) => ({ from, to: Math.min(subjects, from + PEOPLE_PER_TASK) }))
      .map((range) => ({ module: TASKS, name: 'buildRange', payload: Object.assign(range, request) }));
    await pool.runPhase(tasks, signal);
    progress({ done: Math.min(subjects, begin + perPhase), total: subjects, label: 'people' });
  }
}

async function write(computed: Computed, context: RunContext): Promise<Written<typeof featureBuild>> {
  const { store, tenant, runKey, fence, consentEpoch, codeVersion } = context;
  const { rows, subjects, matrix, dataset, asOf, halfLifeDays } = computed;
  const features = computed.kept.map((column) => FEATURES[column]!);
  const draft = await store.versions.draft(tenant, runKey, fence, rows, [
    { name: 'subjects', data: subjects },
    { name: 'matrix', data: matrix },
  ]);
  const lineage = { inputs: [dataset], threads: context.pool.threads, engine: 'js' };
  const { version } = await store.versions.write({
    ...draft,
    tenant,
    kind: 'features',
    runKey,
    fence,
    asOf,
    consentEpoch,
    inputs: lineage.inputs,
    codeVersion,
    meta: { features, halfLifeDays, missing: 'NaN' },
  });
  return { output: { version, rows, features, consentEpoch }, version, lineage };
}

// Nothing of a features version is served; segmentation asks for consent again, and the executor marks it stale.
export default defineProcessor({ contract: featureBuild, load, compute, write });
