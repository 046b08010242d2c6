import { expect, onTestFinished, test } from 'vitest';
import { REDRIVE_WINDOW_MS } from '../../shared/contract-kit/define-job.ts';
import { AppError } from '../../shared/errors.ts';
import { openStore } from '../../shared/store/mongo/open.ts';
import { mongodbUrl, silentLog, TEST_KEYS, testServices } from '../../test/services.ts';
import { ClaimCollector, UNBOUND_GRACE_MS } from './claim-collector.ts';
import { Enqueuer } from './enqueuer.ts';
import { contractOf } from './runtime-fixture.ts';

const contract = contractOf('dataset');
const large = { n: 1, pad: 'x'.repeat(100_000) };
const MINUTE = 60_000;

async function open() {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const services = stack.use(await testServices());
  let at = Date.now();
  const clock = { now: () => at };
  const { masterKey, tenantKey } = TEST_KEYS;
  const { database, redis, prefix } = services;
  const store = stack.use(
    await openStore({ url: mongodbUrl, database, masterKey, tenantKey, clock: () => clock.now() }),
  );
  const kind = { ...contract, input: contract.input.loose() };
  const enqueuer = stack.use(
    new Enqueuer({ redis, prefix, contracts: { [contract.kind]: kind }, claims: store.claims, ring: undefined }),
  );
  const collector = new ClaimCollector(enqueuer, { store, clock, log: silentLog });
  const queue = enqueuer.queue(contract.kind);
  return {
    store,
    queue,
    /** Enqueues an input that travels as a claim. */
    enqueue: async (key: string) => {
      const runKey = await enqueuer.enqueue(contract.kind, large, { tenant: 'main', key, asOf: 1 });
      const job = (await queue.getPrioritized()).find(({ data }) => data.runKey === runKey);
      return { runKey, job, claim: job?.data.claim as { id: string; sha256: string } };
    },
    claimRun: async (runKey: string) => {
      const place = { tenant: 'main', kind: contract.kind, contractVersion: 1, inputHash: 'h', asOf: 1 };
      return (await store.ledger.claim({ runKey, ...place, codeVersion: 'x' })).run;
    },
    isThere: ({ id, sha256 }: { id: string; sha256: string }) =>
      store.claims.get('main', id, sha256).then(
        () => true,
        (error: AppError) => error.code !== 'CLAIM_NOT_FOUND',
      ),
    /** Lets time pass, then sweeps. */
    after: async (ms: number) => {
      at += ms;
      await collector.sweep();
    },
  };
}

test('a claim stays while its job waits, however long, and while it runs; it goes once the run has committed', async () => {
  const { store, enqueue, after, isThere, claimRun } = await open();
  const { runKey, job, claim } = await enqueue('k');
  await after(60 * 24 * 60 * MINUTE);
  expect(await isThere(claim)).toBe(true);
  const { fence } = await claimRun(runKey);
  await job?.remove(); // at work: what BullMQ says does not matter any more
  await after(6 * MINUTE);
  expect(await isThere(claim)).toBe(true);
  await store.ledger.commit({ runKey, fence, output: {}, next: [], lineage: { inputs: [] } });
  await after(6 * MINUTE);
  expect(await isThere(claim)).toBe(false);
  await expect(store.claims.bind('main', claim.id, runKey)).rejects.toMatchObject({ code: 'CLAIM_NOT_FOUND' });
});

test('a claim of a dead letter stays until the redrive window has closed, a cancelled one goes', async () => {
  const { store, enqueue, after, isThere, claimRun } = await open();
  const [dead, cancelled] = [await enqueue('dead'), await enqueue('cancelled')];
  const error = new AppError('INPUT_INVALID').toJSON();
  for (const [{ runKey, job }, state] of [
    [dead, 'dead-lettered'],
    [cancelled, 'cancelled'],
  ] as const) {
    const { fence } = await claimRun(runKey);
    await store.ledger.end(runKey, fence, state, error);
    await job?.remove();
  }
  await after(REDRIVE_WINDOW_MS - 5 * MINUTE);
  expect([await isThere(dead.claim), await isThere(cancelled.claim)]).toEqual([true, false]);
  await after(10 * MINUTE);
  expect(await isThere(dead.claim)).toBe(false);
});

test('a claim that no job came for is kept for a day, with a run named or without', async () => {
  const { store, after, isThere } = await open();
  const claims = [
    await store.claims.put('main', Buffer.from('a')),
    await store.claims.put('main', Buffer.from('b'), `main.${contract.kind}.never`),
  ];
  await after(UNBOUND_GRACE_MS - MINUTE);
  expect(await Promise.all(claims.map(isThere))).toEqual([true, true]);
  await after(2 * MINUTE);
  expect(await Promise.all(claims.map(isThere))).toEqual([false, false]);
});

test('a claim that two runs use goes with the last of them', async () => {
  const { store, after, isThere, claimRun } = await open();
  const claim = await store.claims.put('main', Buffer.from('a'), `main.${contract.kind}.first`);
  await store.claims.bind('main', claim.id, `main.${contract.kind}.second`);
  const [first, second] = [
    await claimRun(`main.${contract.kind}.first`),
    await claimRun(`main.${contract.kind}.second`),
  ];
  const commit = ({ runKey, fence }: typeof first) =>
    store.ledger.commit({ runKey, fence, output: {}, next: [], lineage: { inputs: [] } });
  await commit(first);
  await after(2 * MINUTE);
  expect(await isThere(claim)).toBe(true);
  await commit(second);
  await after(6 * MINUTE);
  expect(await isThere(claim)).toBe(false);
});
