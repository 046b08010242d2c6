/**
 * Owns what the proof of erasure is tried on: people with names, places and texts of their own, what they did, and ties between them; and the four who leave:
 * the only one who met an item, the first who came in, a hub of the network, and one from the middle. Every event says when it was recorded, so that two
 * stores filled at different times hold the same.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { IngestionBatch } from '../../jobs/ingestion/contract.ts';
import { hashText, randomStream, shuffle } from '../../shared/random.ts';

const SOURCE = 'films';
const DAY_MS = 24 * 3600_000;
const HOUR_MS = 3600_000;
/** Wherever nothing else says when: so long ago that every source takes it, and fixed. */
const BEFORE = Date.UTC(2026, 0, 5);
/** What everybody has seen, which no key hides: the scan has to find it, else it is blind. */
export const PUBLIC_WORD = 'Glimmerwick-on-Sea';

export interface Act {
  readonly user: string;
  readonly item: string;
  /** 1..5. */
  readonly rating: number;
  readonly at: number;
}

export interface DataSet {
  readonly users: readonly string[];
  readonly items: readonly string[];
  readonly acts: readonly Act[];
  readonly follows: readonly (readonly [user: string, target: string])[];
  /** Who leaves, in this order. */
  readonly leaving: Readonly<Record<'sole user of an item' | 'first ingested' | 'hub' | 'middle of a block', string>>;
}

/** Known to nobody else: what the scan looks for. */
export const canariesOf = (user: string): string[] => [user, `Name-of-${user}`, `place-of-${user}`, `words-of-${user}`];

/** Gives four people the names of canaries. `roles` by the names that they have in the data. */
function named(set: Omit<DataSet, 'leaving'>, roles: Readonly<Record<keyof DataSet['leaving'], string>>): DataSet {
  const names = new Map(Object.values(roles).map((user, n) => [user, `canary-${n}-Quillfeather`]));
  if (names.size < Object.keys(roles).length) throw new Error('the four who leave are four people');
  const rename = (user: string): string => names.get(user) ?? user;
  return {
    users: set.users.map(rename),
    items: set.items,
    acts: set.acts.map((act) => ({ ...act, user: rename(act.user) })),
    follows: set.follows.map(([user, target]) => [rename(user), rename(target)]),
    leaving: Object.fromEntries(
      Object.entries(roles).map(([role, user]) => [role, rename(user)]),
    ) as DataSet['leaving'],
  };
}

function withRoles(set: Omit<DataSet, 'leaving'>): DataSet {
  const usersOf = Map.groupBy(set.acts, ({ item }) => item);
  const followers = Map.groupBy(set.follows, ([, target]) => target);
  const first = set.acts[0]!.user;
  const popular = [...followers].sort((a, b) => b[1].length - a[1].length || (a[0] < b[0] ? -1 : 1));
  const hub = popular.map(([user]) => user).find((user) => user !== first)!;
  const only = [...usersOf.values()].filter((acts) => acts.length === 1).map(([act]) => act!.user);
  const sole = only.find((user) => user !== first && user !== hub);
  // Blocks lie in order of keyed hashes: whoever is in the middle of them by name is as good as anybody.
  const middle = set.users.filter((user) => user !== first && user !== hub && user !== sole);
  if (sole === undefined) throw new Error('no item has a single user');
  return named(set, {
    'sole user of an item': sole,
    'first ingested': first,
    hub,
    'middle of a block': middle[Math.floor(middle.length / 2)]!,
  });
}

/** People who like what others of their kind like; the last item has one user. */
export function generated(people = 60, items = 40): DataSet {
  const draw = randomStream(7, 'proof');
  const users = Array.from({ length: people }, (_, n) => `person-${n}`);
  const names = Array.from({ length: items }, (_, n) => `item-${n}`);
  const acts: Act[] = [];
  for (const [n, user] of users.entries())
    for (let k = 0; k < 12; k++) {
      const item = names[((n % 4) * 9 + draw.below(12)) % (items - 1)]!;
      if (acts.some((act) => act.user === user && act.item === item)) continue;
      acts.push({ user, item, rating: 1 + draw.below(5), at: BEFORE + acts.length * HOUR_MS * 0.25 });
    }
  acts.push({ user: users[9]!, item: names[items - 1]!, rating: 5, at: BEFORE });
  const follows = users.flatMap((user, n) => [
    ...(n === 3 ? [] : [[user, users[3]!] as const]),
    [user, users[(n + 1 + draw.below(people - 1)) % people]!] as const,
  ]);
  return withRoles({ users, items: names, acts, follows: follows.filter(([user, target]) => user !== target) });
}

