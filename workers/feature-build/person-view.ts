/** Owns views whose features come from each person's own acts: a coordinator of the passes in features.task.ts. */
import { EVENT_TYPES, type EventType } from '../../shared/contract-kit/event.ts';
import { featuresOfView } from '../../shared/numerics/features/registry.ts';
import { interactionArrays } from '../../shared/numerics/interactions/weights.ts';
import { sharedFloat32 } from '../../shared/numerics/sparse.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import { sharesOf } from '../../shared/sources/registry.ts';
import { type ItemFacts, numberItems, readItemFacts } from '../reading/item-facts.ts';
import type { NumberedItems } from '../reading/numbered-items.task.ts';
import type { RunContext } from '../runtime/processor.ts';
import type { Basis, FeatureEvents, PersonView, RangeRequest, Shaped, ShapeRequest } from './features.task.ts';
import type { Profiles } from './profiles.ts';

const TASKS = new URL('./features.task.ts', import.meta.url).href;
/** People of one task: small enough that the threads end together. */
const PEOPLE_PER_TASK = 2_000;

export interface Catalogue {
  readonly numbered: NumberedItems;
  readonly facts: ItemFacts;
}

export interface PersonViewRequest {
  readonly view: PersonView;
  readonly events: FeatureEvents;
  readonly asOf: number;
  readonly halfLifeDays: number;
  readonly catalogue?: Catalogue;
  readonly profiles?: Profiles;
}

/** The items that rows name, and what the catalogue knows of them: it is read by the keys that occur, and finding them is a pass over all rows. */
export async function readCatalogue(
  columns: { readonly rows: number; readonly item: Uint8Array },
  asOf: number,
  context: RunContext,
): Promise<Catalogue> {
  const numbered = await numberItems(columns, context);
  return { numbered, facts: await readItemFacts(numbered.keys, context, asOf) };
}

export async function buildPersonView(request: PersonViewRequest, context: RunContext): Promise<Shaped> {
  const { view, events, asOf, halfLifeDays, catalogue, profiles } = request;
  const table = interactionArrays();
  const { runs } = events;
  const item = catalogue?.numbered.item;
  const items = (catalogue?.numbered.keys.length ?? 0) / KEY_BYTES;
  const met = item === undefined ? {} : { catalogue: { items, item } };
  const code = (type: EventType): number => EVENT_TYPES.indexOf(type);
  const impression = code('impression');
  const basis = await once<Basis>('findBasis', { events, table, asOf, impression, ...met }, context);
  const width = featuresOfView(view).length;
  const matrix = sharedFloat32(runs.subjects * width);
  const present = new Uint8Array(new SharedArrayBuffer(runs.subjects));
  const rows: Omit<RangeRequest, 'from' | 'to'> = {
    view,
    events,
    basis,
    table,
    shares: sharesOf(events.sourceNames),
    codes: { impression, view: code('view'), rating: code('rating') },
    asOf,
    halfLifeDays,
    ...(catalogue === undefined || item === undefined ? {} : { catalogue: { item, facts: catalogue.facts } }),
    ...(profiles === undefined ? {} : { profiles }),
    matrix,
    present,
  };
  await buildAll(rows, runs.subjects, context);
  // Segments are told by what tells people apart; what is read again later keeps its columns.
  const shape: ShapeRequest = { keys: runs.keys, width, matrix, present, telling: view === 'behaviour' };
  return once<Shaped>('shapeFeatures', shape, context);
}

async function once<T>(name: string, payload: unknown, { pool, signal }: RunContext): Promise<T> {
  const [answer] = await pool.runPhase<T>([{ module: TASKS, name, payload }], signal);
  return answer!;
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
