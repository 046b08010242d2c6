/** Owns what every comparison of embeddings shares: where it runs, and recall and AUC of factors by one code for both sides. */
import { join } from 'node:path';
import type { ComputePool } from '../../../shared/compute/task.ts';
import { rankingMetrics, type TestItems } from '../../../shared/numerics/evaluation/ranking-metrics.ts';
import { rankByFactors } from '../../../shared/numerics/ranking/rank-factors.ts';
import { randomStream } from '../../../shared/random.ts';
import { sharedFloat32, sharedInt32 } from '../../../shared/numerics/sparse.ts';
import type { DenseRows, SparseRows } from '../../../shared/numerics/types.ts';
import type { Comparison } from '../interleave.ts';
import { floatsOf, type Split } from './data.ts';
import type { Answer } from './side.ts';

export interface Bench {
  readonly folder: string;
  readonly threads: number;
  readonly pairs: number;
  readonly pool: ComputePool;
  add(comparison: Comparison): void;
}

export const SEED = 7;
export const LIST_LENGTH = 20;

export interface Factors {
  readonly users: DenseRows;
  readonly items: DenseRows;
}

export async function denseOf(path: string, width: number): Promise<DenseRows> {
  const data = await floatsOf(path);
  return { rows: data.length / width, width, data };
}

/** The factors that a side wrote. */
export async function factorsOf(folder: string, side: 'ours' | 'peer', { width }: Answer): Promise<Factors> {
  return {
    users: await denseOf(join(folder, `${side}-users.f32`), width),
    items: await denseOf(join(folder, `${side}-items.f32`), width),
  };
}

/** People by whom a model is judged, the same for both sides: more would only take longer. The standard error of their mean recall is below .002. */
const JUDGED_MAX = 20_000;

/** recall@20 over the whole catalogue, what was learned from left out. */
export async function recallOf({ pool }: Bench, factors: Factors, split: Split): Promise<number> {
  const { test, train } = split;
  if (test.users.length <= JUDGED_MAX) {
    const lists = await rankByFactors(factors, { k: LIST_LENGTH, exclude: train }, { pool });
    return rankingMetrics(lists, test, train.columns).recall;
  }
  const judged = judgedOf(split);
  const width = factors.users.width;
  const users = { rows: judged.users.length, width, data: rowsOf(factors.users, judged.users) };
  const lists = await rankByFactors(
    { users, items: factors.items },
    { k: LIST_LENGTH, exclude: judged.train },
    { pool },
  );
  return rankingMetrics(lists, judged.test, train.columns).recall;
}

interface Judged {
  /** Rows of the split. */
  readonly users: Int32Array;
  readonly train: SparseRows;
  readonly test: TestItems;
}
const judgedOfSplits = new WeakMap<Split, Judged>();

/** Every n-th of the people with something held out, as a split of their own. */
function judgedOf(split: Split): Judged {
  const known = judgedOfSplits.get(split);
  if (known !== undefined) return known;
  const { test, train } = split;
  const step = test.users.length / JUDGED_MAX;
  const places = Int32Array.from({ length: JUDGED_MAX }, (_, n) => Math.floor(n * step));
  const users = places.map((place) => test.users[place]!);
  const judged = {
    users,
    train: takeRows(train, users),
    test: {
      users: places.map((_, n) => n),
      indptr: sums(places, test.indptr),
      items: Int32Array.from(
        [...places].flatMap((place) => [...test.items.subarray(test.indptr[place], test.indptr[place + 1])]),
      ),
    },
  };
  judgedOfSplits.set(split, judged);
  return judged;
}

/** Where each of the chosen rows begins, once they stand one after another. */
function sums(rows: Int32Array, indptr: Int32Array): Int32Array {
  const begins = new Int32Array(rows.length + 1);
  rows.forEach((row, n) => (begins[n + 1] = begins[n]! + indptr[row + 1]! - indptr[row]!));
  return begins;
}

function takeRows({ columns, indices, indptr, values }: SparseRows, rows: Int32Array): SparseRows {
  const begins = sums(rows, indptr);
  const taken = { indices: sharedInt32(begins[rows.length]!), values: sharedFloat32(begins[rows.length]!) };
  rows.forEach((row, n) => {
    taken.indices.set(indices.subarray(indptr[row], indptr[row + 1]), begins[n]);
    taken.values.set(values.subarray(indptr[row], indptr[row + 1]), begins[n]);
  });
  return { rows: rows.length, columns, indptr: sharedInt32(begins.length, begins), ...taken };
}

function rowsOf({ data, width }: DenseRows, rows: Int32Array) {
  const taken = sharedFloat32(rows.length * width);
  rows.forEach((row, n) => taken.set(data.subarray(row * width, (row + 1) * width), n * width));
  return taken;
}

const AUC_DRAWS = 20;

/** Share of pairs (held-out item, drawn item that the person has not met) in the right order; the same draws for both sides. */
export function aucOf({ items, users }: Factors, { test, train }: Split): number {
  const stream = randomStream(SEED, 'bench-auc');
  let [right, pairs] = [0, 0];
  test.users.forEach((user, n) => {
    const own = users.data.subarray(user * users.width, (user + 1) * users.width);
    const score = (item: number) => {
      let sum = 0;
      for (let d = 0; d < users.width; d++) sum += own[d]! * items.data[item * items.width + d]!;
      return sum;
    };
    for (let at = test.indptr[n]!; at < test.indptr[n + 1]!; at++) {
      const item = test.items[at]!;
      if (item < 0) continue;
      const wanted = score(item);
      for (let t = 0; t < AUC_DRAWS; t++) {
        const other = stream.below(items.rows);
        if (met(train, user, other) || other === item) continue;
        pairs++;
        if (wanted > score(other)) right++;
      }
    }
  });
  return right / pairs;
}

function met({ indices, indptr }: SparseRows, row: number, column: number): boolean {
  let [low, high] = [indptr[row]!, indptr[row + 1]!];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (indices[middle]! < column) low = middle + 1;
    else high = middle;
  }
  return low < indptr[row + 1]! && indices[low] === column;
}

/** Told on standard error: a large comparison is prepared for many minutes before its first line. */
export function tell(step: string): void {
  process.stderr.write(`  ${new Date().toISOString().slice(11, 19)} ${step}\n`);
}

/** What a run of a side is worth to the comparison: one unit of work. */
export const once = async (answer: Promise<Answer>) => {
  const { cpuSeconds, peakMb, seconds } = await answer;
  return { units: 1, seconds, cpuSeconds, peakMb };
};
