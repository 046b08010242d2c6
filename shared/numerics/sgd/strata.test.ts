import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashDraw, hashPlace } from '../kernels/draws.reference.ts';
import { entityHashes } from '../tie-hash.ts';
import { balancedStarts, blockCount, buildAliases, type DealtColumns, dealColumns } from './strata.ts';

function room(columns: number, blocks: number): DealtColumns {
  return {
    blockOf: new Uint8Array(columns),
    members: new Int32Array(columns),
    starts: new Int32Array(blocks + 1),
  };
}

describe('strata', () => {
  test('the number of blocks follows from the data: 1 for little of it, 16 at most', () => {
    expect(blockCount(10, 10, 100)).toBe(1);
    expect(blockCount(943, 1500, 65_000)).toBe(4);
    expect(blockCount(100_000, 20_000, 10_000_000)).toBe(16);
    expect(blockCount(100_000, 100, 10_000_000)).toBe(2);
  });

  test('every row and every column is in one block; runs of rows hold about the same number of entries', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(9), { minLength: 1, maxLength: 200 }),
        fc.constantFrom(1, 2, 4, 8),
        fc.nat(),
        (sizes, blocks, key) => {
          const indptr = new Int32Array(sizes.length + 1);
          sizes.forEach((size, n) => {
            indptr[n + 1] = indptr[n]! + size;
          });
          const starts = balancedStarts(indptr, blocks);
          expect([starts[0], starts[blocks]]).toEqual([0, sizes.length]);
          for (let b = 0; b < blocks; b++) {
            expect(starts[b + 1]).toBeGreaterThanOrEqual(starts[b]!);
            const entries = indptr[starts[b + 1]!]! - indptr[starts[b]!]!;
            expect(entries).toBeLessThanOrEqual(indptr.at(-1)! / blocks + 9);
          }
          const dealt = room(sizes.length, blocks);
          dealColumns(entityHashes(0, sizes.length, undefined, 'item'), key, dealt);
          expect([...dealt.members].toSorted((a, b) => a - b)).toEqual(sizes.map((_, n) => n));
          for (let b = 0; b < blocks; b++) {
            for (let n = dealt.starts[b]!; n < dealt.starts[b + 1]!; n++)
              expect(dealt.blockOf[dealt.members[n]!]).toBe(b);
          }
        },
      ),
    );
  });

  test('negatives drawn within blocks that are dealt anew are uniform over the other columns, and by weight but for the heaviest', () => {
    const [columns, blocks, epochs, own] = [256, 4, 3000, 17];
    const hashes = entityHashes(0, columns, undefined, 'item');
    // A power law: the heaviest column holds a sixth of the weight.
    const weight = (column: number) => 1 / (column + 1);
    const tables = { thresholds: new Uint32Array(columns), aliases: new Int32Array(columns) };
    const [uniform, weighted] = [new Float64Array(columns), new Float64Array(columns)];
    const dealt = room(columns, blocks);
    const perEpoch = 64;
    for (let epoch = 0; epoch < epochs; epoch++) {
      const key = hashDraw(5, epoch);
      dealColumns(hashes, key, dealt);
      const q = dealt.blockOf[own]!;
      const [from, to] = [dealt.starts[q]!, dealt.starts[q + 1]!];
      buildAliases(from, to, (place) => weight(dealt.members[place]!), tables.thresholds, tables.aliases);
      for (let t = 0; t < perEpoch; t++) {
        uniform[dealt.members[hashPlace(hashDraw(key, t), from, to - from)]!]!++;
        weighted[dealt.members[hashPlace(hashDraw(~key, t), from, to - from, tables)]!]!++;
      }
    }
    const share = (counts: Float64Array, column: number) => {
      const others = counts.reduce((sum, value, n) => sum + (n === own ? 0 : value), 0);
      return counts[column]! / others;
    };
    let total = 0;
    for (let column = 0; column < columns; column++) if (column !== own) total += weight(column);
    for (let column = 0; column < columns; column++) {
      if (column === own) continue;
      // A column shares the block in a quarter of the epochs, and is then drawn about once in each: 750 draws, +- 37 with the dealing.
      expect(Math.abs(share(uniform, column) * (columns - 1) - 1)).toBeLessThan(0.25);
    }
    const due = weight(0) / total;
    const heavy = share(weighted, 0);
    expect(heavy).toBeLessThan(due);
    expect(heavy).toBeGreaterThan(0.6 * due);
    let distance = 0;
    for (let column = 0; column < columns; column++) {
      if (column !== own) distance += Math.abs(share(weighted, column) - weight(column) / total) / 2;
    }
    expect(distance).toBeLessThan(0.1);
  });
});
