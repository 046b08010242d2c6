/** The one way back from a terminal state: dead letters are redriven once, whoever asks, with an input that fits today's contract. */
import type { Queue } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { redriveAll } from '../../jobs/client/dead-letters.ts';
import { StoreDesk } from '../../jobs/gateway/dead-letter-desk.ts';
import { systemClock } from '../../shared/clock.ts';
import { inlinePool } from '../../shared/compute/pool.ts';
import { type Contract, REDRIVE_WINDOW_MS } from '../../shared/contract-kit/define-job.ts';
import { sealRing } from '../../shared/contract-kit/seal.ts';
import { AppError } from '../../shared/errors.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import { silentLog, TEST_KEYS, type TestServices, testServices } from '../../test/services.ts';
import { Enqueuer } from './enqueuer.ts';
import type { Orchestrator } from './orchestrator.ts';
import { contractOf, failureOf, probe, runOf, start } from './runtime-fixture.ts';
import { Sweeper } from './sweeper.ts';

const ring = sealRing(TEST_KEYS.sealKeys);

function deskOf({ store }: TestServices, contract: Contract, queue: Queue, now: () => number = Date.now): StoreDesk {
  const contracts = { [contract.kind]: contract };
  return new StoreDesk({ store, queueOf: async () => queue, ring, tenant: 'main', now, contracts });
}

/** A probe that fails as often as `left` says. */
function failing(effect: 'none' | 'record' | 'dataset', options: { left: number; personal?: boolean }) {
  return probe(contractOf(effect, { attemptsMax: 1, personal: options.personal ?? false }), {
    compute: async (n) => {
      if (options.left-- > 0) throw new AppError('SERVICE_UNAVAILABLE');
      return n * n;
    },
  });
}

function sweeperOf({ redis, prefix, store }: TestServices, contract: Contract, ages: { readonly ms: number }) {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const contracts = { [contract.kind]: contract };
  const enqueuer = stack.use(new Enqueuer({ redis, prefix, contracts, claims: store.claims, ring }));
  const clock = { now: () => systemClock.now() + ages.ms };
  const telemetry = new Telemetry();
  const ports = { store, pool: stack.use(inlinePool()), clock, log: silentLog, telemetry, codeVersion: 'x' };
  const orchestrator = {} as Orchestrator;
  return stack.use(new Sweeper({ ports, enqueuer, orchestrator, relay: async () => {}, processorOf: () => undefined }));
}

test.each(['dataset', 'record', 'none'] as const)(
  'a dead letter of effect class %s is redriven once, however many ask at once, and commits',
  async (effect) => {
    await using services = await testServices();
    const { processor, calls } = failing(effect, { left: 1 });
    const host = await start(services, processor);
    const { runKey, done, job } = await host.enqueue(5);
    expect(await failureOf(done())).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    if (effect === 'record') await sweeperOf(services, processor.contract, { ms: 0 }).sweep();
    const desk = deskOf(services, processor.contract, host.queue);
    const { deadLetters } = await desk.page({ kind: processor.contract.kind, code: 'SERVICE_UNAVAILABLE' });
    expect(deadLetters).toMatchObject([
      { runKey, code: 'SERVICE_UNAVAILABLE', attempts: 1, attemptsMax: 1, claims: 1, input: { in: 'job' } },
    ]);
    const ended = new Promise<string>((resolve) => host.events.on('completed', ({ jobId }) => resolve(jobId)));
    const results = (
      await Promise.all([desk.redrive([runKey]), desk.redrive([runKey]), desk.redrive([runKey])])
    ).flat();
    expect(results.map(({ outcome }) => outcome).sort()).toEqual(['redriven', 'running', 'running']);
    expect(await ended).toBe(job.id);
    expect(calls.compute).toBe(2);
    expect(await desk.redrive([runKey])).toMatchObject([{ outcome: 'refused' }]);
    expect((await desk.page({ kind: processor.contract.kind })).deadLetters).toEqual([]);
    await host.workers.told();
    const run = await services.store.ledger.read(runKey);
    expect(effect === 'none' ? [] : [run]).toMatchObject(
      effect === 'none'
        ? []
        : [
            {
              state: 'committed',
              fence: effect === 'record' ? 2 : 3,
              followed: true,
              earlierEnds: [{ state: 'dead-lettered', code: 'SERVICE_UNAVAILABLE', fence: 1 }],
            },
          ],
    );
  },
);

test('a redriven run that fails again is a dead letter again, and keeps how it ended before, up to a bound', async () => {
  await using services = await testServices();
  const { processor } = failing('dataset', { left: 1_000 });
  const host = await start(services, processor);
  const { runKey, done } = await host.enqueue(5);
  await failureOf(done());
  const desk = deskOf(services, processor.contract, host.queue);
  let failures = 1;
  let heard: () => void = () => {};
  host.events.on('failed', () => heard());
  for (; failures <= 12; failures++) {
    const failed = new Promise<void>((resolve) => {
      heard = resolve;
    });
    expect(await desk.redrive([runKey])).toMatchObject([{ outcome: 'redriven' }]);
    await failed;
  }
  const run = await runOf(services, runKey);
  expect(run).toMatchObject({ state: 'dead-lettered', unsettled: 1 });
  expect(run.earlierEnds).toHaveLength(10);
  expect((await desk.show(runKey)).claims).toBe(run.fence);
});

