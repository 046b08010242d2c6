import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Pipeline } from '../../jobs/define-pipeline.ts';
import { z } from 'zod';
import { AppError } from '../../shared/errors.ts';
import { testServices } from '../../test/services.ts';
import { openRun as open, step } from './orchestrator-fixture.ts';
import { pipelineCancelName } from '../../shared/contract-kit/names.ts';

const diamond: Pipeline = {
  name: 'diamond',
  title: 'Two branches that join.',
  params: z.record(z.string(), z.unknown()),
  steps: { a: step('a', []), b: step('b', ['a']), c: step('c', ['a']), d: step('d', ['b', 'c']) },
};

test('a join waits for all its branches and gets their outputs', async () => {
  await using services = await testServices();
  const run = await open(services, diamond);
  await run.orchestrator.advance(run.id);
  expect(await run.states()).toEqual({ a: 'enqueued', b: 'waiting', c: 'waiting', d: 'waiting' });
  await run.finish('a');
  await run.orchestrator.advance(run.id);
  expect(await run.states()).toEqual({ a: 'committed', b: 'enqueued', c: 'enqueued', d: 'waiting' });
  await run.finish('c');
  await run.orchestrator.advance(run.id);
  expect(await run.states()).toMatchObject({ d: 'waiting' });
  await run.finish('b');
  await run.orchestrator.advance(run.id);
  expect(await run.jobs()).toEqual([
    { name: 'a', of: [] },
    { name: 'b', of: ['a'] },
    { name: 'c', of: ['a'] },
    { name: 'd', of: ['b', 'c'] },
  ]);
  await run.finish('d');
  await run.orchestrator.advance(run.id);
  expect((await run.read()).state).toBe('committed');
});

test('advancing many times at once enqueues each step once', async () => {
  await using services = await testServices();
  const run = await open(services, diamond);
  await Promise.all(Array.from({ length: 8 }, () => run.orchestrator.advance(run.id)));
  await run.finish('a');
  await Promise.all(Array.from({ length: 8 }, () => run.orchestrator.advance(run.id)));
  expect((await run.jobs()).map(({ name }) => name)).toEqual(['a', 'b', 'c']);
});

test('a step that left no trace in Redis is enqueued again by a repair', async () => {
  await using services = await testServices();
  const run = await open(services, diamond);
  await run.orchestrator.advance(run.id);
  await run.queue.obliterate({ force: true });
  expect(await run.jobs()).toEqual([]);
  await run.orchestrator.repair(await run.read());
  expect(await run.jobs()).toEqual([{ name: 'a', of: [] }]);
});

test('a failed step fails the run once the other branch has ended, and nothing behind it starts', async () => {
  await using services = await testServices();
  const run = await open(services, diamond);
  await run.orchestrator.advance(run.id);
  await run.finish('a');
  await run.orchestrator.advance(run.id);
  await run.finish('b', 'dead-lettered');
  await run.orchestrator.advance(run.id);
  expect((await run.read()).state).toBe('running');
  await run.finish('c');
  await run.orchestrator.advance(run.id);
  const ended = await run.read();
  expect(ended.state).toBe('failed');
  expect(ended.steps.b?.error?.message).toContain('b broke.');
  expect(ended.steps.d?.state).toBe('waiting');
});

test('a step whose input cannot be made fails with the reason', async () => {
  await using services = await testServices();
  const run = await open(services, {
    ...diamond,
    steps: {
      only: step('only', [], () => {
        throw new AppError('NOT_PUBLISHED');
      }),
    },
  });
  await run.orchestrator.advance(run.id);
  const ended = await run.read();
  expect(ended.state).toBe('failed');
  expect(ended.steps.only?.error?.code).toBe('NOT_PUBLISHED');
});

test('a cancelled run marks its steps at work as cancelled', async () => {
  await using services = await testServices();
  const run = await open(services, diamond);
  await run.orchestrator.advance(run.id);
  const runKey = (await run.read()).steps.a?.runKey ?? '';
  await run.orchestrator.cancel(run.id);
  expect((await run.read()).state).toBe('cancelled');
  expect(await run.cancels.isCancelled(runKey)).toBe(true);
  expect(await run.cancels.isCancelled(pipelineCancelName(run.id))).toBe(true);
});

test('any graph runs every step once and never before its predecessors', async () => {
  await using services = await testServices();
  const graph = fc
    .integer({ min: 1, max: 6 })
    .chain((steps) =>
      fc.tuple(
        fc.constant(steps),
        fc.array(fc.boolean(), { minLength: 15, maxLength: 15 }),
        fc.infiniteStream(fc.nat(1000)),
      ),
    );
  let round = 0;
  await fc.assert(
    fc.asyncProperty(graph, async ([count, edges, picks]) => {
      let edge = 0;
      const names = Array.from({ length: count }, (_, i) => `s${i}`);
      const steps = Object.fromEntries(
        names.map((name, i) => [
          name,
          step(
            name,
            names.slice(0, i).filter(() => edges[edge++ % edges.length]),
          ),
        ]),
      );
      const run = await open(services, { ...diamond, name: `graph${round++}`, steps });
      const order: string[] = [];
      await run.orchestrator.advance(run.id);
      while ((await run.read()).state === 'running') {
        const ready = Object.entries(await run.states()).filter(([, state]) => state === 'enqueued');
        const picked = ready[(picks.next().value as number) % ready.length]?.[0];
        if (picked === undefined) throw new Error('a running graph with nothing to do');
        expect(steps[picked]?.after.every((earlier) => order.includes(earlier))).toBe(true);
        order.push(picked);
        await run.finish(picked);
        await run.orchestrator.advance(run.id);
      }
      expect(order.toSorted()).toEqual(names);
    }),
    { numRuns: 10 },
  );
});
