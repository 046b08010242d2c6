/**
 * Owns `npm run bench -- embeddings`: our kernels beside implicit, gensim and NumPy, on generated data of a known shape or on a file that the
 * user names; at equal quality, which is measured by the same code for both sides.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { computePool } from '../../shared/compute/pool.ts';
import { partFile } from './embeddings/file-split.ts';
import { generate, type Split } from './embeddings/data.ts';
import { benchEase, benchSgns, benchTopK } from './embeddings/closed-form.ts';
import { benchBpr, benchIals } from './embeddings/factorisation.ts';
import type { Bench } from './embeddings/bench.ts';
import { SideProcess } from './embeddings/side.ts';
import { type Comparison, machine, report } from './interleave.ts';

const THREADS = 2;
const SHAPES = {
  small: { users: 6_000, items: 3_000, interactions: 400_000 },
  medium: { users: 30_000, items: 10_000, interactions: 2_000_000 },
  /** The shape of ML-20M's users and items, thinned to 10 M interactions. */
  large: { users: 138_493, items: 26_744, interactions: 10_000_000 },
} as const;
const PARTS = ['ials', 'bpr', 'sgns', 'ease', 'top-k'] as const;
type Part = (typeof PARTS)[number];
type Size = keyof typeof SHAPES;

const USAGE = `USAGE: npm run bench -- embeddings [--only ${PARTS.join(',')}] [--size ${Object.keys(SHAPES).join('|')}] [--factors 64,128] [--pairs 5] [--file RATINGS [--min-value 3]]`;

function options(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string', default: PARTS.join(',') },
      size: { type: 'string', default: 'medium' },
      factors: { type: 'string', default: '64,128' },
      pairs: { type: 'string', default: '5' },
      file: { type: 'string' },
      'min-value': { type: 'string', default: '-Infinity' },
    },
  });
  const only = values.only.split(',') as Part[];
  const factors = values.factors.split(',').map(Number);
  const pairs = Number(values.pairs);
  const size = values.size as Size;
  const known = only.every((part) => PARTS.includes(part)) && size in SHAPES && pairs >= 1;
  if (!known || !factors.every((d) => d >= 1)) throw new TypeError(USAGE);
  return { only, factors, pairs, size, file: values.file, minValue: Number(values['min-value']) };
}

async function peersAbout(folder: string): Promise<string> {
  await using peer = await SideProcess.peer(folder, THREADS, THREADS);
  return (await peer.ask('about')).about;
}

export async function main(args: string[]): Promise<void> {
  const { factors, file, minValue, only, pairs, size } = options(args);
  console.log(`embeddings benchmark on ${machine()}, ${THREADS} threads each`);
  await using pool = computePool({ threads: THREADS });
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  const results: Comparison[] = [];
  const bench: Bench = {
    folder,
    threads: THREADS,
    pairs,
    pool,
    add(comparison) {
      results.push(comparison);
      report(comparison);
    },
  };
  try {
    console.log(`  peers: ${await peersAbout(folder)}`);
    let made: Split | undefined;
    const split = async () =>
      (made ??= file === undefined ? generate(size, SHAPES[size]) : await partFile(file, minValue));
    const parts: Record<Part, () => Promise<void>> = {
      ials: async () => benchIals(bench, await split(), factors),
      bpr: async () => benchBpr(bench, await split()),
      'top-k': async () => benchTopK(bench, await split(), factors[0]!),
      sgns: () => benchSgns(bench, size === 'small' ? 200_000 : 600_000),
      ease: () => benchEase(bench, size === 'small' ? 2_000 : 10_000),
    };
    for (const part of only) {
      const started = performance.now();
      await parts[part]();
      console.log(`    ${part} took ${Math.round((performance.now() - started) / 1000)} s`);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  console.log(JSON.stringify(results));
}
