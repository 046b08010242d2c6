/** BPR and WARP kernels against their slow reference and against finite differences of the stated losses, on both modules. */
import { describe, expect, test } from 'vitest';
import { randomStream } from '../../random.ts';
import { hasRelaxedSimd, instantiate, loadEngine } from '../engine/load.ts';
import { f32, i32 } from '../engine/memory.ts';
import { layOutPairwise, type PairwiseSizes, writePairwiseEpoch, writePairwiseState } from '../sgd/pairwise-layout.ts';
import { balancedStarts, buildAliases, dealColumns } from '../sgd/strata.ts';
import { fromTriples } from '../sparse.ts';
import { entityHashes } from '../tie-hash.ts';
import { hashDraw, hashPick, hashPlace } from './draws.reference.ts';
import {
  bprLoss,
  type Entry,
  type PairwiseReference,
  scoreOf,
  stratumEntries,
  sweepReference,
  bprNegative,
  warpLoss,
  warpViolator,
  warpWeight,
} from './pairwise.reference.ts';

const MODULES = ([true, false] as const).filter((deterministic) => deterministic || hasRelaxedSimd());

interface Wanted {
  readonly users?: number;
  readonly items?: number;
  readonly factors?: number;
  readonly blocks?: number;
  readonly share?: number;
  readonly weighted?: boolean;
  readonly biased?: boolean;
  readonly byWeight?: boolean;
  readonly skipSeen?: boolean;
  readonly drawsMax?: number;
  readonly decay?: number;
  readonly rate?: number;
  readonly sigma?: number;
}

/** The same state in the kernel's memory and as the reference reads it. */
async function open(deterministic: boolean, wanted: Wanted) {
  const {
    biased = true,
    blocks = 2,
    byWeight = false,
    factors = 20,
    items = 50,
    users = 30,
    weighted = false,
  } = wanted;
  const stream = randomStream(21, 'pairwise');
  const [rows, columns, values]: [number[], number[], number[]] = [[], [], []];
  for (let user = 0; user < users; user++) {
    for (let item = 0; item < items; item++) {
      if (item !== user % items && stream.uniform() > (wanted.share ?? 0.2)) continue;
      rows.push(user);
      columns.push(item);
      values.push(weighted ? (stream.uniform() < 0.3 ? -1.5 : 0.5 + stream.uniform()) : 1);
    }
  }
  const sparse = fromTriples(users, items, rows, columns, values);
  const sizes: PairwiseSizes = { users, items, interactions: rows.length, factors, blocks, weighted, biased, byWeight };
  const { plan, layout } = layOutPairwise(sizes);
  const memory = plan.allocate();
  const decay = wanted.decay ?? 0.05;
  const settings = {
    drawsMax: wanted.drawsMax ?? 10,
    skipSeen: wanted.skipSeen ?? true,
    userDecay: decay,
    itemDecay: decay * 2,
    biasDecay: decay * 3,
    weightMax: 2.5,
  };
  const [epochKey, rate] = [0xfedc_1234, wanted.rate ?? 0.1];
  const userStarts = balancedStarts(sparse.indptr, blocks);
  const [userHashes, itemHashes] = [
    entityHashes(0, users, undefined, 'user'),
    entityHashes(0, items, undefined, 'item'),
  ];
  i32(memory, layout.indptr).set(sparse.indptr);
  i32(memory, layout.indices).set(sparse.indices);
  if (weighted) f32(memory, layout.weights).set(sparse.values);
  i32(memory, layout.userStarts).set(userStarts);
  i32(memory, layout.userHashes).set(userHashes);
  i32(memory, layout.itemHashes).set(itemHashes);
  const members = i32(memory, layout.members);
  const memberStarts = i32(memory, layout.memberStarts);
  const blockOf = new Uint8Array(memory.buffer, layout.itemBlocks.at, items);
  dealColumns(itemHashes, epochKey, { blockOf, members, starts: memberStarts });
  const [thresholds, aliases] = [new Uint32Array(items), new Int32Array(items)];
  if (byWeight) {
    for (let q = 0; q < blocks; q++) {
      buildAliases(memberStarts[q]!, memberStarts[q + 1]!, (place) => 1 + (members[place]! % 7), thresholds, aliases);
    }
    i32(memory, layout.thresholds).set(thresholds);
    i32(memory, layout.aliases).set(aliases);
  }
  writePairwiseState(memory, layout, settings);
  writePairwiseEpoch(memory, layout, epochKey, rate);
  const start = (count: number, to: Float32Array) =>
    Array.from({ length: count }, (_, row) => {
      const own = Float64Array.from({ length: factors }, () => Math.fround((wanted.sigma ?? 0.5) * stream.normal()));
      to.set(own, row * layout.width);
      return own;
    });
  const biases = Float64Array.from({ length: items }, () => Math.fround(stream.normal() * 0.2));
  if (biased) f32(memory, layout.biases).set(biases);
  const reference: PairwiseReference = {
    users: start(users, f32(memory, layout.userFactors)),
    items: start(items, f32(memory, layout.itemFactors)),
    ...(biased ? { biases } : {}),
    userSquares: new Float64Array(users),
    itemSquares: new Float64Array(items),
    biasSquares: new Float64Array(items),
    indptr: sparse.indptr,
    indices: sparse.indices,
    ...(weighted ? { weights: sparse.values } : {}),
    userStarts,
    userHashes,
    itemHashes,
    blockOf,
    members,
    memberStarts,
    ...(byWeight ? { tables: { thresholds, aliases } } : {}),
    ...settings,
    epochKey,
    rate,
  };
  const { module } = await loadEngine({ deterministic });
  const kernels = instantiate(module, memory);
  const row = (region: 'userFactors' | 'itemFactors', n: number) =>
    f32(memory, layout[region]).subarray(n * layout.width, n * layout.width + factors);
  return { kernels, memory, layout, reference, row };
}