/** MovieLens 100K as it is, with the friendships of lastfm among those who have its numbers. */
export async function movieLens(folder: string): Promise<DataSet> {
  const [ratings, ties] = await Promise.all([
    readFile(join(folder, 'ml-100k/u.data'), 'utf8'),
    readFile(join(folder, 'lastfm/trustnetwork.txt'), 'utf8'),
  ]);
  const rows = ratings
    .trim()
    .split('\n')
    .map((line) => line.split('\t'));
  const acts = rows.map(([user, item, rating, seconds]) => ({
    user: `u${user}`,
    item: `film-${item}`,
    rating: Number(rating),
    at: Number(seconds) * 1_000,
  }));
  const users = [...new Set(acts.map(({ user }) => user))];
  const there = new Set(users);
  const follows = ties
    .trim()
    .split('\n')
    .map(
      (line) =>
        line
          .trim()
          .split(/\s+/)
          .map((id) => `u${id}`) as [string, string],
    )
    .filter(([user, target]) => there.has(user) && there.has(target) && user !== target);
  return withRoles({ users, items: [...new Set(acts.map(({ item }) => item))], acts, follows });
}

const idOf = (...parts: readonly (string | number)[]): string => parts.join(':');

/** Whose records come in, and who is there then: a tie names two people. */
export interface Filled {
  readonly own: ReadonlySet<string>;
  readonly there: ReadonlySet<string>;
}

/** All that is about some of the people: as batches, in an order and of a size that are drawn. */
export function* batchesOf(set: DataSet, { own: people, there }: Filled, seed: number): Generator<IngestionBatch> {
  const source = SOURCE;
  const draw = randomStream(seed, 'order');
  const size = 500 + draw.below(1_500);
  const users = shuffle([...people], draw);
  const mixed = seed === 0 ? set.acts.slice() : shuffle(set.acts.slice(), draw);
  const events: object[] = [];
  for (const { user, item, rating, at } of mixed)
    if (people.has(user))
      events.push({
        id: idOf('r', user, item),
        type: 'rating',
        user,
        item,
        value: rating,
        occurredAt: at,
        recordedAt: at,
      });
  for (const [user, target] of set.follows)
    if (there.has(user) && there.has(target) && (people.has(user) || people.has(target)))
      events.push({
        id: idOf('f', user, target),
        type: 'follow',
        user,
        target,
        occurredAt: BEFORE,
        recordedAt: BEFORE,
      });
  for (const user of users) {
    const at = BEFORE + (hashText(user) % DAY_MS);
    const text = `${canariesOf(user)[3]} and films`;
    events.push({ id: idOf('s', user), type: 'search', user, text, occurredAt: at, recordedAt: at });
  }
  const consents = users.map((user) => {
    const purposes = ['recommendation', 'segmentation', 'audit'] as const;
    return { user, purposes: [...purposes], at: BEFORE, receipt: `receipt-${user}` };
  });
  const profiles = users.map((user) => {
    const [, name, place] = canariesOf(user);
    return { id: user, name: name!, attributes: { place: place!, occupation: 'watchmaker' } };
  });
  const items = set.items.map((id) => ({ id, title: `${id} of ${PUBLIC_WORD}` }));
  for (const some of cut(items, size)) yield { source, items: some };
  for (const some of cut(consents, size)) yield { source, consents: some };
  for (const some of cut(profiles, size)) yield { source, people: some };
  for (const some of cut(events, size)) yield { source, events: some as never };
}

function* cut<T>(records: readonly T[], size: number): Generator<T[]> {
  for (let from = 0; from < records.length; from += size) yield records.slice(from, from + size);
}
