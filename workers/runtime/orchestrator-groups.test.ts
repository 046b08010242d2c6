import { expect, test } from 'vitest';
import { z } from 'zod';
import { definePipeline, fanOut, type Pipeline, rounds, step as typed } from '../../jobs/define-pipeline.ts';
import { testServices } from '../../test/services.ts';
import { openRun, part, step } from './orchestrator-fixture.ts';

const pipelineOf = (steps: Pipeline['steps'], more: Partial<Pipeline> = {}): Pipeline => ({
  name: 'dynamic',
  title: 'Grows as it runs.',
  params: z.record(z.string(), z.unknown()),
  steps,
  ...more,
});

/** As many parts as the name of the first step's output has letters. */
const shards = fanOut(part, {
  after: ['cut'],
  over: ({ output }) => (output('cut', part).more ?? '').split(''),
  input: ({ output }, letter) => ({ name: letter, of: [output('cut', part).name] }),
});
const merge = typed(part, ['shards'], ({ outputs }) => ({
  name: 'merge',
  of: outputs('shards', part).map((shard) => shard?.name ?? 'none'),
}));

test('a step becomes as many as its predecessor says; the one that joins them gets their outputs in order', async () => {
  await using services = await testServices();
  const run = await openRun(services, pipelineOf({ cut: step('cut', []), shards, merge }));
  await run.orchestrator.advance(run.id);
  await run.finish('cut', 'committed', 'abcdefghijkl');
  await run.orchestrator.advance(run.id);
  const states = await run.states();
  expect(states).toMatchObject({ shards: 'expanded', 'shards[0]': 'enqueued', 'shards[11]': 'enqueued' });
  expect(states.merge).toBe('waiting');
  for (let shard = 11; shard >= 0; shard--) await run.finish(`shards[${shard}]`);
  await run.orchestrator.advance(run.id);
  expect((await run.jobs()).find(({ name }) => name === 'merge')?.of).toEqual(
    Array.from({ length: 12 }, (_, shard) => `shards[${shard}]`),
  );
  await run.finish('merge');
  await run.orchestrator.advance(run.id);
  expect((await run.read()).state).toBe('committed');
});

test('a fan-out over nothing is done at once', async () => {
  await using services = await testServices();
  const run = await openRun(services, pipelineOf({ cut: step('cut', []), shards, merge }));
  await run.orchestrator.advance(run.id);
  await run.finish('cut');
  await run.orchestrator.advance(run.id);
  expect(await run.states()).toEqual({ cut: 'committed', shards: 'committed', merge: 'enqueued' });
});

test('never more steps than the pipeline allows are enqueued at once', async () => {
  await using services = await testServices();
  const run = await openRun(services, pipelineOf({ cut: step('cut', []), shards, merge }, { parallel: 3 }));
  await run.orchestrator.advance(run.id);
  await run.finish('cut', 'committed', 'abcde');
  await run.orchestrator.advance(run.id);
  const atWork = async (): Promise<string[]> =>
    Object.entries(await run.states())
      .filter(([, state]) => state === 'enqueued')
      .map(([name]) => name);
  expect(await atWork()).toEqual(['shards[0]', 'shards[1]', 'shards[2]']);
  await run.finish('shards[1]');
  await run.orchestrator.advance(run.id);
  expect(await atWork()).toEqual(['shards[0]', 'shards[2]', 'shards[3]']);
});

test('rounds go on from the outputs of the round before until there is nothing more to do', async () => {
  await using services = await testServices();
  // Halving: every round tries the first half of the letters of the round before.
  const search = rounds({
    max: 5,
    next: ({ outputs }, round) => {
      const letters = round === 0 ? ['p', 'q', 'r', 's'] : outputs('trials', part).map((trial) => trial?.name ?? '');
      const left = round === 0 ? letters : letters.slice(0, letters.length / 2);
      if (left.length === 0) return undefined;
      return {
        trials: fanOut(part, { over: () => left, input: (_, letter) => ({ name: letter, of: [] }) }),
        best: typed(part, ['trials'], (context) => ({
          name: 'best',
          of: context.outputs('trials', part).map((trial) => trial?.name ?? ''),
        })),
      };
    },
  });
  const last = typed(part, ['search'], ({ output }) => ({ name: 'last', of: [output('search/best', part).name] }));
  const run = await openRun(services, pipelineOf({ search, last }));
  const order: string[] = [];
  await run.orchestrator.advance(run.id);
  while ((await run.read()).state === 'running') {
    const ready = Object.entries(await run.states()).filter(([, state]) => state === 'enqueued');
    for (const [name] of ready) {
      order.push(name);
      await run.finish(name);
    }
    await run.orchestrator.advance(run.id);
  }
  expect(order).toEqual([
    ...[0, 1, 2, 3].map((trial) => `search[0]/trials[${trial}]`),
    'search[0]/best',
    'search[1]/trials[0]',
    'search[1]/trials[1]',
    'search[1]/best',
    'search[2]/trials[0]',
    'search[2]/best',
    'last',
  ]);
  expect((await run.jobs()).find(({ name }) => name === 'last')?.of).toEqual(['search[2]/best']);
  expect((await run.read()).state).toBe('committed');
});