const CASES: [string, Wanted][] = [
  ['one block', { blocks: 1 }],
  ['several blocks', { blocks: 4 }],
  ['no biases, seen items allowed', { biased: false, skipSeen: false }],
  ['weights and dislikes', { weighted: true }],
  ['negatives by weight', { byWeight: true }],
  ['factors that fill the rows', { factors: 32 }],
  ['draws that end before anything is found', { share: 0.95, drawsMax: 2, blocks: 1 }],
];

describe.each(MODULES)('pairwise kernels (deterministic: %s)', (deterministic) => {
  for (const kind of ['bpr', 'warp'] as const) {
    test.each(CASES)(`${kind} matches the reference: %s`, async (_what, wanted) => {
      const { kernels, layout, memory, reference, row } = await open(deterministic, wanted);
      let learned = 0;
      for (let p = 0; p < layout.blocks; p++) kernels.dealEntries(layout.state.at, p);
      for (let round = 0; round < layout.blocks; round++) {
        for (let p = 0; p < layout.blocks; p++) {
          const q = (p + round) % layout.blocks;
          kernels[kind === 'bpr' ? 'bprSweep' : 'warpSweep'](layout.state.at, p, q);
          const expected = sweepReference(reference, kind, p, q);
          const counts = i32(memory, layout.counts).subarray((p * layout.blocks + q) * 2);
          expect([counts[0], counts[1]]).toEqual([expected.updates, expected.ordered]);
          learned += expected.updates;
        }
      }
      expect(learned).toBeGreaterThan(5);
      for (const [side, rows] of [
        ['userFactors', reference.users],
        ['itemFactors', reference.items],
      ] as const) {
        rows.forEach((own, n) => own.forEach((value, d) => expect(row(side, n)[d]).toBeCloseTo(value, 3)));
      }
      const biases = f32(memory, layout.biases);
      for (let item = 0; item < biases.length; item++) expect(biases[item]).toBeCloseTo(reference.biases![item]!, 3);
    });
  }

  test('entries are laid out by stratum, each once, in the order of the reference', async () => {
    const { kernels, layout, memory, reference } = await open(deterministic, { blocks: 4, weighted: true });
    const records = i32(memory, layout.entries);
    const weights = f32(memory, layout.entries);
    let seen = 0;
    for (let p = 0; p < 4; p++) {
      kernels.dealEntries(layout.state.at, p);
      const starts = i32(memory, layout.starts).subarray(p * 5, p * 5 + 5);
      for (let q = 0; q < 4; q++) {
        const own: Entry[] = [];
        for (let e = starts[q]!; e < starts[q + 1]!; e++) {
          own.push({ user: records[e * 3]!, item: records[e * 3 + 1]!, weight: weights[e * 3 + 2]! });
        }
        expect(own).toEqual(stratumEntries(reference, p, q));
        seen += own.length;
      }
    }
    expect(seen).toBe(layout.interactions);
  });

  test.each([
    ['bpr', 1],
    ['bpr', -1.5],
    ['warp', 1],
    ['warp', -1.5],
  ] as const)('a %s step of weight %d goes down the finite differences of its loss', async (kind, weight) => {
    const wanted = { users: 1, items: 2, blocks: 1, share: 0, factors: 16, weighted: true, sigma: 0.2 };
    const { kernels, layout, memory, reference, row } = await open(deterministic, wanted);
    f32(memory, layout.weights)[0] = weight;
    const entry = { user: 0, item: 0, weight };
    const before = structuredClone({ users: reference.users, items: reference.items, biases: reference.biases! });
    const violator = kind === 'warp' ? warpViolator(reference, entry, 0) : undefined;
    expect(violator?.other ?? bprNegative(reference, entry, 0)).toBe(1);
    const scale = kind === 'bpr' ? weight : weight * warpWeight(2, violator!.draws, reference.weightMax);
    const loss = (s: typeof before): number => {
      const [x0, x1] = [scoreOf(s, 0, 0), scoreOf(s, 0, 1)];
      const fit = (kind === 'bpr' ? bprLoss : warpLoss)(weight > 0 ? x0 : x1, weight > 0 ? x1 : x0, scale);
      const square = (values: Float64Array) => values.reduce((sum, value) => sum + value * value, 0);
      const { biasDecay, itemDecay, userDecay } = reference;
      const norms = userDecay * square(s.users[0]!) + itemDecay * (square(s.items[0]!) + square(s.items[1]!));
      return fit + (norms + biasDecay * square(s.biases)) / 2;
    };
    kernels.dealEntries(layout.state.at, 0);
    kernels[kind === 'bpr' ? 'bprSweep' : 'warpSweep'](layout.state.at, 0, 0);
    const check = (parameter: Float64Array, moved: Float32Array, squares: number) => {
      const step = reference.rate / Math.sqrt(squares + 1e-8);
      parameter.forEach((value, d) => {
        const at = (shift: number) => {
          parameter[d] = value + shift;
          const result = loss(before);
          parameter[d] = value;
          return result;
        };
        const slope = (at(1e-4) - at(-1e-4)) / 2e-4;
        expect((value - moved[d]!) / step).toBeCloseTo(slope, 4);
      });
    };
    check(before.users[0]!, row('userFactors', 0), f32(memory, layout.userSquares)[0]!);
    for (const item of [0, 1])
      check(before.items[item]!, row('itemFactors', item), f32(memory, layout.itemSquares)[item]!);
    const squares = f32(memory, layout.biasSquares);
    expect(squares[0]).toBeCloseTo(squares[1]!, 6);
    check(before.biases, f32(memory, layout.biases), squares[0]!);
  });
});

