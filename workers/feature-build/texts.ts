/**
 * Owns reading what people wrote with their acts, for features: opened person by person at load, and in memory alone. A text counts when its act does: it
 * has occurred, been recorded, and may be read.
 */
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import { contextOf } from '../../shared/sources/mobile/payload.ts';
import type { RunContext } from '../runtime/processor.ts';
import type { FeatureEvents } from './features.task.ts';
import type { TextRows, TextRowsRequest, WrittenText } from './text.task.ts';

const TASKS = new URL('./text.task.ts', import.meta.url).href;
/** People opened at once. */
const PEOPLE_IN_FLIGHT = 16;
/** Of one person the latest are read. */
export const TEXTS_OF_A_PERSON_MAX = 200;
/** Of all people together: some hundred megabytes. */
const TEXTS_MAX = 1_000_000;

export interface Written {
  /** Numbers of the people who wrote anything. */
  readonly subjects: readonly number[];
  readonly texts: readonly (readonly WrittenText[])[];
}

export async function readTexts(
  events: FeatureEvents,
  asOf: number,
  of: TextRowsRequest['of'],
  context: RunContext,
): Promise<Written> {
  const { pool, signal } = context;
  const payload: TextRowsRequest = { events, asOf, of };
  const [found] = await pool.runPhase<TextRows>([{ module: TASKS, name: 'findTextRows', payload }], signal);
  const written: { readonly subjects: number[]; readonly texts: WrittenText[][] } = { subjects: [], texts: [] };
  let left = TEXTS_MAX;
  for (let from = 0; from < found!.people.length && left > 0; from += PEOPLE_IN_FLIGHT) {
    signal.throwIfAborted();
    const places = [...found!.people.subarray(from, from + PEOPLE_IN_FLIGHT).keys()].map((n) => from + n);
    const opened = await Promise.all(places.map((place) => textsOf(events, found!, place, of, context)));
    for (const [n, texts] of opened.entries()) {
      if (texts.length === 0) continue;
      written.subjects.push(found!.people[places[n]!]!);
      written.texts.push(texts);
      left -= texts.length;
    }
  }
  return written;
}

/** One person's texts that count, the latest, in order of time. */
async function textsOf(
  { columns, runs }: FeatureEvents,
  { people, starts, rows }: TextRows,
  place: number,
  of: TextRowsRequest['of'],
  { store, tenant }: RunContext,
): Promise<WrittenText[]> {
  const s = people[place]!;
  const rowOf = new Map<string, number>();
  for (const row of rows.subarray(starts[place], starts[place + 1]))
    rowOf.set(Buffer.from(columns.eventId.subarray(row * KEY_BYTES, (row + 1) * KEY_BYTES)).toString('hex'), row);
  const subject = Uint8Array.from(runs.keys.subarray(s * KEY_BYTES, (s + 1) * KEY_BYTES));
  const own = await store.people.texts(tenant, subject);
  return own
    .flatMap(({ eventId, text }): WrittenText[] => {
      const row = rowOf.get(Buffer.from(eventId).toString('hex'));
      // What an app notes of where somebody is lies among their words.
      if (row === undefined || (contextOf(text) !== undefined) !== (of === 'notes')) return [];
      return [{ text, at: columns.occurredAt[row]!, source: columns.source[row]! }];
    })
    .sort((a, b) => a.at - b.at || Number(a.text > b.text) - Number(a.text < b.text))
    .slice(-TEXTS_OF_A_PERSON_MAX);
}
