/**
 * Owns how the published MovieLens folders look: which files, which fields, which codes.
 * Sources: the README files of MovieLens 100K (1998), 1M (2003) and the CSV releases (small, 20M, 25M, 32M).
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { AGE_GROUPS } from '../../contract-kit/event.ts';
import { AppError } from '../../errors.ts';

export type AgeGroup = (typeof AGE_GROUPS)[number];

/** Separator of u.data: tabs in the release, but copies mix tabs and runs of spaces, and its fields hold neither. */
export const WHITESPACE = ' ';

interface FileLayout {
  readonly name: string;
  /** Text between fields; WHITESPACE stands for any run of spaces and tabs. */
  readonly separator: string;
}

export interface Layout {
  readonly name: '100k' | '1m' | 'csv';
  readonly ratings: FileLayout;
  readonly items: FileLayout;
  /** Absent: the release says nothing about people. */
  readonly people?: FileLayout;
  readonly encoding: 'latin1' | 'utf8';
  /** Ratings are multiples of this, up to 5. */
  readonly ratingStep: 0.5 | 1;
}

export const LAYOUTS: readonly Layout[] = [
  {
    name: '100k',
    ratings: { name: 'u.data', separator: WHITESPACE },
    items: { name: 'u.item', separator: '|' },
    people: { name: 'u.user', separator: '|' },
    encoding: 'latin1',
    ratingStep: 1,
  },
  {
    name: '1m',
    ratings: { name: 'ratings.dat', separator: '::' },
    items: { name: 'movies.dat', separator: '::' },
    people: { name: 'users.dat', separator: '::' },
    encoding: 'latin1',
    ratingStep: 1,
  },
  {
    name: 'csv',
    ratings: { name: 'ratings.csv', separator: ',' },
    items: { name: 'movies.csv', separator: ',' },
    encoding: 'utf8',
    ratingStep: 0.5,
  },
];

/** Names of the 19 genre flags of u.item where u.genre is absent. */
export const GENRES_100K: readonly string[] = [
  'unknown',
  'Action',
  'Adventure',
  'Animation',
  "Children's",
  'Comedy',
  'Crime',
  'Documentary',
  'Drama',
  'Fantasy',
  'Film-Noir',
  'Horror',
  'Musical',
  'Mystery',
  'Romance',
  'Sci-Fi',
  'Thriller',
  'War',
  'Western',
];

/** Genre names that mean "none given". */
export const NO_GENRE: ReadonlySet<string> = new Set(['unknown', '(no genres listed)', '']);

/** Occupation codes of users.dat. */
export const OCCUPATIONS_1M: readonly string[] = [
  'other',
  'academic/educator',
  'artist',
  'clerical/admin',
  'college/grad student',
  'customer service',
  'doctor/health care',
  'executive/managerial',
  'farmer',
  'homemaker',
  'K-12 student',
  'lawyer',
  'programmer',
  'retired',
  'sales/marketing',
  'scientist',
  'self-employed',
  'technician/engineer',
  'tradesman/craftsman',
  'unemployed',
  'writer',
];

/** Age codes of users.dat: each is the lower end of its group. */
export const AGE_CODES_1M: Readonly<Record<string, AgeGroup>> = {
  '1': '<18',
  '18': '18-24',
  '25': '25-34',
  '35': '35-44',
  '45': '45-49',
  '50': '50-55',
  '56': '56+',
};

/** The group of an age in whole years. */
export function ageGroupOf(years: number): AgeGroup {
  if (years < 18) return '<18';
  if (years < 25) return '18-24';
  if (years < 35) return '25-34';
  if (years < 45) return '35-44';
  if (years < 50) return '45-49';
  return years < 56 ? '50-55' : '56+';
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** Which release lies in the folder. Throws FILE_NOT_FOUND that says what was looked for and what is missing. */
export async function detectLayout(dir: string): Promise<Layout> {
  const looked: { layout: string; files: string[]; missing: string[] }[] = [];
  for (const layout of LAYOUTS) {
    const files = [layout.ratings, layout.items, ...(layout.people === undefined ? [] : [layout.people])];
    const missing: string[] = [];
    for (const { name } of files) if (!(await exists(join(dir, name)))) missing.push(name);
    if (missing.length === 0) return layout;
    looked.push({ layout: layout.name, files: files.map((file) => file.name), missing });
  }
  const partly = looked.find((entry) => entry.missing.length < entry.files.length);
  const choices = looked.map((entry) => entry.files.join(' + ')).join(', or ');
  throw new AppError('FILE_NOT_FOUND', {
    message:
      partly === undefined
        ? `"${dir}" is no MovieLens folder: looked for ${choices}.`
        : `"${dir}" is an incomplete MovieLens folder: ${partly.missing.join(' and ')} missing.`,
    details: { dir, looked },
  });
}
