import { expect, test } from 'vitest';
import { z } from 'zod';
import { fanOut, type Pipeline, rounds, step as typed } from '../../jobs/define-pipeline.ts';
import type { PipelineRunDocument, StepState } from '../../shared/store/ports.ts';
import { part, step } from './orchestrator-fixture.ts';
import { restartedSteps } from './pipeline-restart.ts';
import { newRun } from './pipeline-start.ts';

const pipeline: Pipeline = {
  name: 'again',
  title: 'A diamond, and a search behind it.',
  params: z.record(z.string(), z.unknown()),
  steps: {
    a: step('a', []),
    b: step('b', ['a']),
    c: step('c', ['a']),
    search: rounds({
      after: ['b', 'c'],
      max: 3,
      next: (_, round) =>
        round === 2
          ? undefined
          : { tries: fanOut(part, { over: () => [0, 1], input: () => ({ name: 'try', of: [] }) }) },
    }),
    last: typed(part, ['search'], () => ({ name: 'last', of: [] })),
  },
};

/** All has committed, but what is said. */
function ended(states: Readonly<Record<string, StepState>> = {}, rounds = 2): PipelineRunDocument {
  const fresh = newRun(pipeline, { id: 'r', tenant: 'main', params: {}, asOf: 1, live: {} }, 1);
  const names = ['a', 'b', 'c', 'last'];
  for (let round = 0; round < rounds; round++)
    names.push(`search[${round}]/tries`, `search[${round}]/tries[0]`, `search[${round}]/tries[1]`);
  const steps = Object.fromEntries(
    names.map((name) => {
      const state = states[name] ?? 'committed';
      return [name, { state, ...(name.endsWith('tries') ? { rounds: 1 } : { runKey: name, output: { name } }) }];
    }),
  );
  const search = { state: states.search ?? 'committed', rounds } as const;
  return { ...fresh, state: 'failed', steps: { ...steps, search } };
}

const statesOf = (run: PipelineRunDocument, from?: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(restartedSteps(pipeline, run, from, new Map())).map(([name, { state, reused }]) => [
      name,
      reused === true ? 'kept' : state,
    ]),
  );

test('what failed and what comes after it is done again, its siblings are kept', () => {
  const run = ended({ b: 'failed', search: 'waiting', last: 'waiting' }, 0);
  expect(statesOf(run)).toEqual({ a: 'kept', b: 'waiting', c: 'kept', search: 'waiting', last: 'waiting' });
});

test('a part that failed is done again in its round; the round before and its siblings are kept', () => {
  const run = ended({
    'search[1]/tries[0]': 'failed',
    'search[1]/tries': 'expanded',
    search: 'expanded',
    last: 'waiting',
  });
  const states = statesOf(run);
  expect(states).toMatchObject({
    'search[0]/tries[0]': 'kept',
    'search[1]/tries': 'expanded',
    'search[1]/tries[0]': 'waiting',
    'search[1]/tries[1]': 'kept',
    search: 'expanded',
    last: 'waiting',
  });
});

test('with a step to begin from, later rounds are made anew', () => {
  const restarted = restartedSteps(pipeline, ended(), 'search[0]/tries[1]', new Map());
  expect(Object.keys(restarted)).not.toContain('search[1]/tries');
  expect(restarted.search).toMatchObject({ state: 'expanded', rounds: 1 });
  expect(restarted['search[0]/tries[1]']).toEqual({ state: 'waiting' });
  expect(restarted['search[0]/tries[0]']).toMatchObject({
    state: 'committed',
    reused: true,
    runKey: 'search[0]/tries[0]',
  });
  expect(restarted.last).toEqual({ state: 'waiting' });
});

test('a group to begin from becomes its steps anew', () => {
  expect(statesOf(ended(), 'search')).toEqual({ a: 'kept', b: 'kept', c: 'kept', search: 'waiting', last: 'waiting' });
});

test('a group that could not grow goes on from the rounds it has', () => {
  const states = statesOf(ended({ search: 'failed', last: 'waiting' }, 1));
  expect(states).toMatchObject({ 'search[0]/tries[0]': 'kept', search: 'expanded', last: 'waiting' });
});

test('steps that a cancel found at work are done again', () => {
  const run = ended({ c: 'enqueued', search: 'waiting', last: 'waiting' }, 0);
  expect(statesOf(run)).toMatchObject({ b: 'kept', c: 'waiting' });
});

test('a run in which all has finished needs a step to begin from, and one that it has', () => {
  expect(() => statesOf(ended())).toThrow('say from which one');
  expect(() => statesOf(ended(), 'nowhere')).toThrow('has no step "nowhere"');
});
