import { expect, test } from 'vitest';
import { silentLog, testServices } from '../../test/services.ts';
import { PendingMarks } from './pending-marks.ts';
import { contractOf, probe, runOf, start } from './runtime-fixture.ts';

test('the result is given before the ledger knows that the run was followed, and a closing pool waits for the ledger', async () => {
  await using services = await testServices();
  const { ledger } = services.store;
  const asked = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  const slow = {
    ...ledger,
    claim: ledger.claim.bind(ledger),
    commit: ledger.commit.bind(ledger),
    markFollowed: async (runKey: string, output?: unknown) => {
      asked.resolve();
      await answered.promise;
      await ledger.markFollowed(runKey, output);
    },
  };
  const { processor } = probe(contractOf('dataset'));
  const host = await start({ ...services, store: { ...services.store, ledger: slow } }, processor);
  const { done, runKey } = await host.enqueue(5);
  expect(await done()).toEqual({ square: 25 });
  await asked.promise;
  expect((await runOf(services, runKey)).followed).toBe(false);
  let closed = false;
  const closing = host.workers[Symbol.asyncDispose]().finally(() => {
    closed = true;
  });
  await host.workers.worker.close();
  expect(closed).toBe(false);
  answered.resolve();
  await closing;
  expect((await runOf(services, runKey)).followed).toBe(true);
});

test('a mark that fails is logged and rejects nothing', async () => {
  const warned: unknown[] = [];
  const marks = new PendingMarks({ ...silentLog, warn: (fields: object) => void warned.push(fields) });
  await marks.add('main.probe.1', Promise.reject(new Error('away')));
  await marks.arrived();
  expect(warned).toMatchObject([{ runKey: 'main.probe.1', error: { code: 'INTERNAL' } }]);
});

test('when many marks are on their way, the next one waits for room', async () => {
  const marks = new PendingMarks(silentLog);
  const gates = Array.from({ length: 129 }, () => Promise.withResolvers<void>());
  for (const [n, { promise }] of gates.slice(0, 128).entries()) await marks.add(`run-${n}`, promise);
  let added = false;
  const adding = marks.add('run-128', gates[128]!.promise).finally(() => {
    added = true;
  });
  await Promise.resolve();
  expect(added).toBe(false);
  gates[7]!.resolve();
  await adding;
  for (const { resolve } of gates) resolve();
  await marks.arrived();
});
