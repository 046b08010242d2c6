/**
 * Owns the canonical view of a data set: who likes what, among the people who allow it. A coordinator; passes over rows run in threads,
 * consent is asked on the calling thread, person by person.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { cancellation } from '../../compute/cancellation.ts';
import type { ComputePool } from '../../compute/task.ts';
import { KEY_BYTES, type SparseRows, type TrainInput } from '../types.ts';
import type { AdmittedEvents, EventArrays, InteractionView, SubjectRuns } from './columns.ts';
import type { SplitPairs, SplitRequest } from './split.task.ts';
import { interactionArrays } from './weights.ts';

export type { AdmittedEvents, EventArrays, InteractionView, SubjectRuns } from './columns.ts';
export { INTERACTION_TABLE, INTERACTION_TABLE_VERSION } from './weights.ts';

const TASKS = new URL('./interactions.task.ts', import.meta.url).href;
/** People asked about between two turns of the event loop. */
const ASKED_PER_TURN = 5_000;

export interface ViewContext {
  readonly pool: ComputePool;
  readonly signal?: AbortSignal;
}

async function inThread<T>(name: string, payload: unknown, { pool, signal }: ViewContext): Promise<T> {
  const [answer] = await pool.runPhase<T>([{ module: TASKS, name, payload }], signal);
  return answer!;
}

/**
 * Finds the people of the columns and asks for each (person, source) that occurs whether its rows may be read.
 * `allows` must be quick: it is called on the event loop.
 */
export async function admitEvents(
  columns: EventArrays & { readonly sources: readonly string[] },
  allows: (subject: Uint8Array, source: string) => boolean,
  context: ViewContext,
): Promise<AdmittedEvents> {
  const sources = columns.sources.length;
  const runs = await inThread<SubjectRuns>('findSubjects', { columns }, context);
  const present = await inThread<Uint8Array>('findSources', { columns, runs, sources }, context);
  const allowed = await askEach({ keys: runs.keys, present, sourceNames: columns.sources }, allows, context.signal);
  return { columns, runs, sources, sourceNames: columns.sources, allowed };
}

/**
 * Asks for each person and source that occur together (`present`: 1 at [person * sources + source]) whether the one may be read for the other; on shared
 * memory. `allows` is called on the event loop, with room for others in between.
 */
export async function askEach(
  asked: { readonly keys: Uint8Array; readonly present: Uint8Array; readonly sourceNames: readonly string[] },
  allows: (subject: Uint8Array, source: string) => boolean,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { keys, present, sourceNames } = asked;
  const allowed = new Uint8Array(new SharedArrayBuffer(present.length));
  for (let person = 0; person * KEY_BYTES < keys.length; person++) {
    if (person % ASKED_PER_TURN === ASKED_PER_TURN - 1) {
      await breathe();
      if (signal?.aborted) throw cancellation(signal);
    }
    const key = keys.slice(person * KEY_BYTES, (person + 1) * KEY_BYTES);
    for (const [source, name] of sourceNames.entries()) {
      const at = person * sourceNames.length + source;
      if (present[at] === 1 && allows(key, name)) allowed[at] = 1;
    }
  }
  return allowed;
}

/** True when any of the person's rows may be read; `s` is their place in the runs. */
export function isAdmitted({ allowed, sources }: AdmittedEvents, s: number): boolean {
  for (let at = s * sources; at < (s + 1) * sources; at++) if (allowed[at] === 1) return true;
  return false;
}

/**
 * Who likes what (see `InteractionView`). `metAfter`: only pairs of which nothing recorded up to that moment shows that the person had met
 * the item; what somebody took up after a list was made, for instance.
 */
export async function interactionView(
  events: AdmittedEvents,
  context: ViewContext,
  metAfter?: number,
): Promise<InteractionView> {
  const payload = { ...events, table: interactionArrays(), ...(metAfter === undefined ? {} : { metAfter }) };
  return inThread('findInteractions', payload, context);
}

/** What people have met, as rows of `rowOf` (-1 leaves a person out) over the given items; see `SeenRequest`. */
export async function seenItems(
  events: AdmittedEvents,
  target: { readonly rowOf: Int32Array; readonly rows: number; readonly itemKeys: Uint8Array },
  context: ViewContext,
): Promise<SparseRows> {
  return inThread('findSeen', { ...events, ...target, table: interactionArrays() }, context);
}

/** Decayed number of people who like each item of the view, in its order. */
export async function itemPopularity(
  { influence, interactions, times }: Pick<InteractionView, 'interactions' | 'times' | 'influence'>,
  decay: { readonly asOf: number; readonly halfLifeDays: number },
  context: ViewContext,
): Promise<Float64Array> {
  return inThread('decayedPopularity', { interactions, times, influence, ...decay }, context);
}

/** Holds a share of the pairs out, by a hash of (seed, user, item). */
export async function holdOut<View extends TrainInput>(
  request: SplitRequest<View>,
  { pool, signal }: ViewContext,
): Promise<SplitPairs<View>> {
  const task = { module: new URL('./split.task.ts', import.meta.url).href, name: 'splitPairs', payload: request };
  const [answer] = await pool.runPhase<SplitPairs<View>>([task], signal);
  return answer!;
}
