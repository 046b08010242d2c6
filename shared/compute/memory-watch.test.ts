import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test, vi } from 'vitest';
import { AppError } from '../errors.ts';
import { ALLOCATOR_ENV } from './allocator.ts';
import { admit, MemoryWatch } from './memory-watch.ts';
import { computePool, type TaskReport } from './pool.ts';
import { scopedPool, type Task } from './task.ts';

const module = new URL('./pool.fixture.ts', import.meta.url).href;
const task = (name: string, payload: unknown = {}): Task => ({ module, name, payload });
const MIB = 2 ** 20;

test('a job that leaks outside the heap is ended with its bound in words, and the pool goes on', async () => {
  await using pool = computePool({ threads: 1 });
  const scoped = scopedPool(pool, { label: 'probe', memoryMbMax: 64 });
  const error = await scoped.runPhase([task('leakBuffers')]).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(AppError);
  expect(error).toMatchObject({ code: 'JOB_MEMORY_LIMIT', details: { kind: 'probe', memoryMbMax: 64 } });
  expect(await scoped.runPhase([task('double', { value: 4 })])).toEqual([8]);
});

test('only the job that takes too much is ended, not the one beside it', async () => {
  await using pool = computePool({ threads: 2 });
  const flag = new SharedArrayBuffer(4);
  const waiting = scopedPool(pool, { label: 'small', memoryMbMax: 2_048 }).runPhase([task('waitFor', { flag })]);
  const leaking = scopedPool(pool, { label: 'large', memoryMbMax: 64 }).runPhase([task('leakBuffers')]);
  await expect(leaking).rejects.toMatchObject({ code: 'JOB_MEMORY_LIMIT', details: { kind: 'large' } });
  Atomics.store(new Int32Array(flag), 0, 1);
  Atomics.notify(new Int32Array(flag), 0);
  expect(await waiting).toEqual(['woken']);
});

test('shared memory counts as soon as it is handed over, once however many tasks share it', async () => {
  await using pool = computePool({ threads: 1 });
  const shared = new Uint8Array(new SharedArrayBuffer(40 * MIB));
  const payload = { value: 1, nested: { views: [shared, shared.subarray(5)] } };
  const tasks = [task('double', payload), task('double', payload)];
  expect(await scopedPool(pool, { label: 'probe', memoryMbMax: 60 }).runPhase(tasks)).toEqual([2, 2]);
  await expect(scopedPool(pool, { label: 'probe', memoryMbMax: 30 }).runPhase(tasks)).rejects.toMatchObject({
    code: 'JOB_MEMORY_LIMIT',
    details: { takenMb: 40 },
  });
});

test('a job that is loading has its bound counted: what it takes is not charged to one whose tasks are at work', async () => {
  let looks = 0;
  const looked = Promise.withResolvers<void>();
  const memory = new MemoryWatch(() => {
    looks += 1;
    if (looks === 4) looked.resolve();
    return looks === 1 ? 0 : 250 * MIB;
  });
  const ended = admit(300);
  const tooMuch = vi.fn<(reason: AppError) => void>();
  const phase = memory.begin({ label: 'small', memoryMbMax: 100 }, new Set(), tooMuch);
  await looked.promise;
  expect(tooMuch).not.toHaveBeenCalled();
  const told = new Promise<AppError>((resolve) => tooMuch.mockImplementation(resolve));
  ended();
  expect(await told).toMatchObject({ code: 'JOB_MEMORY_LIMIT', details: { takenMb: 250 } });
  phase.end();
});

test('what the process grows by beyond all bounds is charged to the largest job', async () => {
  let rss = 0;
  const memory = new MemoryWatch(() => rss);
  const shared = (mb: number) => new Set([new SharedArrayBuffer(mb * MIB)]);
  const spared = vi.fn<(reason: AppError) => void>();
  const told = Promise.withResolvers<AppError>();
  const small = memory.begin({ label: 'small', memoryMbMax: 100 }, shared(1), spared);
  const large = memory.begin({ label: 'large', memoryMbMax: 100 }, shared(2), told.resolve);
  rss = 201 * MIB;
  expect(await told.promise).toMatchObject({ code: 'JOB_MEMORY_LIMIT', details: { kind: 'large', takenMb: 201 } });
  expect(spared).not.toHaveBeenCalled();
  small.end();
  large.end();
});

