import { DelayedError, Worker } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../shared/clock.ts';
import { computePool, inlinePool } from '../../shared/compute/pool.ts';
import { AppError } from '../../shared/errors.ts';
import type { RunDocument } from '../../shared/store/ports.ts';
import type { Log } from '../../shared/telemetry/log.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import { silentLog, testServices } from '../../test/services.ts';
import { CancelWatch } from './cancellation.ts';
import { Executor } from './executor.ts';
import { follow } from './follow.ts';
import { AloneCounts, Isolation } from './isolation.ts';
import { contractOf, failureOf, probe, runOf, start } from './runtime-fixture.ts';

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));

test('a committed run whose pointers cannot follow comes back until they do, however few attempts it has', async () => {
  await using services = await testServices();
  let faults = 2;
  const { processor, calls } = probe(contractOf('dataset', { attemptsMax: 1 }), {
    follow: async () => {
      if (faults-- > 0) throw new AppError('SERVICE_UNAVAILABLE');
      return { square: 26 };
    },
  });
  const host = await start(services, processor);
  const { done, runKey } = await host.enqueue(5);
  expect(await done()).toEqual({ square: 26 });
  expect(calls).toMatchObject({ compute: 1, follow: 3 });
  await host.workers.told();
  expect(await runOf(services, runKey)).toMatchObject({ state: 'committed', followed: true, fence: 1 });
});

test('a committed run is never marked as followed by somebody who lacks its processor', async () => {
  await using services = await testServices();
  const { ledger } = services.store;
  const place = { tenant: 'main', kind: 'probe', contractVersion: 1, inputHash: 'h', asOf: 1, codeVersion: 'x' };
  const { run } = await ledger.claim({ runKey: 'main.probe.1', ...place });
  await ledger.commit({
    runKey: run.runKey,
    fence: 1,
    output: {},
    plan: { block: 'b' },
    next: [],
    lineage: { inputs: [] },
  });
  const committed = (await ledger.read(run.runKey)) as RunDocument;
  await expect(follow(committed, undefined, { store: services.store } as never, async () => {})).rejects.toMatchObject({
    code: 'KIND_UNKNOWN',
  });
  expect(await ledger.read(run.runKey)).toMatchObject({ followed: false, plan: { block: 'b' } });
});

test('a run of class record is followed with its plan, and only once its record is there', async () => {
  await using services = await testServices();
  const seen: unknown[] = [];
  const { processor } = probe(contractOf('record'), {
    write: async (square) => ({ output: { square }, plan: { more: 1 } }),
    follow: async (run, { store }) => {
      seen.push(run.plan, (await store.ledger.read(run.runKey))?.state);
      return { square: 0 };
    },
  });
  const host = await start(services, processor);
  const { done, runKey } = await host.enqueue(5);
  expect(await done()).toEqual({ square: 0 });
  expect(seen).toEqual([{ more: 1 }, 'committed']);
  await host.workers.told();
  expect(await runOf(services, runKey)).toMatchObject({ followed: true, output: { square: 0 } });
});

test('a job that is put off does not count as one that killed its process', async () => {
  await using services = await testServices();
  const { processor } = probe(contractOf('dataset'), {
    compute: async () => {
      throw new AppError('NUMERICS_MEMORY_LIMIT');
    },
  });
  const host = await start(services, processor);
  const { job, runKey } = await host.enqueue(5);
  await new Promise<void>((resolve) => host.events.on('delayed', () => resolve()));
  expect(await runOf(services, runKey)).toMatchObject({ state: 'running', unsettled: 0 });
  expect((await host.queue.getJob(job.id as string))?.attemptsMade).toBe(0);
});

test('an old job is put off as long as a fresh one: a backlog and a schedule make jobs long before they run', async () => {
  await using services = await testServices();
  const contract = contractOf('dataset');
  const { processor } = probe(contract);
  const host = await start(services, processor);
  const delayed = new Promise<string>((resolve) => host.events.on('delayed', ({ jobId }) => resolve(jobId)));
  const { job } = await host.enqueue(5);
  await job.remove().catch(() => {});
  const old = await host.queue.add(
    job.name,
    { ...(job.data as object), version: 9, runKey: `main.${contract.kind}.${'0'.repeat(64)}` },
    { ...job.opts, jobId: 'rold', timestamp: Date.now() - 24 * 3600_000 },
  );
  expect(await delayed).toBe(old.id);
});

test('a worker that stops gives its run back: another takes it at once, and no attempt is lost', async () => {
  await using services = await testServices();
  const started = Promise.withResolvers<void>();
  const contract = contractOf('dataset', { attemptsMax: 1 });
  const first = probe(contract, {
    compute: (_n, { signal }) => {
      started.resolve();
      return untilAborted(signal);
    },
  });
  const leaving = await start(services, first.processor, { finishMs: 1 });
  const { job, runKey, done } = await leaving.enqueue(5);
  await started.promise;
  await leaving.workers[Symbol.asyncDispose]();
  expect(await runOf(services, runKey)).toMatchObject({ state: 'running', unsettled: 0, fence: 1 });
  expect((await leaving.queue.getJob(job.id as string))?.attemptsMade).toBe(0);
  await start(services, probe(contract).processor);
  expect(await done()).toEqual({ square: 25 });
  expect(await runOf(services, runKey)).toMatchObject({ state: 'committed', fence: 2 });
});

