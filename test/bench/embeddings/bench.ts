/** Owns what every comparison of embeddings shares: where it runs, and recall and AUC of factors by one code for both sides. */
import { join } from 'node:path';
import type { ComputePool } from '../../../shared/compute/task.ts';
import { rankingMetrics } from '../../../shared/numerics/evaluation/ranking-metrics.ts';
import { rankByFactors } from '../../../shared/numerics/ranking/rank-factors.ts';
import { randomStream } from '../../../shared/random.ts';
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

/** recall@20 over the whole catalogue, what was learned from left out. */
export async function recallOf({ pool }: Bench, factors: Factors, { test, train }: Split): Promise<number> {
  const lists = await rankByFactors(factors, { k: LIST_LENGTH, exclude: train }, { pool });
  return rankingMetrics(lists, test, train.columns).recall;
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

/** What a run of a side is worth to the comparison: one unit of work. */
export const once = async (answer: Promise<Answer>) => {
  const { cpuSeconds, peakMb, seconds } = await answer;
  return { units: 1, seconds, cpuSeconds, peakMb };
};
