/** Skip-gram kernels against their slow reference and against finite differences of the stated loss, on both modules. */
import { describe, expect, test } from 'vitest';
import { randomStream } from '../../random.ts';
import { hasRelaxedSimd, instantiate, loadEngine } from '../engine/load.ts';
import { f32, f64, i32 } from '../engine/memory.ts';
import {
  layOutSgns,
  ROUND_PAIRS,
  sgnsScratchFloats,
  writeSgnsEpoch,
  writeSgnsRate,
  writeSgnsState,
} from '../sgd/sgns-layout.ts';
import { buildAliases, dealColumns } from '../sgd/strata.ts';
import { entityHashes } from '../tie-hash.ts';
import {
  negativesOf,
  pairsOf,
  type SgnsReference,
  sgnsLoss,
  shuffledSequence,
  sweepReference,
  wordOf,
} from './sgns.reference.ts';

const MODULES = ([true, false] as const).filter((deterministic) => deterministic || hasRelaxedSimd());

interface Wanted {
  readonly words?: number;
  readonly blocks?: number;
  readonly dimensions?: number;
  readonly negatives?: number;
  readonly window?: number;
  readonly subsampled?: boolean;
  readonly chanced?: boolean;
  /** Every so many tokens, one is an explicit negative. */
  readonly negativeEvery?: number;
  readonly sequences?: number[][];
}

/** The same state in the kernel's memory and as the reference reads it. */
async function open(deterministic: boolean, wanted: Wanted) {
  const {
    blocks = 2,
    chanced = false,
    dimensions = 20,
    negatives = 5,
    subsampled = false,
    window = 3,
    words = 40,
  } = wanted;
  const stream = randomStream(41, 'sgns');
  const sequences =
    wanted.sequences ??
    Array.from({ length: 12 }, (_, n) =>
      Array.from({ length: n === 3 ? 0 : 1 + stream.below(20) }, (_token, at) => {
        const word = stream.below(words);
        return wanted.negativeEvery !== undefined && at % wanted.negativeEvery === 1 ? ~word : word;
      }),
    );
  const tokens = sequences.flat();
  const { plan, layout } = layOutSgns({
    words,
    sequences: sequences.length,
    tokens: tokens.length,
    dimensions,
    window,
    negatives,
    blocks,
    threads: 1,
    subsampled,
    chanced,
    roundPairs: ROUND_PAIRS,
  });
  const memory = plan.allocate();
  const [epochKey, rate] = [0x9abc_def1, 0.07];
  const sequencePtr = i32(memory, layout.sequencePtr);
  sequences.forEach((own, n) => {
    sequencePtr[n + 1] = sequencePtr[n]! + own.length;
  });
  for (const region of [layout.source, layout.ordered]) i32(memory, region).set(tokens);
  const sequenceHashes = entityHashes(0, sequences.length, undefined, 'user');
  const wordHashes = entityHashes(0, words, undefined, 'item');
  i32(memory, layout.sequenceHashes).set(sequenceHashes);
  i32(memory, layout.wordHashes).set(wordHashes);
  const [members, memberStarts] = [i32(memory, layout.members), i32(memory, layout.memberStarts)];
  const bytes = (region: { readonly at: number }) => new Uint8Array(memory.buffer, region.at, words);
  const [centreBlocks, contextBlocks] = [bytes(layout.centreBlocks), bytes(layout.contextBlocks)];
  dealColumns(wordHashes, 77, { blockOf: centreBlocks, members, starts: memberStarts });
  dealColumns(wordHashes, epochKey, { blockOf: contextBlocks, members, starts: memberStarts });
  const tables = {
    thresholds: new Uint32Array(memory.buffer, layout.thresholds.at, words),
    aliases: i32(memory, layout.aliases),
  };
  const weight = (place: number) => 1 + (members[place]! % 5);
  for (let q = 0; q < blocks; q++) {
    buildAliases(memberStarts[q]!, memberStarts[q + 1]!, weight, tables.thresholds, tables.aliases);
  }
  const keep = Uint32Array.from({ length: words }, (_, word) => (word % 3 === 0 ? 0x8000_0000 : 0xffff_ffff));
  if (subsampled) i32(memory, layout.keep).set(keep);
  const chances = sequences.map((own) => own.map((_, at) => (at % 4 === 0 ? 0x6000_0000 : 0xffff_ffff)));
  if (chanced) for (const region of [layout.sourceChances, layout.chances]) i32(memory, region).set(chances.flat());
  writeSgnsState(memory, layout);
  writeSgnsEpoch(memory, layout, epochKey);
  writeSgnsRate(memory, layout, rate);
  const start = (to: Float32Array) =>
    Array.from({ length: words }, (_, word) => {
      const own = Float64Array.from({ length: dimensions }, () => Math.fround(0.4 * stream.normal()));
      to.set(own, word * layout.width);
      return own;
    });
  const reference: SgnsReference = {
    inputs: start(f32(memory, layout.inputs)),
    outputs: start(f32(memory, layout.outputs)),
    sequences,
    sequenceHashes,
    wordHashes,
    centreBlocks,
    contextBlocks,
    members,
    memberStarts,
    tables,
    ...(subsampled ? { keep } : {}),
    ...(chanced ? { chances } : {}),
    window,
    negatives,
    epochKey,
    rate,
  };
  const { module } = await loadEngine({ deterministic });
  const kernels = instantiate(module, memory);
  const row = (side: 'inputs' | 'outputs', word: number) =>
    f32(memory, layout[side]).subarray(word * layout.width, word * layout.width + dimensions);
  return { kernels, memory, layout, reference, row };
}

