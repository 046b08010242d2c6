/** Owns the comparisons of skip-gram with gensim, of EASE with NumPy and of ranking with implicit. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rankByFactors } from '../../../shared/numerics/ranking/rank-factors.ts';
import { randomStream } from '../../../shared/random.ts';
import { emptyRows, sharedFloat32 } from '../../../shared/numerics/sparse.ts';
import { interleave } from '../interleave.ts';
import { type Bench, denseOf, once, SEED } from './bench.ts';
import { generate, plantSentences, type Split, wordsOf, writeRows } from './data.ts';
import { SideProcess } from './side.ts';

const SGNS = { dimensions: 64, epochs: 5, window: 5, negatives: 5 };
const PLANTED = { words: 10_000, clusters: 400, length: 20 };
const NEIGHBOURS = 10;
/** Each side learns at the first rate of these that serves it best; it falls to 1/250 of itself on both. gensim's default is the first. */
const RATES = [0.025, 0.05, 0.1];

/** Of the ten nearest words by cosine, the share from the word's own cluster. */
async function plantedRecall({ pool }: Bench, path: string): Promise<number> {
  const vectors = await denseOf(path, SGNS.dimensions);
  const { data, rows, width } = vectors;
  const unit = sharedFloat32(data.length);
  for (let row = 0; row < rows; row++) {
    const own = data.subarray(row * width, (row + 1) * width);
    const norm = Math.hypot(...own) || 1;
    for (let d = 0; d < width; d++) unit[row * width + d] = own[d]! / norm;
  }
  const scaled = { ...vectors, data: unit };
  const lists = await rankByFactors(
    { users: scaled, items: scaled },
    { k: NEIGHBOURS + 1, exclude: emptyRows(rows, rows) },
    { pool },
  );
  let own = 0;
  for (let word = 0; word < rows; word++) {
    const near = lists.items.subarray(word * (NEIGHBOURS + 1), (word + 1) * (NEIGHBOURS + 1));
    const others = [...near].filter((other) => other !== word).slice(0, NEIGHBOURS);
    own += others.filter((other) => other % PLANTED.clusters === word % PLANTED.clusters).length;
  }
  return own / (rows * NEIGHBOURS);
}

export async function benchSgns(bench: Bench, words: number): Promise<void> {
  const sequences = plantSentences({ ...PLANTED, sentences: words / PLANTED.length });
  const folder = join(bench.folder, 'sentences');
  await writeRows(folder, sequences);
  await using ours = SideProcess.ours(folder, bench.threads);
  await using peer = await SideProcess.peer(folder, bench.threads, 1);
  const ask = {
    ours: (learningRate: number) => ours.ask('sgns', { params: { ...SGNS, learningRate }, seed: SEED }),
    peer: (rate: number) => peer.ask('sgns', { ...SGNS, rate, seed: SEED }),
  };
  const bestOf = async (side: 'ours' | 'peer') => {
    const best = { rate: 0, recall: -1 };
    for (const rate of RATES) {
      await ask[side](rate);
      const recall = await plantedRecall(bench, join(folder, `${side}-items.f32`));
      if (recall > best.recall) Object.assign(best, { rate, recall });
    }
    return best;
  };
  const [own, theirs] = [await bestOf('ours'), await bestOf('peer')];
  console.log(
    `\n  skip-gram: ${words} words, vocabulary ${PLANTED.words}, planted clusters in ${NEIGHBOURS} nearest: ours ${own.recall.toFixed(4)} (rate ${own.rate}), gensim ${theirs.recall.toFixed(4)} (rate ${theirs.rate}); wanted: within 1 %`,
  );
  const units = words * SGNS.epochs;
  bench.add(
    await interleave({
      name: 'skip-gram, d = 64, window 5, 5 negatives',
      unit: 'words',
      pairs: bench.pairs,
      warmUp: 0,
      target: 1.5,
      ours: { name: 'millrace', work: async () => ({ ...(await once(ask.ours(own.rate))), units }) },
      peer: { name: 'gensim, corpus file', work: async () => ({ ...(await once(ask.peer(theirs.rate))), units }) },
    }),
  );
}

const EASE_LAMBDA = 300;
const EASE_USERS = 2_000;
const TOP = 10;

export async function benchEase(bench: Bench, items: number): Promise<void> {
  const split = generate('ease', { users: 3 * items, items, interactions: 100 * items });
  const folder = join(bench.folder, 'ease');
  await writeRows(folder, split.train);
  await using ours = SideProcess.ours(folder, bench.threads);
  await using peer = await SideProcess.peer(folder, bench.threads, bench.threads);
  await Promise.all([ours.ask('load'), peer.ask('load')]);
  const ask = {
    ours: () => ours.ask('fit', { model: 'ease', params: { lambda: EASE_LAMBDA }, seed: SEED }),
    peer: () => peer.ask('ease', { regularization: EASE_LAMBDA }),
  };
  await ask.ours();
  await ours.ask('lists', { k: TOP, users: EASE_USERS });
  await ask.peer();
  await peer.ask('ease_lists', { k: TOP, users: EASE_USERS });
  console.log(`\n  EASE on ${items} items: ${await equalLists(folder)}`);
  bench.add(
    await interleave({
      name: `EASE, ${items} items, X'X and inverse`,
      unit: 'fit',
      pairs: bench.pairs,
      warmUp: 0,
      of: 'time',
      target: 1.2,
      ours: { name: 'millrace, float32 blocks', work: () => once(ask.ours()) },
      peer: { name: 'NumPy, float64 inv', work: () => once(ask.peer()) },
    }),
  );
}

/** How many lists of the two sides are the same. */
async function equalLists(folder: string): Promise<string> {
  const [own, theirs] = await Promise.all(['ours', 'peer'].map((side) => wordsOf(join(folder, `${side}-lists.i32`))));
  const users = theirs!.length / TOP;
  const same = Array.from({ length: users }, (_, user) => user).filter((user) =>
    own!.subarray(user * TOP, (user + 1) * TOP).every((item, n) => item === theirs![user * TOP + n]),
  );
  return `${same.length} of ${users} top-${TOP} lists are the same on both sides`;
}

const TOP_K = 10;

export async function benchTopK(bench: Bench, { name, train }: Split, factors: number): Promise<void> {
  const folder = join(bench.folder, 'top-k');
  await writeRows(folder, train);
  const stream = randomStream(SEED, 'bench-factors');
  for (const [file, rows] of [
    ['users.f32', train.rows],
    ['items.f32', train.columns],
  ] as const) {
    const data = Float32Array.from({ length: rows * factors }, () => stream.normal());
    await writeFile(join(folder, file), new Uint8Array(data.buffer));
  }
  await using ours = SideProcess.ours(folder, bench.threads);
  await using peer = await SideProcess.peer(folder, bench.threads, 1);
  const ask = (side: SideProcess) => side.ask('recommend', { factors, k: TOP_K });
  await Promise.all([ours.ask('load'), peer.ask('load')]);
  bench.add(
    await interleave({
      name: `top ${TOP_K} of all users, d = ${factors}, ${name}`,
      unit: 'fit',
      pairs: bench.pairs,
      warmUp: 1,
      of: 'time',
      target: 0.8,
      ours: { name: 'millrace', work: () => once(ask(ours)) },
      peer: { name: 'implicit recommend', work: () => once(ask(peer)) },
    }),
  );
  console.log(`    ${await equalLists(folder)}`);
}
