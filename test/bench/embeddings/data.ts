/**
 * Owns the data of the embedding benchmarks: generated interactions and sentences with a known structure, parted files of a folder that
 * the user names, and the raw arrays that both sides read.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomStream, type RandomStream } from '../../../shared/random.ts';
import type { TestItems } from '../../../shared/numerics/evaluation/ranking-metrics.ts';
import { fromTriples, sharedFloat32, sharedInt32 } from '../../../shared/numerics/sparse.ts';
import type { SparseRows } from '../../../shared/numerics/types.ts';

/** What is learned from, and what is held out of it. */
export interface Split {
  readonly name: string;
  readonly train: SparseRows;
  readonly test: TestItems;
}

export interface Shape {
  readonly users: number;
  readonly items: number;
  /** Training interactions aimed at. */
  readonly interactions: number;
}

/** Items a topic, and how many topics a person likes at most. */
const TOPIC_ITEMS = 60;
const TASTES_MAX = 8;
/** Share of interactions that follow nothing but popularity. */
const NOISE = 0.2;
/** Exponent of the popularity of items by rank (about that of films), and its spread of activity (natural log). */
const POPULARITY_EXPONENT = 0.9;
const ACTIVITY_SPREAD = 1;
/** One in so many interactions is held out. */
const HELD_OUT = 10;
/** Draws an interaction: people of few tastes soon meet only what they know. */
const DRAWS_MAX = 5;

/** Draws places in proportion to weights, by bisection. */
function sampler(weights: Float64Array): (stream: RandomStream) => number {
  const sums = new Float64Array(weights.length);
  let total = 0;
  weights.forEach((weight, n) => (sums[n] = total += weight));
  return (stream) => {
    const drawn = stream.uniform() * total;
    let [low, high] = [0, sums.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! <= drawn) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** Items of each topic with their popularity there: every item belongs to two topics, to the second one less. */
function topics(items: number, stream: RandomStream) {
  const members = Array.from({ length: Math.ceil(items / TOPIC_ITEMS) }, (): { item: number; weight: number }[] => []);
  const popularity = new Float64Array(items);
  for (let item = 0; item < items; item++) {
    popularity[item] = (1 + stream.below(items)) ** -POPULARITY_EXPONENT;
    members[stream.below(members.length)]!.push({ item, weight: popularity[item]! });
    members[stream.below(members.length)]!.push({ item, weight: popularity[item]! * 0.4 });
  }
  const draw = members.map((own) => sampler(Float64Array.from(own, ({ weight }) => weight)));
  return { members, draw, drawAny: sampler(popularity) };
}

/** Generated interactions, the same for the same shape. Linear in the interactions. */
export function generate(name: string, { users, items, interactions }: Shape): Split {
  const stream = randomStream(1, 'bench-interactions');
  const { members, draw, drawAny } = topics(items, stream);
  const mean = interactions / users / (1 - 1 / HELD_OUT);
  const train = { users: [] as number[], items: [] as number[] };
  const [testUsers, testItems, testPtr] = [[] as number[], [] as number[], [0]];
  const met = new Int32Array(items).fill(-1);
  for (let user = 0; user < users; user++) {
    const spread = Math.exp(ACTIVITY_SPREAD * stream.normal() - ACTIVITY_SPREAD ** 2 / 2);
    const count = Math.min(items >> 2, Math.max(5, Math.round(mean * spread)));
    const tastes = Array.from({ length: 1 + stream.below(TASTES_MAX) }, () => stream.below(members.length));
    let held = 0;
    let found = 0;
    for (let n = 0; n < count * DRAWS_MAX && found < count; n++) {
      const topic = tastes[Math.min(stream.below(tastes.length), stream.below(tastes.length))]!;
      const own = members[topic]!;
      const known = stream.uniform() < NOISE || own.length === 0;
      const item = known ? drawAny(stream) : own[draw[topic]!(stream)]!.item;
      if (met[item] === user) continue;
      met[item] = user;
      if (found++ > 0 && stream.below(HELD_OUT) === 0) {
        testItems.push(item);
        held++;
      } else {
        train.users.push(user);
        train.items.push(item);
      }
    }
    if (held > 0) {
      testUsers.push(user);
      testPtr.push(testItems.length);
    }
  }
  const values = new Float32Array(train.users.length).fill(1);
  return {
    name,
    train: fromTriples(users, items, train.users, train.items, values),
    test: {
      users: Int32Array.from(testUsers),
      indptr: Int32Array.from(testPtr),
      items: Int32Array.from(testItems),
    },
  };
}

export interface PlantedShape {
  readonly words: number;
  readonly clusters: number;
  readonly sentences: number;
  readonly length: number;
}

/** Sentences whose words come from one cluster (word w is of cluster w mod clusters), a fifth of them from anywhere. */
export function plantSentences({ words, clusters, sentences, length }: PlantedShape): SparseRows {
  const stream = randomStream(1, 'bench-sentences');
  const indptr = sharedInt32(sentences + 1);
  const indices = sharedInt32(sentences * length);
  const size = Math.floor(words / clusters);
  const rank = sampler(Float64Array.from({ length: size }, (_, n) => 1 / (n + 8)));
  for (let sentence = 0; sentence < sentences; sentence++) {
    const cluster = stream.below(clusters);
    for (let n = 0; n < length; n++) {
      const own = stream.uniform() < NOISE ? stream.below(clusters) : cluster;
      indices[sentence * length + n] = rank(stream) * clusters + own;
    }
    indptr[sentence + 1] = (sentence + 1) * length;
  }
  return { rows: sentences, columns: words, indptr, indices, values: sharedFloat32(0) };
}

/** Writes what both sides read. */
export async function writeRows(folder: string, { columns, indices, indptr }: SparseRows): Promise<void> {
  await mkdir(folder, { recursive: true });
  const bytes = (array: Int32Array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  await writeFile(join(folder, 'indptr.i32'), bytes(indptr));
  await writeFile(join(folder, 'indices.i32'), bytes(indices));
  await writeFile(join(folder, 'shape.json'), JSON.stringify({ items: columns }));
}

/** Rows of ones, on shared buffers. */
export async function readRows(folder: string): Promise<SparseRows> {
  const { items } = JSON.parse(await readFile(join(folder, 'shape.json'), 'utf8')) as { items: number };
  const [indptr, indices] = [await wordsOf(join(folder, 'indptr.i32')), await wordsOf(join(folder, 'indices.i32'))];
  const values = sharedFloat32(indices.length).fill(1);
  return { rows: indptr.length - 1, columns: items, indptr, indices, values };
}

export async function wordsOf(path: string): Promise<Int32Array> {
  const bytes = await readFile(path);
  const words = sharedInt32(bytes.length / 4);
  new Uint8Array(words.buffer).set(bytes);
  return words;
}

export async function floatsOf(path: string): Promise<Float32Array> {
  const words = await wordsOf(path);
  return new Float32Array(words.buffer);
}
