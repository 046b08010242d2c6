/** How long attempts may take and be silent, how long they may wait for each other, and how often there is another one. */
import { Backoffs, type Job } from 'bullmq';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { kindOptions } from '../../jobs/client/make-job.ts';
import { computePool } from '../../shared/compute/pool.ts';
import type { Task } from '../../shared/compute/task.ts';
import { defineJob } from '../../shared/contract-kit/define-job.ts';
import { AppError } from '../../shared/errors.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import { silentLog, testServices } from '../../test/services.ts';
import { JobEvents } from './job-events.ts';
import { contractOf, failureOf, probe, runOf, start } from './runtime-fixture.ts';
import { Settling } from './settling.ts';

const module = new URL('../../shared/compute/pool.fixture.ts', import.meta.url).href;
const task = (name: string, payload: unknown): Task => ({ module, name, payload });

test('a job that takes ten times its lock never stalls, and is run once', async () => {
  await using services = await testServices();
  await using threads = computePool({ threads: 1 });
  const lockMs = 1_500;
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const { processor, calls } = probe(contractOf('dataset'), {
    compute: async (n, { pool, signal }) => {
      await pool.runPhase([task('waitFor', { flag: flag.buffer })], signal);
      return n * n;
    },
  });
  const host = await start(services, processor, { threads, lockMs });
  const stalled: string[] = [];
  host.events.on('stalled', ({ jobId }) => stalled.push(jobId));
  const begun = performance.now();
  const outlived = new Promise<void>((resolve) => {
    host.workers.worker.on('locksRenewed', () => performance.now() - begun > 10 * lockMs && resolve());
  });
  const { done, runKey } = await host.enqueue(5);
  await outlived;
  Atomics.store(flag, 0, 1);
  Atomics.notify(flag, 0);
  expect(await done()).toEqual({ square: 25 });
  expect(stalled).toEqual([]);
  expect(calls.load).toBe(1);
  expect(await runOf(services, runKey)).toMatchObject({ state: 'committed', fence: 1 });
});

test('an attempt that hangs without a sign of life is ended and tried again, even if it does not listen', async () => {
  await using services = await testServices();
  const contract = contractOf('dataset', { heartbeatMsMax: 200, attemptsMax: 2 });
  let hangs = 1;
  const { processor } = probe(contract, {
    compute: (n) => (hangs-- > 0 ? new Promise<number>(() => {}) : Promise.resolve(n * n)),
  });
  const codes: string[] = [];
  const telemetry = new Telemetry();
  telemetry.subscribe((name, fields) => {
    if (name === 'job.retried' && 'code' in fields) codes.push(String(fields.code));
  });
  const host = await start(services, processor, { telemetry });
  const { done, runKey } = await host.enqueue(5);
  expect(await done()).toEqual({ square: 25 });
  expect(codes).toEqual(['HEARTBEAT_MISSED']);
  expect(await runOf(services, runKey)).toMatchObject({ state: 'committed', fence: 2 });
});

test('an attempt that hangs each time is parked with that code', async () => {
  await using services = await testServices();
  const { processor } = probe(contractOf('dataset', { heartbeatMsMax: 100, attemptsMax: 2 }), {
    compute: (_n, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
  });
  const host = await start(services, processor);
  const { done, runKey } = await host.enqueue(5);
  expect(await failureOf(done())).toMatchObject({ code: 'HEARTBEAT_MISSED', details: { limitMs: 100 } });
  expect(await runOf(services, runKey)).toMatchObject({ state: 'dead-lettered', error: { code: 'HEARTBEAT_MISSED' } });
});

test('a thread at work is a sign of life by itself, whatever its kernel says, and so is progress', async () => {
  await using services = await testServices();
  await using threads = computePool({ threads: 1 });
  const heartbeatMsMax = 1_500;
  const { processor, calls } = probe(contractOf('dataset', { heartbeatMsMax }), {
    compute: async (n, { pool, signal, progress }) => {
      await pool.runPhase([task('spinFor', { ms: 2 * heartbeatMsMax })], signal);
      for (let done = 0; done < 8; done++) {
        progress({ done, total: 8, label: 'quarters' });
        await new Promise((resolve) => setTimeout(resolve, heartbeatMsMax / 4));
      }
      return n * n;
    },
  });
  const host = await start(services, processor, { threads });
  const { done, runKey } = await host.enqueue(5);
  expect(await done()).toEqual({ square: 25 });
  expect(calls.compute).toBe(1);
  expect(await runOf(services, runKey)).toMatchObject({ fence: 1 });
});

const limits = fc.record({
  attemptsMax: fc.integer({ min: 1, max: 12 }),
  backoffMs: fc.integer({ min: 10, max: 60_000 }),
});
const failingBy = ({ attemptsMax, backoffMs }: { attemptsMax: number; backoffMs: number }) => {
  const { input, output } = contractOf('none');
  const what = { kind: 'failing', version: 1, title: 'Fails.', input, output, personal: false } as const;
  return defineJob({ ...what, effect: 'none', purposes: [], limits: { attemptsMax, backoffMs } });
};

test('delays between attempts double within their jitter, each is longer than the one before, and their sum has a bound', () => {
  fc.assert(
    fc.property(limits, ({ attemptsMax, backoffMs }) => {
      const { attempts, backoff } = kindOptions(failingBy({ attemptsMax, backoffMs }));
      expect(attempts).toBe(attemptsMax);
      const delays = Array.from({ length: attemptsMax - 1 }, (_, made) =>
        Number(Backoffs.calculate(Backoffs.normalize(backoff!)!, made + 1, new Error('x'), {} as never)),
      );
      delays.forEach((delay, index) => {
        const full = backoffMs * 2 ** index;
        expect(delay).toBeGreaterThanOrEqual(Math.floor(full * 0.8));
        expect(delay).toBeLessThanOrEqual(full);
        expect(delay).toBeGreaterThan(delays[index - 1] ?? 0);
      });
      const sum = delays.reduce((total, delay) => total + delay, 0);
      expect(sum).toBeLessThanOrEqual(backoffMs * (2 ** (attemptsMax - 1) - 1));
    }),
  );
});

test('what passes is tried as often as the contract says and never more; what does not is tried once', async () => {
  await fc.assert(
    fc.asyncProperty(
      limits,
      fc.constantFrom('SERVICE_UNAVAILABLE', 'HEARTBEAT_MISSED', 'INPUT_INVALID', 'RUN_POISONOUS' as const),
      async (of, code) => {
        const contract = failingBy(of);
        const telemetry = new Telemetry();
        const settling = new Settling({ contract, ports: { telemetry, log: silentLog } } as never);
        let attempts = 0;
        for (let isOver = false; !isOver && attempts < 100; ) {
          const job = { id: 'x', attemptsMade: attempts, attemptsStarted: attempts + 1, opts: kindOptions(contract) };
          const events = new JobEvents(telemetry, contract, job as Job);
          const told = await settling.failure(job as Job, 't', undefined, events, new AppError(code));
          attempts += 1;
          isOver = told.name === 'UnrecoverableError' || attempts >= of.attemptsMax;
          expect(told.name === 'UnrecoverableError').toBe(isOver);
        }
        const passes = code === 'SERVICE_UNAVAILABLE' || code === 'HEARTBEAT_MISSED';
        expect(attempts).toBe(passes ? of.attemptsMax : 1);
      },
    ),
  );
});
