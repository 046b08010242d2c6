import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { ChaosProxy } from '../../../test/chaos/proxy.ts';
import type { ClaimRequest, Ledger, RunDocument } from '../ports.ts';
import { testStore } from '../testing.ts';

const PROCESSES = 3;
const RUNS = 4;
const error = { code: 'INTERNAL', message: 'failed', details: {} };

const place = { tenant: 'main', kind: 'probe', contractVersion: 1, asOf: 1, codeVersion: 'x' } as const;
const requestOf = (runKey: string, inputHash = 'same'): ClaimRequest => ({ ...place, runKey, inputHash });

type Verb =
  | { readonly verb: 'claim'; readonly inputHash: string }
  | { readonly verb: 'commit' | 'settle'; readonly fence: number }
  | { readonly verb: 'end'; readonly fence: number | undefined }
  | { readonly verb: 'record' | 'markFollowed' | 'read' };

/** What a ledger is asked and answers, one verb after another: the law by which the grouped one is judged. */
type Model = Pick<RunDocument, 'state' | 'fence' | 'unsettled' | 'inputHash' | 'followed'> | undefined;

function claimed(run: Model, inputHash: string): [Model, string] {
  if (run === undefined)
    return [{ state: 'running', fence: 1, unsettled: 1, inputHash, followed: false }, 'claimed 1 1'];
  if (run.inputHash !== inputHash) return [run, 'KEY_REUSED'];
  if (run.state !== 'running') return [run, `ended ${run.state}`];
  const taken = { ...run, fence: run.fence + 1, unsettled: run.unsettled + 1 };
  return [taken, `claimed ${taken.fence} ${taken.unsettled}`];
}

function lawful(run: Model, step: Verb): [Model, string] {
  const isRunning = run?.state === 'running';
  switch (step.verb) {
    case 'claim':
      return claimed(run, step.inputHash);
    case 'commit': {
      if (run?.state === 'committed' && run.fence === step.fence) return [run, 'true']; // asked again by its holder
      return isRunning && run.fence === step.fence ? [{ ...run, state: 'committed' }, 'true'] : [run, 'false'];
    }
    case 'settle':
      return isRunning && run.fence === step.fence ? [{ ...run, unsettled: 0 }, 'done'] : [run, 'done'];
    case 'end':
      return isRunning && (step.fence === undefined || run.fence === step.fence)
        ? [{ ...run, state: 'dead-lettered', followed: false }, 'true']
        : [run, 'false'];
    case 'record':
      return run === undefined
        ? [{ state: 'committed', fence: 0, unsettled: 0, inputHash: 'same', followed: false }, 'true']
        : [run, 'false'];
    case 'markFollowed':
      return run === undefined || isRunning ? [run, 'done'] : [{ ...run, followed: true }, 'done'];
    default:
      return [run, shown(run)];
  }
}

const shown = (run: Model): string =>
  run === undefined ? 'none' : `${run.state} ${run.fence} ${run.unsettled} ${run.inputHash} ${run.followed}`;

async function ask(ledger: Ledger, runKey: string, step: Verb): Promise<string> {
  switch (step.verb) {
    case 'claim':
      return ledger.claim(requestOf(runKey, step.inputHash)).then(
        ({ state, run }) => (state === 'claimed' ? `claimed ${run.fence} ${run.unsettled}` : `ended ${run.state}`),
        (thrown: { code: string }) => thrown.code,
      );
    case 'commit':
      return String(
        await ledger.commit({ runKey, fence: step.fence, output: {}, next: [], lineage: { inputs: [] }, ...open }),
      );
    case 'settle':
      await ledger.settle(runKey, step.fence, error);
      return 'done';
    case 'end':
      return String(await ledger.end(runKey, step.fence, 'dead-lettered', error));
    case 'record':
      return String(await ledger.record({ ...recorded, runKey, inputHash: 'same' }));
    case 'markFollowed':
      await ledger.markFollowed(runKey);
      return 'done';
    default:
      return shown(await ledger.read(runKey));
  }
}
const open = { followed: false };
const recorded = { ...place, createdAt: 1, claimedAt: 1, endedAt: 1, output: {}, next: [], followed: false };

/** Whether the answers are those of the steps in some order, one after another; gives where each such order ends. */
function orders(run: Model, asked: readonly { readonly step: Verb; readonly answer: string }[]): Model[] {
  if (asked.length === 0) return [run];
  return asked.flatMap(({ step, answer }, at) => {
    const [after, lawfully] = lawful(run, step);
    return lawfully === answer ? orders(after, asked.toSpliced(at, 1)) : [];
  });
}

const fence = fc.integer({ min: 0, max: 4 });
const verb: fc.Arbitrary<Verb> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ verb: fc.constant('claim' as const), inputHash: fc.constant('same') }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('claim' as const), inputHash: fc.constant('other') }) },
  { weight: 4, arbitrary: fc.record({ verb: fc.constantFrom('commit' as const, 'settle' as const), fence }) },
  {
    weight: 2,
    arbitrary: fc.record({ verb: fc.constant('end' as const), fence: fc.option(fence, { nil: undefined }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      verb: fc.constantFrom('record' as const, 'markFollowed' as const, 'read' as const),
    }),
  },
);
const steps = fc.record({
  asked: verb,
  process: fc.nat({ max: PROCESSES - 1 }),
  run: fc.nat({ max: RUNS - 1 }),
});
/** What is asked at once; of one run no more than can be put in every order. */
const round = fc
  .array(steps, { minLength: 1, maxLength: 14 })
  .map((all) => all.filter((step, at) => all.slice(0, at).filter(({ run }) => run === step.run).length < 5));