describe('draws', () => {
  test('are uniform, or by weight through alias tables, within 4 standard deviations', () => {
    const [size, count] = [40, 60_000];
    const weight = (place: number) => (place === 5 ? 0 : (place % 6) ** 2);
    const tables = { thresholds: new Uint32Array(size), aliases: new Int32Array(size) };
    buildAliases(0, size, weight, tables.thresholds, tables.aliases);
    let total = 0;
    for (let place = 0; place < size; place++) total += weight(place);
    const [uniform, weighted] = [new Float64Array(size), new Float64Array(size)];
    for (let t = 0; t < count; t++) {
      uniform[hashPlace(hashDraw(77, t), 0, size)]!++;
      weighted[hashPlace(hashDraw(78, t), 0, size, tables)]!++;
    }
    for (let place = 0; place < size; place++) {
      for (const [counts, share] of [
        [uniform, 1 / size],
        [weighted, weight(place) / total],
      ] as const) {
        const expected = count * share;
        expect(Math.abs(counts[place]! - expected)).toBeLessThanOrEqual(4 * Math.sqrt(expected * (1 - share)));
      }
    }
  });

  test('weights that are all 0 are drawn alike', () => {
    const tables = { thresholds: new Uint32Array(3), aliases: new Int32Array(3) };
    buildAliases(0, 3, () => 0, tables.thresholds, tables.aliases);
    expect([...tables.thresholds]).toEqual([0xffff_ffff, 0xffff_ffff, 0xffff_ffff]);
    expect(hashPick(0xffff_ffff, 3)).toBe(2);
  });
});