test('a group that would go on for ever fails the run, and names the bound', async () => {
  await using services = await testServices();
  const endless = rounds({ max: 2, next: () => ({ again: step('again', []) }) });
  const run = await openRun(services, pipelineOf({ endless }));
  await run.orchestrator.advance(run.id);
  for (const round of [0, 1]) {
    await run.finish(`endless[${round}]/again`);
    await run.orchestrator.advance(run.id);
  }
  const ended = await run.read();
  expect(ended.state).toBe('failed');
  expect(ended.steps.endless?.error).toMatchObject({ code: 'PIPELINE_TOO_LARGE', details: { roundsMax: 2 } });
});

test.each([
  [
    'a key that is no name',
    fanOut(part, { over: () => ['a.b'], key: (name) => name, input: () => ({ name: '', of: [] }) }),
  ],
  ['the same key twice', fanOut(part, { over: () => [1, 2], key: () => 'k', input: () => ({ name: '', of: [] }) })],
  ['a step after one that is not there', rounds({ max: 1, next: () => ({ late: step('late', ['never']) }) })],
])('%s fails the group that made it', async (_what, group) => {
  await using services = await testServices();
  const run = await openRun(services, pipelineOf({ group }));
  await run.orchestrator.advance(run.id);
  const ended = await run.read();
  expect(ended.state).toBe('failed');
  expect(ended.steps.group?.error?.code).toBe('PIPELINE_INVALID');
});

test('a step that looks at one it does not wait for fails: what it saw would depend on the moment', async () => {
  await using services = await testServices();
  const peek = typed(part, [], ({ output }) => ({ name: output('first', part).name, of: [] }));
  const run = await openRun(services, pipelineOf({ first: step('first', []), peek }));
  await run.orchestrator.advance(run.id);
  expect((await run.read()).steps.peek?.error?.message).toContain('does not wait for it');
});

test('an optional part that fails is skipped, and the join is told', async () => {
  await using services = await testServices();
  const tries = fanOut(part, {
    over: () => ['a', 'b'],
    input: (_, letter) => ({ name: letter, of: [] }),
    optional: true,
  });
  const join = typed(part, ['tries'], ({ outputs }) => ({
    name: 'join',
    of: outputs('tries', part).map((one) => one?.name ?? 'none'),
  }));
  const run = await openRun(services, pipelineOf({ tries, join }));
  await run.orchestrator.advance(run.id);
  await run.finish('tries[0]', 'dead-lettered');
  await run.finish('tries[1]');
  await run.orchestrator.advance(run.id);
  expect(await run.states()).toMatchObject({ 'tries[0]': 'skipped', 'tries[1]': 'committed', join: 'enqueued' });
  expect((await run.jobs()).find(({ name }) => name === 'join')?.of).toEqual(['none', 'tries[1]']);
});

test('large outputs stay in the ledger; steps get them all the same', async () => {
  await using services = await testServices();
  const long = 'x'.repeat(100_000);
  const use = typed(part, ['cut'], ({ output }) => ({ name: 'use', of: [String(output('cut', part).more?.length)] }));
  const run = await openRun(services, pipelineOf({ cut: step('cut', []), use }));
  await run.orchestrator.advance(run.id);
  await run.finish('cut', 'committed', long);
  await run.orchestrator.advance(run.id);
  expect((await run.read()).steps.cut?.output).toBeUndefined();
  expect((await run.jobs()).find(({ name }) => name === 'use')?.of).toEqual(['100000']);
  // A repair makes the same job again, from the ledger again.
  await run.queue.obliterate({ force: true });
  await run.orchestrator.repair(await run.read());
  expect((await run.jobs()).map(({ name, of }) => [name, ...of])).toEqual([['use', '100000']]);
});

test('a run whose steps this process does not know is left alone for a while, then fails', async () => {
  await using services = await testServices();
  const run = await openRun(services, pipelineOf({ old: step('old', []) }));
  const { store } = services;
  const renamed = await openRun(services, pipelineOf({ renamed: step('renamed', []) }));
  const before = await run.read();
  await store.pipelineRuns.advance(before, { ...before, changedAt: Date.now() });
  await expect(renamed.orchestrator.advance(run.id)).rejects.toMatchObject({ code: 'PIPELINE_INVALID' });
  expect((await run.read()).state).toBe('running');
  const later = await run.read();
  await store.pipelineRuns.advance(later, { ...later, changedAt: 1 });
  await renamed.orchestrator.advance(run.id);
  expect(await run.read()).toMatchObject({ state: 'failed', error: { code: 'PIPELINE_INVALID' } });
});

test('definitions that cannot run are refused at boot', () => {
  const later = pipelineOf({ a: step('a', ['b']), b: step('b', []) });
  expect(() => definePipeline(later)).toThrow('"a" waits for "b", which is not listed before it');
  expect(() => definePipeline(pipelineOf({ Loud: step('Loud', []) }))).toThrow('kebab-case');
  expect(() => rounds({ max: 0, next: () => undefined })).toThrow('1 to 500 rounds');
});
