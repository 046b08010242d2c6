/**
 * Owns topics of texts by non-negative matrix factorisation: X ~ W H with X the documents' words, W the documents' topics, H the topics' words, by the
 * multiplicative updates of Lee and Seung (NIPS 2001), which never make the squared error larger. Pure: the same input and seed give the same
 * bytes. Draws are keyed by the words alone, so a document more or less draws nothing anew. Slow reference: topics.reference.ts.
 * A round: entries * topics + (documents + words) * topics^2.
 */
import { randomStream } from '../../random.ts';
import type { SparseRows } from '../types.ts';

export interface TopicOptions {
  readonly topics: number;
  readonly rounds: number;
  readonly seed: number;
  /** The words, in the order of columns. */
  readonly words: readonly string[];
}

export interface Topics {
  /** documents x topics: each document's shares, summing to 1; NaN where it has none of the words. */
  readonly shares: Float64Array;
  /** topics x words, each topic's summing to 1; topics in the order of how much of the documents they make up. */
  readonly weights: Float64Array;
  /** |X - WH|^2 / |X|^2. */
  readonly error: number;
}

/** Keeps a quotient of two zeros from being none. */
const TINY = 1e-12;

/** Rows of `texts` are documents, values above 0. */
export function findTopics(texts: SparseRows, { topics, rounds, seed, words }: TopicOptions): Topics {
  const { rows: documents, columns } = texts;
  const h = new Float64Array(topics * columns);
  for (const [column, word] of words.entries()) {
    const stream = randomStream(seed, 'topics', word);
    for (let k = 0; k < topics; k++) h[k * columns + column] = 0.1 + stream.uniform();
  }
  const w = new Float64Array(documents * topics);
  timesTransposed(texts, h, topics, w);
  for (let round = 0; round < rounds; round++) {
    updateDocuments(texts, w, h, topics);
    updateWords(texts, w, h, topics);
  }
  return ordered(texts, w, h, topics);
}

/** into = X H'. */
function timesTransposed(
  { rows, columns, indptr, indices, values }: SparseRows,
  h: Float64Array,
  topics: number,
  into: Float64Array,
): void {
  into.fill(0);
  for (let row = 0; row < rows; row++)
    for (let at = indptr[row]!; at < indptr[row + 1]!; at++)
      for (let k = 0; k < topics; k++) into[row * topics + k]! += values[at]! * h[k * columns + indices[at]!]!;
}

/** W <- W * (X H') / (W H H'). */
function updateDocuments(texts: SparseRows, w: Float64Array, h: Float64Array, topics: number): void {
  const { rows, columns } = texts;
  const above = new Float64Array(w.length);
  timesTransposed(texts, h, topics, above);
  const gram = gramOf(columns, topics, (column, k) => h[k * columns + column]!);
  const own = new Float64Array(topics);
  for (let row = 0; row < rows; row++) {
    own.set(w.subarray(row * topics, (row + 1) * topics));
    for (let k = 0; k < topics; k++) {
      let below = TINY;
      for (let j = 0; j < topics; j++) below += own[j]! * gram[j * topics + k]!;
      w[row * topics + k]! *= above[row * topics + k]! / below;
    }
  }
}

/** H <- H * (W' X) / (W' W H). */
function updateWords(
  { rows, columns, indptr, indices, values }: SparseRows,
  w: Float64Array,
  h: Float64Array,
  topics: number,
): void {
  const above = new Float64Array(h.length);
  for (let row = 0; row < rows; row++)
    for (let at = indptr[row]!; at < indptr[row + 1]!; at++)
      for (let k = 0; k < topics; k++) above[k * columns + indices[at]!]! += w[row * topics + k]! * values[at]!;
  const gram = gramOf(rows, topics, (row, k) => w[row * topics + k]!);
  const own = new Float64Array(topics);
  for (let column = 0; column < columns; column++) {
    for (let k = 0; k < topics; k++) own[k] = h[k * columns + column]!;
    for (let k = 0; k < topics; k++) {
      let below = TINY;
      for (let j = 0; j < topics; j++) below += gram[k * topics + j]! * own[j]!;
      h[k * columns + column]! *= above[k * columns + column]! / below;
    }
  }
}

/** topics x topics: sums over entries of the product of two topics. */
function gramOf(entries: number, topics: number, at: (entry: number, k: number) => number): Float64Array {
  const gram = new Float64Array(topics * topics);
  for (let entry = 0; entry < entries; entry++)
    for (let a = 0; a < topics; a++)
      for (let b = 0; b < topics; b++) gram[a * topics + b]! += at(entry, a) * at(entry, b);
  return gram;
}

/** Topics' words sum to 1, documents' shares too; the largest topic comes first. */
function ordered(texts: SparseRows, w: Float64Array, h: Float64Array, topics: number): Topics {
  const { rows, columns, indptr } = texts;
  const error = errorOf(texts, w, h, topics);
  const sizes = Array.from({ length: topics }, (_, k) =>
    h.subarray(k * columns, (k + 1) * columns).reduce((a, b) => a + b, 0),
  );
  const scaled = Float64Array.from(w, (value, at) => value * sizes[at % topics]!);
  const totals = sizes.map((_, k) => scaled.reduce((sum, value, at) => (at % topics === k ? sum + value : sum), 0));
  const order = [...totals.keys()].sort((a, b) => totals[b]! - totals[a]! || a - b);
  const shares = new Float64Array(rows * topics).fill(Number.NaN);
  for (let row = 0; row < rows; row++) {
    const own = scaled.subarray(row * topics, (row + 1) * topics);
    const sum = own.reduce((a, b) => a + b, 0);
    if (indptr[row] === indptr[row + 1] || sum === 0) continue;
    for (const [place, k] of order.entries()) shares[row * topics + place] = own[k]! / sum;
  }
  const weights = new Float64Array(topics * columns);
  for (const [place, k] of order.entries())
    for (let column = 0; column < columns; column++)
      weights[place * columns + column] = sizes[k] === 0 ? 0 : h[k * columns + column]! / sizes[k]!;
  return { shares, weights, error };
}

/** |X|^2 - 2 <X, WH> + <W'W, HH'>, over |X|^2. */
function errorOf(
  { rows, columns, indptr, indices, values }: SparseRows,
  w: Float64Array,
  h: Float64Array,
  topics: number,
): number {
  let [whole, shared, made] = [0, 0, 0];
  for (let row = 0; row < rows; row++)
    for (let at = indptr[row]!; at < indptr[row + 1]!; at++) {
      let product = 0;
      for (let k = 0; k < topics; k++) product += w[row * topics + k]! * h[k * columns + indices[at]!]!;
      whole += values[at]! ** 2;
      shared += values[at]! * product;
    }
  const ofDocuments = gramOf(rows, topics, (row, k) => w[row * topics + k]!);
  const ofWords = gramOf(columns, topics, (column, k) => h[k * columns + column]!);
  for (const [at, value] of ofDocuments.entries()) made += value * ofWords[at]!;
  return whole === 0 ? 0 : Math.max(0, whole - 2 * shared + made) / whole;
}