test('many writes of several processes at once are answered as if they came one after another', async () => {
  const services = await testStore();
  onTestFinished(() => services[Symbol.asyncDispose]());
  const ledgers = await Promise.all(Array.from({ length: PROCESSES }, async () => (await services.another()).ledger));
  let nth = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 6 }), async (rounds) => {
      const keyOf = (run: number): string => `main.probe.${nth}-${run}`;
      nth += 1;
      // Several orders may explain the answers; each is followed until later answers contradict it.
      const states: Model[][] = Array.from({ length: RUNS }, () => [undefined]);
      for (const asked of rounds) {
        const answers = await Promise.all(
          asked.map(async ({ asked: step, process, run }) => {
            return { step, run, answer: await ask(ledgers[process] as Ledger, keyOf(run), step) };
          }),
        );
        for (const [run, before] of states.entries()) {
          const ofRun = answers.filter((one) => one.run === run);
          const after = new Map(before.flatMap((one) => orders(one, ofRun)).map((one) => [shown(one), one]));
          expect(after.size === 0 ? { run, ofRun, before } : 'explained by an order').toBe('explained by an order');
          states[run] = [...after.values()];
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('a burst of claims and commits holds each fence once, and reads back as it was answered', async () => {
  await using services = await testStore();
  const { ledger } = services.store;
  const other = (await services.another()).ledger;
  const keys = Array.from({ length: 300 }, (_, n) => `main.probe.burst-${n}`);
  const claims = await Promise.all(keys.flatMap((key) => [ledger.claim(requestOf(key)), other.claim(requestOf(key))]));
  expect(claims.map(({ run }) => `${run.runKey} ${run.fence}`).toSorted()).toEqual(
    keys.flatMap((key) => [`${key} 1`, `${key} 2`]).toSorted(),
  );
  const commits = await Promise.all(
    claims.map(async ({ run: { runKey, fence: mine } }) =>
      (await ledger.commit({ runKey, fence: mine, output: { mine }, next: [], lineage: { inputs: [] } })) ? mine : 0,
    ),
  );
  expect(commits.filter((mine) => mine > 0)).toEqual(keys.map(() => 2));
  const read = await Promise.all(keys.map((key) => ledger.read(key)));
  expect(read.map((run) => run?.output)).toEqual(keys.map(() => ({ mine: 2 })));
});

test('a document that the store refuses fails alone, whatever travels beside it', async () => {
  await using services = await testStore();
  const { ledger } = services.store;
  const run = { ...recorded, inputHash: 'same' };
  const fits = { ...run, output: 'x'.repeat(3 * 2 ** 20) };
  const settled = await Promise.allSettled([
    ...Array.from({ length: 3 }, (_, n) => ledger.record({ ...fits, runKey: `main.probe.fits-${n}` })),
    ledger.record({ ...run, runKey: 'main.probe.large', output: 'x'.repeat(17 * 2 ** 20) }),
    ledger.record({ ...run, runKey: 'main.probe.beside' }),
    ledger.record({ ...run, runKey: 'main.probe.last' }),
  ]);
  expect(settled.map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
  ]);
  expect(await ledger.read('main.probe.large')).toBeUndefined();
  expect(await ledger.read('main.probe.beside')).toMatchObject({ state: 'committed' });
});

test('a group whose answer is lost fails with SERVICE_UNAVAILABLE, and each of its runs can be taken again', async () => {
  await using services = await testStore();
  const server = new URL(process.env.MONGODB_URL as string);
  await using proxy = await ChaosProxy.open({ host: server.hostname, port: Number(server.port || 27_017) });
  server.port = String(proxy.port);
  const cut = (await services.another({ url: server.href, serverSelectionTimeoutMs: 100 })).ledger;
  const keys = Array.from({ length: 20 }, (_, n) => `main.probe.lost-${n}`);
  await Promise.all(keys.map((key) => cut.claim(requestOf(key))));
  const commit = (ledger: Ledger, runKey: string, mine: number) =>
    ledger.commit({ runKey, fence: mine, output: {}, next: [], lineage: { inputs: [] } });
  const lost = keys.map((key) => commit(cut, key, 1));
  await proxy[Symbol.asyncDispose]();
  const answers = await Promise.allSettled(lost);
  expect(answers).toEqual(
    keys.map(() => ({
      status: 'rejected',
      reason: expect.objectContaining({ code: 'SERVICE_UNAVAILABLE' }) as unknown,
    })),
  );
  const { ledger } = services.store;
  const again = await Promise.all(keys.map((key) => ledger.claim(requestOf(key))));
  for (const { state, run } of again)
    expect(state === 'ended' ? run.fence === 1 : run.fence === 2 && (await commit(ledger, run.runKey, 2))).toBe(true);
});
