/**
 * Owns what an external source says of a person's taste: the items of the people whom the source puts near. Of `ties`, near are those tied
 * to the person (weight: the tie), and those tied to the same people (weight: cosine, times `reach`). Of `features`, near are those with the same
 * features (cosine of rows weighed by rarity). A profile is a row of items, of unit length; empty where the source knows nothing, nobody
 * near has any items, or the person does not allow it. Linear in the pairs of people who share a key.
 */
import { AppError } from '../../errors.ts';
import { checkSparseRows } from '../check-input.ts';
import { fromTriples, transpose } from '../sparse.ts';
import type { ExternalSource, SparseRows } from '../types.ts';

export interface ProfileRequest {
  readonly source: ExternalSource;
  /** Users * items, as weighed for learning. */
  readonly interactions: SparseRows;
  readonly reach: number;
  readonly neighbours: number;
}

export interface Profiles {
  /** Users * items. */
  readonly rows: SparseRows;
  /** People that each profile is made of. */
  readonly people: Int32Array;
}

/** A key that more people share says nothing about any of them, and costs the square of their number. */
const KEY_PEOPLE_MAX = 2_000;

/** @throws AppError NUMERICS_INPUT_INVALID when the source does not fit the users. */
export function makeProfiles({ interactions, neighbours, reach, source }: ProfileRequest): Profiles {
  checkSource(source, interactions.rows);
  const keyed = scaled(withConsent(source));
  const byKey = transpose(keyed);
  const people = new Int32Array(interactions.rows);
  const [users, items, values]: [number[], number[], number[]] = [[], [], []];
  for (let user = 0; user < interactions.rows; user++) {
    const near = nearest(source.kind, keyed, byKey, user, reach, neighbours);
    const profile = profileOf(near, interactions);
    if (profile.size > 0) people[user] = near.length;
    let squares = 0;
    for (const value of profile.values()) squares += value * value;
    for (const [item, value] of profile) {
      users.push(user);
      items.push(item);
      values.push(value / Math.sqrt(squares));
    }
  }
  return { rows: fromTriples(interactions.rows, interactions.columns, users, items, values), people };
}

function checkSource({ consents, kind, name, rows }: ExternalSource, users: number): void {
  checkSparseRows(rows, `source ${name}`, true);
  const fits =
    rows.rows === users && (kind !== 'ties' || rows.columns === users) && (consents?.length ?? users) === users;
  if (fits) return;
  throw new AppError('NUMERICS_INPUT_INVALID', {
    message: `source ${name}: needs a row and a consent for each user, and of ties a column too.`,
    details: { source: name, rows: rows.rows, columns: rows.columns, users },
  });
}

/** Whoever does not allow the source neither gets nor gives anything by it. */
function withConsent({ consents, kind, rows }: ExternalSource): SparseRows {
  if (consents === undefined) return rows;
  const [users, keys, values]: [number[], number[], number[]] = [[], [], []];
  for (let user = 0; user < rows.rows; user++) {
    for (let at = rows.indptr[user]!; at < rows.indptr[user + 1]!; at++) {
      const key = rows.indices[at]!;
      if (consents[user] === 0 || (kind === 'ties' && consents[key] === 0)) continue;
      users.push(user);
      keys.push(key);
      values.push(rows.values[at]!);
    }
  }
  return fromTriples(rows.rows, rows.columns, users, keys, values);
}

/** Rows of unit length after weighing keys by rarity: the product of two rows is their cosine. */
function scaled(rows: SparseRows): SparseRows {
  const counts = new Int32Array(rows.columns);
  for (const key of rows.indices) counts[key]!++;
  const values = rows.values.slice();
  for (let user = 0; user < rows.rows; user++) {
    let squares = 0;
    for (let at = rows.indptr[user]!; at < rows.indptr[user + 1]!; at++) {
      values[at]! *= Math.log1p(rows.rows / counts[rows.indices[at]!]!);
      squares += values[at]! ** 2;
    }
    for (let at = rows.indptr[user]!; at < rows.indptr[user + 1]!; at++) values[at]! /= Math.sqrt(squares);
  }
  return { ...rows, values };
}

function nearest(
  kind: ExternalSource['kind'],
  keyed: SparseRows,
  byKey: SparseRows,
  user: number,
  reach: number,
  most: number,
): (readonly [user: number, weight: number])[] {
  const weights = new Map<number, number>();
  const add = (other: number, weight: number) => {
    if (other !== user && weight > 0) weights.set(other, (weights.get(other) ?? 0) + weight);
  };
  for (let at = keyed.indptr[user]!; at < keyed.indptr[user + 1]!; at++) {
    const [key, own] = [keyed.indices[at]!, keyed.values[at]!];
    // A tie weighs 1 for somebody with one, as the cosine of somebody alike does.
    if (kind === 'ties') add(key, 1);
    const [from, to] = [byKey.indptr[key]!, byKey.indptr[key + 1]!];
    if (to - from > KEY_PEOPLE_MAX) continue;
    for (let other = from; other < to; other++) add(byKey.indices[other]!, reach * own * byKey.values[other]!);
  }
  return [...weights].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, most);
}

/** Each person near counts once, however many items they have. */
function profileOf(near: readonly (readonly [number, number])[], interactions: SparseRows): Map<number, number> {
  const profile = new Map<number, number>();
  for (const [other, weight] of near) {
    const [from, to] = [interactions.indptr[other]!, interactions.indptr[other + 1]!];
    for (let at = from; at < to; at++) {
      const value = interactions.values[at]!;
      if (value <= 0) continue;
      const item = interactions.indices[at]!;
      profile.set(item, (profile.get(item) ?? 0) + (weight * value) / Math.sqrt(to - from));
    }
  }
  return profile;
}
