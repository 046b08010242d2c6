/** Owns reading the golden file of the closed-form models (test/reference/linear.py makes it) and a model's whole table of scores. For tests. */
import { readFileSync } from 'node:fs';
import { emptyRows, fromTriples } from '../sparse.ts';
import type { FittedModel, SparseRows } from '../types.ts';

interface Golden {
  readonly users: number;
  readonly items: number;
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  readonly counts: readonly number[];
  readonly signs: readonly number[];
  readonly cases: readonly GoldenCase[];
}

export interface GoldenCase {
  readonly model: string;
  readonly params: Readonly<Record<string, number | string>>;
  /** users * items. */
  readonly scores: readonly number[];
}

const golden = JSON.parse(
  readFileSync(new URL('../../../test/reference/golden/linear.json', import.meta.url), 'utf8'),
) as Golden;

export function goldenCases(model: string): readonly GoldenCase[] {
  const cases = golden.cases.filter((one) => one.model === model);
  if (cases.length === 0) throw new RangeError(`The golden file has no case of ${model}.`);
  return cases;
}

export function goldenInteractions(kind: 'binary' | 'counts' | 'signed'): SparseRows {
  const { users, items, rows, columns, counts, signs } = golden;
  const values = { binary: counts.map(() => 1), counts, signed: counts.map((count, n) => count * signs[n]!) }[kind];
  return fromTriples(users, items, rows, columns, values);
}

/** The score of every item for every user, users * items, taken from lists as long as the catalogue. */
export async function scoresOf(model: FittedModel, { rows, columns }: SparseRows): Promise<Float32Array> {
  const lists = await model.rank({ k: columns, exclude: emptyRows(rows, columns) });
  const scores = new Float32Array(rows * columns).fill(Number.NaN);
  lists.items.forEach((item, n) => {
    scores[Math.floor(n / columns) * columns + item] = lists.scores[n]!;
  });
  return scores;
}