/** In a process of its own: what a runner's other work takes would blur the figures. */
const LEAK = `
  import { computePool } from '${new URL('./pool.ts', import.meta.url).href}';
  import { scopedPool } from '${new URL('./task.ts', import.meta.url).href}';
  const mb = () => Math.round(process.memoryUsage.rss() / ${MIB});
  await using pool = computePool({ threads: 1 });
  const scoped = scopedPool(pool, { label: 'probe', memoryMbMax: 400 });
  await scoped.runPhase([{ module: '${module}', name: 'double', payload: { value: 1 } }]);
  const before = mb();
  let peak = before;
  const timer = setInterval(() => { peak = Math.max(peak, mb()); }, 5);
  const code = await scoped.runPhase([{ module: '${module}', name: process.argv[1], payload: {} }]).catch((error) => error.code);
  clearInterval(timer);
  let after = mb();
  for (let turn = 0; turn < 400 && after > before + 100; turn++) { await new Promise((r) => setTimeout(r, 25)); after = mb(); }
  console.log(JSON.stringify({ code, before, peak, after }));`;

test.each(['leakBuffers', 'leakShared'])('the memory of a leaking task (%s) comes back to the system', async (name) => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', LEAK, name], {
    env: { ...process.env, ...ALLOCATOR_ENV },
  });
  const { code, before, peak, after } = JSON.parse(stdout) as Record<'before' | 'peak' | 'after', number> & {
    code: string;
  };
  expect(code).toBe('JOB_MEMORY_LIMIT');
  expect(peak).toBeGreaterThan(before + 300);
  expect(after).toBeLessThanOrEqual(before + 100);
});

test('threads that hold on to memory are replaced, also while another phase goes on', async () => {
  const replaced: unknown[] = [];
  const reports: TaskReport[] = [];
  const observer = {
    trace: () => undefined,
    task: (report: TaskReport) => void reports.push(report),
    replaced: (why: string) => void replaced.push(why),
  };
  await using pool = computePool({ threads: 2, heldMbMax: 64, observer });
  const flag = new SharedArrayBuffer(4);
  const long = pool.runPhase<string>([task('waitFor', { flag })]);
  expect(await pool.runPhase([task('leaveBehind', { mb: 80 })])).toEqual([80]);
  expect(await pool.runPhase([task('leaveBehind', { mb: 1 })])).toEqual([1]);
  expect(replaced).toEqual(['memory']);
  Atomics.store(new Int32Array(flag), 0, 1);
  Atomics.notify(new Int32Array(flag), 0);
  expect(await long).toEqual(['woken']);
  expect(reports.map((report) => report.task)).toEqual([
    'pool.fixture.ts#leaveBehind',
    'pool.fixture.ts#leaveBehind',
    'pool.fixture.ts#waitFor',
  ]);
  expect(reports.every(({ startedAt, endedAt, submittedAt }) => submittedAt <= startedAt && startedAt <= endedAt)).toBe(
    true,
  );
});

/** Gives a thread one large shared buffer after another, as trainings one after another do, and forgets each. */
const GIVEN = `
  import { computePool } from '${new URL('./pool.ts', import.meta.url).href}';
  await using pool = computePool({ threads: 1 });
  const mb = () => process.memoryUsage.rss() / ${MIB};
  const before = mb();
  let peak = before;
  for (let turn = 0; turn < 24; turn++) {
    await pool.runPhase([{ module: '${module}', name: 'fillShared', payload: { shared: new SharedArrayBuffer(64 * ${MIB}) } }]);
    peak = Math.max(peak, mb());
  }
  console.log(JSON.stringify({ before, peak }));`;

test('shared memory that nobody knows of any more does not pile up in threads', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', GIVEN]);
  const { before, peak } = JSON.parse(stdout) as Record<'before' | 'peak', number>;
  // All that was given is 1,536 MiB.
  expect(peak - before).toBeLessThan(600);
});
