import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasRelaxedSimd, loadEngine, STATIC_AREA_BYTES } from './load.ts';
import { f32, f64, i32, MemoryPlan, paddedWidth } from './memory.ts';
import { sharedPhase, takeChunks } from './work-sharing.ts';

describe('MemoryPlan', () => {
  test('lays arrays out above the static area, 64-byte aligned, without overlap, within the memory', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ length: fc.nat(5000), bytes: fc.constantFrom(1 as const, 4 as const, 8 as const) }), {
          maxLength: 20,
        }),
        (wanted) => {
          const plan = new MemoryPlan();
          const regions = wanted.map(({ length, bytes }) => ({ ...plan.reserve(length, bytes), bytes }));
          const memory = plan.allocate();
          let end = STATIC_AREA_BYTES;
          for (const { at, length, bytes } of regions) {
            expect(at % 64).toBe(0);
            expect(at).toBeGreaterThanOrEqual(end);
            end = at + length * bytes;
          }
          expect(memory.buffer.byteLength).toBeGreaterThanOrEqual(end + 64);
          expect(memory.buffer).toBeInstanceOf(SharedArrayBuffer);
        },
      ),
    );
  });

  test('refuses what is above its bound, or above what 32 bits address, naming both figures', () => {
    const plan = new MemoryPlan();
    plan.reserve(2 ** 20);
    expect(() => plan.allocate(2 ** 20)).toThrow(
      expect.objectContaining({
        code: 'NUMERICS_MEMORY_LIMIT',
        details: { needBytes: 65 * 65_536 + 65_536, limitBytes: 2 ** 20 },
      }),
    );
    plan.reserve(2 ** 31);
    expect(() => plan.allocate(Number.POSITIVE_INFINITY)).toThrow(
      expect.objectContaining({ code: 'NUMERICS_MEMORY_LIMIT' }),
    );
  });

  test('views share one memory', () => {
    const plan = new MemoryPlan();
    const [one, two] = [plan.reserve(4), plan.reserve(2, 8)];
    const memory = plan.allocate();
    f32(memory, one)[3] = 1;
    f64(memory, two)[1] = 2;
    expect([i32(memory, one)[3], f64(memory, two)[1]]).toEqual([0x3f80_0000, 2]);
  });

  test.each([
    [1, 16],
    [16, 16],
    [17, 32],
    [100, 112],
  ])('rows of %i floats are padded to %i', (width, padded) => {
    expect(paddedWidth(width)).toBe(padded);
  });
});

describe('loadEngine', () => {
  test('takes relaxed SIMD where there is any, plain SIMD where equal bytes are asked for, and compiles once', async () => {
    expect((await loadEngine()).name).toBe(hasRelaxedSimd() ? 'wasm-relaxed-simd' : 'wasm-simd');
    expect((await loadEngine({ deterministic: true })).name).toBe('wasm-simd');
    expect(await loadEngine()).toBe(await loadEngine({ deterministic: false }));
  });
});

test('chunks cover every row once, however many takers there are', () => {
  const plan = new MemoryPlan();
  const counter = plan.reserve(1);
  const memory = plan.allocate();
  const tasks = sharedPhase(3, memory, counter, { module: 'm', name: 'n', payload: { a: 1 } });
  expect(tasks.map(({ payload }) => payload)).toEqual([0, 1, 2].map((thread) => ({ a: 1, thread })));
  const seen: number[] = [];
  for (let taker = 0; taker < 3; taker++) {
    takeChunks(memory, counter, 10, 4, (from, to) => {
      for (let row = from; row < to; row++) seen.push(row);
    });
  }
  expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