test('an input that does not fit the contract of today is refused with the field, and the dead letter stays', async () => {
  await using services = await testServices();
  const { processor, calls } = failing('dataset', { left: 1 });
  const host = await start(services, processor);
  const { runKey, done } = await host.enqueue(500);
  await failureOf(done());
  const today = { ...processor.contract, input: z.strictObject({ n: z.int().max(100) }) } as Contract;
  const desk = deskOf(services, today, host.queue);
  expect(await desk.redrive([runKey])).toMatchObject([
    { outcome: 'refused', error: { code: 'INPUT_INVALID', details: { issues: [{ path: ['n'] }] } } },
  ]);
  expect(await runOf(services, runKey)).toMatchObject({ state: 'dead-lettered', fence: 1 });
  expect(calls.compute).toBe(1);
});

test('a dead letter tells where its personal input lies, and nothing of it', async () => {
  await using services = await testServices();
  const { processor } = failing('dataset', { left: 1, personal: true });
  const host = await start(services, processor);
  const { runKey, done } = await host.enqueue(123_456);
  await failureOf(done());
  const desk = deskOf(services, processor.contract, host.queue);
  const letter = await desk.show(runKey);
  expect(letter.input).toMatchObject({ in: 'sealed' });
  expect(JSON.stringify(letter)).not.toContain('123456');
  const ended = new Promise<void>((resolve) => host.events.on('completed', () => resolve()));
  expect(await desk.redrive([runKey])).toMatchObject([{ outcome: 'redriven' }]);
  await ended;
});

test('what lies outside the window, has lost its job, or is another tenant is refused', async () => {
  await using services = await testServices();
  const { processor } = failing('dataset', { left: 10 });
  const host = await start(services, processor);
  const { runKey, done, job } = await host.enqueue(5);
  await failureOf(done());
  const late = deskOf(services, processor.contract, host.queue, () => Date.now() + REDRIVE_WINDOW_MS + 1);
  expect(await late.redrive([runKey])).toMatchObject([{ outcome: 'refused', error: { code: 'REDRIVE_REFUSED' } }]);
  const desk = deskOf(services, processor.contract, host.queue);
  expect(await desk.redrive([runKey.replace('main.', 'other.')])).toMatchObject([
    { outcome: 'refused', error: { code: 'NOT_FOUND' } },
  ]);
  await job.remove();
  expect(await desk.redrive([runKey])).toMatchObject([{ outcome: 'refused', error: { code: 'REDRIVE_REFUSED' } }]);
  expect((await desk.show(runKey)).input.in).toBe('gone');
  expect(await runOf(services, runKey)).toMatchObject({ state: 'dead-lettered' });
});

test('a redrive whose process died between ledger and queue is finished by the sweeper', async () => {
  await using services = await testServices();
  const { processor } = failing('dataset', { left: 1 });
  const host = await start(services, processor);
  const { runKey, done } = await host.enqueue(5);
  await failureOf(done());
  const { store } = services;
  await store.deadLetters.redrive(await runOf(services, runKey), Date.now() + 1);
  const ended = new Promise<void>((resolve) => host.events.on('completed', () => resolve()));
  await sweeperOf(services, processor.contract, { ms: 60_000 }).sweep();
  await ended;
  expect(await runOf(services, runKey)).toMatchObject({ state: 'committed' });
});

test('a step whose pipeline has ended is refused with the hint to run that again, one it still waits for is not', async () => {
  await using services = await testServices();
  const { processor } = failing('dataset', { left: 2 });
  const host = await start(services, processor);
  const { store } = services;
  const desk = deskOf(services, processor.contract, host.queue);
  const place = { tenant: 'main', pipeline: 'p', params: {}, asOf: 1, live: {}, seq: 1, createdAt: 1, changedAt: 1 };
  const ended = { ...place, id: 'main.p.1', state: 'failed', steps: { a: { state: 'failed' } } } as const;
  const going = { ...place, id: 'main.p.2', state: 'running', steps: { a: { state: 'enqueued' } } } as const;
  for (const run of [ended, going]) await store.pipelineRuns.create(run);
  const outcomes: unknown[] = [];
  for (const { id } of [ended, going]) {
    const { runKey, done } = await host.enqueue(5, id, { step: { run: id, step: 'a' } });
    await failureOf(done());
    outcomes.push((await desk.redrive([runKey]))[0]);
  }
  expect(outcomes).toMatchObject([
    {
      outcome: 'refused',
      error: { code: 'REDRIVE_REFUSED', message: expect.stringContaining('run the pipeline again') },
    },
    { outcome: 'redriven' },
  ]);
});

test('many are redriven by a filter in batches, each told as it is done; what fails again is not met twice', async () => {
  await using services = await testServices();
  const { processor, calls } = failing('dataset', { left: 130 + 20 });
  const host = await start(services, processor);
  const counter = { ended: 0, told: (): void => {} };
  for (const name of ['completed', 'failed'] as const)
    host.events.on(name, () => {
      counter.ended += 1;
      counter.told();
    });
  const until = (count: number): Promise<void> =>
    new Promise((resolve) => {
      counter.told = () => void (counter.ended >= count && resolve());
      counter.told();
    });
  for (let n = 0; n < 130; n++) await host.enqueue(n);
  await until(130);
  const desk = deskOf(services, processor.contract, host.queue);
  const told: number[] = [];
  const report = await redriveAll(
    desk,
    { kind: processor.contract.kind },
    { onProgress: (r) => told.push(r.redriven) },
  );
  await until(260);
  expect(report).toEqual({ redriven: 130, running: 0, refused: [] });
  expect(told).toEqual([100, 130]);
  expect(calls.compute).toBe(260);
  expect((await desk.page({})).deadLetters).toHaveLength(20);
});
