/**
 * Owns what a row of MovieLens means in the canonical ontology. Post codes and exact ages are left out: nothing
 * needs them, and together with gender and occupation they point at single people.
 */
import { type CanonicalEvent, type CatalogueItem, derivedEventId, type Person } from '../../contract-kit/event.ts';
import { AGE_CODES_1M, ageGroupOf, type Layout, NO_GENRE, OCCUPATIONS_1M } from './layouts.ts';
import type { Row } from './rows.ts';

export const RATING_FIELDS = {
  '100k': ['user id', 'item id', 'rating', 'timestamp'],
  '1m': ['UserID', 'MovieID', 'Rating', 'Timestamp'],
  csv: ['userId', 'movieId', 'rating', 'timestamp'],
} as const;

export const PERSON_FIELDS = {
  '100k': ['user id', 'age', 'gender', 'occupation', 'zip code'],
  '1m': ['UserID', 'Gender', 'Age', 'Occupation', 'Zip-code'],
} as const;

/** Fields of u.item before the genre flags. */
export const ITEM_FIELDS_100K = ['movie id', 'movie title', 'release date', 'video release date', 'IMDb URL'] as const;

export const ITEM_FIELDS = {
  '1m': ['MovieID', 'Title', 'Genres'],
  csv: ['movieId', 'title', 'genres'],
} as const;

const TIMESTAMP_S_MAX = Date.UTC(2200, 0, 1) / 1000;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** A rating as a canonical event; `value` stays as given, the id is derived from its content. */
export function ratingEvent(source: string, layout: Layout, row: Row): CanonicalEvent {
  const value = Number(row.text(2));
  if (!/^\d(\.\d)?$/.test(row.text(2)) || value < layout.ratingStep || value > 5 || value % layout.ratingStep !== 0)
    row.fail(2, `must be a rating ${layout.ratingStep}..5 in steps of ${layout.ratingStep}`);
  const event = {
    type: 'rating',
    user: row.id(0),
    item: row.id(1),
    value,
    occurredAt: row.integer(3, 0, TIMESTAMP_S_MAX) * 1000,
  } as const;
  return { id: derivedEventId(source, event), ...event };
}

/** "Toy Story (1995)" -> 1995. */
function yearOf(title: string): number | undefined {
  const found = /\((\d{4})(?:[-–]\d{0,4})?\)\s*$/.exec(title);
  return found === null ? undefined : Number(found[1]);
}

/** "01-Jan-1995" as UTC midnight. */
function releaseDate(row: Row, index: number): number | undefined {
  const text = row.text(index);
  if (text === '') return undefined;
  const [, day, month, year] = /^(\d{1,2})-([A-Z][a-z]{2})-(\d{4})$/.exec(text) ?? [];
  const monthIndex = MONTHS.indexOf(month ?? '');
  if (monthIndex === -1) row.fail(index, 'must be a date like 01-Jan-1995');
  const atMs = Date.UTC(Number(year), monthIndex, Number(day));
  if (new Date(atMs).getUTCDate() !== Number(day)) row.fail(index, 'must be a day of the calendar');
  return atMs;
}

function titleOf(row: Row, index: number): string {
  const title = row.text(index).trim();
  if (title === '' || title.length > 500) row.fail(index, 'must be a title of 1..500 characters');
  return title;
}

function genresOf(row: Row, index: number): string[] {
  const genres = row.text(index).split('|');
  if (genres.length > 50 || genres.some((genre) => genre.length > 200)) row.fail(index, 'must be genres joined by |');
  return genres.filter((genre) => !NO_GENRE.has(genre));
}

function item(id: string, title: string, topics: string[], releasedAtMs: number | undefined): CatalogueItem {
  const year = yearOf(title) ?? (releasedAtMs === undefined ? undefined : new Date(releasedAtMs).getUTCFullYear());
  return {
    id,
    title,
    topics,
    // Canonical times begin in 1970; older films keep their year.
    ...(releasedAtMs === undefined || releasedAtMs < 0 ? {} : { publishedAt: releasedAtMs }),
    ...(year === undefined ? {} : { attributes: { year } }),
  };
}

/** An item of u.item; `genres` names its flags in order. */
export function item100k(row: Row, genres: readonly string[]): CatalogueItem {
  const flags = genres.filter((_, g) => row.integer(ITEM_FIELDS_100K.length + g, 0, 1) === 1);
  const topics = flags.filter((genre) => !NO_GENRE.has(genre));
  return item(row.id(0), titleOf(row, 1), topics, releaseDate(row, 2));
}

/** An item of movies.dat or movies.csv. */
export function itemOfGenreList(row: Row): CatalogueItem {
  return item(row.id(0), titleOf(row, 1), genresOf(row, 2), undefined);
}

function genderOf(row: Row, index: number): 'F' | 'M' {
  const gender = row.text(index);
  if (gender !== 'F' && gender !== 'M') row.fail(index, 'must be F or M');
  return gender === 'F' ? 'F' : 'M';
}

export function person100k(row: Row): Person {
  const occupation = row.text(3);
  if (occupation === '' || occupation.length > 200) row.fail(3, 'must be an occupation');
  return {
    id: row.id(0),
    gender: genderOf(row, 2),
    ageGroup: ageGroupOf(row.integer(1, 0, 130)),
    attributes: { occupation },
  };
}

export function person1m(row: Row): Person {
  const ageGroup = Object.hasOwn(AGE_CODES_1M, row.text(2)) ? AGE_CODES_1M[row.text(2)] : undefined;
  if (ageGroup === undefined) row.fail(2, `must be one of ${Object.keys(AGE_CODES_1M).join(', ')}`);
  const occupation = OCCUPATIONS_1M[row.integer(3, 0, OCCUPATIONS_1M.length - 1)]!;
  return { id: row.id(0), gender: genderOf(row, 1), ageGroup, attributes: { occupation } };
}
