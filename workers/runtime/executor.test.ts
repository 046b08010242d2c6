import { expect, test } from 'vitest';
import { makeJob } from '../../jobs/client/make-job.ts';
import { aloneKey, runKeyOf } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';
import { testServices } from '../../test/services.ts';
import { ALONE_MAX, SUSPECT_AFTER } from './isolation.ts';
import { contractOf, failureOf, probe, runOf, start } from './runtime-fixture.ts';

test.each(['none', 'record', 'dataset'] as const)('a job of effect class %s gives its output', async (effect) => {
  await using services = await testServices();
  const { processor } = probe(contractOf(effect));
  const host = await start(services, processor);
  const { done, runKey } = await host.enqueue(7);
  expect(await done()).toEqual({ square: 49 });
  const run = await services.store.ledger.read(runKey);
  expect(run?.state).toBe(effect === 'none' ? undefined : 'committed');
});

test.each(['record', 'dataset'] as const)(
  'a run of effect class %s that has ended is not computed again when its job comes back',
  async (effect) => {
    await using services = await testServices();
    const { processor, calls } = probe(contractOf(effect));
    const host = await start(services, processor);
    const first = await host.enqueue(3, 'same');
    await first.done();
    await first.job.remove(); // as if Redis had been emptied, or the job had been pruned
    const second = await host.enqueue(3, 'same');
    expect(await second.done()).toEqual({ square: 9 });
    expect(calls.write).toBe(effect === 'record' ? 2 : 1); // `record` computes first and inserts once
    expect((await services.store.ledger.latest('main', 10)).length).toBe(1);
  },
);

test('the same key with another input is refused, and the first run keeps its outcome', async () => {
  await using services = await testServices();
  const host = await start(services, probe(contractOf('dataset')).processor);
  const first = await host.enqueue(3, 'same');
  await first.done();
  await first.job.remove();
  const second = await host.enqueue(4, 'same');
  expect((await failureOf(second.done())).code).toBe('KEY_REUSED');
  expect((await runOf(services, first.runKey)).output).toEqual({ square: 9 });
});

test('a passing fault is tried again, the run commits once, and the ledger counts the claims', async () => {
  await using services = await testServices();
  let faults = 2;
  const { processor, calls } = probe(contractOf('dataset'), {
    compute: async (n) => {
      if (faults-- > 0) throw new AppError('SERVICE_UNAVAILABLE');
      return n * n;
    },
  });
  const host = await start(services, processor);
  const { done, runKey } = await host.enqueue(5);
  expect(await done()).toEqual({ square: 25 });
  expect(calls.compute).toBe(3);
  await host.workers.told();
  expect(await runOf(services, runKey)).toMatchObject({ state: 'committed', fence: 3, followed: true });
});

test('a fault that stays parks the run as dead-lettered with its code', async () => {
  await using services = await testServices();
  const { processor, calls } = probe(contractOf('dataset'), {
    compute: async () => {
      throw new AppError('SERVICE_UNAVAILABLE');
    },
  });
  const host = await start(services, processor);
  const { done, runKey } = await host.enqueue(5);
  expect((await failureOf(done())).code).toBe('SERVICE_UNAVAILABLE');
  expect(calls.compute).toBe(3);
  const run = await runOf(services, runKey);
  expect(run).toMatchObject({ state: 'dead-lettered', error: { code: 'SERVICE_UNAVAILABLE' } });
  expect(calls.follow).toBe(0);
});

test('input that does not fit its contract is refused without a second attempt', async () => {
  await using services = await testServices();
  const { processor, calls } = probe(contractOf('dataset'));
  const host = await start(services, processor);
  const made = makeJob(processor.contract, { n: 1 }, { tenant: 'main', asOf: 1, key: 'bad' });
  if (!made.fits) throw new Error('does not fit');
  const { data, opts, name } = made.job;
  const job = await host.queue.add(name, { ...data, input: { n: 'one' } }, opts);
  expect((await failureOf(job.waitUntilFinished(host.events))).code).toBe('INPUT_INVALID');
  expect(calls.load).toBe(0);
  expect((await runOf(services, data.runKey)).state).toBe('dead-lettered');
});

