/** Owns turning texts into numbers: which words count, and how much each says about who uses it. */
import { ENGLISH } from './languages.ts';
import { fromTriples } from '../sparse.ts';
import type { SparseRows } from '../types.ts';

export interface VocabularyOptions {
  /** A word that fewer people use could name somebody. */
  readonly peopleMin: number;
  /** A word that more of the people use tells nobody apart. */
  readonly shareMax: number;
  /** The most used are kept. */
  readonly wordsMax: number;
  readonly isBlocked: (word: string) => boolean;
}

export interface Vocabulary {
  /** In the order of the alphabet. */
  readonly words: readonly string[];
  /** People by words: (1 + ln count) * ln(people / people who use it), each row of length 1 (Salton and Buckley 1988). */
  readonly rows: SparseRows;
}

const LETTERS_MIN = 3;
const LETTERS_MAX = 30;

/** `people`: the words of each. */
export function vocabularyOf(people: readonly (readonly string[])[], options: VocabularyOptions): Vocabulary {
  const { peopleMin, shareMax, wordsMax, isBlocked } = options;
  const counts = people.map(countsOf);
  const users = new Map<string, number>();
  for (const own of counts) for (const word of own.keys()) users.set(word, (users.get(word) ?? 0) + 1);
  const words = [...users]
    .filter(([word, by]) => by >= peopleMin && by <= shareMax * people.length && !isBlocked(word))
    .sort(([a, byA], [b, byB]) => byB - byA || Number(a > b) - Number(a < b))
    .slice(0, wordsMax)
    .map(([word]) => word)
    .sort();
  const column = new Map(words.map((word, n) => [word, n]));
  const triples = { rows: [] as number[], columns: [] as number[], values: [] as number[] };
  for (const [row, own] of counts.entries()) {
    const kept = [...own].filter(([word]) => column.has(word));
    const values = kept.map(([word, n]) => (1 + Math.log(n)) * Math.log(people.length / users.get(word)!));
    const length = Math.hypot(...values);
    for (const [n, [word]] of kept.entries()) {
      triples.rows.push(row);
      triples.columns.push(column.get(word)!);
      triples.values.push(values[n]! / length);
    }
  }
  return { words, rows: fromTriples(people.length, words.length, triples.rows, triples.columns, triples.values) };
}

function countsOf(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words)
    if (word.length >= LETTERS_MIN && word.length <= LETTERS_MAX && !ENGLISH.has(word))
      counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}
