import { describe, expect, test } from 'vitest';
import { AppError } from '../errors.ts';
import { computePool, inlinePool } from './pool.ts';
import type { Task } from './task.ts';

const module = new URL('./pool.fixture.ts', import.meta.url).href;
const task = (name: string, payload: unknown = {}): Task => ({ module, name, payload });

/** Resolves when `count` tasks have said that they run; waits on the shared counter itself. */
async function begun(view: Int32Array<SharedArrayBuffer>, count: number): Promise<void> {
  for (let seen = Atomics.load(view, 0); seen < count; seen = Atomics.load(view, 0)) {
    await Atomics.waitAsync(view, 0, seen).value;
  }
}

describe('computePool', () => {
  test('returns results in the order of the tasks, more tasks than threads', async () => {
    await using pool = computePool({ threads: 2 });
    const tasks = Array.from({ length: 9 }, (_, value) => task('double', { value }));
    expect(await pool.runPhase(tasks)).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16]);
    expect(await pool.runPhase([])).toEqual([]);
  });

  test('ends busy threads within 500 ms of an abort, and works on afterwards', async () => {
    await using pool = computePool({ threads: 2 });
    const started = new Int32Array(new SharedArrayBuffer(8));
    const stop = new AbortController();
    const phase = pool.runPhase(
      [0, 1].map(() => task('spin', { started: started.buffer })),
      stop.signal,
    );
    const outcome = phase.catch((thrown: unknown) => thrown);
    await begun(started, 2);
    const aborted = performance.now();
    stop.abort();
    const error = await outcome;
    expect(performance.now() - aborted).toBeLessThan(500);
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code: 'CANCELLED' });
    expect(await pool.runPhase([task('double', { value: 4 })])).toEqual([8]);
    const spins = Atomics.load(started, 1);
    expect(await pool.runPhase([task('double', { value: 5 })])).toEqual([10]);
    expect(Atomics.load(started, 1)).toBe(spins);
  });

  test('rejects with the reason of the signal when that has a code', async () => {
    await using pool = computePool({ threads: 1 });
    const signal = AbortSignal.abort(new AppError('DEADLINE_EXCEEDED'));
    await expect(pool.runPhase([task('double', { value: 1 })], signal)).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
    });
  });

  test('leaves the event loop free while threads are busy', async () => {
    await using pool = computePool({ threads: 1 });
    const flag = new SharedArrayBuffer(4);
    const phase = pool.runPhase<string>([task('waitFor', { flag })]);
    // This turn of the loop happens while the thread is at work: only it can end the task.
    await new Promise((resolve) => setImmediate(resolve));
    Atomics.store(new Int32Array(flag), 0, 1);
    Atomics.notify(new Int32Array(flag), 0);
    expect(await phase).toEqual(['woken']);
  });

  test('keeps the code and details of an error, and ends the tasks beside it', async () => {
    await using pool = computePool({ threads: 2 });
    const started = new SharedArrayBuffer(8);
    const error = await pool.runPhase([task('spin', { started }), task('failWithCode')]).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code: 'NUMERICS_MEMORY_LIMIT', retry: 'later', details: { needBytes: 12 } });
    expect((error as AppError).message).toMatch(/^NUMERICS_MEMORY_LIMIT: Too much\. \S/);
    expect(((error as AppError).cause as Error).stack).toContain('failWithCode');
  });

  test.each([
    ['failPlainly', /not a number/],
    ['noSuchFunction', /no function named noSuchFunction/],
    ['leave', /thread was lost/],
  ])('gives an unexpected end (%s) the code INTERNAL', async (name, message) => {
    await using pool = computePool({ threads: 1 });
    const phase = pool.runPhase([task(name)]);
    await expect(phase).rejects.toMatchObject({ code: 'INTERNAL', message: expect.stringMatching(message) });
    expect(await pool.runPhase([task('double', { value: 1 })])).toEqual([2]);
  });

  test('bounds the heap of a thread', async () => {
    await using pool = computePool({ threads: 1, threadHeapMiBMax: 32 });
    await expect(pool.runPhase([task('exhaustHeap')])).rejects.toMatchObject({ code: 'JOB_MEMORY_LIMIT' });
    expect(await pool.runPhase([task('double', { value: 4 })])).toEqual([8]);
  });

  test('replaces its threads after the tasks of a generation', async () => {
    await using pool = computePool({ threads: 1, tasksPerGeneration: 2 });
    for (let value = 0; value < 7; value++) {
      expect(await pool.runPhase([task('double', { value })])).toEqual([value * 2]);
    }
  });

  test('refuses work after it was closed and ends what was at work', async () => {
    const pool = computePool({ threads: 1 });
    const started = new Int32Array(new SharedArrayBuffer(8));
    const outcome = pool.runPhase([task('spin', { started: started.buffer })]).catch((thrown: unknown) => thrown);
    await begun(started, 1);
    await pool.close();
    expect(await outcome).toMatchObject({ code: 'CANCELLED' });
    await expect(pool.runPhase([task('double', { value: 1 })])).rejects.toMatchObject({ code: 'CANCELLED' });
    await pool.close();
  });

  test.each([0, 1.5, 65, Number.NaN])('refuses %d threads', (threads) => {
    expect(() => computePool({ threads })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});

describe('inlinePool', () => {
  test('runs the same tasks with the same errors on the calling thread', async () => {
    await using pool = inlinePool(3);
    expect(pool.threads).toBe(3);
    expect(await pool.runPhase([1, 2, 3].map((value) => task('double', { value })))).toEqual([2, 4, 6]);
    await expect(pool.runPhase([task('failWithCode')])).rejects.toMatchObject({ code: 'NUMERICS_MEMORY_LIMIT' });
    await expect(pool.runPhase([task('double')], AbortSignal.abort())).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});
