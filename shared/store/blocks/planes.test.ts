import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sealBlock } from './block.task.ts';
import { type Column, packColumns } from './columns.ts';
import { packPlanes, unpackPlanes } from './planes.ts';

const moment = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 41 }),
  fc.constantFrom(0, -0, 1.5, Number.NaN, Number.POSITIVE_INFINITY, -(2 ** 40), 2 ** 52, 2 ** 53, Number.MAX_VALUE),
);
const rows = fc.array(fc.tuple(moment, moment, fc.float(), fc.nat(65_535)), { maxLength: 40 });

it('gives back the very bytes, or says that it cannot', () => {
  let packed = 0;
  fc.assert(
    fc.property(rows, fc.boolean(), (given, isTidy) => {
      const all = isTidy ? given.filter(([a, b]) => Number.isSafeInteger(a - b) && !Object.is(a, -0)) : given;
      const columns = new Map<string, Column>([
        ['eventId', new Uint8Array(randomBytes(16 * all.length))],
        ['value', Float32Array.from(all, ([, , value]) => value)],
        ['occurredAt', Float64Array.from(all, ([at]) => at)],
        ['recordedAt', Float64Array.from(all, ([, at]) => at)],
        ['source', Uint16Array.from(all, ([, , , source]) => source)],
      ]);
      const plain = packColumns({ format: 'events/1', rows: all.length, extra: { sources: ['web'] }, columns });
      const planes = packPlanes(plain);
      if (planes === undefined) return;
      packed++;
      expect(Buffer.compare(unpackPlanes(planes, plain.length), plain)).toBe(0);
    }),
  );
  expect(packed).toBeGreaterThan(20);
});

it('makes blocks of events smaller than zstd alone', () => {
  const n = 5000;
  const noon = Date.UTC(2026, 2, 14, 12);
  const columns = new Map<string, Column>([
    ['eventId', new Uint8Array(randomBytes(16 * n))],
    ['occurredAt', Float64Array.from({ length: n }, (_, row) => noon + ((row * 2_654_435_761) % 2.6e9))],
  ]);
  const occurredAt = columns.get('occurredAt') as Float64Array;
  columns.set(
    'recordedAt',
    occurredAt.map((at, row) => at + 2000 + ((row * 40_503) % 5000)),
  );
  const plain = packColumns({ format: 'events/1', rows: n, extra: { sources: [] }, columns });
  const [first, second] = (['zstd', 'planes'] as const).map((packing) =>
    sealBlock({ plain, dataKey: randomBytes(32), place: 'p', packing }),
  );
  expect(second!.packing).toBe('planes');
  expect(second!.box.length / n).toBeLessThan(0.85 * (first!.box.length / n));
});