test('a job that reaches a worker which has stopped is given back before it is claimed', async () => {
  await using services = await testServices();
  const contract = contractOf('dataset', { attemptsMax: 1 });
  const { processor, calls } = probe(contract);
  const { redis, prefix, store } = services;
  await using cancels = await CancelWatch.open(redis, prefix);
  await using pool = inlinePool();
  const executor = new Executor({
    contract,
    processor,
    ports: { store, pool, clock: systemClock, log: silentLog, telemetry: new Telemetry(), codeVersion: 'test' },
    ring: undefined,
    cancels,
    isolation: new Isolation(new AloneCounts(redis, prefix)),
    relay: async () => {},
  });
  const fetching = new Worker(contract.kind, null, { connection: redis, prefix });
  onTestFinished(() => fetching.close());
  const host = await start(services, probe(contract).processor);
  await host.workers.worker.pause();
  const { job, runKey, done } = await host.enqueue(5);
  const late = await fetching.getNextJob('late', { block: false });
  expect(late.id).toBe(job.id);
  executor.stop();
  await expect(executor.execute(late, 'late')).rejects.toBeInstanceOf(DelayedError);
  expect(await store.ledger.read(runKey)).toBeUndefined();
  await host.workers.worker.resume();
  expect(await done()).toEqual({ square: 25 });
  expect(calls.load).toBe(0);
});

test('an unexpected error in a personal kind tells its kind and place, never its words', async () => {
  await using services = await testServices();
  const lines: unknown[] = [];
  const heard = (fields: object, message: string): void => void lines.push([fields, message]);
  const log: Log = { ...silentLog, debug: heard, info: heard, warn: heard, error: heard, child: () => log };
  const { processor } = probe(contractOf('dataset', { personal: true, attemptsMax: 1 }), {
    compute: async () => {
      throw new TypeError('cannot read "Asha Rao, 12 Hill Street"');
    },
  });
  const host = await start(services, processor, { log });
  const { job, done, runKey } = await host.enqueue(5);
  expect(await failureOf(done())).toMatchObject({ code: 'INTERNAL', message: expect.stringContaining('TypeError') });
  const stored = await host.queue.getJob(job.id as string);
  const everything = JSON.stringify([stored, stored?.stacktrace, lines, await runOf(services, runKey)]);
  expect(everything).not.toContain('Asha');
  expect(JSON.stringify(lines)).toContain('executor-ends.test.ts');
});

test('a cancel that comes while a committed run is followed does not make it look cancelled', async () => {
  await using services = await testServices();
  const following = Promise.withResolvers<void>();
  const cancelled = Promise.withResolvers<void>();
  let faults = 1;
  const { processor } = probe(contractOf('dataset'), {
    compute: async (n, { signal }) => {
      signal.addEventListener('abort', () => cancelled.resolve());
      return n * n;
    },
    follow: async () => {
      following.resolve();
      await cancelled.promise;
      if (faults-- > 0) throw new AppError('SERVICE_UNAVAILABLE');
      return undefined;
    },
  });
  const host = await start(services, processor);
  onTestFinished(() => cancelled.resolve());
  const { done, runKey } = await host.enqueue(5);
  await following.promise;
  await host.cancels.cancel(runKey);
  expect(await done()).toEqual({ square: 25 });
  await host.workers.told();
  expect(await runOf(services, runKey)).toMatchObject({ state: 'committed', followed: true });
});

test('a job that takes more memory than its contract allows is dead-lettered with that code, and the next one runs', async () => {
  await using services = await testServices();
  await using threads = computePool({ threads: 1 });
  const contract = contractOf('dataset', { memoryMbMax: 64, attemptsMax: 2 });
  const module = new URL('../../shared/compute/pool.fixture.ts', import.meta.url).href;
  const { processor, calls } = probe(contract, {
    compute: async (n, { pool, signal }) => {
      const name = n === 1 ? 'leakBuffers' : 'double';
      const [result] = await pool.runPhase<number>([{ module, name, payload: { value: n } }], signal);
      return result ?? 0;
    },
  });
  const host = await start(services, processor, { threads });
  const leaking = await host.enqueue(1);
  expect(await failureOf(leaking.done())).toMatchObject({ code: 'JOB_MEMORY_LIMIT' });
  expect(await runOf(services, leaking.runKey)).toMatchObject({ state: 'dead-lettered' });
  expect(calls.compute).toBe(2);
  expect(await (await host.enqueue(2)).done()).toEqual({ square: 4 });
});
