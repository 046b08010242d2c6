/** Owns the slow, readable definition of topics by non-negative matrix factorisation: whole matrices as arrays of rows, one line a step. */
import { randomStream } from '../../random.ts';
import type { TopicOptions } from './topics.ts';

type Matrix = readonly (readonly number[])[];
const times = (a: Matrix, b: Matrix): number[][] =>
  a.map((row) => (b[0] ?? []).map((_, n) => row.reduce((sum, value, m) => sum + value * b[m]![n]!, 0)));
const turned = (a: Matrix): number[][] => (a[0] ?? []).map((_, n) => a.map((row) => row[n]!));
const scaledBy = (a: Matrix, above: Matrix, below: Matrix): number[][] =>
  a.map((row, m) => row.map((value, n) => (value * above[m]![n]!) / (below[m]![n]! + 1e-12)));
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** Shares of documents and weights of words, topics in the order of their size. */
export function referenceTopics(
  x: Matrix,
  { topics, rounds, seed, words }: TopicOptions,
): { readonly shares: number[][]; readonly weights: number[][] } {
  const drawn = words.map((word) => {
    const stream = randomStream(seed, 'topics', word);
    return Array.from({ length: topics }, () => 0.1 + stream.uniform());
  });
  let h: number[][] = turned(drawn);
  let w = times(x, turned(h));
  for (let round = 0; round < rounds; round++) {
    w = scaledBy(w, times(x, turned(h)), times(w, times(h, turned(h))));
    h = scaledBy(h, times(turned(w), x), times(times(turned(w), w), h));
  }
  const sizes = h.map(sum);
  const amounts = w.map((row) => row.map((value, k) => value * sizes[k]!));
  const order = sizes.map((_, k) => k).sort((a, b) => sum(amounts.map((row) => row[b]! - row[a]!)));
  return {
    shares: amounts.map((row) => order.map((k) => row[k]! / sum(row))),
    weights: order.map((k) => h[k]!.map((value) => value / sizes[k]!)),
  };
}