type Opened = Awaited<ReturnType<typeof open>>;

/** Lays the pairs of all tokens out in two chunks and returns where each stratum starts. */
function layOutPairs({ kernels, layout, memory }: Opened): number[] {
  const size = layout.blocks ** 2;
  const half = layout.tokens >> 1;
  const spans = [
    [0, half, layout.chunkStrata.at],
    [half, layout.tokens, layout.chunkStrata.at + size * 4],
  ] as const;
  for (const [from, to, at] of spans) kernels.countPairs(layout.state.at, from, to, at);
  const counts = i32(memory, layout.chunkStrata);
  const starts = [0];
  for (let stratum = 0; stratum < size; stratum++) {
    const [first, second] = [counts[stratum]!, counts[size + stratum]!];
    counts[stratum] = starts[stratum]!;
    counts[size + stratum] = starts[stratum]! + first;
    starts.push(starts[stratum]! + first + second);
  }
  for (const [from, to, at] of spans) kernels.placePairs(layout.state.at, from, to, at);
  return starts;
}

const CASES: [string, Wanted][] = [
  ['one block', { blocks: 1 }],
  ['several blocks', { blocks: 4 }],
  ['one negative', { negatives: 1 }],
  ['two negatives', { negatives: 2 }],
  ['no negatives', { negatives: 0 }],
  ['many negatives of few words, which repeat', { negatives: 13, words: 6 }],
  ['thinned out', { subsampled: true, window: 1 }],
  ['vectors that fill the rows', { dimensions: 32 }],
  ['tokens with chances', { chanced: true }],
  ['tokens with chances, of words that are thinned out', { chanced: true, subsampled: true, window: 5 }],
  ['explicit negatives', { negativeEvery: 3, blocks: 4 }],
];