test('output that does not fit its contract never commits', async () => {
  await using services = await testServices();
  const { processor } = probe(contractOf('dataset'), { write: async () => ({ output: { square: 0.5 } }) });
  const host = await start(services, processor);
  const { done, runKey } = await host.enqueue(5);
  expect((await failureOf(done())).code).toBe('OUTPUT_INVALID');
  expect((await runOf(services, runKey)).state).toBe('dead-lettered');
});

test('personal input that nobody sealed is refused', async () => {
  await using services = await testServices();
  const { processor, calls } = probe(contractOf('dataset', { personal: true }));
  const host = await start(services, processor);
  const sealed = await host.enqueue(6);
  expect(await sealed.done()).toEqual({ square: 36 });
  const { sealed: _box, ...open } = sealed.job.data as Record<string, unknown>;
  const runKey = runKeyOf('main', processor.contract.kind, 'open');
  const job = await host.queue.add('open', { ...open, runKey, input: { n: 6 } }, { jobId: 'ropen' });
  expect((await failureOf(job.waitUntilFinished(host.events))).code).toBe('INPUT_INVALID');
  expect(calls.load).toBe(1);
});

test.each(['none', 'dataset'] as const)(
  'a cancel reaches a run of class %s at work, which ends as cancelled without a retry',
  async (effect) => {
    await using services = await testServices();
    const started = Promise.withResolvers<void>();
    const { processor, calls } = probe(contractOf(effect), {
      compute: (_n, { signal }) => {
        started.resolve();
        return new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error)),
        );
      },
    });
    const host = await start(services, processor);
    const { done, runKey } = await host.enqueue(5);
    await started.promise;
    await host.cancels.cancel(runKey);
    expect((await failureOf(done())).code).toBe('CANCELLED');
    expect(calls.compute).toBe(1);
    const run = await services.store.ledger.read(runKey);
    expect(run?.state).toBe(effect === 'dataset' ? 'cancelled' : undefined);
  },
);

test('a run that was cancelled while it waited is not computed', async () => {
  await using services = await testServices();
  const { processor, calls } = probe(contractOf('dataset'));
  const host = await start(services, processor);
  await host.cancels.cancel(runKeyOf('main', processor.contract.kind, 'later'));
  const { done, runKey } = await host.enqueue(5, 'later');
  expect((await failureOf(done())).code).toBe('CANCELLED');
  expect(calls.load).toBe(0);
  expect((await runOf(services, runKey)).state).toBe('cancelled');
});

