/**
 * Owns which groups a statistic has, and how a row finds its own. Under noise every group comes from what is not about people: the catalogue, the list of
 * types and sources, a declared range of days, names that the caller gives. So a group that is there tells nothing of who is.
 */
import { STATISTIC_GROUPS_MAX } from '../../jobs/private-statistics/contract.ts';
import { EVENT_TYPES } from '../../shared/contract-kit/event-fields.ts';
import { AppError } from '../../shared/errors.ts';
import { hexOf } from '../../shared/governance/keys.ts';
import type { AdmittedEvents } from '../../shared/numerics/interactions/interaction-view.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import { SOURCES, UNDECLARED } from '../../shared/sources/registry.ts';
import { placeOf } from '../feature-build/profiles.ts';
import { readVersion } from '../reading/dataset.ts';
import { numberItems } from '../reading/item-facts.ts';
import type { RunContext } from '../runtime/processor.ts';
import type { StatisticInput } from './asked.ts';
import type { GroupedBy, TallyRequest } from './tally.task.ts';

const DAY_MS = 24 * 3600_000;
const RATINGS = 11;
/** People whose envelope, or segment, is read at once. */
const PEOPLE_PER_READ = 1_000;
const NO_CATEGORY = 'none';

export interface Groups extends Pick<TallyRequest, 'by' | 'table' | 'itemOf'> {
  readonly names: readonly string[];
}

/** Names in the order of their groups; what the caller did not ask for is in none. */
class Names {
  readonly #places: Map<string, number>;
  readonly #isOpen: boolean;

  constructor(wanted: readonly string[] | undefined, known: readonly string[] = []) {
    this.#places = new Map([...new Set(wanted ?? known)].map((name, place) => [name, place]));
    this.#isOpen = wanted === undefined && known.length === 0;
  }

  /** Group of a name, or -1; a name that is new is taken in where nobody said which there are. */
  place(name: string): number {
    const found = this.#places.get(name);
    if (found !== undefined || !this.#isOpen) return found ?? -1;
    this.#places.set(name, this.#places.size);
    return this.#places.size - 1;
  }

  all(): string[] {
    if (this.#places.size > STATISTIC_GROUPS_MAX)
      throw new AppError('INPUT_INVALID', {
        message: `There would be ${this.#places.size} groups; at most ${STATISTIC_GROUPS_MAX} are told. Name those that are wanted in \`groups\`.`,
        details: { field: 'groups', groups: this.#places.size },
      });
    return [...this.#places.keys()];
  }
}

const tableOf = (names: Names, codes: readonly string[]): Int32Array =>
  Int32Array.from(codes, (code) => names.place(code));

function fixed(by: GroupedBy, codes: readonly string[], wanted: readonly string[] | undefined): Groups {
  const names = new Names(wanted, codes);
  const table = tableOf(names, codes);
  return { by, table, names: names.all() };
}

/** Topics of the catalogue, whoever met its items; an item counts for the first of its own. */
async function byCategory({ groups }: StatisticInput, events: AdmittedEvents, context: RunContext): Promise<Groups> {
  const { store, tenant } = context;
  const { item: itemOf, keys } = await numberItems(events.columns, context);
  const numbers = new Map<string, number>();
  for (let n = 0; n * KEY_BYTES < keys.length; n++)
    numbers.set(hexOf(keys.subarray(n * KEY_BYTES, (n + 1) * KEY_BYTES)), n);
  const found = Array.from({ length: numbers.size }, () => NO_CATEGORY);
  const topics = new Set<string>([NO_CATEGORY]);
  for await (const { key, topics: own = [] } of store.items.all(tenant)) {
    context.signal.throwIfAborted();
    const topic = own[0] ?? NO_CATEGORY;
    topics.add(topic);
    const number = numbers.get(hexOf(key));
    if (number !== undefined) found[number] = topic;
  }
  const names = new Names(groups, [...topics].sort());
  const table = tableOf(names, found);
  return { by: 'item', table, itemOf, names: names.all() };
}

async function eachPerson(
  { runs }: AdmittedEvents,
  { signal }: RunContext,
  read: (keys: readonly Uint8Array[]) => Promise<readonly (string | undefined)[]>,
): Promise<(string | undefined)[]> {
  const found: (string | undefined)[] = [];
  for (let from = 0; from < runs.subjects; from += PEOPLE_PER_READ) {
    signal.throwIfAborted();
    const keys = Array.from({ length: Math.min(PEOPLE_PER_READ, runs.subjects - from) }, (_, n) =>
      Uint8Array.from(runs.keys.subarray((from + n) * KEY_BYTES, (from + n + 1) * KEY_BYTES)),
    );
    found.push(...(await read(keys)));
  }
  return found;
}

function ofPeople(found: readonly (string | undefined)[], names: Names): Groups {
  const table = Int32Array.from(found, (name) => (name === undefined ? -1 : names.place(name)));
  return { by: 'person', table, names: names.all() };
}

/** The segments of a version are what was published of it: their number and names are known. */
async function bySegment(input: StatisticInput, events: AdmittedEvents, context: RunContext): Promise<Groups> {
  const { store, tenant } = context;
  const { version, meta } = await readVersion(input.segments!, 'segments', context);
  const known = (meta['segments'] as readonly { readonly name: string }[]).map(({ name }, n) => `${n}: ${name}`);
  const found = await eachPerson(events, context, (keys) =>
    Promise.all(
      keys.map(async (key) => {
        const segment = await store.served.segment(tenant, version, key);
        return segment === undefined ? undefined : known[segment];
      }),
    ),
  );
  return ofPeople(found, new Names(input.groups, known));
}

/** Whole degrees, as features have them. */
async function byPlace(input: StatisticInput, events: AdmittedEvents, context: RunContext): Promise<Groups> {
  const { store, tenant } = context;
  const found = await eachPerson(events, context, async (keys) => {
    const people = await store.people.open(tenant, keys);
    return keys.map((key) => {
      const person = people.get(hexOf(key));
      return person === undefined ? undefined : placeOf(person)?.join(',');
    });
  });
  return ofPeople(found, new Names(input.groups));
}

function bySource({ groups }: StatisticInput, { sourceNames }: AdmittedEvents): Groups {
  const declared = [...SOURCES.map(({ name }) => name), UNDECLARED.name] as string[];
  const names = new Names(groups, declared);
  const table = Int32Array.from(sourceNames, (name) =>
    names.place(groups?.includes(name) === true || declared.includes(name) ? name : UNDECLARED.name),
  );
  return { by: 'source', table, names: names.all() };
}

function daysOf({ from, until }: StatisticInput): string[] {
  const days = Math.ceil((until! - from!) / DAY_MS);
  return Array.from({ length: days }, (_, n) => new Date(from! + n * DAY_MS).toISOString().slice(0, 16));
}

export async function groupsOf(input: StatisticInput, events: AdmittedEvents, context: RunContext): Promise<Groups> {
  const numbers = (count: number): string[] => Array.from({ length: count }, (_, n) => String(n));
  switch (input.by) {
    case 'none':
      return fixed('none', ['all'], undefined);
    case 'type':
      return fixed('type', EVENT_TYPES, input.groups);
    case 'source':
      return bySource(input, events);
    case 'category':
      return byCategory(input, events, context);
    case 'segment':
      return bySegment(input, events, context);
    case 'place':
      return byPlace(input, events, context);
    case 'day':
      return fixed('day', daysOf(input), input.groups);
    case 'hour':
      return fixed('hour', numbers(24), input.groups);
    case 'rating':
      return fixed('rating', numbers(RATINGS), input.groups);
    default:
      return input.by satisfies never;
  }
}