describe.each(MODULES)('skip-gram kernels (deterministic: %s)', (deterministic) => {
  test.each(CASES)('pairs and vectors match the reference: %s', async (_what, wanted) => {
    const opened = await open(deterministic, wanted);
    const { kernels, layout, memory, reference, row } = opened;
    const { blocks } = layout;
    const starts = layOutPairs(opened);
    const pairs = pairsOf(reference, reference.sequences);
    expect(starts.at(-1)).toBe(pairs.length);
    expect(pairs.length).toBeGreaterThan(20);
    const records = i32(memory, layout.pairs);
    for (let stratum = 0; stratum < blocks ** 2; stratum++) {
      const [p, q] = [Math.floor(stratum / blocks), stratum % blocks];
      const own = pairs.filter(
        ([centre, context]) => reference.centreBlocks[centre] === p && reference.contextBlocks[wordOf(context)] === q,
      );
      const [from, to] = [starts[stratum]!, starts[stratum + 1]!];
      expect(own).toEqual(
        Array.from({ length: to - from }, (_, n) => [...records.subarray((from + n) * 2, (from + n) * 2 + 2)]),
      );
      kernels.sgnsSweep(layout.state.at, p, q, from, to, layout.scratch[0]!.at);
      expect(f64(memory, layout.residuals)[stratum]).toBeCloseTo(sweepReference(reference, own), 3);
    }
    for (const side of ['inputs', 'outputs'] as const) {
      reference[side].forEach((own, word) => {
        own.forEach((value, d) => expect(row(side, word)[d]).toBeCloseTo(value, 4));
      });
    }
  });

  test('the pairs of one stratum alone are those that it has among all', async () => {
    const opened = await open(deterministic, { blocks: 4, chanced: true, negativeEvery: 4 });
    const { kernels, layout, memory } = opened;
    const starts = layOutPairs(opened);
    const all = i32(memory, layout.pairs).slice();
    for (let stratum = 0; stratum < 16; stratum++) {
      const [p, q] = [stratum >> 2, stratum & 3];
      const count = kernels.placeStratum(layout.state.at, 0, layout.tokens, layout.chunkStrata.at, p, q);
      expect(count).toBe(starts[stratum + 1]! - starts[stratum]!);
      const expected = all.subarray(starts[stratum]! * 2, starts[stratum + 1]! * 2);
      expect(i32(memory, layout.pairs).slice(0, count * 2)).toEqual(expected);
    }
  });

  test('sequences are shuffled as the reference shuffles them, and their chances with them', async () => {
    const { kernels, layout, memory, reference } = await open(deterministic, { chanced: true });
    kernels.shuffleSequences(layout.state.at, 0, 5);
    kernels.shuffleSequences(layout.state.at, 5, layout.sequences);
    const expected = reference.sequences.flatMap((_, n) => shuffledSequence(reference, n));
    expect([...i32(memory, layout.ordered)]).toEqual(expected);
    const chances = reference.chances!.flatMap((own, n) => shuffledSequence(reference, n, own));
    expect([...new Uint32Array(memory.buffer, layout.chances.at, layout.tokens)]).toEqual(chances);
    expect(expected).not.toEqual(reference.sequences.flat());
  });

  test('scratch computed in TypeScript is that of the kernel', async () => {
    const { kernels } = await open(deterministic, {});
    for (const negatives of [0, 1, 5, 100]) {
      expect(sgnsScratchFloats(64, negatives) * 4).toBeGreaterThanOrEqual(kernels.sgnsScratchBytes(64, negatives));
    }
  });

  test('a step goes down the finite differences of its loss', async () => {
    const opened = await open(deterministic, { words: 500, blocks: 1, dimensions: 16, sequences: [[4, 9]], window: 1 });
    const { kernels, layout, reference, row } = opened;
    const starts = layOutPairs(opened);
    expect(starts).toEqual([0, 2]);
    const [pair] = pairsOf(reference, reference.sequences);
    const negatives = negativesOf(reference, pair!, 0);
    expect(new Set(negatives).size).toBe(negatives.length);
    const parameters = [
      reference.inputs[4]!,
      reference.outputs[9]!,
      ...negatives.map((word) => reference.outputs[word]!),
    ];
    kernels.sgnsSweep(layout.state.at, 0, 0, 0, 1, layout.scratch[0]!.at);
    const moved = [row('inputs', 4), row('outputs', 9), ...negatives.map((word) => row('outputs', word))];
    const loss = () => sgnsLoss(parameters[0]!, parameters[1]!, parameters.slice(2));
    parameters.forEach((parameter, n) => {
      parameter.forEach((value, d) => {
        const at = (shift: number) => {
          parameter[d] = value + shift;
          const result = loss();
          parameter[d] = value;
          return result;
        };
        const slope = (at(1e-4) - at(-1e-4)) / 2e-4;
        expect((value - moved[n]![d]!) / reference.rate).toBeCloseTo(slope, 4);
      });
    });
  });
});