test('a run past its deadline ends as expired', async () => {
  await using services = await testServices();
  const { processor } = probe(contractOf('dataset', { durationMsMax: 50, attemptsMax: 1 }), {
    compute: (_n, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
  });
  const host = await start(services, processor);
  const { done, runKey } = await host.enqueue(5);
  expect((await failureOf(done())).code).toBe('DEADLINE_EXCEEDED');
  expect((await runOf(services, runKey)).state).toBe('expired');
});

test('a zombie is refused at the commit: the newer claim decides', async () => {
  await using services = await testServices();
  const contract = contractOf('dataset', { attemptsMax: 1 });
  const { processor, calls } = probe(contract, {
    write: async (square, { runKey, tenant }) => {
      // While this attempt computes, its lock is lost and another worker claims and commits the run.
      const made = makeJob(contract, { n: 5 }, { tenant, asOf: 1, key: 'contested' });
      if (!made.fits) throw new Error('does not fit');
      const { inputHash, kind, version } = made.job.data;
      const claimed = await services.store.ledger.claim({
        runKey,
        tenant,
        kind,
        contractVersion: version,
        inputHash,
        asOf: 1,
        codeVersion: 'other',
      });
      await services.store.ledger.commit({
        runKey,
        fence: claimed.run.fence,
        output: { square: 25 },
        next: [],
        lineage: { inputs: [] },
      });
      return { output: { square: square + 1 } };
    },
  });
  const host = await start(services, processor);
  const { done, runKey } = await host.enqueue(5, 'contested');
  expect((await failureOf(done())).code).toBe('LEASE_LOST');
  expect(await runOf(services, runKey)).toMatchObject({
    state: 'committed',
    output: { square: 25 },
    fence: 2,
    codeVersion: 'other',
  });
  expect(calls.follow).toBe(0);
});

test('intents are relayed after the commit, and what follow returns is the final output', async () => {
  await using services = await testServices();
  const seen: string[] = [];
  const { processor } = probe(contractOf('dataset'), {
    write: async (square) => ({
      output: { square },
      plan: { more: 1 },
      next: [{ type: 'enqueue', kind: 'other', key: 'k', input: {} }],
    }),
    follow: async (run, { store }) => {
      seen.push((await store.ledger.read(run.runKey))?.state ?? 'gone');
      return { square: 100 + (run.plan as { more: number }).more };
    },
  });
  const host = await start(services, processor);
  const { done, runKey } = await host.enqueue(5);
  expect(await done()).toEqual({ square: 101 });
  expect(seen).toEqual(['committed']);
  expect(host.relayed).toEqual([{ type: 'enqueue', kind: 'other', key: 'k', input: {} }]);
  await host.workers.told();
  expect(await runOf(services, runKey)).toMatchObject({ followed: true, output: { square: 101 } });
});

test('a run that was claimed again and again without an end is a suspect, runs alone, and is not parked for that', async () => {
  await using services = await testServices();
  const contract = contractOf('dataset');
  const { processor, calls } = probe(contract);
  const made = makeJob(contract, { n: 5 }, { tenant: 'main', asOf: 1, key: 'suspect' });
  if (!made.fits) throw new Error('does not fit');
  const { runKey, inputHash, kind, version, tenant } = made.job.data;
  const place = { runKey, tenant, kind, contractVersion: version, inputHash, asOf: 1, codeVersion: 'x' };
  for (let killed = 0; killed < 9; killed++) await services.store.ledger.claim(place);
  const host = await start(services, processor);
  const { done } = await host.enqueue(5, 'suspect');
  expect(await done()).toEqual({ square: 25 });
  expect(calls.load).toBe(1);
  expect(await services.redis.exists(aloneKey(services.prefix, runKey))).toBe(0);
});

test.each(['none', 'record', 'dataset'] as const)(
  'a run of class %s that went down with its worker when it was alone, too often, is parked and not begun again',
  async (effect) => {
    await using services = await testServices();
    const contract = contractOf(effect);
    const { processor, calls } = probe(contract);
    const made = makeJob(contract, { n: 5 }, { tenant: 'main', asOf: 1, key: 'poison' });
    if (!made.fits) throw new Error('does not fit');
    const { runKey, inputHash, kind, version, tenant } = made.job.data;
    const place = { runKey, tenant, kind, contractVersion: version, inputHash, asOf: 1, codeVersion: 'x' };
    if (effect === 'dataset')
      for (let killed = 0; killed < SUSPECT_AFTER; killed++) await services.store.ledger.claim(place);
    await services.redis.hset(aloneKey(services.prefix, runKey), { turns: ALONE_MAX, at: 0 });
    const host = await start(services, processor);
    await host.workers.worker.pause();
    const { job, done } = await host.enqueue(5, 'poison');
    // As many stalls as BullMQ would have counted.
    await services.redis.hset(host.queue.toKey(job.id as string), 'stc', SUSPECT_AFTER);
    await host.workers.worker.resume();
    expect(await failureOf(done())).toMatchObject({ code: 'RUN_POISONOUS', details: { runKey, alone: ALONE_MAX } });
    expect(calls.load).toBe(0);
    const run = await services.store.ledger.read(runKey);
    expect(run?.state).toBe(effect === 'dataset' ? 'dead-lettered' : undefined);
    expect(await services.redis.exists(aloneKey(services.prefix, runKey))).toBe(0);
  },
);
