/** Owns the data sets that the command can load: the simulated platform, MovieLens folders, files of events. */
import { AppError } from '../../shared/errors.ts';
import { openMovieLens } from '../../shared/sources/movielens/index.ts';
import { describe, SIMULATED_SOURCE, type SimulationOptions, simulate } from '../../shared/sources/simulated/index.ts';
import type { RecordSource } from './load-records.ts';

export interface DataSet {
  readonly title: string;
  /** `2,000 people, 5,000 videos, 400,000 events`. */
  readonly summary: string;
  readonly records: RecordSource;
  /** Three people for a newcomer to look at, with what is known of them. */
  readonly showcase: readonly { readonly user: string; readonly name: string }[];
}

const BATCH = 1_000;
const number = new Intl.NumberFormat('en');

function* batches<T>(records: Iterable<T>): Generator<T[]> {
  let batch: T[] = [];
  for (const record of records) {
    batch.push(record);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

export function simulatedDataSet(options: SimulationOptions = {}): DataSet {
  const simulation = simulate(options);
  const { people, videos, events } = simulation.settings;
  const humans = [...simulation.people()];
  const consenting = new Set(
    [...simulation.consents()]
      .filter((c) => c.state === 'given' && c.purposes.includes('recommendation'))
      .map((c) => c.user),
  );
  const showcase = humans
    .filter((person) => consenting.has(person.id) && describe(person) !== '')
    .slice(0, 3)
    .map((person) => ({ user: person.id, name: `${person.name ?? person.id} (${describe(person)})` }));
  return {
    title: 'simulated platform',
    summary: `${number.format(people)} people, ${number.format(videos)} videos, about ${number.format(events)} events; all of it simulated`,
    showcase,
    records: {
      source: SIMULATED_SOURCE,
      items: batches(simulation.items()),
      people: batches(humans),
      consents: batches(simulation.consents()),
      events: batches(simulation.events()),
      total: humans.length * 2 + videos + events,
    },
  };
}

export async function movieLensDataSet(dir: string, signal: AbortSignal, source?: string): Promise<DataSet> {
  const folder = await openMovieLens(dir, { signal, ...(source === undefined ? {} : { source }) });
  const { items, people, events } = folder.counts;
  const showcase: { user: string; name: string }[] = [];
  for await (const batch of folder.events()) {
    for (const { user } of batch)
      if (showcase.length < 3 && !showcase.some((shown) => shown.user === user))
        showcase.push({ user, name: `person ${user}` });
    if (showcase.length >= 3) break;
  }
  return {
    title: `MovieLens (${folder.layout})`,
    summary: `${number.format(people)} people with attributes, ${number.format(items)} films, ${number.format(events)} ratings`,
    showcase,
    records: {
      source: folder.source,
      items: folder.items(),
      people: folder.people(),
      events: folder.events(),
      total: items + people + events,
    },
  };
}

/** Reads `--data`: `simulated` (of a size), or `movielens:DIR`. Throws USAGE. */
export async function dataSetOf(text: string, signal: AbortSignal, size: SimulationOptions = {}): Promise<DataSet> {
  if (text === 'simulated') return simulatedDataSet(size);
  const sized = Object.keys(size)[0];
  if (sized !== undefined)
    throw new AppError('USAGE', {
      message: `--${sized} is a size of the simulated platform, and other data is asked for.`,
    });
  if (text.startsWith('movielens:') && text.length > 'movielens:'.length)
    return movieLensDataSet(text.slice('movielens:'.length), signal);
  throw new AppError('USAGE', { message: `--data takes "simulated" or "movielens:DIR", not "${text}".` });
}
